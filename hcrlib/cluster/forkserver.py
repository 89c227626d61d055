"""A process that has loaded what notebooks need and forks one for each run: imports take seconds, and are paid once.

`Launcher` starts it. It reads a job a line and answers in lines of JSON, {"pid": n} when the job has begun and {"status": n}
when it ended, minus a signal's number where it was killed. It ends, and its job with it, when its standard input is closed:
nothing outlives the process that asked for it. Where forking is not safe (it is on Linux alone), every job is a new process.
"""

import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback

from hcrlib.cluster.kernel import LOADED

FORKS = sys.platform == "linux"
POLL_S, TICK_S = 0.1, 0.25
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


class Launcher:
    """One process that launches others, one job after the other. It is started by the first job, and again where it died."""

    def __init__(self, forks=FORKS):
        self.forks, self.process, self.pid = forks, None, None

    def begin(self, function, given, log, environment=None, prepare=None, tick=lambda: None):
        """Starts `module:function`(given) in a process of its own, and returns its number.

        given: plain values. log: the file for what it prints. environment: variables on top of this process' own.
        prepare: the name of a classifier whose libraries the launcher loads first; tick: called meanwhile, may raise.
        RuntimeError where there is no launcher.
        """
        if self.process is None or self.process.poll() is not None:
            self._start()
        job = {"function": function, "given": given, "log": str(log), "environment": environment or {}}
        try:
            self.process.stdin.write(json.dumps({**job, "prepare": prepare}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise RuntimeError(f"the launcher is gone: {error}") from error
        self.pid = None
        while (answer := self._answer(TICK_S)) is None:
            tick()
        self.pid = answer["pid"]
        return self.pid

    def wait(self, seconds):
        """The job's exit status, or None where it has not ended by then. RuntimeError where the launcher died, and it."""
        answer = self._answer(seconds)
        return None if answer is None else answer["status"]

    def stop(self):
        """Ends the job, if one is under way, and the launcher."""
        if self.process is None:
            return
        with contextlib.suppress(OSError):
            self.process.stdin.close()  # it ends its job itself
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process = None

    def _start(self):
        self.stop()
        command = [sys.executable, "-m", "hcrlib.cluster.forkserver", *([] if self.forks else ["--once"])]
        own = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        # a session of its own: a terminal's Ctrl-C is for the sweep, which lets its runs end
        self.process = subprocess.Popen(
            command,
            bufsize=0,  # what is read ahead is not seen by select
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **own},
            start_new_session=True,
        )

    def _answer(self, seconds):
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        status = self.process.wait()
        if self.forks or self.pid is None:
            raise RuntimeError(f"the launcher ended with status {status}")
        return {"status": status}


def main(once=False):
    """Serves jobs until there are none."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    for name in () if once else LOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    jobs = os.fdopen(os.dup(0), "rb", buffering=0)
    while line := jobs.readline():
        job = json.loads(line)
        _prepare(job["prepare"])
        if once:
            _answer(answers, pid=os.getpid())
            threading.Thread(target=_end_with, args=(jobs,), daemon=True).start()
            _work(job)
        child = fork(lambda job=job: _work(job))
        _answer(answers, pid=child)
        _answer(answers, status=_ended(child, jobs))


def _answer(to, **answer):
    os.write(to, json.dumps(answer).encode() + b"\n")


def _end_with(jobs):
    """Ends this process, and what it started, when nobody waits for it any more."""
    jobs.readline()
    _kill(os.killpg, os.getpid())
    os._exit(1)


def fork(work):
    """The number of a new process that does `work` and dies with this one."""
    here = os.getpid()
    child = os.fork()
    if child:
        return child
    if FORKS:
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != here:  # it died in between
        os._exit(1)
    status = 1
    try:
        work()
        status = 0
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)


def _prepare(classifier):
    """Loads a classifier's libraries, once: what cannot be loaded is told by the run that needs it."""
    if classifier:
        from hcrlib.models import named

        with contextlib.suppress(Exception):
            named(classifier).create({}).prepare()


def _work(job):
    os.setsid() if os.getpid() != os.getsid(0) else None  # so that all of it can be ended at once
    nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for number, file in ((0, nothing), (1, log), (2, log)):
        os.dup2(file, number)
    os.environ.update(job["environment"])
    module, function = job["function"].split(":")
    sys.exit(getattr(importlib.import_module(module), function)(job["given"]))


def _ended(child, jobs):
    """How a child ended: 0, an exit status, or minus a signal's number. It is ended where nobody waits for it any more."""
    ends = []
    with contextlib.suppress(AttributeError, OSError):  # an old system: it is looked at now and then
        ends = [os.pidfd_open(child)]
    try:
        while True:
            ready = select.select([jobs, *ends], [], [], None if ends else POLL_S)[0]
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                _kill(os.killpg, child)  # what it left running
                return os.waitstatus_to_exitcode(status)
            if jobs in ready:  # no job comes while one is under way: it is the end
                _kill(os.killpg, child)
                _kill(os.kill, child)  # which may not lead its group yet
                os.waitpid(child, 0)
                os._exit(1)
    finally:
        for end in ends:
            os.close(end)


def _kill(how, number):
    with contextlib.suppress(ProcessLookupError):
        how(number, signal.SIGKILL)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # nobody waits for an answer any more
        main(*(argument == "--once" for argument in sys.argv[1:]))
