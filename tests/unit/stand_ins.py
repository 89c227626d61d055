"""A sweep without a cluster: workers that return at once what a test says, and the runs they return."""

import io
import json
import tarfile
import time
import types

from hcrlib import records
from hcrlib.cluster.jobs import DONE, Outcome
from hcrlib.records import Metric
from hcrlib.runs import runner

MEASURED = dict(
    metrics={"accuracy": Metric(0.5, 0.1, 0.9), "val_accuracy": Metric(0.5)}, n_errors=1, n_test=2, fit_s=0.1
)


def until(condition, seconds=100):
    """Return what condition() returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def config(classifier="dummy", seed=0, **params):
    return runner.resolve(classifier, seed=seed, **params)


def outcome(asked, status="finished", reason=None, kind=DONE, names=("notebook.ipynb", "log.txt"), **measured):
    """Return a worker's Outcome of a run: a tar of these files and of the run's record."""
    values = {**MEASURED, **measured} if status == "finished" else {}
    made = records.RunRecord(config=asked, status=status, reason=reason, **values)
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, content in [*((n, f"{n} of {status}") for n in names), ("record.json", json.dumps(made.to_dict()))]:
            about = tarfile.TarInfo(name)
            about.size = len(content.encode())
            tar.addfile(about, io.BytesIO(content.encode()))
    return Outcome(kind, reason or "", packed=sink.getvalue())


class Workers:
    """Stands in for a Dask cluster: answer(RunConfig, RunJob, number of the try) is the outcome, at once."""

    def __init__(self, answer, slots=1):
        self.answer, self.n = answer, slots
        self.handed, self.works, self.sent, self.came, self.tries, self.cleaned = [], [], [], [], {}, None

    def submit(self, work, key, priority):
        asked = records.RunConfig.from_dict(work.config)
        self.tries[asked.hash] = self.tries.get(asked.hash, 0) + 1
        self.handed.append(asked)
        self.works.append((work, key, priority))
        answer = self.answer(asked, work, self.tries[asked.hash])
        self.came.append(types.SimpleNamespace(key=key, outcome=answer))
        return self.came[-1]

    def next(self, seconds):
        return self.came.pop(0) if self.came else time.sleep(0.01)

    def outcome(self, future):
        return future.outcome

    def link(self):
        return ""

    def share(self):
        return 7 << 30

    def slots(self):
        return self.n

    def listen(self, topic, take):
        pass

    def clean(self, *given):
        self.cleaned = given[-1]

    def supply(self, outcome, say):
        self.sent += [(one, outcome.worker) for one in outcome.lacking]
