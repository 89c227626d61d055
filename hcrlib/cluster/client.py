"""The client of a sweep: choose the next runs, submit them to a Dask cluster and write the results.

Only a few runs are submitted at a time, so that memory does not grow with the sweep and several clients can share a cluster:
the cheapest first, each after those that it uses. A run interrupted by a fault of a worker or machine is submitted again; one
whose own code failed is recorded and not retried. Ctrl-C lets running runs finish; a second Ctrl-C stops them.
"""

import contextlib
import dataclasses
import functools
import os
import signal
import threading
import time
import uuid
from collections import deque
from typing import Any

from hcrlib.cluster import inputs, jobs, worker
from hcrlib.cluster.backend import Cluster, started
from hcrlib.cluster.estimate import Estimate, is_local, known
from hcrlib.cluster.progress import Display, duration
from hcrlib.cluster.results import RunLocks, find, is_finished, keep_log, mark, unmade, write
from hcrlib.core.code_hash import code_sha256
from hcrlib.core.errors import DataError, HcrError, RunError
from hcrlib.runs import notebooks

MACHINES = 20  # maximum number of times that a run's inputs are sent


@dataclasses.dataclass
class _Run:
    config: Any
    notebook: str
    tries: int = 0
    lacked: int = 0
    not_before: float = 0.0
    waits_for: frozenset = frozenset()  # hashes of the runs that it uses


def run(plan, cluster=None, log=print, sources=None, attempt=worker.attempt):
    """Execute the runs of a plan; return the RunRecords of those that failed.

    A run that failed through no fault of its own is returned as "failed" without a record being written, so that the next sweep
    tries it again.

    Args:
        plan: list of (RunConfig, name of the notebook that executes it).
        cluster: a Cluster; None for processes of this machine.
        log: function that takes a line for the user.
        sources: name -> text of the notebooks; None for the project's own.
        attempt: function that workers call with a RunJob.

    Raises:
        RunError: the cluster cannot be reached, or has a different version of hcrlib.
        KeyboardInterrupt: after a second Ctrl-C, or after the first one once the running runs have ended.
    """
    plan = list({config.hash: (config, notebook) for config, notebook in plan}.values())
    if not plan:
        return []
    if os.name == "nt":
        raise RunError("Sweeps need Linux or macOS", hint="On Windows, install the project in WSL")
    _allow_open_files()
    marks = {config.hash: mark(config) for config, _ in plan}
    cluster = cluster or Cluster()
    names = {notebook for _, notebook in plan}
    sources = sources or {name: notebooks.path(name).read_text(encoding="utf-8") for name in names}
    earlier = known()
    estimate, local = Estimate(earlier), Estimate(filter(is_local, earlier))  # other machines' times only give an order
    ordered = estimate.order([config for config, _ in plan])
    expected = {config.id: local.seconds(config) for config in ordered}
    unknown = sum(seconds is None for seconds in expected.values())
    timed = unknown * 2 < len(plan)
    with _Interrupts() as stop, started(cluster, attempt) as dask:
        if link := dask.link():
            log(f"dashboard: {link}")
        display = Display(expected, link, dask.slots, timed=timed)
        if timed:
            rest = f", without {unknown} of {len(plan)} runs" if unknown else ""
            log(f"about {duration(display.left_s())} for training, by earlier runs on such a processor{rest}")
        with display:
            sweep = _Sweep(plan, marks, cluster, sources, ordered, stop, dask, display)
            try:
                return sweep.run()
            finally:
                sweep.close()


def _allow_open_files():
    """Raise this process's limit on open files: each submitted run holds a lock."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Sweep:
    def __init__(self, plan, marks, cluster, sources, ordered, stop, dask, display):
        self.marks, self.cluster, self.sources = marks, cluster, sources
        self.stop, self.dask, self.display = stop, dask, display
        notebook_of = {config.hash: notebook for config, notebook in plan}
        ids = {config.id: config.hash for config, _ in plan}
        self.runs = [
            _Run(c, notebook_of[c.hash], waits_for=frozenset(ids[m] for m in inputs.members(c) if m in ids))
            for c in ordered
        ]
        self.waiting = deque(self.runs)
        self.locks, self.topic = RunLocks(), f"hcr-{uuid.uuid4().hex}"
        self.running, self.pause_until = {}, 0.0  # running: key of the future -> _Run
        self.statuses, self.failed = {}, []  # statuses: hash -> status
        self.data_of = functools.cache(inputs.data_of)

    def run(self):
        """Execute all runs; return the RunRecords of those that failed."""
        self.dask.listen(self.topic, self.display.event)
        while self.running or (self.waiting and not self.stop.requested):
            self._hand_out()
            future = self.dask.next(0.2)
            if future is not None:
                self._take_back(future)
            if self.stop.requested and not self.stop.announced:
                self._announce_stop()
            elif self.waiting and not self.running and not self.display.note and self.pause_until:
                self._announce_waiting()
        if self.stop.requested:
            raise KeyboardInterrupt
        return self.failed

    def close(self):
        """Unlock all runs, and remove what killed attempts left on every machine that can be reached."""
        for run in self.runs:
            self.locks.release(run.config)
        finished = [run.config.id for run in self.runs if self.statuses.get(run.config.hash) == "finished"]
        self.dask.clean(self.topic, finished)

    def _announce_waiting(self):
        if all(run.not_before <= time.monotonic() for run in self.waiting):
            self.display.note = f"waiting for {len(self.waiting)} runs that another sweep, or `hcr train`, is executing"
            self.display.say(self.display.note)

    def _announce_stop(self):
        self.stop.announced = True
        for key, run in list(self.running.items()):
            if not self.display.is_running(run.config.id):
                del self.running[key]
                self.dask.cancel(key)
                self.locks.release(run.config)
                self.display.again(run.config.id)
        n = len(self.running)
        active = f"the {n} active runs have" if n != 1 else "the active run has"
        self.display.stop(f"stopping when {active} ended; press Ctrl-C again to stop {'it' if n == 1 else 'them'} now")

    def _hand_out(self):
        """Keep two runs per slot submitted, so that no slot waits for this client."""
        most = 2 * max(1, self.dask.slots())
        now = time.monotonic()
        if self.stop.requested or len(self.running) >= most or now < self.pause_until:
            return
        for _ in range(len(self.waiting)):
            if self.stop.requested or time.monotonic() > now + 1:  # finished runs should not wait for this
                break
            run = self.waiting.popleft()
            if not self._ready(run, now):
                self.waiting.append(run)
            elif run.config.hash not in self.statuses:
                self._submit(run)
                if len(self.running) >= most:
                    return
        self.pause_until = now + 0.5 if self.waiting else 0.0  # none of the waiting runs is ready now

    def _ready(self, run, now):
        """Return whether a run can be submitted; a run that need not or cannot be executed is ended."""
        config = run.config
        if run.not_before > now or any(member not in self.statuses for member in run.waits_for):
            return False
        if missing := [member for member in inputs.members(config) if not is_finished(member)]:
            self._end(run, unmade(config, f"runs that it uses are not finished: {', '.join(missing)}"))
            return True
        if not self.locks.take(config):
            return False
        if mark(config) != self.marks[config.hash] and (record := find(config)):
            self._end(run, record)  # another client has executed it meanwhile
        return True

    def _submit(self, run):
        config = run.config
        try:
            read = tuple(inputs.of(config, self.data_of))
        except (OSError, HcrError) as error:  # an unreadable dataset does not stop other runs
            self._end(run, unmade(config, f"its data cannot be read: {error}"))
            return
        what = {"config": dataclasses.asdict(config), "notebook": run.notebook, "source": self.sources[run.notebook]}
        job = jobs.RunJob(**what, inputs=read, **_conditions(self.cluster, self.dask, self.topic))
        future = self.dask.submit(job, f"{config.id}/{run.tries}-{uuid.uuid4().hex[:8]}", self.cluster.priority)
        self.running[future.key] = run
        self.display.note = ""
        self.display.started(config.id)

    def _take_back(self, future):
        run = self.running.pop(future.key, None)
        if run is None:
            return
        outcome = self.dask.outcome(future)
        if outcome.kind == jobs.LACKING:
            self._send(run, outcome)
        elif outcome.kind == jobs.FAULT:
            self._retry(run, outcome)
        else:
            self._end(run, write(run.config, outcome))

    def _retry(self, run, outcome):
        """Submit a run again after a fault, later and probably elsewhere, unless its retries are used up."""
        run.tries += 1
        if run.tries <= self.cluster.retries and not self.stop.requested:
            self.display.again(run.config.id)
            self.display.say(f"{run.config.id} is tried again: {outcome.reason}")
            run.not_before = time.monotonic() + 2 ** (run.tries - 1)
            self.waiting.append(run)
            return
        keep_log(run.config, outcome)
        self._end(run, unmade(run.config, outcome.reason))

    def _send(self, run, outcome):
        """Send a worker the inputs that it lacks; this counts as a fault only if it never ends."""
        run.lacked += 1
        try:
            if run.lacked > MACHINES:
                raise DataError(f"{outcome.worker} still lacks inputs that were sent to it")
            self.dask.supply(outcome, self.display.say)
        except (OSError, DataError) as error:
            self._retry(run, jobs.Outcome(jobs.FAULT, str(error)))
            return
        self.display.again(run.config.id)
        self.waiting.appendleft(run)

    def _end(self, run, record):
        self.locks.release(run.config)
        self.statuses[run.config.hash] = record.status
        self.failed += [record] if record.status == "failed" else []
        self.display.ended(run.config.id, record)


def _conditions(cluster, dask, topic):
    """Return the fields that all jobs of a client share."""
    limits = {"limit_s": cluster.limit_s, "limit_bytes": cluster.limit_bytes or dask.share()}
    return {"code": code_sha256(), "topic": topic, "at_once": dask.slots(), **limits}


class Calls:
    """A context for calls on a cluster that return values, not records: the trials of a search."""

    def __init__(self, cluster):
        self.cluster = cluster

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.dask = stack.enter_context(started(self.cluster))
            self.topic, self.ended = f"hcr-{uuid.uuid4().hex}", []
            stack.callback(lambda: self.dask.clean(self.topic, self.ended))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self.stack.close()

    def run(self, calls):
        """Yield (index, Outcome) as calls end: DONE, with the value packed as JSON, or FAILED, for exceeding a limit.

        calls: list of dicts with the fields of a CallJob. Raises RunError once a call's retries are used up, after yielding the
        outcomes that were available.
        """
        running, conditions = {}, _conditions(self.cluster, self.dask, self.topic)
        for index, call in enumerate(calls):
            self._submit(running, index, jobs.CallJob(**call, **conditions), 0, 0)
        while running:
            if (future := self.dask.next(0.5)) is None or future.key not in running:
                continue
            index, job, tries, lacked = running.pop(future.key)
            outcome = self.dask.outcome(future)
            if outcome.kind == jobs.LACKING and lacked < MACHINES:
                try:
                    self.dask.supply(outcome, lambda line: None)
                    self._submit(running, index, job, tries, lacked + 1)
                    continue
                except (OSError, DataError) as error:
                    outcome.reason = str(error)
            if outcome.kind in (jobs.LACKING, jobs.FAULT):
                if tries >= self.cluster.retries:
                    hint = "Run the same command again: it continues from here"
                    raise RunError(f"{job.id} failed: {outcome.reason}", hint=hint)
                time.sleep(2**tries)  # the fault may pass
                self._submit(running, index, job, tries + 1, lacked)
            else:
                self.ended.append(job.id)
                yield index, outcome

    def _submit(self, running, index, job, tries, lacked):
        future = self.dask.submit(job, f"{job.id}/{tries}-{uuid.uuid4().hex[:8]}", self.cluster.priority)
        running[future.key] = index, job, tries, lacked


class _Interrupts:
    """A context that notes the first Ctrl-C and raises KeyboardInterrupt at the second."""

    def __init__(self):
        self.requested, self.announced, self.before = False, False, None

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error):
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _note(self, number, frame):
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
