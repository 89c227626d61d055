"""Estimate the duration of runs from earlier records, to start with cheap runs and to show the remaining time."""

import contextlib
import dataclasses
import heapq
import json

import numpy as np

from hcrlib.core import paths
from hcrlib.core.errors import HcrError
from hcrlib.core.provenance import machine
from hcrlib.datasets.catalog import DATASETS

OVERHEAD_S = 2.0  # of the notebook: loading, figures
UNKNOWN_S = 60.0  # for 60,000 images, without a record of the classifier


class Estimate:
    """Seconds per image and epoch, from records of the same classifier, preferably on the same dataset."""

    def __init__(self, earlier):
        spent = {}
        for record in earlier:
            with contextlib.suppress(KeyError, TypeError, AttributeError, ZeroDivisionError):  # damaged
                config = record["config"]
                if record["status"] == "finished":
                    each = record["fit_s"] / (record["n_train"] * (config["params"].get("epochs") or 1))
                    for dataset in (config["dataset"], None):
                        spent.setdefault((config["classifier"], dataset), []).append(each)
        self.rates = {key: float(np.median(seconds)) for key, seconds in spent.items()}

    def seconds(self, config):
        """Return the estimate for a RunConfig in seconds, or None without a record of its classifier."""
        rates = [self.rates.get((config.classifier, dataset)) for dataset in (config.dataset, None)]
        rate = next((rate for rate in rates if rate is not None), None)
        if rate is None:
            return None
        return rate * _images(config) * (config.params.get("epochs") or 1) + OVERHEAD_S

    def order(self, configs):
        """Return the RunConfigs, cheapest first; those of unknown classifiers are ranked by their number of images."""
        rough = {c.hash: self.seconds(c) or UNKNOWN_S * _images(c) / 60_000 for c in configs}
        return sorted(configs, key=lambda c: rough[c.hash])


class Clock:
    """The remaining time of a sweep: grows only when a run ends, or reports an epoch, later than was expected.

    All times are in seconds. The runs that ended correct the estimates: fits apart from the rest, since the cheap runs, which
    come first, tell little of fits. A run under way is credited with its age, or with its epochs.

    Args:
        estimates: run -> estimate of its duration, None if unknown, in the order of execution.
    """

    def __init__(self, estimates):
        self.waiting = {run: None if seconds is None else _parts(seconds) for run, seconds in estimates.items()}
        self.running = {}  # run -> _Running
        # As if runs of a quarter of all had ended as estimated: one that ended early or late is no rule
        self.estimated = sum((parts for parts in self.waiting.values() if parts is not None), np.zeros(2)) / 4 + 1e-9
        self.spent = self.estimated.copy()

    def began(self, run, now):
        """Note that a run began at a time."""
        self.running[run] = _Running(now, self.waiting.pop(run, None))

    def epoch(self, run, now, share):
        """Note that at that time a share of a run's epochs, above 0 and up to 1, was done."""
        it = self.running[run]
        if it.first is None:
            it.first = now, share
        since, done = it.first if it.first[1] < share else (it.begun, 0.0)  # the first epoch contains the start
        fit = (now - since) / (share - done)
        if it.parts is not None:  # the more epochs there were, the more their pace counts; the first one's does not
            weight = share**0.5 if done else 0.0
            fit = weight * fit + (1 - weight) * float(it.parts[1] * self._pace()[1])
        it.end = now + (1 - share) * fit + OVERHEAD_S * float(self._pace()[0])

    def again(self, run):
        """Note that a run was interrupted and waits again."""
        if run in self.running:
            self.waiting[run] = self.running.pop(run).parts

    def ended(self, run, now, finished=True):
        """Note that a run has ended, or will not be executed. finished: whether its duration says something about others."""
        it = self.running.pop(run, None)
        self.waiting.pop(run, None)
        if finished and it and it.parts is not None:
            self.estimated += it.parts
            self.spent += it.parts * (now - it.begun) / it.parts.sum()

    def left_of(self, run, now):
        """Return the remaining seconds of a run under way, or None if nothing is known."""
        it = self.running[run]
        end = it.end
        if end is None and it.parts is not None:
            end = it.begun + self._corrected(it.parts)
        return None if end is None else max(0.0, end - now)

    def left(self, now, slots, waiting=True):
        """Return the remaining seconds of all runs on that many slots; runs of which nothing is known count as 0.

        waiting: whether runs that have not begun will begin.
        """
        free = [self.left_of(run, now) or 0.0 for run in self.running]
        free += [0.0] * (slots - len(free))
        heapq.heapify(free)
        for parts in self.waiting.values() if waiting else ():
            heapq.heapreplace(free, free[0] + (0.0 if parts is None else self._corrected(parts)))
        return max(free)

    def _pace(self):
        return self.spent / self.estimated

    def _corrected(self, parts):
        return float(parts @ self._pace())


@dataclasses.dataclass
class _Running:
    begun: float
    parts: np.ndarray | None
    first: tuple[float, float] | None = None  # when it reported its first epoch, and the share that was done
    end: float | None = None  # by its epochs


def _parts(seconds):
    """Return an estimate as (seconds around the fit, seconds of the fit)."""
    around = min(seconds, OVERHEAD_S)
    return np.array([around, seconds - around])


def known():
    """Return earlier records as dicts: those in results/ and those of the project's leaderboards."""
    earlier, tables = [], [folder / "records.jsonl" for folder in paths.sweep_folders()]
    for path in (*paths.runs_root().glob("*/*/*/record.json"), *tables):
        with contextlib.suppress(OSError, ValueError):  # damaged
            text = path.read_text(encoding="utf-8")
            earlier += map(json.loads, text.splitlines() if path.suffix == ".jsonl" else [text])
    return earlier


def is_local(record):
    """Return whether a record, a dict, was made by a processor like this machine's."""
    made, here = record.get("provenance") if isinstance(record, dict) else None, machine()
    return isinstance(made, dict) and all(made.get(name) == value for name, value in here.items())


def _images(config):
    with contextlib.suppress(HcrError):
        n = DATASETS.get(config.dataset).releases[0][0]
        return min(config.budget or n, n)
    return config.budget or 5000
