"""Compare finished runs: which of two is better, and how results vary over seeds."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from hcrlib import tasks
from hcrlib.core.names import dataset_name
from hcrlib.metrics.statistics import Comparison, compare
from hcrlib.records import (
    RunRecord,
    by_configuration,
    check_comparable,
    is_deterministic,
    label,
    load_predictions,
    variant,
)
from hcrlib.records.seeds import spread, unseeded

COLUMNS = (
    *("name", "dataset", "classifier", "params", "metric", "n", "mean", "sd"),
    *("deterministic", "word", "seeds", "each"),
)


def compare_runs(records: Sequence[RunRecord]) -> Comparison:
    """Return the Comparison of the configurations of finished runs of one dataset, keyed by their leaderboard names.

    Runs that differ in the seed alone are compared together; of a deterministic configuration, one counts. Raises RunError,
    naming both hashes, if two were tested on different data, or if a run's predictions are missing.
    """
    check_comparable(records, together=True)
    given, deterministic = {}, set()
    for runs in by_configuration(records):
        name, counted = label(runs[0], records), runs
        if is_deterministic(runs[0].config):
            deterministic.add(name)
            counted = runs[:1]
        given[name] = [load_predictions(run) for run in counted]
    return compare(given, deterministic)


def best_runs(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the runs, by seed, of the configuration of finished runs that is best by the mean of its validation metric."""
    groups = by_configuration(sorted(records, key=lambda record: record.config.seed))
    return min(groups, key=lambda runs: np.mean([tasks.of(run).rank(run, "val_") for run in runs]))


def completed(record: RunRecord) -> RunRecord:
    """Return the record with missing metrics computed from its stored predictions, if available."""
    return record if tasks.without_code(record) else tasks.of(record).complete(record)


def over_seeds(records: Iterable[RunRecord]) -> pd.DataFrame:
    """Return a DataFrame of the configurations of finished runs: runs that differ in the seed alone share a row.

    Columns: name (dataset, classifier and distinguishing parameters), dataset, classifier, params, metric (the task's primary
    one), n seeds, its mean and sd (NaN if n = 1), deterministic, whether the seed decides nothing, word, a remark on what n
    supports, and the lists seeds and each (the metric), one entry per run: `.explode(["seeds", "each"])` has a row for each.
    """
    groups = by_configuration(r for r in records if r.status == "finished" and r.task in tasks.TASKS.names())
    return pd.DataFrame(map(_row, groups), columns=COLUMNS)


def _row(runs: list[RunRecord]) -> tuple:
    config, metric, n = unseeded(runs[0].config), tasks.of(runs[0]).primary, len(runs)
    values = [getattr(run, metric) for run in runs]
    deterministic = is_deterministic(config)
    word = "one run: nothing is known of its spread" if n == 1 else f"sd over {n} seeds"
    word = "deterministic: the seed decides nothing" if deterministic else word
    name = f"{dataset_name(config.dataset)}: {config.classifier} {variant(config)}".rstrip()
    name += f" on {runs[0].measured_on}" if runs[0].measured_on else ""
    numbers = n, np.mean(values), spread(runs, metric), deterministic, word, [run.config.seed for run in runs], values
    return (name, config.dataset, config.classifier, config.params, metric, *numbers)
