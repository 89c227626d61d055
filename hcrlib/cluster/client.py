"""The client of a sweep: it decides what is made next, hands it to a Dask cluster and writes what comes back.

Few runs are handed out at a time, so that memory does not grow with the sweep, several clients can share one, and the order
stays in one hand: the cheapest first, members of an ensemble before it. A run that a fault of a worker or a machine broke off
is handed out again; one whose own code failed is recorded and not tried again. Ctrl-C lets the runs under way end, a second one
does not.
"""

import contextlib
import dataclasses
import io
import logging
import os
import queue
import shutil
import signal
import tarfile
import tempfile
import threading
import time
import uuid
from collections import deque
from typing import Any

from hcrlib import evaluate, paths, records, report
from hcrlib.cluster import attempt as worker
from hcrlib.cluster import inputs
from hcrlib.cluster.estimate import Estimate, known
from hcrlib.cluster.leases import Claims
from hcrlib.cluster.live import Display, duration
from hcrlib.errors import DataError, RunError
from hcrlib.files import alone, unpack
from hcrlib.provenance import code_sha256

MACHINES = 20  # that may lack what a run reads, one after the other
RETRIES = 2  # beyond the first attempt, for faults that are not the run's
A_RUN_BYTES = 3 << 30  # a worker is started for each core, and for so much memory
SHARE = 0.9  # of the memory, that runs may hold together
LOST_S = 60.0  # that a lost scheduler is waited for
CLEAN_S = 15  # for workers to end what is not wanted any more
STILL_S = "60s"  # on this machine's cluster, without a word from a worker, after which its run is given to another one
THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NUMBA_NUM_THREADS"
FAILED_AGAIN = "notebook.failed.ipynb"  # beside that of the finished run which it was to replace


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Where runs are made, and within which limits.

    scheduler: the address of a Dask scheduler; None: processes of this machine. workers: how many of those; None: as many as
    cores and memory allow. limit_s, limit_bytes: of one run; None: no limit of time, and on this machine a worker's share of
    the memory. retries: for faults. priority: of this sweep's runs among those of others on that cluster, higher goes first.
    """

    scheduler: str | None = None
    workers: int | None = None
    limit_s: float | None = None
    limit_bytes: int | None = None
    retries: int = RETRIES
    priority: int = 0


@dataclasses.dataclass
class _Run:
    config: Any
    notebook: str
    tries: int = 0
    lacked: int = 0
    not_before: float = 0.0
    waits_for: frozenset = frozenset()  # hashes of the runs it is made of


def run(plan, cluster=None, said=print, sources=None, attempt=worker.attempt):
    """Makes runs, [(RunConfig, name of the notebook that makes it)], and returns the RunRecords of those that failed.

    sources: name -> text of the notebooks; None: those of the project. attempt: what a worker does with a Work.

    One that could not be made for a reason that is not its own is returned as "failed" without being written: the next sweep
    makes it. RunError where the cluster cannot be reached, or its code is another one. KeyboardInterrupt after the second
    Ctrl-C, and after the first when the runs under way have ended.
    """
    plan = list({config.hash: (config, notebook) for config, notebook in plan}.values())
    if not plan:
        return []
    if os.name == "nt":
        raise RunError("Sweeps need Linux or macOS", hint="On Windows, install the project in WSL")
    began = {config.hash: _written(config) for config, _ in plan}
    cluster = cluster or Cluster()
    sources = sources or {name: report.source(name) for name in {notebook for _, notebook in plan}}
    estimate = Estimate(known())
    with Claims() as claims, _Interrupts() as stop, started(cluster, attempt) as dask:
        if link := dask.link():
            said(f"dashboard: {link}")
        seconds, unknown = estimate.total([config for config, _ in plan])
        expected = seconds if unknown * 2 < len(plan) and seconds else None
        if expected is not None:
            rest = f", {unknown} of {len(plan)} runs not counted" if unknown else ""
            said(f"about {duration(expected / max(1, dask.slots()))} by earlier records{rest}")
        with Display(len(plan), expected, link, dask.slots) as display:
            sweep = _Sweep(plan, began, cluster, sources, estimate, claims, stop, dask, display)
            try:
                return sweep.go()
            finally:
                sweep.clean()


class _Sweep:
    def __init__(self, plan, began, cluster, sources, estimate, claims, stop, dask, display):
        self.cluster, self.sources, self.estimate, self.claims = cluster, sources, estimate, claims
        self.stop, self.dask, self.display = stop, dask, display
        notebooks = {config.hash: notebook for config, notebook in plan}
        ids = {config.id: config.hash for config, _ in plan}
        self.runs = [
            _Run(c, notebooks[c.hash], waits_for=frozenset(ids[m] for m in inputs.members(c) if m in ids))
            for c in estimate.order([config for config, _ in plan])
        ]
        self.waiting = deque(self.runs)
        self.out, self.held, self.topic = {}, 0.0, f"hcr-{uuid.uuid4().hex}"
        self.made, self.failed = {}, []  # hash -> status
        self.began = began

    def go(self):
        self.dask.listen(self.topic, self.display.event)
        while self.out or (self.waiting and not self.stop.asked):
            self._hand_out()
            future = self.dask.next(0.2)
            if future is not None:
                self._take_back(future)
            if self.stop.asked and not self.stop.told:
                self._tell_stop()
            elif self.waiting and not self.out and not self.display.note and self.held:
                self._tell_waiting()
        if self.stop.asked:
            raise KeyboardInterrupt
        return self.failed

    def clean(self):
        """Removes what killed attempts left behind, on every machine that can be reached."""
        made = [run.config.id for run in self.runs if self.made.get(run.config.hash) == "finished"]
        self.dask.clean(self.topic, [run.config.id for run in self.runs], made)

    def _tell_waiting(self):
        if all(run.not_before <= time.monotonic() for run in self.waiting):
            self.display.note = f"waiting for {len(self.waiting)} runs that another sweep, or `hcr train`, is making"
            self.display.say(self.display.note)

    def _tell_stop(self):
        self.stop.told = True
        self.display.note = f"stopping when the {len(self.out)} runs under way have ended; Ctrl-C again ends them now"
        self.display.say(self.display.note)

    def _hand_out(self):
        """Fills the cluster: a run for each slot, and one more for each, so that none waits for this client."""
        most = 2 * max(1, self.dask.slots())
        now = time.monotonic()
        if self.stop.asked or len(self.out) >= most or now < self.held:
            return
        for _ in range(len(self.waiting)):
            run = self.waiting.popleft()
            if not self._ready(run, now):
                self.waiting.append(run)
            elif run.config.hash not in self.made:
                self._submit(run)
                if len(self.out) >= most:
                    return
        self.held = now + 0.5 if self.waiting else 0.0  # nothing more can go out just now

    def _ready(self, run, now):
        """Whether a run may go out; its end is noted here where there is no need to."""
        config = run.config
        if run.not_before > now or any(h not in self.made for h in run.waits_for):
            return False
        if broken := [member for member in inputs.members(config) if not _finished(member)]:
            self._end(run, _unmade(config, f"it is made of {', '.join(broken)}, not finished here"))
        elif not self.claims.take(config):
            return False
        elif _busy(config):  # `hcr train` is at it
            self.claims.release(config)
            return False
        else:
            self._settle(config)
            if _written(config) == self.began[config.hash] or not (there := _there(config)):
                return True
            self.claims.release(config)
            self._end(run, there)  # somebody else made it meanwhile
        return True

    def _settle(self, config):
        """Ends what a client that was killed had nearly written."""
        folder = records.run_path(config)
        if (folder / evaluate.NEW / "record.json").exists():
            with contextlib.suppress(BlockingIOError), alone(folder / evaluate.LOCK, wait_s=0):
                evaluate.settle(folder)

    def _submit(self, run):
        config = run.config
        work = worker.Work(
            config=dataclasses.asdict(config),
            notebook=run.notebook,
            source=self.sources[run.notebook],
            code=code_sha256(),
            inputs=tuple(inputs.of(config)),
            limit_s=self.cluster.limit_s,
            limit_bytes=self.cluster.limit_bytes or self.dask.share(),
            topic=self.topic,
            beside=self.dask.slots(),
        )
        future = self.dask.submit(work, f"{config.id}/{run.tries}-{uuid.uuid4().hex[:8]}", self.cluster.priority)
        self.out[future.key] = run
        self.display.note = ""
        self.display.started(config.id, self.estimate.seconds(config))

    def _take_back(self, future):
        run = self.out.pop(future.key, None)
        if run is None:
            return
        outcome = self.dask.outcome(future)
        if outcome.kind == worker.LACKING:
            self._send(run, outcome)
        elif outcome.kind == worker.FAULT:
            self._again(run, outcome)
        else:
            self._finish(run, outcome)

    def _finish(self, run, outcome):
        record = write(run.config, outcome)
        self.claims.release(run.config)
        self._end(run, record)

    def _again(self, run, outcome):
        """A fault: later, and most likely elsewhere, unless that was tried often enough."""
        run.tries += 1
        if run.tries <= self.cluster.retries and not self.stop.asked:
            self.display.again(run.config.id)
            self.display.say(f"{run.config.id} is tried again: {outcome.reason}")
            run.not_before = time.monotonic() + 2 ** (run.tries - 1)
            self.waiting.append(run)
            return
        record = _unmade(run.config, outcome.reason)
        keep_log(run.config, outcome)
        self.claims.release(run.config)
        self._end(run, record)

    def _send(self, run, outcome):
        """Sends a worker what it lacks of what this machine has. That is no fault, unless there is no end to it."""
        run.lacked += 1
        try:
            if run.lacked > MACHINES:
                raise DataError(f"{outcome.worker} still lacks what it was sent")
            self.dask.supply(outcome, self.display.say)
        except (OSError, DataError) as error:
            self._again(run, worker.Outcome(worker.FAULT, str(error)))
            return
        self.display.again(run.config.id)
        self.waiting.appendleft(run)

    def _end(self, run, record):
        self.made[run.config.hash] = record.status
        self.failed += [record] if record.status == "failed" else []
        self.display.ended(run.config.id, record)


class Calls:
    """A context in which calls are made on a cluster, for who needs answers and no records: the trials of a search."""

    def __init__(self, cluster):
        self.cluster = cluster

    def __enter__(self):
        with contextlib.ExitStack() as held:
            self.dask = held.enter_context(started(self.cluster))
            self.topic, self.ids, self.ended = f"hcr-{uuid.uuid4().hex}", [], []
            held.callback(lambda: self.dask.clean(self.topic, self.ids, self.ended))
            self.held = held.pop_all()
        return self

    def __exit__(self, *error):
        self.held.close()

    def made(self, calls):
        """Yields (place in the list, Outcome) as they end: DONE, its answer packed as JSON, or FAILED, over a limit.

        calls: dicts of what a Call is made of. RunError where faults do not end: the other calls' answers came before.
        """
        limits = {"limit_s": self.cluster.limit_s, "limit_bytes": self.cluster.limit_bytes or self.dask.share()}
        common = {"code": code_sha256(), "beside": self.dask.slots(), "topic": self.topic, **limits}
        out = {}
        for at, call in enumerate(calls):
            self.ids.append(call["id"])
            self._submit(out, at, worker.Call(**call, **common), 0, 0)
        while out:
            if (future := self.dask.next(0.5)) is None or future.key not in out:
                continue
            at, call, tries, lacked = out.pop(future.key)
            outcome = self.dask.outcome(future)
            if outcome.kind == worker.LACKING and lacked < MACHINES:
                self.dask.supply(outcome, lambda line: None)
                self._submit(out, at, call, tries, lacked + 1)
            elif outcome.kind in (worker.LACKING, worker.FAULT):
                if tries >= self.cluster.retries:
                    hint = "The same command goes on from here"
                    raise RunError(f"{call.id} cannot be made: {outcome.reason}", hint=hint)
                self._submit(out, at, call, tries + 1, lacked)
            else:
                self.ended.append(call.id)
                yield at, outcome

    def _submit(self, out, at, call, tries, lacked):
        future = self.dask.submit(call, f"{call.id}/{tries}-{uuid.uuid4().hex[:8]}", self.cluster.priority)
        out[future.key] = at, call, tries, lacked


def write(config, outcome):
    """Puts what came back into the run's folder, and returns its RunRecord.

    A failed attempt does not replace a finished run. RunError where the disk is full: what was there is there still.
    """
    folder = records.run_path(config)
    try:
        with alone(folder / evaluate.LOCK, wait_s=evaluate.PATIENCE_S):
            evaluate.settle(folder)
            fresh = folder / evaluate.NEW
            shutil.rmtree(fresh, ignore_errors=True)
            try:
                unpack(io.BytesIO(outcome.packed), fresh)
                record = records.read(fresh)
                if record.status != "finished" and (earlier := evaluate.finished(config)):
                    return _kept(folder, record, earlier)
            except BaseException:
                shutil.rmtree(fresh, ignore_errors=True)
                raise
            (folder / FAILED_AGAIN).unlink(missing_ok=True)
            evaluate.swap(folder)
            return record
    except BlockingIOError:
        return _unmade(config, "another process is making this run")
    except (OSError, tarfile.TarError) as error:
        hint = "Make room and start the sweep again: what is finished is kept"
        raise RunError(
            f"A run cannot be written: {getattr(error, 'strerror', None) or error}", where=folder, hint=hint
        ) from error


def _kept(folder, record, earlier):
    """The failed record, unwritten, beside a finished one: its notebook and log are there to see why."""
    fresh = folder / evaluate.NEW
    for name, to in ((worker.OUT, FAILED_AGAIN), (worker.LOG, worker.LOG)):
        if (fresh / name).exists():
            os.replace(fresh / name, folder / to)
    shutil.rmtree(fresh)
    if record.status == "skipped":
        return earlier
    record.reason = f"{record.reason}; what an earlier run measured is kept"
    return record


def keep_log(config, outcome):
    """Puts the log and the notebook of a run that could not be made into its folder."""
    if not outcome.packed:
        return
    folder = records.run_path(config)
    with contextlib.suppress(OSError, tarfile.TarError), tarfile.open(fileobj=io.BytesIO(outcome.packed)) as tar:
        folder.mkdir(parents=True, exist_ok=True)
        for member, to in ((worker.OUT, FAILED_AGAIN), (worker.LOG, worker.LOG)):
            with contextlib.suppress(KeyError):
                (folder / to).write_bytes(tar.extractfile(member).read())


def _unmade(config, reason):
    return records.RunRecord(config=config, status="failed", reason=reason)


def _there(config):
    with contextlib.suppress(RunError):
        return records.find(config)
    return None


def _finished(run):
    with contextlib.suppress(RunError):
        return records.read(paths.runs_root() / run).status == "finished"
    return False


def _busy(config):
    """Whether another process is in a run's folder."""
    lock = records.run_path(config) / evaluate.LOCK
    if not lock.exists():
        return False
    try:
        with alone(lock, wait_s=-1):
            return False
    except BlockingIOError:
        return True


def _written(config):
    """A mark of a run's record, None where there is none: it changes when another client writes it."""
    with contextlib.suppress(OSError):
        about = (records.run_path(config) / "record.json").stat()
        return about.st_mtime_ns, about.st_ino
    return None


class _Interrupts:
    """A context in which the first Ctrl-C is noted and the second one is raised."""

    def __init__(self):
        self.asked, self.told, self.before = False, False, None

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error):
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _note(self, number, frame):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextlib.contextmanager
def started(cluster, attempt=worker.attempt):
    """A `Dask`: that of an address, or one of this machine's processes, which end with the context."""
    import dask
    import dask.system
    import distributed

    limits = {
        "distributed.scheduler.worker-ttl": STILL_S,
        "distributed.worker.daemon": False,
        "distributed.admin.tick.limit": "1h",  # it warns of busy machines
        "distributed.comm.timeouts.connect": "30s",
        "distributed.admin.low-level-log-length": 1000,  # the scheduler's memory of what it did
    }
    with contextlib.ExitStack() as held:
        held.enter_context(dask.config.set(limits))
        held.enter_context(_quiet())
        where, share = cluster.scheduler, None
        if where is None:
            cores, memory = dask.system.CPU_COUNT, distributed.system.MEMORY_LIMIT
            workers = cluster.workers or max(1, min(cores, memory // A_RUN_BYTES))
            share = int(memory * SHARE / workers)
            where = held.enter_context(_local(distributed, workers, max(1, cores // workers)))
        try:
            client = held.enter_context(distributed.Client(where, timeout=30, set_as_default=False, name="hcr sweep"))
        except (OSError, ValueError, TypeError) as error:  # the last one: tls:// without certificates
            hint = "dask scheduler starts one; deploy/cluster/ shows how, for SLURM, Kubernetes and SSH"
            raise RunError(
                "The scheduler does not answer", where=where, got=str(error) or type(error).__name__, hint=hint
            ) from error
        if cluster.scheduler is None:
            client.register_plugin(_ignoring_interrupts(distributed))
        yield Dask(client, share, attempt)


@contextlib.contextmanager
def _local(distributed, workers, threads):
    """A cluster of this machine's processes. Ctrl-C is not for them."""
    environment = dict.fromkeys(THREADS, str(threads)) | {"TF_NUM_INTEROP_THREADS": "1"}
    before, main = signal.getsignal(signal.SIGINT), threading.current_thread() is threading.main_thread()
    if main:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is started now inherits that
    try:
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,  # a run's memory is its own process', and looked after there
            dashboard_address="127.0.0.1:0",
            local_directory=str(paths.cache_root().resolve() / "dask"),  # what a killed one left, the next one removes
            env=environment,
            silence_logs=logging.CRITICAL,
        )
    finally:
        if main:
            signal.signal(signal.SIGINT, before)
    with cluster:
        yield cluster


def _ignoring_interrupts(distributed):
    """For workers that are started again later."""

    class IgnoreInterrupts(distributed.WorkerPlugin):
        name = "hcr-interrupts"

        def setup(self, worker):
            with contextlib.suppress(ValueError):  # in a thread, they do not come
                signal.signal(signal.SIGINT, signal.SIG_IGN)

    return IgnoreInterrupts()


@contextlib.contextmanager
def _quiet():
    """Without Dask's own words on workers that come and go: what matters of it is told."""
    named = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    before = {logger: logger.level for logger in map(logging.getLogger, named)}
    for logger in before:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)


class Dask:
    """What a sweep needs of a Dask client."""

    def __init__(self, client, share=None, attempt=worker.attempt):
        self.client, self._share, self.attempt = client, share, attempt
        self.came, self.counted = queue.SimpleQueue(), (0.0, 1)
        self.address, self.futures = client.scheduler.address, set()

    def link(self):
        """The dashboard's address, "" where there is none."""
        with contextlib.suppress(Exception):
            return self.client.dashboard_link or ""
        return ""

    def share(self):
        """The memory that one run may hold, in bytes, None where that is the workers' own affair."""
        return self._share

    def slots(self):
        """How many runs it can make at once just now, at least 1."""
        now = time.monotonic()
        if now - self.counted[0] > 1:
            n = sum(about["nthreads"] for about in self.client.scheduler_info(n_workers=-1)["workers"].values())
            self.counted = now, max(1, n)
        return self.counted[1]

    def listen(self, topic, take):
        """Calls take(dict) for every event of a topic."""
        self.client.subscribe_topic(topic, lambda event: take(event[1]))

    def submit(self, work, key, priority):
        """A future of a Work's Outcome."""
        future = self.client.submit(self.attempt, work, key=key, pure=False, priority=priority)
        self.futures.add(future)
        future.add_done_callback(self.came.put)
        return future

    def next(self, seconds):
        """A future that ended, or None after so long."""
        with contextlib.suppress(queue.Empty):
            return self.came.get(timeout=seconds)
        return None

    def outcome(self, future):
        """The Outcome of an ended future; a worker that died is a fault.

        RunError where the scheduler is gone for good, and where a worker has other code.
        """
        try:
            outcome = future.result(timeout=LOST_S)
            if outcome.kind == worker.OTHER_CODE:
                hint = "Install the same version of hcrlib there, and start its workers again"
                raise RunError(f"The worker {outcome.worker} cannot make these runs", got=outcome.reason, hint=hint)
            return outcome
        except RunError:
            raise
        except Exception as error:
            if self._lost():
                hint = "Start it again, then the same command: it goes on from what is finished"
                raise RunError("The scheduler is gone", where=self.address, hint=hint) from error
            return worker.Outcome(worker.FAULT, _told(error))
        finally:
            self.futures.discard(future)
            future.release()

    def clean(self, topic, runs, made):
        """Has the workers end what is still under way of a topic, and remove what attempts that were killed left there."""

        def work():
            with contextlib.suppress(Exception):  # no scheduler, no workers: the next sweep does it
                under_way = bool(self.futures)
                self.client.cancel(list(self.futures))
                while under_way and any(self.client.run(worker.busy, topic, on_error="ignore").values()):
                    time.sleep(0.1)
                self.client.run(worker.clean, runs, made, on_error="ignore")

        cleaning = threading.Thread(target=work, name="clean", daemon=True)
        cleaning.start()
        cleaning.join(CLEAN_S)  # a worker that is frozen does not answer

    def supply(self, outcome, say):
        """Sends a worker what it lacks, unless it has it by now: other runs come back for the same."""
        for one in self.client.run(inputs.lacking, list(outcome.lacking), workers=[outcome.worker])[outcome.worker]:
            say(f"sending {one.name} to {outcome.worker}")
            self.send(one, outcome.worker)

    def send(self, one, address):
        """Sends an Input to a worker, in pieces."""
        with tempfile.TemporaryFile() as file:
            if not inputs.packed(one, file):
                return
            file.seek(0)
            transfer, chunk = uuid.uuid4().hex, file.read(inputs.CHUNK)
            while True:
                following = file.read(inputs.CHUNK)
                self.client.run(inputs.receive, transfer, chunk, None if following else one, workers=[address])
                if not following:
                    return
                chunk = following

    def _lost(self):
        """Whether the scheduler stays away: it is waited for, since one that is started again can be gone on with."""
        until = time.monotonic() + LOST_S
        while self.client.status not in ("running", "closed") and time.monotonic() < until:
            time.sleep(0.2)
        return self.client.status != "running"


def _told(error):
    name = type(error).__name__
    if name == "KilledWorker":
        return "the workers that tried it died"
    return f"{name}: {error}"
