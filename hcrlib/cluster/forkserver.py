"""Serve jobs from a process that has imported what notebooks need and forks for each job, so that imports happen once.

`ForkServer` starts it. It reads one JSON job a line and replies in JSON lines: {"pid": n} when the job has begun, {"status": n}
when it has ended (minus a signal's number if it was killed). It ends, and its job with it, when its input is closed.
Where forking is not safe (anywhere but on Linux), every job is a new process. multiprocessing's own fork server will not do: a
Dask worker is daemonic and may not start its processes, they outlive a worker that is killed, and it imports nothing later on.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading

from hcrlib.cluster.fork import FORKS, fork
from hcrlib.runs.notebooks import import_quickly

PRELOAD = (
    *("papermill", "nbclient", "ipykernel.kernelapp", "pandas", "matplotlib.pyplot"),
    *("hcrlib.api", "hcrlib.runs.runner", "hcrlib.tasks.classification.figures"),
)
POLL_S, TICK_S = 0.1, 0.25


class ForkServer:
    """A fork server that runs one job at a time. The first job starts it, and the next one restarts it if it died."""

    def __init__(self, forks=FORKS, preload=PRELOAD):
        self.forks, self.preload, self.process, self.pid = forks, preload, None, None

    def begin(self, function, argument, log, environment=None, prepare=None, tick=lambda: None):
        """Start `module:function`(argument) in a separate process; return its process id.

        Args:
            argument: a JSON value.
            log: path of the file for what it prints.
            environment: variables on top of those of this process.
            prepare: name of a classifier whose libraries the fork server imports first.
            tick: called while waiting; may raise.

        Raises:
            RuntimeError: the fork server is gone.
        """
        if self.process is None or self.process.poll() is not None:
            self._start()
        job = {"function": function, "argument": argument, "log": str(log), "environment": environment or {}}
        try:
            self.process.stdin.write(json.dumps({**job, "prepare": prepare}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise RuntimeError(f"the fork server is gone: {error}") from error
        self.pid = None
        while (reply := self._reply(TICK_S)) is None:
            tick()
        self.pid = reply["pid"]
        return self.pid

    def wait(self, seconds):
        """Return the job's exit status, or None if it still runs; RuntimeError if the fork server died, along with the job."""
        reply = self._reply(seconds)
        return None if reply is None else reply["status"]

    def stop(self):
        """End the job, if one is running, and the fork server."""
        if self.process is None:
            return
        with contextlib.suppress(OSError):
            self.process.stdin.close()  # it then ends its job and exits
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process = None

    def _start(self):
        self.stop()
        command = [sys.executable, "-P", "-m", "hcrlib.cluster.forkserver"]  # -P: not this folder's random.py
        command += self.preload if self.forks else ["--once"]
        self.process = subprocess.Popen(
            command,
            bufsize=0,  # select does not see buffered data
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
            start_new_session=True,  # a terminal's Ctrl-C is for the sweep, which lets its runs end
        )

    def _reply(self, seconds):
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        status = self.process.wait()
        if self.forks or self.pid is None:
            raise RuntimeError(f"the fork server ended with status {status}")
        return {"status": status}


def main(*preload):
    """Import modules, then serve jobs until standard input is closed. "--once" imports nothing and serves one job."""
    replies, once = os.dup(1), preload == ("--once",)
    os.dup2(2, 1)  # keep what libraries print out of the replies
    if not once:
        import_quickly()
    for name in () if once else preload:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    jobs = os.fdopen(os.dup(0), "rb", buffering=0)
    while line := jobs.readline():
        job = json.loads(line)
        _prepare(job["prepare"])
        if once:
            _send(replies, pid=os.getpid())
            threading.Thread(target=_end_with, args=(jobs,), daemon=True).start()
            _work(job)
        child = fork(lambda job=job: _work(job))
        _send(replies, pid=child)
        _send(replies, status=_status(child, jobs))


def _send(replies, **reply):
    os.write(replies, json.dumps(reply).encode() + b"\n")


def _end_with(jobs):
    """End this process and its descendants when the client is gone."""
    jobs.readline()
    _kill(os.killpg, os.getpid())
    os._exit(1)


def _prepare(classifier):
    """Import a classifier's libraries; if they cannot be imported, the run that needs them reports it."""
    if classifier:
        from hcrlib.models import named

        with contextlib.suppress(Exception):
            named(classifier).create({}).prepare()


def _work(job):
    from hcrlib.runtime._console import replace_characters

    if os.getpid() != os.getsid(0):
        os.setsid()  # so that the whole group can be killed
    null, log = os.open(os.devnull, os.O_RDONLY), os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for number, file in ((0, null), (1, log), (2, log)):
        os.dup2(file, number)
    replace_characters()
    os.environ.update(job["environment"])
    module, function = job["function"].split(":")
    sys.exit(getattr(importlib.import_module(module), function)(job["argument"]))


def _status(child, jobs):
    """Wait for a child and return its exit status, negative for a signal. Kill it if the client goes away."""
    ends = []
    with contextlib.suppress(AttributeError, OSError):  # an old system: poll
        ends = [os.pidfd_open(child)]
    try:
        while True:
            ready = select.select([jobs, *ends], [], [], None if ends else POLL_S)[0]
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                _kill(os.killpg, child)  # what it left running
                return os.waitstatus_to_exitcode(status)
            if jobs in ready:  # no job is sent while one is running, so this is the end of the input
                _kill(os.killpg, child)
                _kill(os.kill, child)  # it may not lead its group yet
                os.waitpid(child, 0)
                os._exit(1)
    finally:
        for end in ends:
            os.close(end)


def _kill(how, number):
    with contextlib.suppress(ProcessLookupError):
        how(number, signal.SIGKILL)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the client is gone
        main(*sys.argv[1:])
