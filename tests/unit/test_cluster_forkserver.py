"""The fork server reports how a job ended, and neither outlives its client."""

import importlib.util
import os
import sys
import time
from pathlib import Path

import psutil
import pytest
from stand_ins import until

from hcrlib.cluster.fork import FORKS
from hcrlib.cluster.forkserver import PRELOAD, ForkServer

JOBS = """
import os, signal, subprocess, sys, time

time.sleep(0.3)

def end(status):
    return status

def die(number):
    os.kill(os.getpid(), number)
    time.sleep(60)

def speak(word):
    print(word)
    print("an error", file=sys.stderr)
    subprocess.run(["echo", "a child's"], check=True)

def variable(name):
    print(os.environ.get(name))

def sleep(seconds):
    print(os.getpid(), flush=True)
    time.sleep(seconds)

def breed(seconds):
    child = subprocess.Popen(["sleep", str(seconds)])
    print(child.pid, flush=True)
    time.sleep(seconds)

def wrong(_):
    raise ValueError("no luck")
"""
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FORKS, reason="processes are forked only on Linux")]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """Let new processes import the jobs above."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "jobs.py").write_text(JOBS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(__file__).resolve().parents[2])]))
        yield


@pytest.fixture
def log(jobs, tmp_path):
    return tmp_path / "log.txt"


@pytest.fixture(params=[True, False], ids=["forks", "without forks"], scope="module")
def server(request, jobs):
    server = ForkServer(request.param, preload=())
    yield server
    server.stop()


@pytest.fixture
def forking(log):
    server = ForkServer(preload=())
    yield server
    server.stop()


def done(server, function, given, log, seconds=20, **more):
    server.begin(f"jobs:{function}", given, log, **more)
    return server.wait(seconds)


def printed(log):
    """Return the text of a log, "" if there is none yet."""
    return log.read_text() if log.exists() else ""


def gone(*pids):
    """Return whether none of these processes is running."""
    return all(not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in pids)


def test_modules_of_the_current_folder_are_not_imported_instead_of_python_s(jobs, log, tmp_path, monkeypatch):
    for name in ("random", "queue", "numpy", "signal"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not Python')")
    monkeypatch.chdir(tmp_path)
    for forks in (True, False):
        server = ForkServer(forks, preload=())
        assert done(server, "end", 5, log) == 5
        server.stop()


@pytest.mark.parametrize(
    ("function", "given", "status"),
    [
        ("end", None, 0),
        ("end", 5, 5),
        ("end", 75, 75),
        ("die", 9, -9),
        ("die", 15, -15),
        ("wrong", 0, 1),
    ],
)
def test_exit_status_of_a_job(server, log, function, given, status):
    assert done(server, function, given, log) == status


def test_log_of_a_job_and_its_children(server, log):
    log.write_text("of an earlier one")
    assert done(server, "speak", "a word, ä", log) == 0
    assert sorted(log.read_text().splitlines()) == ["a child's", "a word, ä", "an error"]


def test_environment_of_a_job(server, log):
    assert done(server, "variable", "HCR_GIVEN", log, environment={"HCR_GIVEN": "one"}) == 0
    assert log.read_text() == "one\n"
    assert done(server, "variable", "HCR_GIVEN", log) == 0
    assert log.read_text() == "None\n", "another job's"
    assert "HCR_GIVEN" not in os.environ


def test_missing_function(server, log):
    server.begin("jobs:none", 0, log)
    assert server.wait(20) == 1
    assert "has no attribute 'none'" in log.read_text()
    assert done(server, "end", 0, log) == 0


@pytest.mark.parametrize("prepare", ["knn", "no-such-classifier"])
def test_libraries_that_cannot_be_imported_do_not_stop_the_server(forking, log, prepare):
    assert done(forking, "end", 0, log, prepare=prepare) == 0


def test_stop(forking, log):
    forking.begin("jobs:breed", 60, log)
    pids = forking.pid, forking.process.pid, int(until(lambda: printed(log)))
    begun = time.monotonic()
    forking.stop()
    assert time.monotonic() - begun < 4
    until(lambda: gone(*pids))
    forking.stop()
    assert done(forking, "end", 7, log) == 7, "it may be used again"


def test_stop_without_forks(log):
    server = ForkServer(forks=False)
    pid = server.begin("jobs:sleep", 60, log)
    server.stop()
    until(lambda: gone(pid))


def test_server_that_cannot_start(log, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    server = ForkServer()
    with pytest.raises(RuntimeError, match="fork server"):
        server.begin("jobs:end", 0, log)
    server.stop()


def test_everything_that_is_preloaded_exists():
    assert all(importlib.util.find_spec(name) for name in PRELOAD if name.startswith("hcrlib"))
