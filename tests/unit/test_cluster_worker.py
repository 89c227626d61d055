"""An attempt returns the whole run or why not, and leaves nothing but a checkpoint for the next attempt."""

import dataclasses
import functools
import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor

import nbformat
import psutil
import pytest
from stand_ins import until

import hcrlib as hcr
from hcrlib import records
from hcrlib.cluster import inputs, worker
from hcrlib.cluster.fork import FORKS
from hcrlib.cluster.forkserver import ForkServer
from hcrlib.cluster.inputs import Input
from hcrlib.cluster.jobs import DONE, FAILED, FAULT, LACKING, OTHER_CODE, RunJob
from hcrlib.core import paths
from hcrlib.core.code_hash import code_sha256
from hcrlib.runs import runner

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FORKS, reason="as on a worker of a cluster")]
TRAIN = """
import os, pathlib, signal, time
import hcrlib as hcr
here = pathlib.Path(os.environ["HCR_TEST"])
(here / "begun").touch()
while (here / "hold").exists():
    time.sleep(0.02)
"""
REST = "hcr.train(classifier, data=dataset, seed=seed, budget=budget, preprocess=preprocess, say=print, **params)"


@pytest.fixture(scope="module", autouse=True)
def _quick_servers():
    """Fork servers import no more than these tests need, and end with them."""
    few = functools.partial(ForkServer, preload=("papermill", "ipykernel.kernelapp", "hcrlib.runs.runner"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "ForkServer", few)
        yield
        stop()


def stop():
    if hasattr(worker._local, "server"):
        worker._local.server.stop()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder that notebooks know; the cache is empty."""
    monkeypatch.setenv("HCR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(worker, "LOOK_S", 0.1)
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def work(here):
    """A function of a notebook's cell: the Work of a run of `dummy` that it comes before."""

    def work(cell="", classifier="dummy", dataset="mnist-5k", params=None, **more):
        config = runner.resolve(classifier, dataset=dataset, **({"budget": 200} if params is None else params))
        begin = TRAIN.replace('os.environ["HCR_TEST"]', repr(str(here)))
        cells = [nbformat.v4.new_code_cell(text) for text in ("seed = 0", begin, cell, REST)]
        cells[0].metadata["tags"] = ["parameters"]
        kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "x"}}
        source = nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=kernel))
        given = {"config": config.to_dict(), "notebook": "10_train.ipynb", "source": source, "code": code_sha256()}
        return RunJob(**{**given, "inputs": tuple(inputs.of(config)), **more})

    return work


def unpacked(outcome):
    """name -> bytes of what came back, in its order."""
    with tarfile.open(fileobj=io.BytesIO(outcome.packed)) as tar:
        return {about.name: tar.extractfile(about).read() if about.isfile() else None for about in tar}


def record(outcome, folder):
    with tarfile.open(fileobj=io.BytesIO(outcome.packed)) as tar:
        tar.extractall(folder, filter="data")
    return records.read(folder)


def left():
    """Return the names of the files below the cache's `work`."""
    return sorted(path.name for path in (paths.cache_root() / "work").rglob("*") if path.is_file())


def children():
    return [p for p in psutil.Process().children(recursive=True) if p.ppid() != os.getpid()]


def test_a_finished_run(work, tmp_path):
    outcome = worker.attempt(work("print('a word')"))
    assert (outcome.kind, outcome.reason, outcome.lacking, outcome.worker) == (DONE, "", (), "")
    found = unpacked(outcome)
    assert list(found)[-1] == "record.json"
    assert {"notebook.ipynb", "log.txt", "predictions.npz", "model"} <= set(found)
    assert not {".lock", "attempt.json", "new", "checkpoint", "kernel.json", "10_train.ipynb"} & set(found)
    assert b"a word" in found["log.txt"]
    made, again = record(outcome, tmp_path / "made"), hcr.train("dummy", budget=200, say=lambda line: None)
    assert (made.status, made.misses, made.config) == ("finished", again.misses, again.config)
    assert 0.1 < outcome.seconds < 60
    assert left() == []


def test_a_cell_that_raises_is_a_recorded_failure(work, tmp_path):
    outcome = worker.attempt(work("raise ValueError('no luck')"))
    assert (outcome.kind, outcome.reason) == (FAILED, "cell 4: ValueError: no luck")
    made = record(outcome, tmp_path / "made")
    assert (made.status, made.reason) == ("failed", outcome.reason)
    assert made.provenance["code_sha256"] == code_sha256()
    assert b"no luck" in (tmp_path / "made/notebook.ipynb").read_bytes()
    assert left() == []


def test_a_library_of_an_extra_that_is_missing_is_recorded_with_how_to_install_it(work):
    outcome = worker.attempt(work("raise ModuleNotFoundError(\"No module named 'keras.ops'\")"))
    assert outcome.kind == FAILED
    assert outcome.reason.startswith("cell 4: ModuleNotFoundError: ")
    assert outcome.reason.endswith('Install it: pip install "hcrlib[train]"')


FAULTS = {
    "a full disk": ("raise OSError(28, 'No space left on device')", "No space left"),
    "a full quota": ("raise OSError(122, 'Disk quota exceeded')", "quota"),
    "a data set that does not fit": ("raise hcr.DataError('There is no room on the disk')", "no room on the disk"),
    "no record": ("hcr.train = lambda *_, **__: None", "without a record"),
}


@pytest.mark.parametrize(("cell", "words"), FAULTS.values(), ids=FAULTS)
def test_faults_leave_no_record(work, cell, words):
    cell = cell.replace("hcr.DataError", "__import__('hcrlib.core.errors').core.errors.DataError")
    outcome = worker.attempt(work(cell))
    assert outcome.kind == FAULT
    assert words in outcome.reason
    assert set(unpacked(outcome)) <= {"notebook.ipynb", "log.txt"}
    assert "log.txt" in unpacked(outcome)
    worker.clean([])
    assert left() == []


def test_memory_limit_includes_children(work):
    child = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'x = b\"x\" * (700 * 2**20); input()'], "
    outcome = worker.attempt(work(f"{child}stdin=subprocess.PIPE)\ntime.sleep(60)", limit_bytes=500 * 2**20))
    assert "over its limit" in outcome.reason
    until(lambda: not children())


def test_other_code_is_refused(work):
    outcome = worker.attempt(work(code="0" * 64))
    assert outcome.kind == OTHER_CODE
    assert code_sha256()[:12] in outcome.reason
    assert "000000000000" in outcome.reason
    assert outcome.packed == b""


def test_lacking_inputs(work, monkeypatch):
    monkeypatch.delenv("HCR_DATA", raising=False)
    missing = Input("mnist"), Input("/nowhere/own", "0" * 64), Input("runs/a/b/c", "1" * 64)
    outcome = worker.attempt(work(inputs=(Input("mnist-5k"), *missing)))
    assert (outcome.kind, outcome.lacking) == (LACKING, missing)
    assert outcome.reason == "mnist, /nowhere/own, runs/a/b/c"
    assert left() == []


CHECKPOINT = """
there = pathlib.Path(os.environ["HCR_RESULTS"], "runs", "{id}", "checkpoint")
if not there.exists():
    there.mkdir(parents=True)
    (there / "history.json").write_text("[]")
    os.kill(os.getpid(), signal.SIGKILL)
print("it was there")
"""


def test_resumes_from_the_checkpoint_of_a_killed_attempt(work):
    run = records.RunConfig.from_dict(work().config).id
    asked = work(CHECKPOINT.format(id=run))
    assert worker.attempt(asked).kind == FAULT
    worker.clean(["another/run/abc"])
    assert "history.json" in left()
    outcome = worker.attempt(asked)
    assert outcome.kind == DONE
    assert b"it was there" in unpacked(outcome)["log.txt"]
    assert "checkpoint" not in unpacked(outcome)
    assert left() == []
    assert worker.attempt(asked).kind == FAULT
    worker.clean([run])
    assert left() == []


def test_a_record_left_by_a_killed_attempt_is_ignored(work):
    run = records.RunConfig.from_dict(work().config).id
    write = f"pathlib.Path(os.environ['HCR_RESULTS'], 'runs', '{run}', 'record.json').write_text('{{}}')\nos._exit(1)"
    assert worker.attempt(work(write)).kind == FAULT
    outcome = worker.attempt(work("hcr.train = lambda *_, **__: None"))
    assert (outcome.kind, outcome.reason) == (FAULT, "the notebook ended without a record")


def test_two_attempts_at_once(work, here, tmp_path):
    def attempt():
        outcome = worker.attempt(asked)
        stop()
        return outcome

    asked = work()
    (here / "hold").touch()
    with ThreadPoolExecutor() as pool:
        attempts = []
        for _ in range(2):
            attempts.append(pool.submit(attempt))
            until((here / "begun").exists)
            worker.clean([records.RunConfig.from_dict(asked.config).id])
            (here / "begun").unlink()
        (here / "hold").unlink()
    one, two = (record(each.result(), tmp_path / str(n)) for n, each in enumerate(attempts))
    assert (one.status, one.config, one.misses) == ("finished", two.config, two.misses)
    assert left() == []


def test_a_crash_outside_the_cells_is_a_fault(work):
    outcome = worker.attempt(dataclasses.replace(work(), source="no notebook"))
    assert outcome.kind == FAULT
    assert "record.json" not in unpacked(outcome)


def test_a_cache_that_cannot_be_written_is_a_fault(work, here, monkeypatch):
    asked = work()
    (here / "file").touch()
    monkeypatch.setenv("HCR_CACHE", str(here / "file/cache"))
    outcome = worker.attempt(asked)
    assert outcome.kind == FAULT
    assert "NotADirectoryError" in outcome.reason


def test_memory_of_an_ended_process():
    assert worker.memory(2**22 + 1) == 0
    exact = worker.memory(os.getpid())
    assert 2**20 < exact <= worker.memory(os.getpid(), 2**50)


def test_shared_memory_is_told_apart_only_near_the_limit(monkeypatch):
    def refuse(process):
        raise AssertionError("it takes the kernel long")

    monkeypatch.setattr(psutil.Process, "memory_full_info", refuse)
    assert worker.memory(os.getpid(), 2**50) > 2**20
