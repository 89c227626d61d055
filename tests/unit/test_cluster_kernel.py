"""A notebook is executed in a process of its own, with a kernel that no port leads to; how it ended is a status."""

import os
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from hcrlib.cluster.forkserver import FORKS, Launcher
from hcrlib.cluster.kernel import CELL_FAILED, FAULT

pytestmark = pytest.mark.skipif(not FORKS, reason="kernels are forked on Linux alone")
FEW = "import hcrlib.cluster.kernel as n\nn.LOADED = 'papermill', 'nbclient', 'ipykernel.kernelapp'\n"


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two launchers that have loaded no more than is needed here."""
    folder = tmp_path_factory.mktemp("few")
    (folder / "sitecustomize.py").write_text(FEW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(__file__).resolve().parents[2])]))
        launchers = Launcher(), Launcher()
        yield launchers
        for launcher in launchers:
            launcher.stop()


def write(path, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in ("word = 0", *cells)])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "x"}
    nbformat.write(notebook, path)
    return path


def begin(launcher, folder, *cells, **parameters):
    """Starts such a notebook in a folder."""
    folder.mkdir(exist_ok=True)
    source = write(folder / "source.ipynb", *cells)
    given = {"notebook": str(source), "out": str(folder / "out.ipynb"), "parameters": parameters}
    return launcher.begin("hcrlib.cluster.kernel:execute", given, folder / "log.txt")


def printed(folder):
    notebook = nbformat.read(folder / "out.ipynb", as_version=4)
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))


def until(condition, seconds=100):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def whole(launcher):
    """All processes of a launcher."""
    process = psutil.Process(launcher.process.pid)
    return [process, *process.children(recursive=True)]


def test_a_notebook_that_succeeds(two, tmp_path):
    begin(two[0], tmp_path, "import os\nprint(word, os.getcwd())", "print(word * 2)", word="a word ä")
    assert two[0].wait(60) == 0
    assert printed(tmp_path) == f"a word ä {tmp_path}\na word äa word ä\n"
    assert "a word ä" in (tmp_path / "log.txt").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"log.txt", "out.ipynb", "source.ipynb"}


def test_a_notebook_that_raises_keeps_its_error(two, tmp_path):
    begin(two[0], tmp_path, "print('before')", "raise ValueError('no luck')", "print('after')")
    assert two[0].wait(60) == CELL_FAILED
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    [error] = [o for cell in notebook.cells for o in cell.get("outputs", ()) if o.output_type == "error"]
    assert (error.ename, error.evalue) == ("ValueError", "no luck")
    assert printed(tmp_path) == "before\n"


@pytest.mark.parametrize("cell", ["import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "import os\nos._exit(3)"])
def test_a_kernel_that_dies_is_a_fault(two, tmp_path, cell):
    begin(two[0], tmp_path, cell)
    assert two[0].wait(60) == FAULT
    assert "DeadKernelError" in (tmp_path / "log.txt").read_text()
    assert not (tmp_path / "kernel.json").exists()


def test_a_notebook_that_cannot_be_written_is_a_fault(two, tmp_path):
    (tmp_path / "out.ipynb").mkdir()
    begin(two[0], tmp_path, "print(1)")
    assert two[0].wait(60) == FAULT


def test_every_notebook_has_a_kernel_of_its_own(two, tmp_path):
    for number in range(2):
        begin(two[0], tmp_path / str(number), "there = globals().get('there', 0) + 1\nprint(there, word)", word=number)
        assert two[0].wait(60) == 0
        assert printed(tmp_path / str(number)) == f"1 {number}\n"


def test_what_a_kernel_is_asked_for_from_the_outside_it_has_not(two, tmp_path):
    begin(two[0], tmp_path, "import sys\nprint(sys.stdin.read() if not sys.stdin.isatty() else '', 'end')", "input()")
    assert two[0].wait(60) == CELL_FAILED
    assert "StdinNotImplementedError" in (tmp_path / "out.ipynb").read_text()


def test_two_at_once_share_nothing(two, tmp_path):
    hold = "import os, pathlib, time\npathlib.Path('here').touch()\nwhile not pathlib.Path('go').exists():\n"
    hold += "    time.sleep(0.02)\nprint(word)"
    folders = [tmp_path / "one", tmp_path / "two"]
    for launcher, folder in zip(two, folders, strict=True):
        begin(launcher, folder, hold, word=folder.name)
    until(lambda: all((folder / "here").exists() for folder in folders))
    processes = [process for launcher in two for process in whole(launcher)]
    assert len(processes) == 6  # launcher, executor and kernel
    assert {c.laddr.ip for process in processes for c in process.net_connections("inet")} <= {"127.0.0.1"}
    for folder in folders:
        assert oct((folder / "kernel.json").stat().st_mode & 0o077) == "0o0", "its key is nobody else's"
        (folder / "go").touch()
    assert [launcher.wait(60) for launcher in two] == [0, 0]
    assert [printed(folder) for folder in folders] == ["one\n", "two\n"]
    assert [len(whole(launcher)) for launcher in two] == [1, 1]


def test_nothing_of_a_notebook_outlives_a_kill_of_its_process(two, tmp_path):
    pid = begin(two[0], tmp_path, "import pathlib, time\npathlib.Path('here').touch()\ntime.sleep(60)")
    until((tmp_path / "here").exists)
    children = psutil.Process(pid).children(recursive=True)
    assert children
    psutil.Process(pid).kill()
    assert two[0].wait(30) == -9
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


@pytest.mark.slow
def test_without_forks_the_same_comes_out(tmp_path):
    launcher = Launcher(forks=False)
    source = write(tmp_path / "source.ipynb", "print(word)")
    given = {"notebook": str(source), "out": str(tmp_path / "out.ipynb"), "parameters": {"word": "x"}, "forks": False}
    try:
        launcher.begin("hcrlib.cluster.kernel:execute", given, tmp_path / "log.txt")
        assert launcher.wait(100) == 0
    finally:
        launcher.stop()
    assert printed(tmp_path) == "x\n"
