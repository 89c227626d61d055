"""Attempt a job on a worker, in a separate folder and process, within limits on time and memory.

The folder is `work/<id>` in the worker's cache: an attempt that was killed leaves its checkpoint there, and the next attempt on
that machine resumes from it. The results are packed and returned to the client, then the folder is removed.
"""

import collections
import contextlib
import importlib
import io
import json
import os
import shutil
import signal
import tarfile
import tempfile
import threading
import time
from pathlib import Path

import psutil

from hcrlib import records
from hcrlib.cluster import inputs
from hcrlib.cluster.forkserver import ForkServer
from hcrlib.cluster.jobs import DONE, FAILED, FAULT, LACKING, LOG, OTHER_CODE, OUT, Outcome, RunJob
from hcrlib.cluster.kernel import CELL_FAILED, KERNEL_FAILED
from hcrlib.core import paths
from hcrlib.core.code_hash import code_sha256
from hcrlib.core.errors import RunError
from hcrlib.core.fileio import file_lock, write_text
from hcrlib.core.provenance import provenance
from hcrlib.records import RunConfig
from hcrlib.runs.store import CHECKPOINT

TICK_S, LOOK_S = 0.25, 1.0  # intervals of checks for its end, and for its log and memory
NOT_KEPT = "attempt.json", "kernel.json", "new"  # of a run's folder, besides hidden files and checkpoints
NO_ROOM = "[Errno 28]", "[Errno 122]", "No space left on device", "no room on the disk"
LOCK = ".lock"
SECOND = "+"  # marks the folder of an attempt that runs alongside another at the same job


class _StoppedError(Exception):
    """The attempt is over a limit (FAILED), or no longer wanted (FAULT)."""

    def __init__(self, kind, reason):
        super().__init__(reason)
        self.kind = kind


_local = threading.local()
_running = collections.Counter()  # by topic: attempts for other clients are not this client's


def busy(topic):
    """Return whether an attempt with that topic is running in this process."""
    return _running[topic] > 0


def attempt(job):
    """Return the Outcome of a RunJob or a CallJob. Never raises for job or machine failures; leaves no processes behind."""
    worker, wanted = _worker()
    places = {item: inputs.where(item) for item in job.inputs}
    outcome = _refusal(job, places)
    if outcome is None:
        begun = time.monotonic()
        _running[job.topic] += 1
        try:
            with _folder(job.id) as folder:
                outcome = _make(job, folder, places, _Watch(job, worker, wanted))
        except OSError as error:
            outcome = Outcome(FAULT, f"{type(error).__name__}: {error}")
        finally:
            _running[job.topic] -= 1
        outcome.seconds = time.monotonic() - begun
    outcome.worker = worker.address if worker else ""
    return outcome


def _worker():
    """Return the Dask worker that calls this, or None, and a function that returns whether the task is still wanted."""
    from distributed import get_worker

    try:
        worker = get_worker()
        key = worker.get_current_task()
    except ValueError:
        return None, lambda: True

    def wanted():
        task = worker.state.tasks.get(key)
        return task is not None and task.state != "cancelled" and worker.status.name in ("running", "paused")

    return worker, wanted


def _refusal(job, places):
    if job.code != code_sha256():
        return Outcome(OTHER_CODE, f"its hcrlib is a different one: {code_sha256()[:12]}, the client's {job.code[:12]}")
    missing = [item for item, place in places.items() if place is None]
    return Outcome(LACKING, ", ".join(item.name for item in missing), lacking=tuple(missing)) if missing else None


def _make(job, folder, places, watch):
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    environment = {"HCR_RESULTS": str(results), "HCR_SENT": json.dumps(_placed(places, results))}
    outcome = (_run if isinstance(job, RunJob) else _call)(job, folder, environment, watch)
    if outcome.kind != FAULT or not _resumes(folder):
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _run(job, folder, environment, watch):
    config = RunConfig.from_dict(job.config)
    run = folder / "results/runs" / config.id
    run.mkdir(parents=True, exist_ok=True)
    for stale in ("record.json", OUT, LOG):
        (run / stale).unlink(missing_ok=True)
    notebook, log = folder / job.notebook, run / LOG
    notebook.write_text(job.source, encoding="utf-8")
    argument = {"notebook": str(notebook), "out": str(run / OUT), "parameters": job.config}
    execute = "hcrlib.cluster.kernel:execute"
    kind, reason, status = _execute(execute, argument, log, environment, config.classifier, watch)
    if status:
        reason = _failure(status, log)
        wrong = status == CELL_FAILED and not any(word in reason for word in NO_ROOM)
        kind = FAILED if wrong else FAULT
    return _outcome(job, config, run, kind, reason)


def _call(job, folder, environment, watch):
    log, answer = folder / LOG, folder / "answer.json"
    answer.unlink(missing_ok=True)
    argument = {"function": job.function, "given": job.given, "folder": str(folder), "answer": str(answer)}
    kind, reason, status = _execute("hcrlib.cluster.worker:call", argument, log, environment, job.prepare, watch)
    if kind == DONE and not answer.exists():
        return Outcome(FAULT, _failure(status, log))
    return Outcome(kind, reason, packed=answer.read_bytes() if kind == DONE else b"")


def call(argument):
    """Call a function in the process that was started for it, and write its result to a file."""
    module, function = argument["function"].split(":")
    answer = getattr(importlib.import_module(module), function)(argument["given"], Path(argument["folder"]))
    write_text(argument["answer"], json.dumps(answer))


def _execute(function, argument, log, environment, prepare, watch):
    """Run a job in a separate process; return (kind, reason, exit status). The caller interprets a nonzero status."""
    server = _fork_server()
    try:
        pid = server.begin(function, argument, log, environment, prepare, lambda: watch.look(None, log))
        while (status := server.wait(TICK_S)) is None:
            watch.look(pid, log)
    except _StoppedError as error:
        server.stop()
        return error.kind, str(error), 0
    except RuntimeError as error:
        return FAULT, str(error), 0
    except BaseException:  # the worker is told to stop
        server.stop()
        raise
    return DONE, "", status


def _failure(status, log):
    """Return one line about a process that ended with a nonzero status."""
    if status in (CELL_FAILED, KERNEL_FAILED):
        return last_line(log)
    if status < 0:
        return f"its process was ended by {signal.Signals(-status).name}"
    return f"its process ended with status {status}: {last_line(log) or 'the log is empty'}"


def last_line(log, start=""):
    """Return the last non-empty line of a log that begins with `start`, or "". Only the end of the log is read."""
    with contextlib.suppress(OSError), Path(log).open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
        lines = map(str.strip, file.read().decode("utf-8", "replace").splitlines())
        return ([""] + [line for line in lines if line and line.startswith(start)])[-1]
    return ""


def _outcome(job, config, run, kind, reason):
    """Return the Outcome of a run from the contents of its folder."""
    record = None
    with contextlib.suppress(RunError):
        record = records.read(run) if (run / "record.json").exists() else None
    if kind == DONE and record is None:
        kind, reason = FAULT, "the notebook ended without a record"
    if kind == FAULT:
        return Outcome(kind, reason, packed=_packed(run, (OUT, LOG)))
    if kind == FAILED:
        record = record or records.RunRecord(config=config, status="failed", provenance=provenance(config))
        record.status, record.reason = "failed", reason
    record.provenance["runs_at_once"] = job.at_once
    record.write(run)
    return Outcome(kind, reason, packed=_packed(run))


class _Watch:
    """Watch a job: its time, memory, last epoch line, and whether it is still wanted."""

    def __init__(self, job, worker, wanted):
        self.job, self.worker, self.wanted = job, worker, wanted
        self.begun = self.looked = time.monotonic()
        self._report("")

    def look(self, pid, log):
        """Raise _StoppedError if the job must stop."""
        now = time.monotonic()
        if not self.wanted():
            raise _StoppedError(FAULT, "the sweep was stopped")
        if self.job.limit_s is not None and now - self.begun > self.job.limit_s:
            raise _StoppedError(FAILED, f"it was stopped after its limit of {self.job.limit_s:g} s")
        if now - self.looked < LOOK_S:
            return
        self.looked = now
        limit = self.job.limit_bytes
        if pid and limit is not None and (used := memory(pid, limit)) > limit:
            used, limit = used / 2**20, limit / 2**20
            raise _StoppedError(FAILED, f"it used {used:,.0f} MiB of memory, over its limit of {limit:,.0f} MiB")
        line = last_line(log, "epoch")[:160]
        if line != self.reported:
            self._report(line)

    def _report(self, line):
        self.reported = line
        if self.worker:
            seconds = time.monotonic() - self.begun
            event = {"id": self.job.id, "worker": self.worker.address, "line": line, "seconds": seconds}
            self.worker.log_event(self.job.topic, event)


def memory(pid, limit=0):
    """Return the bytes that a process and its descendants use; shared pages count once. 0 for a process that has ended.

    limit: shared pages may count several times in a result that is not above it: to tell them apart takes the kernel as long as
    half of every second for a process of some gigabytes.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        processes = root, *root.children(recursive=True)
        used = _sum(processes, lambda process: process.memory_info().rss)
        if not psutil.LINUX or used <= limit:
            return used
        return _sum(processes, lambda process: process.memory_full_info().pss)
    return 0


def _sum(processes, function):
    """Return the sum of what a function returns for each process that has not ended."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += function(process)
    return total


@contextlib.contextmanager
def _folder(job_id):
    """Yield the folder for an attempt: that of an earlier, killed attempt unless another one still uses it."""
    with contextlib.ExitStack() as stack:
        folder = _work() / _name(job_id)
        try:
            stack.enter_context(file_lock(_lock(folder), timeout=2))  # longer than `clean` holds it
        except TimeoutError:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{folder.name}{SECOND}", dir=folder.parent))
            stack.enter_context(file_lock(_lock(folder)))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(_lock(folder).unlink, missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def clean(finished):
    """Remove what killed attempts of any client left on this machine, except checkpoints to resume from.

    finished: ids of jobs whose checkpoints are no longer needed.
    """
    names = {_name(job_id) for job_id in finished}
    folders = {path.with_name(path.name.removeprefix(".").removesuffix(LOCK)) for path in _work().glob("*")}
    for folder in folders:
        with contextlib.suppress(OSError), file_lock(_lock(folder), timeout=0):  # in use, or another user's
            if SECOND in folder.name or folder.name in names or not _resumes(folder):
                shutil.rmtree(folder, ignore_errors=True)
            _lock(folder).unlink(missing_ok=True)
    inputs.clean()


def _resumes(folder):
    """Return whether there is a checkpoint for the next attempt to resume from."""
    return any(path.name in CHECKPOINT for path in folder.rglob("checkpoint*"))


def _work():
    return paths.cache_root().resolve() / "work"


def _name(job_id):
    return job_id.replace("/", ",")


def _lock(folder):
    return folder.parent / f".{folder.name}{LOCK}"


def _placed(places, results):
    """Return name -> path of the inputs that are not where a run would look (HCR_SENT); link runs into results/."""
    placed = {}
    for item, place in places.items():
        if not item.digest:
            continue
        place = place.resolve()
        if item.name.startswith("runs/"):
            link = results / item.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(place, target_is_directory=True)
        else:
            is_file = Path(item.name).suffix in inputs.YAML
            placed[item.name] = str(place / Path(item.name).name if is_file else place)
    return placed


def _packed(run, only=None):
    """Pack a run's folder, or the files in `only`, into tar bytes; record.json comes last: it marks a complete folder."""
    sink = io.BytesIO()
    names = [path.name for path in run.iterdir() if path.name not in NOT_KEPT]
    names = [name for name in names if not name.startswith((".", "checkpoint")) and (only is None or name in only)]
    names.sort(key=lambda name: name == "record.json")
    with tarfile.open(fileobj=sink, mode="w", dereference=True) as tar:
        for name in names:
            tar.add(run / name, name)
    return sink.getvalue()


def _fork_server():
    """Return this thread's fork server: a worker may have several threads."""
    if not hasattr(_local, "server"):
        _local.server = ForkServer()
    return _local.server
