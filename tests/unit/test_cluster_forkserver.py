"""A job's end is told as it was, and neither a job nor its launcher outlives the process that asked for them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from hcrlib.cluster.forkserver import FORKS, Launcher

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

def tell(name):
    print(os.environ.get(name))

def read(_):
    print(repr(sys.stdin.read()))

def sleep(seconds):
    print(os.getpid(), flush=True)
    time.sleep(seconds)

def breed(seconds):
    child = subprocess.Popen(["sleep", str(seconds)])
    print(child.pid, flush=True)
    time.sleep(seconds)

def wrong(_):
    raise ValueError("no luck")

def leader(_):
    print(os.getpid() == os.getsid(0))
"""
QUICK = "import hcrlib.cluster.kernel as notebook\nnotebook.LOADED = ()\n"  # what takes seconds to load
OWNER = """
import sys
from hcrlib.cluster.forkserver import Launcher
launcher = Launcher()
print("pids", launcher.begin("jobs:breed", 60, sys.argv[1]), launcher.process.pid, flush=True)
sys.stdin.read()
"""
pytestmark = pytest.mark.skipif(not FORKS, reason="processes are forked on Linux alone")


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """Processes that begin from here on find the jobs above."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "sitecustomize.py").write_text(QUICK)
    (folder / "jobs.py").write_text(JOBS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(__file__).resolve().parents[2])]))
        yield


@pytest.fixture
def log(jobs, tmp_path):
    return tmp_path / "log.txt"


@pytest.fixture(params=[True, False], ids=["forks", "without forks"], scope="module")
def launcher(request, jobs):
    launcher = Launcher(forks=request.param)
    yield launcher
    launcher.stop()


@pytest.fixture
def forking(log):
    launcher = Launcher()
    yield launcher
    launcher.stop()


def done(launcher, function, given, log, seconds=20, **more):
    launcher.begin(f"jobs:{function}", given, log, **more)
    return launcher.wait(seconds)


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def printed(log):
    """What is in a log, "" where there is none yet."""
    return log.read_text() if log.exists() else ""


def gone(*pids):
    """Whether none of these processes is at work any more."""
    return all(not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in pids)


@pytest.mark.parametrize(
    ("function", "given", "status"),
    [
        ("end", None, 0),
        ("end", 0, 0),
        ("end", 5, 5),
        ("end", 75, 75),
        ("die", 9, -9),
        ("die", 15, -15),
        ("wrong", 0, 1),
    ],
)
def test_the_status_of_a_job_is_how_it_ended(launcher, log, function, given, status):
    assert done(launcher, function, given, log) == status


def test_jobs_are_made_one_after_the_other(launcher, log):
    assert [done(launcher, "end", status, log) for status in (3, 0, 4)] == [3, 0, 4]
    assert done(launcher, "die", signal.SIGSEGV, log) == -signal.SIGSEGV
    assert done(launcher, "end", 6, log) == 6


def test_the_log_holds_what_a_job_and_its_children_print(launcher, log):
    log.write_text("of an earlier one")
    assert done(launcher, "speak", "a word, ä", log) == 0
    assert sorted(log.read_text().splitlines()) == ["a child's", "a word, ä", "an error"]


def test_an_error_of_a_job_is_in_its_log(launcher, log):
    assert done(launcher, "wrong", 0, log) == 1
    assert "ValueError: no luck" in log.read_text()


def test_a_job_has_variables_of_its_own(launcher, log):
    assert done(launcher, "tell", "HCR_TOLD", log, environment={"HCR_TOLD": "one"}) == 0
    assert log.read_text() == "one\n"
    assert done(launcher, "tell", "HCR_TOLD", log) == 0
    assert log.read_text() == "None\n", "another job's"
    assert "HCR_TOLD" not in os.environ


def test_a_job_reads_nothing(launcher, log):
    assert done(launcher, "read", 0, log) == 0
    assert log.read_text() == "''\n"


def test_a_job_leads_a_session_so_that_all_of_it_can_be_ended(launcher, log):
    assert done(launcher, "leader", 0, log) == 0
    assert log.read_text() == "True\n"


def test_the_number_that_begin_answers_is_that_of_the_job(launcher, log):
    pid = launcher.begin("jobs:sleep", 0.2, log)
    assert launcher.wait(20) == 0
    assert log.read_text() == f"{pid}\n"
    assert gone(pid)


def test_a_job_that_goes_on_is_waited_for_no_longer_than_asked(forking, log):
    pid = forking.begin("jobs:sleep", 60, log)
    begun = time.monotonic()
    assert forking.wait(0.2) is None
    assert time.monotonic() - begun < 5
    os.kill(pid, signal.SIGKILL)
    assert forking.wait(10) == -9


def test_a_job_that_cannot_be_found_fails(launcher, log):
    launcher.begin("jobs:none", 0, log)
    assert launcher.wait(20) == 1
    assert "has no attribute 'none'" in log.read_text()
    assert done(launcher, "end", 0, log) == 0


@pytest.mark.parametrize("prepare", ["knn", "no-such-classifier"])
def test_what_a_classifier_needs_is_loaded_first_and_missed_by_the_job_alone(forking, log, prepare):
    assert done(forking, "end", 0, log, prepare=prepare) == 0


def test_stop_ends_the_job_and_the_launcher(forking, log):
    forking.begin("jobs:breed", 60, log)
    pids = forking.pid, forking.process.pid, int(until(lambda: printed(log)))
    begun = time.monotonic()
    forking.stop()
    assert time.monotonic() - begun < 4
    until(lambda: gone(*pids))
    forking.stop()
    assert done(forking, "end", 7, log) == 7, "it may be used again"


@pytest.mark.slow
def test_stop_ends_a_job_without_forks(log):
    launcher = Launcher(forks=False)
    pid = launcher.begin("jobs:sleep", 60, log)
    launcher.stop()
    until(lambda: gone(pid))


def test_an_idle_launcher_ends_when_it_is_stopped(forking, log):
    assert done(forking, "end", 0, log) == 0
    process = forking.process
    forking.stop()
    assert process.returncode == 0
    Launcher().stop()


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_nothing_outlives_the_process_that_owns_it(log, how):
    command = [sys.executable, "-c", OWNER, str(log)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        pids = [int(pid) for pid in owner.stdout.readline().split()[1:]]
        pids.append(int(until(lambda: printed(log))))
        assert not gone(*pids)
        owner.kill() if how == "killed" else owner.stdin.close()
        owner.wait(timeout=10)
        until(lambda: gone(*pids))


def test_a_launcher_that_is_killed_takes_its_job_with_it_and_is_started_again(forking, log):
    pid = forking.begin("jobs:sleep", 60, log)
    before = forking.process
    before.kill()
    with pytest.raises(RuntimeError, match="launcher"):
        forking.wait(10)
    until(lambda: gone(pid))
    assert done(forking, "end", 3, log) == 3
    assert forking.process.pid != before.pid


def test_a_launcher_that_is_killed_between_jobs_is_started_again(forking, log):
    assert done(forking, "end", 0, log) == 0
    forking.process.kill()
    forking.process.wait()
    assert done(forking, "end", 3, log) == 3


def test_a_launcher_that_cannot_start_is_told(log, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    launcher = Launcher()
    with pytest.raises(RuntimeError, match="launcher"):
        launcher.begin("jobs:end", 0, log)
    launcher.stop()


def test_two_launchers_are_independent(log, tmp_path):
    one, two = Launcher(), Launcher()
    try:
        one.begin("jobs:sleep", 60, log)
        assert done(two, "end", 4, tmp_path / "other.txt") == 4
        one.process.kill()
        one.process.wait()
        assert done(two, "end", 5, tmp_path / "other.txt") == 5
        assert done(one, "end", 6, log) == 6
    finally:
        one.stop()
        two.stop()


def test_a_terminals_ctrl_c_is_not_for_the_launcher(forking, log):
    forking.begin("jobs:sleep", 60, log)
    until(lambda: printed(log))
    assert os.getpgid(forking.process.pid) != os.getpgid(0)
    assert os.getpgid(forking.pid) != os.getpgid(0)
