"""Connect to the Dask cluster that executes the runs: one at an address, or local processes."""

import contextlib
import dataclasses
import logging
import os
import queue
import signal
import tempfile
import threading
import time
import uuid

from hcrlib.cluster import inputs, jobs, worker
from hcrlib.core import paths
from hcrlib.core.errors import RunError
from hcrlib.core.logs import log_level

RETRIES = 2  # after the first attempt, for faults outside the run's own code
RUN_BYTES = 3 << 30  # memory per local worker; there are as many workers as fit, at most one per core
SHARE = 0.9  # of the memory, for all runs together
LOST_S = 60.0  # how long to wait for a lost scheduler
CLEAN_S = 15  # for workers to end jobs that are no longer wanted
SILENT_S = "60s"  # without a heartbeat; then a local worker's run goes to another worker
SAFE_PATH = "PYTHONSAFEPATH"
THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NUMBA_NUM_THREADS"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Where to execute runs, and within which limits.

    Attributes:
        scheduler: address of a Dask scheduler; None for processes of this machine.
        workers: number of local processes; None for as many as cores and memory allow.
        limit_s: time limit of one run in seconds; None for no limit.
        limit_bytes: memory limit of one run; None for an equal share on this machine, no limit elsewhere.
        retries: attempts after faults of workers and machines.
        priority: relative to the runs of other clients of the scheduler; higher goes first.
    """

    scheduler: str | None = None
    workers: int | None = None
    limit_s: float | None = None
    limit_bytes: int | None = None
    retries: int = RETRIES
    priority: int = 0


@contextlib.contextmanager
def started(cluster, attempt=worker.attempt):
    """Yield a `Dask` connected to a scheduler, or to local worker processes that end with the context."""
    import dask
    import dask.system
    import distributed

    limits = {
        "distributed.scheduler.worker-ttl": SILENT_S,
        "distributed.worker.daemon": False,
        "distributed.admin.tick.limit": "1h",  # no warnings about busy machines
        "distributed.admin.tick.interval": "500ms",  # waiting for runs takes 12 % of a core by default, 2 % with this
        "distributed.worker.profile.enabled": False,
        "distributed.comm.timeouts.connect": "30s",
        "distributed.admin.low-level-log-length": 1000,  # bounds the scheduler's memory
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(limits))
        stack.enter_context(_quiet())
        address, share = cluster.scheduler, None
        if address is None:
            cores, memory = dask.system.CPU_COUNT, distributed.system.MEMORY_LIMIT
            workers = cluster.workers or max(1, min(cores, memory // RUN_BYTES))
            share = int(memory * SHARE / workers)
            stack.enter_context(_safe_path())
            address = stack.enter_context(_local(distributed, workers, max(1, cores // workers)))
        try:
            client = distributed.Client(address, timeout=30, set_as_default=False, name="hcr sweep")
            stack.enter_context(client)
        except (OSError, ValueError, TypeError) as error:  # TypeError: tls:// without certificates
            hint = "Start one with `dask scheduler`; deploy/cluster/README.md shows how on SLURM, Kubernetes and SSH"
            got = str(error) or type(error).__name__
            raise RunError("The scheduler does not respond", where=address, got=got, hint=hint) from error
        if cluster.scheduler is None:
            client.register_plugin(_ignoring_interrupts(distributed))
        yield Dask(client, share, attempt)


@contextlib.contextmanager
def _local(distributed, workers, threads):
    """Yield a cluster of local processes, which ignore Ctrl-C."""
    environment = dict.fromkeys(THREADS, str(threads)) | {"TF_NUM_INTEROP_THREADS": "1"}
    before, main = signal.getsignal(signal.SIGINT), threading.current_thread() is threading.main_thread()
    if main:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited by the processes started now
    try:
        options = {"n_workers": workers, "threads_per_worker": 1, "env": environment, "silence_logs": logging.CRITICAL}
        options["memory_limit"] = 0  # each run has its own process, which has its own memory limit
        options["local_directory"] = str(paths.cache_root().resolve() / "dask")  # the next cluster cleans it
        cluster = distributed.LocalCluster(dashboard_address="127.0.0.1:0", **options)
    finally:
        if main:
            signal.signal(signal.SIGINT, before)
    with cluster:
        yield cluster


@contextlib.contextmanager
def _safe_path():
    """Have Python processes started meanwhile import nothing from the current folder, such as a random.py of the user's."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


def _ignoring_interrupts(distributed):
    """Return a plugin that makes restarted workers ignore Ctrl-C, too."""

    class IgnoreInterrupts(distributed.WorkerPlugin):
        name = "hcr-interrupts"

        def setup(self, worker):
            with contextlib.suppress(ValueError):  # not in the main thread, which gets the signals
                signal.signal(signal.SIGINT, signal.SIG_IGN)

    return IgnoreInterrupts()


@contextlib.contextmanager
def _quiet():
    """Silence Dask's log about workers that come and go: the sweep reports what matters."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(log_level(logging.CRITICAL, name))
        yield


class Dask:
    """The part of a Dask client that sweeps use."""

    def __init__(self, client, share=None, attempt=worker.attempt):
        self.client, self._share, self.attempt = client, share, attempt
        self.ended, self.counted = queue.SimpleQueue(), (0.0, 1)  # counted: (when, slots)
        self.address, self.futures = client.scheduler.address, set()

    def link(self):
        """Return the address of the dashboard, "" if there is none."""
        with contextlib.suppress(Exception):
            return self.client.dashboard_link or ""
        return ""

    def share(self):
        """Return the memory that one run may use, in bytes; None if the workers are not local."""
        return self._share

    def slots(self):
        """Return how many runs the cluster can execute at once now, at least 1."""
        now = time.monotonic()
        if now - self.counted[0] > 1:
            n = sum(info["nthreads"] for info in self.client.scheduler_info(n_workers=-1)["workers"].values())
            self.counted = now, max(1, n)
        return self.counted[1]

    def listen(self, topic, take):
        """Call take(dict) for every event of a topic."""
        self.client.subscribe_topic(topic, lambda event: take(event[1]))

    def submit(self, job, key, priority):
        """Submit a job; return a future of its Outcome."""
        future = self.client.submit(self.attempt, job, key=key, pure=False, priority=priority)
        self.futures.add(future)
        future.add_done_callback(self.ended.put)
        return future

    def next(self, seconds):
        """Return the next future that ended, or None after that many seconds."""
        with contextlib.suppress(queue.Empty):
            return self.ended.get(timeout=seconds)
        return None

    def outcome(self, future):
        """Return the Outcome of an ended future; the death of its worker is a fault.

        Raises RunError if the scheduler is gone for good, or a worker has other code.
        """
        try:
            outcome = future.result(timeout=LOST_S)
            if outcome.kind == jobs.OTHER_CODE:
                hint = "Install the same versions of hcrlib and its plug-ins there, and restart its workers"
                raise RunError(f"The worker {outcome.worker} cannot execute these runs", got=outcome.reason, hint=hint)
            return outcome
        except RunError:
            raise
        except Exception as error:
            if self._lost():
                hint = "Restart it, then repeat the same command: it continues from the finished runs"
                raise RunError("The scheduler is gone", where=self.address, hint=hint) from error
            return jobs.Outcome(jobs.FAULT, _describe(error))
        finally:
            self.futures.discard(future)
            future.release()

    def cancel(self, key):
        """Cancel the job with that key."""
        for future in [future for future in self.futures if future.key == key]:
            self.futures.discard(future)
            future.cancel()

    def clean(self, topic, finished):
        """Have the workers end the running jobs of a topic and remove what killed attempts left there.

        finished: ids of jobs whose checkpoints are no longer needed.
        """

        def work():
            with contextlib.suppress(Exception):  # no scheduler or workers: the next sweep cleans up
                running = bool(self.futures)
                self.client.cancel(list(self.futures))
                while running and any(self.client.run(worker.busy, topic, on_error="ignore").values()):
                    time.sleep(0.1)
                self.client.run(worker.clean, finished, on_error="ignore")

        cleaning = threading.Thread(target=work, name="clean", daemon=True)
        cleaning.start()
        cleaning.join(CLEAN_S)  # a frozen worker never responds

    def supply(self, outcome, say):
        """Send a worker the inputs that it still lacks: another run may have sent some of them meanwhile."""
        for item in self.client.run(inputs.lacking, list(outcome.lacking), workers=[outcome.worker])[outcome.worker]:
            say(f"sending {item.name} to {outcome.worker}")
            self.send(item, outcome.worker)

    def send(self, item, address):
        """Send an Input to a worker, in chunks."""
        with tempfile.TemporaryFile() as file:
            if not inputs.pack(item, file):
                return
            file.seek(0)
            transfer, chunk = uuid.uuid4().hex, file.read(inputs.CHUNK)
            while True:
                following = file.read(inputs.CHUNK)
                self.client.run(inputs.receive, transfer, chunk, None if following else item, workers=[address])
                if not following:
                    return
                chunk = following

    def _lost(self):
        """Wait for the scheduler, which may be restarted; return whether it stays away."""
        until = time.monotonic() + LOST_S
        while self.client.status not in ("running", "closed") and time.monotonic() < until:
            time.sleep(0.2)
        return self.client.status != "running"


def _describe(error):
    name = type(error).__name__
    if name == "KilledWorker":
        return "the workers that tried it died"
    return f"{name}: {error}"
