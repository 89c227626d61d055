"""nbval in a process of its own, and stricter than it is: a plug-in for it, and the call that uses it.

By itself nbval passes a notebook of which it compares nothing (no cell is marked, or the marked ones were never executed), and
one that warns on stderr; and it fails where a busy machine needs over 5 s to hand over an output.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.modules.setdefault("rfc3987_syntax", None)  # nbformat needs none of it, and its grammar takes 2 s to compile
HERE = Path(__file__).parent
DIFFERS, RAISED = "Cell outputs differ", "Cell execution caused an exception"  # nbval's words
NOTHING, LOUD = "nbval compared nothing", "writes to stderr"
WAIT_S = 60

compared = set()


def run(notebook, root):
    """(exit status, what nbval said) of a notebook, in root/notebooks or a Path, against the hcrlib that lies in root."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    plugins = ["-p", "strict_nbval", "-p", "nbval.plugin", "-p", "pytest_timeout"]  # the others take seconds to import
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=500", "--color=no"]
    done = subprocess.run(
        [*command, *plugins, *options, str(Path("notebooks") / notebook)],
        cwd=root,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(root), str(HERE)]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


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
