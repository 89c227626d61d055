"""A notebook runs in a process of its own, with a kernel that no port leads to; the exit status says how it ended."""

import sys

import nbformat
import psutil
import pytest
from stand_ins import until

from hcrlib.cluster.fork import FORKS
from hcrlib.cluster.forkserver import ForkServer
from hcrlib.cluster.kernel import CELL_FAILED, KERNEL_FAILED
from hcrlib.runs import notebooks

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FORKS, reason="kernels are forked only on Linux")]


PRELOAD = "papermill", "nbclient", "ipykernel.kernelapp"


@pytest.fixture(scope="module")
def two():
    """Two fork servers that import no more than these tests need."""
    servers = ForkServer(preload=PRELOAD), ForkServer(preload=PRELOAD)
    yield servers
    for server in servers:
        server.stop()


def write(path, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in ("word = 0", *cells)])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "x"}
    nbformat.write(notebook, path)
    return path


def begin(server, folder, *cells, **parameters):
    """Start a notebook of these cells in a folder."""
    folder.mkdir(exist_ok=True)
    source = write(folder / "source.ipynb", *cells)
    given = {"notebook": str(source), "out": str(folder / "out.ipynb"), "parameters": parameters}
    return server.begin("hcrlib.cluster.kernel:execute", given, folder / "log.txt")


def printed(folder):
    notebook = nbformat.read(folder / "out.ipynb", as_version=4)
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))


def processes_of(server):
    """Return all processes of a fork server."""
    process = psutil.Process(server.process.pid)
    return [process, *process.children(recursive=True)]


def test_success(two, tmp_path):
    begin(two[0], tmp_path, "import os\nprint(word, os.getcwd())", "print(word * 2)", word="a word ä")
    assert two[0].wait(60) == 0
    assert printed(tmp_path) == f"a word ä {tmp_path}\na word äa word ä\n"
    assert "a word ä" in (tmp_path / "log.txt").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"log.txt", "out.ipynb", "source.ipynb"}


def test_no_process_spends_seconds_on_a_grammar_of_iris(two, tmp_path):
    begin(two[0], tmp_path, "import sys, nbformat\nprint('jsonschema' in sys.modules, 'lark' in sys.modules)")
    assert two[0].wait(60) == 0
    assert printed(tmp_path) == "True False\n"


def test_cell_that_raises(two, tmp_path):
    begin(two[0], tmp_path, "print('before')", "raise ValueError('no luck')", "print('after')")
    assert two[0].wait(60) == CELL_FAILED
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    [error] = [o for cell in notebook.cells for o in cell.get("outputs", ()) if o.output_type == "error"]
    assert (error.ename, error.evalue) == ("ValueError", "no luck")
    assert printed(tmp_path) == "before\n"


@pytest.mark.parametrize("cell", ["import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "import os\nos._exit(3)"])
def test_kernel_that_dies(two, tmp_path, cell):
    begin(two[0], tmp_path, cell)
    assert two[0].wait(60) == KERNEL_FAILED
    assert "DeadKernelError" in (tmp_path / "log.txt").read_text()
    assert not (tmp_path / "kernel.json").exists()


def test_notebook_that_cannot_be_written(two, tmp_path):
    (tmp_path / "out.ipynb").mkdir()
    begin(two[0], tmp_path, "print(1)")
    assert two[0].wait(60) == KERNEL_FAILED


def test_two_at_once(two, tmp_path):
    hold = "import os, pathlib, time\npathlib.Path('here').touch()\nwhile not pathlib.Path('go').exists():\n"
    hold += "    time.sleep(0.02)\nprint(word)"
    folders = [tmp_path / "one", tmp_path / "two"]
    for server, folder in zip(two, folders, strict=True):
        begin(server, folder, hold, word=folder.name)
    until(lambda: all((folder / "here").exists() for folder in folders))
    processes = [process for server in two for process in processes_of(server)]
    assert len(processes) == 6  # fork server, executor and kernel
    assert {c.laddr.ip for process in processes for c in process.net_connections("inet")} <= {"127.0.0.1"}
    for folder in folders:
        assert oct((folder / "kernel.json").stat().st_mode & 0o077) == "0o0", "its key is for nobody else"
        (folder / "go").touch()
    assert [server.wait(60) for server in two] == [0, 0]
    assert [printed(folder) for folder in folders] == ["one\n", "two\n"]
    assert [len(processes_of(server)) for server in two] == [1, 1]


def test_without_a_forked_kernel(tmp_path):
    source = write(
        tmp_path / "source.ipynb", "import sys\nprint(word, sys.executable)", "raise ValueError('no\\nluck')"
    )
    with pytest.raises(notebooks.CellError, match="cell 4: ValueError: luck"):
        notebooks.execute(source, tmp_path / "out.ipynb", {"word": "x"}, tmp_path)
    assert printed(tmp_path) == f"x {sys.executable}\n"
    children = psutil.Process().children(recursive=True)
    assert not [child for child in children if "ipykernel_launcher" in child.cmdline()]
