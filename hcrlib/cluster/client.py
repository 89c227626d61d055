"""The client of a sweep: it decides what is made next, hands it to a Dask cluster and writes what comes back.

Few runs are handed out at a time, so that memory does not grow with the sweep, several clients can share one, and the order
stays in one hand: the cheapest first, members of an ensemble before it. A run that a fault of a worker or a machine broke off
is handed out again; one whose own code failed is recorded and not tried again. Ctrl-C lets the runs under way end, a second one
does not.
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

from hcrlib.cluster import inputs, worker
from hcrlib.cluster.backend import Cluster, started
from hcrlib.cluster.estimate import Estimate, known
from hcrlib.cluster.leases import Claims
from hcrlib.cluster.progress import Display, duration
from hcrlib.cluster.results import busy, finished_run, found, keep_log, mark, unmade, write
from hcrlib.core.code_hash import code_sha256
from hcrlib.core.errors import DataError, HcrError, RunError
from hcrlib.core.fileio import file_lock
from hcrlib.reporting import sweep as report
from hcrlib.runs import records, runner

MACHINES = 20  # that may lack what a run reads, one after the other


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
    began = {config.hash: mark(config) for config, _ in plan}
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
        self.data_of = functools.cache(inputs.data_of)

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
        self.dask.clean(self.topic, made)

    def _tell_waiting(self):
        if all(run.not_before <= time.monotonic() for run in self.waiting):
            self.display.note = f"waiting for {len(self.waiting)} runs that another sweep, or `hcr train`, is making"
            self.display.say(self.display.note)

    def _tell_stop(self):
        self.stop.told = True
        for key, run in list(self.out.items()):
            if not self.display.is_under_way(run.config.id):
                del self.out[key]
                self.dask.cancel(key)
                self.claims.release(run.config)
                self.display.again(run.config.id)
        self.display.note = f"stopping when the {len(self.out)} runs under way have ended; Ctrl-C again ends them now"
        self.display.say(self.display.note)

    def _hand_out(self):
        """Fills the cluster: a run for each slot, and one more for each, so that none waits for this client."""
        most = 2 * max(1, self.dask.slots())
        now = time.monotonic()
        if self.stop.asked or len(self.out) >= most or now < self.held:
            return
        for _ in range(len(self.waiting)):
            if self.stop.asked or time.monotonic() > now + 1:  # what came back is not to wait for this
                break
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
        if broken := [member for member in inputs.members(config) if not finished_run(member)]:
            self._end(run, unmade(config, f"it is made of {', '.join(broken)}, not finished here"))
        elif not self.claims.take(config):
            return False
        elif busy(config):  # `hcr train` is at it
            self.claims.release(config)
            return False
        else:
            self._settle(config)
            if mark(config) == self.began[config.hash] or not (there := found(config)):
                return True
            self.claims.release(config)
            self._end(run, there)  # somebody else made it meanwhile
        return True

    def _settle(self, config):
        """Ends what a client that was killed had nearly written."""
        folder = records.run_path(config)
        if (folder / runner.NEW / "record.json").exists():
            with contextlib.suppress(TimeoutError), file_lock(folder / runner.LOCK, timeout=0):
                runner.settle(folder)

    def _submit(self, run):
        config = run.config
        try:
            read = tuple(inputs.of(config, self.data_of))
        except (OSError, HcrError) as error:  # what is wrong with its data does not stop other runs
            self.claims.release(config)
            self._end(run, unmade(config, f"what it reads cannot be read: {error}"))
            return
        work = worker.Work(
            config=dataclasses.asdict(config),
            notebook=run.notebook,
            source=self.sources[run.notebook],
            code=code_sha256(),
            inputs=read,
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
        record = unmade(run.config, outcome.reason)
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
            self.topic, self.ended = f"hcr-{uuid.uuid4().hex}", []
            held.callback(lambda: self.dask.clean(self.topic, self.ended))
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
            self._submit(out, at, worker.Call(**call, **common), 0, 0)
        while out:
            if (future := self.dask.next(0.5)) is None or future.key not in out:
                continue
            at, call, tries, lacked = out.pop(future.key)
            outcome = self.dask.outcome(future)
            if outcome.kind == worker.LACKING and lacked < MACHINES:
                try:
                    self.dask.supply(outcome, lambda line: None)
                    self._submit(out, at, call, tries, lacked + 1)
                    continue
                except (OSError, DataError) as error:
                    outcome.reason = str(error)
            if outcome.kind in (worker.LACKING, worker.FAULT):
                if tries >= self.cluster.retries:
                    hint = "The same command goes on from here"
                    raise RunError(f"{call.id} cannot be made: {outcome.reason}", hint=hint)
                time.sleep(2**tries)  # what is wrong may pass
                self._submit(out, at, call, tries + 1, lacked)
            else:
                self.ended.append(call.id)
                yield at, outcome

    def _submit(self, out, at, call, tries, lacked):
        future = self.dask.submit(call, f"{call.id}/{tries}-{uuid.uuid4().hex[:8]}", self.cluster.priority)
        out[future.key] = at, call, tries, lacked


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
