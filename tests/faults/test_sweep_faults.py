"""Sweeps in real processes, of tiny notebooks that fail, die or wait: whatever happens, the same command goes on from there."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

from hcrlib import sweep

pytestmark = pytest.mark.slow

NOTEBOOK = """
import os, pathlib, time
from hcrlib import records
config = records.RunConfig(dataset, classifier, params, preprocess, seed, budget)
here = pathlib.Path(os.environ["WITNESS"])
with (here / "ran").open("a") as ran:
    ran.write(classifier + " ")
while classifier == "knn" and (here / "hold").exists():
    time.sleep(0.1)
mended = (here / "mended").exists()
if classifier == "svm" and not mended:
    os.kill(os.getpid(), 9)  # as the system does where memory runs out
if classifier == "linear" and not mended:
    raise ValueError("no luck")
records.RunRecord(config=config, status="skipped", reason="a stand-in").write()
"""
START = """
import pathlib, signal, sys
from hcrlib import cli, paths
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in a shell's background would ignore it
paths.project_root = lambda: pathlib.Path({root!r})
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder with the tiny notebook, and a kernel named python3 in the user's own folder that is none."""
    cells = [nbformat.v4.new_code_cell("seed = 0"), nbformat.v4.new_code_cell(NOTEBOOK)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "x"}}
    (tmp_path / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "notebooks/10_train.ipynb")
    (tmp_path / "jupyter/kernels/python3").mkdir(parents=True)
    (tmp_path / "jupyter/kernels/python3/kernel.json").write_text('{"argv": ["false"], "display_name": "no kernel"}')
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("WITNESS", str(tmp_path))
    return tmp_path


def start(project, text):
    """A process of `hcr sweep` on that file."""
    (project / "x.yml").write_text(text)
    code = START.format(root=str(project)) + f"sys.exit(cli.main(['sweep', {str(project / 'x.yml')!r}, '--no-report']))"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ran(project):
    return (project / "ran").read_text().split() if (project / "ran").exists() else []


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def state(project):
    return {record.config.classifier: record.status for record in sweep.load(project / "x.yml").records()}


def test_an_error_and_a_dead_kernel_stop_no_other_run_and_are_tried_again(project):
    text = "grid: {classifier: [linear, svm, dummy]}"
    told = (first := start(project, text)).communicate(timeout=120)
    assert first.returncode == 1, told
    assert state(project) == {"linear": "failed", "svm": "failed", "dummy": "skipped"}
    assert "cell 3: ValueError: no luck" in told[1]
    assert "Kernel died" in told[1]
    (project / "mended").touch()
    told = (second := start(project, text)).communicate(timeout=120)
    assert second.returncode == 0, told
    assert ran(project) == ["linear", "svm", "dummy", "linear", "svm"]


def test_kill_9_of_a_sweep_then_only_what_is_missing_is_made(project, results):
    (project / "hold").touch()
    text = "grid: {classifier: [dummy, knn, mlp]}"
    with start(project, text) as first:
        wait_for(lambda: ran(project) == ["dummy", "knn"])
        children = psutil.Process(first.pid).children(recursive=True)
        first.kill()
    assert state(project) == {"dummy": "skipped"}
    (project / "hold").unlink()
    told = (second := start(project, text)).communicate(timeout=120)
    assert second.returncode == 0, told
    assert state(project) == dict.fromkeys(("dummy", "knn", "mlp"), "skipped")
    assert [name for name in ran(project) if name != "knn"] == ["dummy", "mlp"]
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert not (results / ".sweep.lock").exists()


@pytest.mark.parametrize(("number", "status", "word"), [(signal.SIGINT, 130, "Stopped."), (signal.SIGTERM, 143, "")])
def test_a_sweep_that_is_stopped_ends_its_run_too(project, results, number, status, word):
    (project / "hold").touch()
    with start(project, "grid: {classifier: [knn, dummy]}") as first:
        wait_for(lambda: ran(project) == ["knn"])
        children = psutil.Process(first.pid).children(recursive=True)
        first.send_signal(number)
        told = first.communicate(timeout=30)
    assert first.returncode == status
    assert word in told[1]
    assert "Traceback" not in told[1]
    assert len(children) >= 2  # papermill and the kernel
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert state(project) == {}
    assert not (results / ".sweep.lock").exists()


def test_kill_9_of_a_runs_process_leaves_a_record_that_says_so(project):
    (project / "hold").touch()
    with start(project, "grid: {classifier: [knn, dummy]}") as process:
        wait_for(lambda: ran(project) == ["knn"])
        os.kill(psutil.Process(process.pid).children()[0].pid, signal.SIGKILL)
        told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ended by SIGKILL" in told[1]
    assert state(project) == {"knn": "failed", "dummy": "skipped"}
