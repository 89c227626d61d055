"""How long runs will take, estimated from earlier records: cheap ones go first, and a sweep shows the time left."""

import contextlib
import json

import numpy as np

from hcrlib.core import paths
from hcrlib.core.errors import HcrError
from hcrlib.datasets.catalog import DATASETS

OVERHEAD_S = 2.0  # of the notebook around a run: loading, figures
UNKNOWN_S = 60.0  # without any record of the classifier


class Estimate:
    """Seconds of a run, from records of its classifier (on the same data if there are any), by images and epochs."""

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
        """Return an estimate in seconds, None without a record of that classifier."""
        rates = [self.rates.get((config.classifier, dataset)) for dataset in (config.dataset, None)]
        rate = next((rate for rate in rates if rate is not None), None)
        if rate is None:
            return None
        return rate * _images(config) * (config.params.get("epochs") or 1) + OVERHEAD_S

    def order(self, configs):
        """Return the configurations, the cheapest first; unknown classifiers are ranked by their number of images."""
        rough = {c.hash: self.seconds(c) or UNKNOWN_S * _images(c) / 60_000 for c in configs}
        return sorted(configs, key=lambda c: rough[c.hash])

    def total(self, configs):
        """Return (the sum of all estimates in seconds, the number of runs without one)."""
        seconds = [self.seconds(config) for config in configs]
        return sum(s for s in seconds if s is not None), sum(s is None for s in seconds)


def known():
    """Return earlier records as dicts: those in results/ and those of the project's leaderboards."""
    texts = [_text(path) for path in paths.runs_root().glob("*/*/*/record.json")]
    for root in {paths.results_root(), paths.project_root() / "results"}:
        texts += [line for path in root.glob("*/records.jsonl") for line in _text(path).splitlines()]
    earlier = []
    for text in texts:
        with contextlib.suppress(ValueError):  # damaged
            earlier.append(json.loads(text))
    return earlier


def _text(path):
    with contextlib.suppress(OSError, ValueError):
        return path.read_text(encoding="utf-8")
    return ""


def _images(config):
    with contextlib.suppress(HcrError):
        n = DATASETS.get(config.dataset).releases[0][0]
        return min(config.budget or n, n)
    return config.budget or 5000
