"""One try at one run, on a worker: in a folder of its own, by a process of its own, within limits of time and memory.

The folder is `work/<id of the run>` in the worker's cache: an attempt that was killed leaves its checkpoint there, and the next
one on that machine goes on from it. What came out is packed and goes back to the client; then the folder is removed.
"""

import collections
import contextlib
import dataclasses
import importlib
import io
import json
import shutil
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from hcrlib.cluster import inputs
from hcrlib.cluster.forkserver import FORKS, Launcher
from hcrlib.cluster.kernel import CELL_FAILED
from hcrlib.core import paths
from hcrlib.core.code_hash import code_sha256
from hcrlib.core.errors import RunError
from hcrlib.core.fileio import file_lock, write_text
from hcrlib.core.provenance import provenance
from hcrlib.reporting.sweep import end, failure, folders, last_line
from hcrlib.runs import records
from hcrlib.runs.config import RunConfig
from hcrlib.runs.runner import CHECKPOINT

DONE, FAILED, FAULT, LACKING, OTHER_CODE = "done", "failed", "fault", "lacking", "other code"
"""What came of an attempt: a record; a record that says why not; nothing, for a reason that is not the run's; two refusals."""
TICK_S, LOOK_S = 0.25, 1.0  # between two looks at whether it ended, and at its log and memory
NOT_KEPT = "attempt.json", "kernel.json", "new"  # of a run's folder, beside hidden files and checkpoints
NO_ROOM = "[Errno 28]", "[Errno 122]", "No space left on device", "no room on the disk"
OUT, LOG, LOCK = "notebook.ipynb", "log.txt", ".lock"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What a worker is given. code: code_sha256(). inputs: what is read. limit_s, limit_bytes: None for none.

    topic: of the events that tell how far it is. beside: how many the cluster makes at once, for the record.
    """

    code: str
    inputs: tuple = ()
    limit_s: float | None = None
    limit_bytes: int | None = None
    topic: str = ""
    beside: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work(Task):
    """A run. config: RunConfig.to_dict(). notebook: the name of the one that makes it; source: its text."""

    config: dict
    notebook: str
    source: str

    @property
    def id(self):
        return RunConfig.from_dict(self.config).id


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call(Task):
    """A call of `module:function` with plain values, whose answer is plain, too. prepare: the classifier it needs.

    id: a path of three parts: its checkpoints are found by it.
    """

    id: str
    function: str
    given: dict
    prepare: str


@dataclasses.dataclass
class Outcome:
    """kind: one of the words above; reason: a line, "" where all went well. packed: a tar of the run's folder, record last."""

    kind: str
    reason: str = ""
    seconds: float = 0.0
    packed: bytes = b""
    lacking: tuple = ()
    worker: str = ""


class _StoppedError(Exception):
    """The attempt is over a limit (FAILED), or nobody wants it any more (FAULT)."""

    def __init__(self, kind, reason):
        super().__init__(reason)
        self.kind = kind


_own = threading.local()
_under_way = collections.Counter()  # by topic: other clients' runs are theirs


def busy(topic):
    """Whether an attempt of that topic is under way in this process."""
    return _under_way[topic] > 0


def attempt(work):
    """The Outcome of a Work or a Call. It does not raise for what task or machine do, and nothing it began is left."""
    worker, wanted = _worker()
    places = {one: inputs.where(one) for one in work.inputs}
    outcome = _refused(work, places)
    if outcome is None:
        begun = time.monotonic()
        _under_way[work.topic] += 1
        try:
            outcome = _made(work, places, worker, wanted)
        except OSError as error:
            outcome = Outcome(FAULT, f"{type(error).__name__}: {error}")
        finally:
            _under_way[work.topic] -= 1
        outcome.seconds = time.monotonic() - begun
    outcome.worker = worker.address if worker else ""
    return outcome


def _worker():
    """The Dask worker this is called on, None where it is none, and a function: whether the task is still wanted."""
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


def _refused(work, places):
    if work.code != code_sha256():
        return Outcome(OTHER_CODE, f"its hcrlib is another one: {code_sha256()[:12]}, the client's {work.code[:12]}")
    missing = [one for one, place in places.items() if place is None]
    return Outcome(LACKING, ", ".join(one.name for one in missing), lacking=tuple(missing)) if missing else None


def _made(work, places, worker, wanted):
    with _folder(work.id) as folder:
        results = folder / "results"
        results.mkdir(parents=True, exist_ok=True)
        own = {
            "HCR_RESULTS": str(results),
            "HCR_SENT": json.dumps(_placed(places, results)),
            "HCR_BESIDE": str(work.beside),
        }
        make = _run if isinstance(work, Work) else _called
        watch = _Watch(work, worker, wanted)
        outcome = make(work, folder, {**folders(), **own}, watch)
        if outcome.kind == FAULT and not _resumes(folder):
            shutil.rmtree(folder, ignore_errors=True)
        return outcome


def _run(work, folder, environment, watch):
    config = RunConfig.from_dict(work.config)
    run = folder / "results/runs" / config.id
    run.mkdir(parents=True, exist_ok=True)
    for stale in ("record.json", OUT, LOG):
        (run / stale).unlink(missing_ok=True)
    source = folder / work.notebook
    source.write_text(work.source, encoding="utf-8")
    given = {"notebook": str(source), "out": str(run / OUT), "parameters": work.config, "forks": FORKS}
    function = "hcrlib.cluster.kernel:execute"
    kind, reason, status = _executed(function, given, run / LOG, environment, config.classifier, watch)
    if status:
        reason = failure(run / OUT, run / LOG, status)
        wrong = status == CELL_FAILED and not any(word in reason for word in NO_ROOM)
        kind = FAILED if wrong else FAULT
    return _judged(kind, reason, config, run, folder)


def _called(work, folder, environment, watch):
    log, answer = folder / LOG, folder / "answer.json"
    answer.unlink(missing_ok=True)
    given = {"function": work.function, "given": work.given, "folder": str(folder), "answer": str(answer)}
    function = "hcrlib.cluster.worker:call"
    kind, reason, status = _executed(function, given, log, environment, work.prepare, watch)
    if kind == DONE and not answer.exists():
        return Outcome(FAULT, f"its process ended with status {status}: {last_line(log) or 'no word in the log'}")
    outcome = Outcome(kind, reason, packed=answer.read_bytes() if kind == DONE else b"")
    if kind != FAULT:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def call(given):
    """Calls a function in the process that was made for it, and leaves its answer in a file."""
    module, function = given["function"].split(":")
    answer = getattr(importlib.import_module(module), function)(given["given"], Path(given["folder"]))
    write_text(given["answer"], json.dumps(answer))


def _executed(function, given, log, environment, prepare, watch):
    """(kind, reason, exit status) of the process that is started for it; a status that is not 0 is left to who asked."""
    launcher = _launcher()
    try:
        pid = launcher.begin(function, given, log, environment, prepare, lambda: watch.look(None, log))
        while (status := launcher.wait(TICK_S)) is None:
            watch.look(pid, log)
    except _StoppedError as stopped:
        if launcher.pid is None:  # it was loading still
            launcher.stop()
            return stopped.kind, str(stopped), 0
        end(launcher.pid)
        with contextlib.suppress(RuntimeError):
            launcher.wait(10)
        return stopped.kind, str(stopped), 0
    except RuntimeError as error:
        return FAULT, str(error), 0
    except BaseException:  # the worker is told to go: nothing of it stays
        launcher.stop()
        raise
    return DONE, "", status


def _judged(kind, reason, config, run, folder):
    """The Outcome, by what is in the run's folder; that is removed unless another attempt is to go on from it."""
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
        record.write(run)
    packed = _packed(run)
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(kind, reason, packed=packed)


class _Watch:
    """Looks after a run: its time, its memory, its last epoch's line, and whether anybody waits for it."""

    def __init__(self, work, worker, wanted):
        self.work, self.worker, self.wanted = work, worker, wanted
        self.begun = self.looked = time.monotonic()
        self.told = None
        self._tell("")

    def look(self, pid, log):
        """Raises _StoppedError where the run is to be ended."""
        now = time.monotonic()
        if not self.wanted():
            raise _StoppedError(FAULT, "the sweep was stopped")
        if self.work.limit_s is not None and now - self.begun > self.work.limit_s:
            raise _StoppedError(FAILED, f"it was stopped after its limit of {self.work.limit_s:g} s")
        if now - self.looked < LOOK_S:
            return
        self.looked = now
        held = memory(pid) if pid else 0
        if self.work.limit_bytes is not None and held > self.work.limit_bytes:
            most = self.work.limit_bytes / 2**20
            raise _StoppedError(FAILED, f"it held {held / 2**20:,.0f} MiB of memory, over its limit of {most:,.0f} MiB")
        said = last_line(log, "epoch")
        if self.worker and said != self.told:
            self._tell(said)

    def _tell(self, said):
        self.told = said
        if self.worker:
            seconds = time.monotonic() - self.begun
            event = {"id": self.work.id, "worker": self.worker.address, "said": said, "seconds": seconds}
            self.worker.log_event(self.work.topic, event)


def memory(pid):
    """The bytes that a process and its children hold, what they share counted once."""
    held = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                about: Any = one.memory_full_info() if psutil.LINUX else one.memory_info()
                held += about.pss if psutil.LINUX else about.rss
    return held


@contextlib.contextmanager
def _folder(run):
    """Where this attempt works: that of an earlier one which was killed, unless somebody is still in it."""
    with contextlib.ExitStack() as held:
        folder = paths.cache_root().resolve() / "work" / run
        held.callback(_tidy, folder.parent)
        lock = _lock(folder)
        try:
            held.enter_context(file_lock(lock, timeout=2))  # longer than a `clean` looks
            held.callback(lambda: lock.unlink(missing_ok=True))
        except TimeoutError:
            folder = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
            held.enter_context(file_lock(_lock(folder)))
            held.callback(lambda: _lock(folder).unlink(missing_ok=True))
            held.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def clean(made):
    """Removes what attempts that were killed left on this machine, whoever made them, but for checkpoints to go on from.

    made: ids of runs whose checkpoints nobody needs any more.
    """
    root = paths.cache_root().resolve() / "work"
    for folder in {
        path.with_name(path.name[1 : -len(LOCK)]) if path.name[0] == "." else path for path in root.glob("*/*/*")
    }:
        with contextlib.suppress(OSError), file_lock(_lock(folder), timeout=0):  # held, or somebody else's
            second = "-" in folder.name  # beside another attempt, and of no use for a later one
            if second or folder.relative_to(root).as_posix() in made or not _resumes(folder):
                shutil.rmtree(folder, ignore_errors=True)
            _lock(folder).unlink(missing_ok=True)
        _tidy(folder.parent)
    inputs.clean()


def _resumes(folder):
    """Whether there is a checkpoint for the next attempt to go on from."""
    return any(path.name in CHECKPOINT for path in folder.rglob("checkpoint*"))


def _lock(folder):
    return folder.parent / f".{folder.name}{LOCK}"


def _tidy(folder):
    """Removes the folders above an attempt's, up to the cache itself, where they are empty."""
    for empty in (folder, folder.parent, folder.parent.parent):
        with contextlib.suppress(OSError):  # not empty
            empty.rmdir()


def _placed(places, results):
    """What was sent, or lies elsewhere than a run would look: name -> path, for HCR_SENT; members are put into results/."""
    sent = {}
    for one, place in places.items():
        if not one.digest:
            continue
        if one.name.startswith("runs/"):
            link = results / one.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(place.resolve(), target_is_directory=True)
        else:
            described = Path(one.name).suffix in inputs.YAML
            sent[one.name] = str(place / Path(one.name).name if described else place)
    return sent


def _packed(run, only=None):
    """A tar of a run's folder as bytes, or of these files, record.json last: what has a record is whole."""
    sink = io.BytesIO()
    names = [
        path.name
        for path in run.iterdir()
        if path.name not in NOT_KEPT and not path.name.startswith((".", "checkpoint"))
    ]
    names = [name for name in names if only is None or name in only]
    names.sort(key=lambda name: name == "record.json")
    with tarfile.open(fileobj=sink, mode="w", dereference=True) as tar:
        for name in names:
            tar.add(run / name, name)
    return sink.getvalue()


def _launcher():
    """This thread's own: a worker may have several."""
    if not hasattr(_own, "launcher"):
        _own.launcher = Launcher()
    return _own.launcher
