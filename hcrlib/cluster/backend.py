"""The Dask cluster that runs are made on: that of an address, or one of this machine's processes."""

import contextlib
import dataclasses
import logging
import queue
import signal
import tempfile
import threading
import time
import uuid

from hcrlib.cluster import inputs, worker
from hcrlib.core import paths
from hcrlib.core.errors import RunError

RETRIES = 2  # beyond the first attempt, for faults that are not the run's
A_RUN_BYTES = 3 << 30  # a worker is started for each core, and for so much memory
SHARE = 0.9  # of the memory, that runs may hold together
LOST_S = 60.0  # that a lost scheduler is waited for
CLEAN_S = 15  # for workers to end what is not wanted any more
STILL_S = "60s"  # on this machine's cluster, without a word from a worker, after which its run is given to another one
THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NUMBA_NUM_THREADS"


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

    def cancel(self, key):
        """Takes back what was submitted by that key."""
        for future in [future for future in self.futures if future.key == key]:
            self.futures.discard(future)
            future.cancel()

    def clean(self, topic, made):
        """Has the workers end what is still under way of a topic, and remove what attempts that were killed left there."""

        def work():
            with contextlib.suppress(Exception):  # no scheduler, no workers: the next sweep does it
                under_way = bool(self.futures)
                self.client.cancel(list(self.futures))
                while under_way and any(self.client.run(worker.busy, topic, on_error="ignore").values()):
                    time.sleep(0.1)
                self.client.run(worker.clean, made, on_error="ignore")

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
