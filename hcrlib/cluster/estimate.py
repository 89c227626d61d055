"""How long runs will take, by the records that there are: cheap ones go first, and a sweep says when it will be done."""

import contextlib
import json

import numpy as np

from hcrlib.core import paths
from hcrlib.core.errors import HcrError
from hcrlib.datasets.catalog import DATASETS

AROUND_S = 2.0  # of a notebook around a run: loading, figures
UNKNOWN_S = 60.0  # where nobody ever made the like


class Estimate:
    """Seconds of a run, from records of its classifier, on the same data where there are any, by images and epochs."""

    def __init__(self, known):
        spent = {}
        for record in known:
            with contextlib.suppress(KeyError, TypeError, AttributeError, ZeroDivisionError):  # it is none
                config = record["config"]
                if record["status"] == "finished":
                    each = record["fit_s"] / (record["n_train"] * (config["params"].get("epochs") or 1))
                    for dataset in (config["dataset"], None):
                        spent.setdefault((config["classifier"], dataset), []).append(each)
        self.rates = {key: float(np.median(found)) for key, found in spent.items()}

    def seconds(self, config):
        """An estimate in seconds; None where there is no record of that classifier."""
        known = [self.rates.get((config.classifier, dataset)) for dataset in (config.dataset, None)]
        rate = next((rate for rate in known if rate is not None), None)
        if rate is None:
            return None
        return rate * _images(config) * (config.params.get("epochs") or 1) + AROUND_S

    def order(self, configs):
        """The configurations, the cheapest first; those that nobody can tell of, by their images, among the others."""
        rough = {c.hash: self.seconds(c) or UNKNOWN_S * _images(c) / 60_000 for c in configs}
        return sorted(configs, key=lambda c: rough[c.hash])

    def total(self, configs):
        """(seconds of all that can be told of, one after the other; how many cannot be)."""
        found = [self.seconds(config) for config in configs]
        return sum(s for s in found if s is not None), sum(s is None for s in found)


def known():
    """What earlier runs took, as dicts: those of results/ and of the leaderboards that the project carries."""
    texts = [_text(path) for path in paths.runs_root().glob("*/*/*/record.json")]
    for root in {paths.results_root(), paths.project_root() / "results"}:
        texts += [line for path in root.glob("*/records.jsonl") for line in _text(path).splitlines()]
    found = []
    for text in texts:
        with contextlib.suppress(ValueError):  # it is damaged
            found.append(json.loads(text))
    return found


def _text(path):
    with contextlib.suppress(OSError, ValueError):
        return path.read_text(encoding="utf-8")
    return ""


def _images(config):
    with contextlib.suppress(HcrError):
        n = DATASETS.get(config.dataset).releases[0][0]
        return min(config.budget or n, n)
    return config.budget or 5000
