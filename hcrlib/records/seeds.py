"""Runs of one configuration that differ in nothing but the seed: which they are, and their average."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hcrlib.models import named
from hcrlib.models._base import names
from hcrlib.records.config import RunConfig
from hcrlib.records.record import Metric, RunRecord

AVERAGED = "n_errors", "fit_s", "preprocess_fit_s", "predict_us_per_image", "predict_ms_p50", "size_bytes"


def unseeded(config: RunConfig) -> RunConfig:
    """Return the configuration with the default seed: that of all its runs."""
    return dataclasses.replace(config, seed=0)


def is_deterministic(config: RunConfig) -> bool:
    """Return whether all seeds give the same run: the model ignores them, and no budget draws a part of the images by them."""
    return config.budget is None and config.classifier in names() and named(config.classifier).deterministic


def by_configuration(records: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """Return the records in groups that differ in the seed alone, in the order of their first ones.

    What a board measured is another group than the run itself.
    """
    groups: dict[tuple, list[RunRecord]] = {}
    for record in records:
        groups.setdefault((unseeded(record.config).hash, record.measured_on), []).append(record)
    return list(groups.values())


def averaged(runs: Sequence[RunRecord]) -> RunRecord:
    """Return the first of a configuration's finished runs with the means of all: metrics, intervals, errors, times and size."""
    if len(runs) == 1:
        return runs[0]
    shared = [name for name in runs[0].metrics if all(name in run.metrics for run in runs)]
    metrics = {name: Metric(*map(_mean, zip(*(run.metrics[name] for run in runs), strict=True))) for name in shared}
    means: dict[str, Any] = {name: _mean([getattr(run, name) for run in runs]) for name in AVERAGED}
    return dataclasses.replace(runs[0], metrics=metrics, **means)


def spread(runs: Sequence[RunRecord], metric: str) -> float:
    """Return the standard deviation of a metric over a configuration's runs; NaN of a single one."""
    return float(np.std([getattr(run, metric) for run in runs], ddof=1)) if len(runs) > 1 else math.nan


def _mean(values: Sequence[Any]) -> Any:
    return None if None in values else sum(values) / len(values)
