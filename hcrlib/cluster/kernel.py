"""A notebook, executed by papermill in the process that the launcher forked, with a kernel that is forked from it in turn.

The kernel has loaded already what notebooks import. It is reached through sockets without a port or a file (Linux' abstract
ones): kernels that start at the same time have nothing to collide on, and nothing is left of one that is killed.
"""

import contextlib
import os
import signal
import sys
import uuid
from pathlib import Path

LOADED = (  # by the launcher, before it forks
    *("papermill", "nbclient", "ipykernel.kernelapp", "pandas", "matplotlib.pyplot"),
    *("hcrlib.api", "hcrlib.runs.runner", "hcrlib.plotting.classification"),
)
CELL_FAILED, FAULT = 65, 75  # exit statuses that nothing else ends with: EX_DATAERR, EX_TEMPFAIL of sysexits.h
START_S = 120  # for a kernel to answer


def execute(given):
    """Executes given["notebook"] with given["parameters"] into given["out"]; paths are absolute.

    The exit status: 0; CELL_FAILED, with the error in the notebook; FAULT where the kernel died or did not start, or the
    notebook could not be written.
    """
    import logging

    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    folder = Path(given["out"]).parent
    own = {"km": _kernel(folder)} if given.get("forks", True) else {"kernel_name": "python3"}
    try:
        papermill.execute_notebook(
            given["notebook"],
            given["out"],
            given["parameters"],
            progress_bar=False,
            log_output=True,
            start_timeout=START_S,
            cwd=str(folder),
            **own,
        )
    except PapermillExecutionError:
        return CELL_FAILED
    except (DeadKernelError, OSError, RuntimeError) as error:  # RuntimeError: it did not start in time
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FAULT
    finally:
        if "km" in own:
            own["km"].end()
    return 0


def _kernel(folder):
    """A kernel forked from this process, as papermill's kernel manager."""
    from jupyter_client.asynchronous import AsyncKernelClient
    from jupyter_client.connect import write_connection_file
    from jupyter_client.manager import AsyncKernelManager

    from hcrlib.cluster.forkserver import fork

    class Forked(AsyncKernelManager):
        """Knows a kernel that is there already; papermill neither starts nor ends it."""

        child, status = None, None

        @property
        def has_kernel(self):
            return True

        async def _async_is_alive(self):
            if self.status is None:
                pid, status = os.waitpid(self.child, os.WNOHANG)
                self.status = status if pid else None
            return self.status is None

        is_alive = _async_is_alive

        def end(self):
            if self.status is None:
                with contextlib.suppress(ProcessLookupError, ChildProcessError):
                    os.kill(self.child, signal.SIGKILL)
                    os.waitpid(self.child, 0)
            Path(self.connection_file).unlink(missing_ok=True)

    file = str(folder / "kernel.json")
    ports = dict(zip(("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port"), range(1, 6), strict=True))
    key = uuid.uuid4().hex.encode()
    write_connection_file(file, transport="ipc", ip=f"@hcr-{uuid.uuid4().hex}", key=key, kernel_name="python3", **ports)
    client = f"{AsyncKernelClient.__module__}.{AsyncKernelClient.__name__}"
    manager = Forked(connection_file=file, kernel_name="python3", client_class=client)
    manager.load_connection_file()
    manager.child = fork(lambda: _serve(file))
    return manager


def _serve(file):
    """The kernel's life."""
    from ipykernel.kernelapp import IPKernelApp

    os.chdir(Path(file).parent)
    os.environ["JPY_PARENT_PID"] = str(os.getppid())
    sys.argv = ["ipykernel_launcher.py"]
    IPKernelApp.launch_instance(argv=["-f", file, "--HistoryManager.enabled=False"])
