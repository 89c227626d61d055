"""Compare finished runs: which of two is better, and how results vary over seeds."""

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from hcrlib import tasks
from hcrlib.core.names import dataset_name
from hcrlib.metrics.statistics import Comparison, compare
from hcrlib.records import RunRecord, check_comparable, label, load_predictions, variant


def compare_runs(records: Sequence[RunRecord]) -> Comparison:
    """Return the Comparison of finished runs of one dataset, keyed by their leaderboard names.

    Raises RunError, naming both hashes, if two were tested on different data, or if a run's predictions are missing.
    """
    check_comparable(records, together=True)
    return compare({label(record, records): load_predictions(record) for record in records})


def completed(record: RunRecord) -> RunRecord:
    """Return the record with missing metrics computed from its stored predictions, if available."""
    return record if tasks.without_code(record) else tasks.of(record).complete(record)


def over_seeds(records: Iterable[RunRecord]) -> pd.DataFrame:
    """Return a DataFrame of the finished runs; runs that differ only in the seed share a row.

    Columns: name (dataset, classifier and distinguishing parameters), dataset, classifier, params, metric (the task's primary
    one), n seeds, its mean and sd (NaN if n = 1), and word, a remark on what n supports.
    """
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        if record.status == "finished" and record.task in tasks.TASKS.names():
            groups.setdefault(dataclasses.replace(record.config, seed=0).hash, []).append(record)
    rows = []
    for group in groups.values():
        config, metric = group[0].config, tasks.of(group[0]).primary
        values = np.array([getattr(record, metric) for record in group])
        n, sd = len(values), values.std(ddof=1) if len(values) > 1 else math.nan
        word = "one run: nothing is known of its spread" if n == 1 else f"sd over {n} seeds"
        name = f"{dataset_name(config.dataset)}: {config.classifier} {variant(dataclasses.replace(config, seed=0))}".rstrip()
        rows.append((name, config.dataset, config.classifier, config.params, metric, n, values.mean(), sd, word))
    columns = ["name", "dataset", "classifier", "params", "metric", "n", "mean", "sd", "word"]
    return pd.DataFrame(rows, columns=columns)
