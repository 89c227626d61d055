"""Execute a notebook in the process that the fork server started, with a kernel forked from it.

The kernel has already imported what notebooks use. It is reached through Linux's abstract sockets, which have neither a port
nor a file: kernels that start at the same time cannot collide, and a killed one leaves nothing behind.
"""

import contextlib
import os
import signal
import sys
import uuid
from pathlib import Path

from hcrlib.cluster.fork import FORKS, fork
from hcrlib.core.errors import RunError
from hcrlib.runs import notebooks

CELL_FAILED, KERNEL_FAILED = 65, 75  # exit statuses that nothing else uses: EX_DATAERR and EX_TEMPFAIL of sysexits.h


def execute(request):
    """Execute request["notebook"] with request["parameters"] into request["out"] (absolute paths); return an exit status.

    0, CELL_FAILED, or KERNEL_FAILED if the kernel died or did not start, or the notebook could not be written; the reason is
    the last line printed.
    """
    import logging

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    folder = Path(request["out"]).parent
    kernel = _forked_kernel(folder) if FORKS else None
    try:
        notebooks.execute(request["notebook"], request["out"], request["parameters"], folder, kernel, log=True)
    except RunError as error:
        print(error.what, file=sys.stderr)
        return CELL_FAILED if isinstance(error, notebooks.CellError) else KERNEL_FAILED
    finally:
        if kernel:
            kernel.end()
    return 0


def _forked_kernel(folder):
    """Fork a kernel from this process; return its kernel manager."""
    from jupyter_client.asynchronous import AsyncKernelClient
    from jupyter_client.connect import write_connection_file
    from jupyter_client.manager import AsyncKernelManager

    class ForkedKernelManager(AsyncKernelManager):
        """Manages a kernel that is already running; papermill neither starts nor ends it."""

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
    manager = ForkedKernelManager(connection_file=file, kernel_name="python3", client_class=client)
    manager.load_connection_file()
    manager.child = fork(lambda: _serve(file))
    return manager


def _serve(file):
    """Run the kernel until it is killed."""
    from ipykernel.kernelapp import IPKernelApp

    os.chdir(Path(file).parent)
    os.environ["JPY_PARENT_PID"] = str(os.getppid())
    sys.argv = ["ipykernel_launcher.py"]
    IPKernelApp.launch_instance(argv=["-f", file, "--HistoryManager.enabled=False"])
