"""nbval in a process of its own, and stricter than it is: a plug-in for it, and the call that uses it.

It is nbval's strict mode, which compares the outputs of all cells but those tagged to be ignored: the lax mode compares fewer.
By itself nbval passes a notebook of which it compares nothing (all cells are ignored, or were never executed), and one that
warns on stderr; and it fails where a busy machine needs over 5 s to hand over an output. The processes of pytest and of the
kernel are forked from one that has imported libraries, which would take longer than most notebooks; test_papermill.py starts a
kernel as Jupyter does.
"""

import atexit
import functools
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from hcrlib.cluster import kernel
from hcrlib.cluster.fork import FORKS
from hcrlib.cluster.forkserver import ForkServer

HERE = Path(__file__).parent
LIBRARIES = (  # of pytest, of the kernel, and of hcrlib; never hcrlib itself
    *("strict_nbval", "nbval.plugin", "pytest_timeout", "ipykernel.kernelapp", "IPython.display"),
    *("pandas", "scipy.stats", "sklearn.metrics", "matplotlib.figure"),
)
DIFFERS, RAISED = "Cell outputs differ", "Cell execution caused an exception"  # nbval's words
NOTHING, LOUD = "nbval compared nothing", "writes to stderr"
WAIT_S = 60

compared = set()


def run(notebook, root, prepare=None):
    """(exit status, what nbval said) of a notebook, in root/notebooks or a Path, against the hcrlib that lies in root.

    prepare: a classifier whose libraries the kernel is to have imported.
    """
    server, notebook = _server(), Path(root, "notebooks", notebook)
    log = notebook.with_suffix(".log")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    given = {"notebook": str(notebook), "root": str(root), "environment": environment}
    try:
        server.begin("strict_nbval:check", given, log, prepare=prepare)
        while (status := server.wait(1)) is None:
            pass
    except BaseException:  # such as the end of the test's time
        server.stop()
        raise
    return status, log.read_text(encoding="utf-8")


@functools.cache
def _server():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (HERE.parents[1], HERE))))
        server = ForkServer(preload=LIBRARIES)
        atexit.register(server.stop)
        server._start()
    return server


def check(given):
    """Run nbval in this process, which the fork server has forked; return pytest's exit status."""
    import nbval.kernel
    import nbval.plugin
    import pytest_timeout

    os.environ.clear()
    os.environ.update(given["environment"])
    os.chdir(given["root"])
    sys.path.insert(0, given["root"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "hcrlib"]:
        del sys.modules[name]  # the fork server's own: the notebook imports that of `root`
    if FORKS:
        forked = kernel._forked_kernel(Path(given["notebook"]).parent)  # before pytest captures and filters warnings
        nbval.kernel.start_new_kernel = lambda **how: _connected(forked, **how)
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=500", "--color=no"]
    plugins = [sys.modules[__name__], nbval.plugin, pytest_timeout]
    return int(pytest.main(["-q", "-p", "no:cacheprovider", *options, given["notebook"]], plugins))


def _connected(forked, startup_timeout, stderr, **_):
    """What nbval's start_new_kernel returns: a manager and a client."""
    from jupyter_client import BlockingKernelClient

    stderr.close()  # /dev/null, for the process that nbval would start
    client = BlockingKernelClient(connection_file=forked.connection_file)
    client.load_connection_file()
    client.start_channels()
    client.wait_for_ready(startup_timeout)
    manager = SimpleNamespace(
        is_alive=lambda: True, shutdown_kernel=lambda now: forked.end(), interrupt_kernel=forked.end, kernel_spec=None
    )
    return manager, client


def compared_cells(told):
    """How many cells were compared, from what nbval said."""
    return int(re.search(r"^nbval compared (\d+) cells", told, re.MULTILINE)[1])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Notes that a cell's outputs were compared, and fails the cell, compared or not, that wrote to stderr."""
    item.output_timeout, compare = WAIT_S, item.compare_outputs

    def noted(new, committed):
        if committed:
            compared.add(item.cell_num)
        return compare(new, committed)

    item.compare_outputs = noted
    result = yield
    for output in item.test_outputs:
        if output.get("name") == "stderr":
            pytest.fail(f"Cell {item.cell_num} {LOUD}: {output.text}")
    return result


def pytest_sessionfinish(session):
    if not compared and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"nbval compared {len(compared)} cells" if compared else NOTHING)
