"""Estimate the duration of runs from earlier records, to start with cheap runs and to show the remaining time."""

import contextlib
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

    def total(self, configs):
        """Return (sum of all estimates in seconds, number of RunConfigs without an estimate)."""
        seconds = [self.seconds(config) for config in configs]
        return sum(s for s in seconds if s is not None), sum(s is None for s in seconds)


def known():
    """Return earlier records as dicts: those in results/ and those of the project's leaderboards."""
    earlier, tables = [], {paths.results_root(), paths.project_root() / "results"}
    for path in (*paths.runs_root().glob("*/*/*/record.json"), *(p for t in tables for p in t.glob("*/records.jsonl"))):
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
