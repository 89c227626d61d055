"""What comes of a run on a worker: all of it, or why not; and nothing stays behind but what the next attempt goes on from."""

import dataclasses
import io
import os
import tarfile
import threading
import time
from pathlib import Path

import nbformat
import psutil
import pytest

import hcrlib as hcr
from hcrlib.cluster import inputs, worker
from hcrlib.cluster.forkserver import FORKS
from hcrlib.cluster.inputs import Input
from hcrlib.cluster.worker import DONE, FAILED, FAULT, LACKING, OTHER_CODE, Work
from hcrlib.core import paths
from hcrlib.core.code_hash import code_sha256
from hcrlib.runs import records, runner

pytestmark = pytest.mark.skipif(not FORKS, reason="as on a worker of a cluster")
FEW = "import hcrlib.cluster.kernel as n\nn.LOADED = 'papermill', 'ipykernel.kernelapp', 'hcrlib.runs.runner'\n"
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
def launched(tmp_path_factory):
    """Launchers load no more than is needed here, and end with these tests."""
    folder = tmp_path_factory.mktemp("few")
    (folder / "sitecustomize.py").write_text(FEW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(__file__).resolve().parents[2])]))
        yield
        stop()


def stop():
    if hasattr(worker._own, "launcher"):
        worker._own.launcher.stop()


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
        return Work(**{**given, "inputs": tuple(inputs.of(config)), **more})

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
    """The files below the cache's `work`."""
    return sorted(path.name for path in (paths.cache_root() / "work").rglob("*") if path.is_file())


def until(condition, seconds=100):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def children():
    return [p for p in psutil.Process().children(recursive=True) if p.ppid() != os.getpid()]


class Other(threading.Thread):
    """An attempt that is under way; a context that ends when it has."""

    def __init__(self, work):
        super().__init__()
        self.work = work

    def run(self):
        self.outcome = worker.attempt(self.work)
        stop()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.join()


@pytest.mark.slow
def test_all_of_a_run_comes_back_and_nothing_stays(work, here, results, tmp_path):
    outcome = worker.attempt(work("print('a word')"))
    assert (outcome.kind, outcome.reason, outcome.lacking, outcome.worker) == (DONE, "", (), "")
    found = unpacked(outcome)
    assert list(found)[-1] == "record.json"
    assert {"notebook.ipynb", "log.txt", "predictions.npz", "model"} <= set(found)
    assert not {".lock", "attempt.json", "new", "checkpoint", "kernel.json", "10_train.ipynb"} & set(found)
    assert b"a word" in found["log.txt"]
    made = record(outcome, tmp_path / "made")
    again = hcr.train("dummy", budget=200, say=lambda line: None)
    assert (made.status, made.misses, made.config) == ("finished", again.misses, again.config)
    assert (
        made == hcr.train("dummy", budget=200, say=lambda line: None) or made.misses == records.find(made.config).misses
    )
    assert 0.1 < outcome.seconds < 60
    assert not (paths.cache_root() / "work").exists()


def test_results_of_the_worker_are_not_touched(work, results):
    assert worker.attempt(work()).kind == DONE
    assert not results.exists()


def test_wrong_code_is_a_failure_with_a_record_that_says_why(work, tmp_path):
    outcome = worker.attempt(work("raise ValueError('no luck')"))
    assert (outcome.kind, outcome.reason) == (FAILED, "cell 4: ValueError: no luck")
    made = record(outcome, tmp_path / "made")
    assert (made.status, made.reason) == ("failed", outcome.reason)
    assert made.provenance["code_sha256"] == code_sha256()
    assert b"no luck" in (tmp_path / "made/notebook.ipynb").read_bytes()
    assert not (paths.cache_root() / "work").exists()


FAULTS = {
    "a full disk": ("raise OSError(28, 'No space left on device')", "No space left"),
    "a full quota": ("raise OSError(122, 'Disk quota exceeded')", "quota"),
    "a data set that does not fit": ("raise hcr.DataError('There is no room on the disk')", "no room on the disk"),
    "a kernel that dies": ("os.kill(os.getpid(), signal.SIGKILL)", "Kernel died"),
    "an executor that dies": ("os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)", "SIGKILL"),
    "no record": ("hcr.train = lambda *_, **__: None", "without a record"),
}


@pytest.mark.parametrize(("cell", "told"), FAULTS.values(), ids=FAULTS)
def test_what_is_not_the_runs_fault_leaves_no_record(work, cell, told):
    cell = cell.replace("hcr.DataError", "__import__('hcrlib.core.errors').core.errors.DataError")
    outcome = worker.attempt(work(cell))
    assert outcome.kind == FAULT
    assert told in outcome.reason
    assert set(unpacked(outcome)) <= {"notebook.ipynb", "log.txt"}
    assert "log.txt" in unpacked(outcome)
    worker.clean([])
    assert not (paths.cache_root() / "work").exists()


@pytest.mark.slow
def test_a_launcher_that_dies_is_a_fault_and_the_next_attempt_has_a_new_one(work, here):
    def kill():
        until((here / "begun").exists)
        for child in psutil.Process().children():
            if "hcrlib.cluster.forkserver" in child.cmdline():
                child.kill()

    (here / "hold").touch()
    killing = threading.Thread(target=kill)
    killing.start()
    outcome = worker.attempt(work())
    killing.join()
    assert outcome.kind == FAULT
    assert "launcher" in outcome.reason
    (here / "hold").unlink()
    assert worker.attempt(work()).kind == DONE


@pytest.mark.slow
def test_what_takes_too_long_is_ended_and_recorded(work, here, tmp_path):
    outcome = worker.attempt(work("time.sleep(60)", limit_s=2.5))
    assert (outcome.kind, outcome.reason) == (FAILED, "it was stopped after its limit of 2.5 s")
    assert 2.5 < outcome.seconds < 50
    assert record(outcome, tmp_path / "made").reason == outcome.reason
    until(lambda: not children())
    assert worker.attempt(work(limit_s=60)).kind == DONE


def test_what_holds_too_much_memory_is_ended_and_recorded(work, tmp_path):
    outcome = worker.attempt(work("held = bytearray(b'x') * (700 * 2**20)\ntime.sleep(60)", limit_bytes=500 * 2**20))
    assert outcome.kind == FAILED
    assert "over its limit of 500 MiB" in outcome.reason
    assert record(outcome, tmp_path / "made").status == "failed"
    until(lambda: not children())


def test_memory_of_what_a_run_starts_is_its_own(work):
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


def test_what_is_lacking_is_named(work, monkeypatch):
    monkeypatch.delenv("HCR_DATA", raising=False)
    missing = Input("mnist"), Input("/nowhere/own", "0" * 64), Input("runs/a/b/c", "1" * 64)
    outcome = worker.attempt(work(inputs=(Input("mnist-5k"), *missing)))
    assert (outcome.kind, outcome.lacking) == (LACKING, missing)
    assert outcome.reason == "mnist, /nowhere/own, runs/a/b/c"
    assert not (paths.cache_root() / "work").exists()


@pytest.mark.slow
def test_members_of_an_ensemble_are_where_it_looks_for_them(work, tmp_path):
    members = [hcr.train("knn", k=k, say=lambda line: None).id for k in (1, 3)]
    asked = work(classifier="ensemble", params={"runs": members})
    outcome = worker.attempt(asked)
    assert (outcome.kind, outcome.reason) == (DONE, "")
    assert record(outcome, tmp_path / "made").status == "finished"
    assert all((paths.runs_root() / member / "record.json").exists() for member in members), "links alone were removed"


def test_a_run_reads_what_was_sent_under_the_name_it_knows(work, tmp_path, here):
    rows = ["label," + ",".join(f"p{i}" for i in range(784))]
    rows += [f"{n % 2}," + ",".join(["0", "255"][n % 2] for i in range(784)) for n in range(60)]
    own = tmp_path / "it's my däta"
    own.mkdir()
    (own / "a.csv").write_text("\n".join(rows))
    (own / "dataset.yml").write_text("{name: own, format: csv, images: a.csv}")
    asked = work(dataset=str(own))
    before = hcr.load_dataset(str(own)).sha256
    packed = io.BytesIO()
    inputs.packed(asked.inputs[0], packed)
    own.rename(tmp_path / "gone")
    assert worker.attempt(asked).kind == LACKING
    inputs.receive("t", packed.getvalue(), asked.inputs[0])
    outcome = worker.attempt(asked)
    assert (outcome.kind, outcome.reason) == (DONE, "")
    made = record(outcome, tmp_path / "made")
    assert made.data["sha256"] == before
    assert made.config.dataset == str(own)


CHECKPOINT = """
there = pathlib.Path(os.environ["HCR_RESULTS"], "runs", "{id}", "checkpoint")
if not there.exists():
    there.mkdir(parents=True)
    (there / "history.json").write_text("[]")
    os.kill(os.getpid(), signal.SIGKILL)
print("it was there")
"""


def test_an_attempt_goes_on_from_the_checkpoint_of_one_that_was_killed(work):
    run = records.RunConfig.from_dict(work().config).id
    asked = work(CHECKPOINT.format(id=run))
    assert worker.attempt(asked).kind == FAULT
    worker.clean([])
    assert "history.json" in left()
    outcome = worker.attempt(asked)
    assert outcome.kind == DONE
    assert b"it was there" in unpacked(outcome)["log.txt"]
    assert "checkpoint" not in unpacked(outcome)
    assert not (paths.cache_root() / "work").exists()


def test_what_crashes_beside_the_notebook_s_cells_is_no_failure_of_the_run(work):
    outcome = worker.attempt(dataclasses.replace(work(), source="no notebook"))
    assert outcome.kind == FAULT
    assert "record.json" not in unpacked(outcome)


def test_half_a_checkpoint_is_no_result(tmp_path):
    for name in ("checkpoint", "checkpoint.new", "checkpoint.old", "model"):
        (tmp_path / name).mkdir()
    (tmp_path / "record.json").write_text("{}")
    assert list(unpacked(worker.Outcome(DONE, packed=worker._packed(tmp_path)))) == ["model", "record.json"]


def test_what_may_not_be_removed_does_not_keep_the_rest(monkeypatch):
    root, alone = paths.cache_root().resolve() / "work/mnist-5k/dummy", worker.file_lock
    for name in ("aaa", "bbb", "ccc"):
        (root / name).mkdir(parents=True)

    def guarded(path, timeout):
        if "bbb" in path.name:
            raise PermissionError(13, "Permission denied")
        return alone(path, timeout)

    with monkeypatch.context() as denied:
        denied.setattr(worker, "file_lock", guarded)
        worker.clean([])
    assert [path.name for path in root.iterdir()] == ["bbb"]
    worker.clean([])
    assert not root.exists()


def test_checkpoints_of_runs_that_are_made_are_removed(work):
    run = records.RunConfig.from_dict(work().config).id
    assert worker.attempt(work(CHECKPOINT.format(id=run))).kind == FAULT
    worker.clean(["another/run/abc"])
    assert "history.json" in left()
    worker.clean([run])
    assert not (paths.cache_root() / "work").exists()
    worker.clean([run])


def test_a_record_that_a_killed_attempt_left_is_no_other_ones(work):
    write = "pathlib.Path(os.environ['HCR_RESULTS'], 'runs', '{id}', 'record.json').write_text('{{}}')\nos._exit(1)"
    run = records.RunConfig.from_dict(work().config).id
    assert worker.attempt(work(write.format(id=run))).kind == FAULT
    outcome = worker.attempt(work("hcr.train = lambda *_, **__: None"))
    assert (outcome.kind, outcome.reason) == (FAULT, "the notebook ended without a record")


@pytest.mark.slow
def test_of_two_attempts_at_once_each_has_a_folder_of_its_own(work, here, tmp_path):
    (here / "hold").touch()
    with Other(work()) as first:
        until((here / "begun").exists)
        run = records.RunConfig.from_dict(first.work.config).id
        worker.clean([run])
        (here / "begun").unlink()
        with Other(work()) as second:
            until((here / "begun").exists)
            (here / "hold").unlink()
    assert (first.outcome.kind, second.outcome.kind) == (DONE, DONE)
    one, two = (record(each.outcome, tmp_path / str(n)) for n, each in enumerate((first, second)))
    assert (one.config, one.misses) == (two.config, two.misses)
    assert not (paths.cache_root() / "work").exists()


def test_a_cache_that_cannot_be_written_is_a_fault(work, here, monkeypatch):
    asked = work()
    (here / "file").touch()
    monkeypatch.setenv("HCR_CACHE", str(here / "file/cache"))
    outcome = worker.attempt(asked)
    assert outcome.kind == FAULT
    assert "NotADirectoryError" in outcome.reason


def test_the_memory_of_a_process_that_has_ended_is_none():
    assert worker.memory(2**22 + 1) == 0
    assert worker.memory(os.getpid()) > 2**20
