"""Say in three sentences what records answer: the best configuration, the evidence for it, and what costs more time."""

import statistics
from collections.abc import Sequence

import numpy as np

from hcrlib import tasks
from hcrlib.core.errors import RunError
from hcrlib.metrics.statistics import ALPHA
from hcrlib.records import RunRecord, by_configuration, label
from hcrlib.records.record import FLAT
from hcrlib.runs import comparison

SHOWN = 4  # names in a list
FIGURE = " The figure of all pairs shows tests that were made where the predictions are."
MCNEMAR, OVER_SEEDS = "McNemar's exact test", "min F' over images and seeds"


def sentences(records: Sequence[RunRecord], tested: bool = False) -> list[str]:
    """Return three sentences on the records of one dataset and task; names of configurations are between `backticks`.

    Runs that differ only in the seed are one configuration. The best is chosen by validation, by the mean over its seeds.
    The evidence is `compare_runs` if the predictions are on this machine, else the intervals. tested: whether a figure beside
    the answer shows tests of the pairs, made when the predictions were there.
    """
    finished = [record for record in records if record.status == "finished"]
    if not finished:
        return ["No run has finished, so there is no answer yet."]
    configurations = by_configuration(sorted(finished, key=lambda record: record.config.seed))
    best = comparison.best_runs(finished)
    first = [runs[0] for runs in configurations]
    names = {run.config.hash: f"`{label(run, first)}`" for run in first}
    named = [(names[runs[0].config.hash], runs) for runs in configurations]
    name = names[best[0].config.hash]
    return [
        _result(name, best, len(configurations)),
        _evidence(name, best[0], first, finished, names, tested),
        _times(name, best, [pair for pair in named if pair[0] != name]),
    ]


def listed(words: Sequence[str], most: int = SHOWN) -> str:
    """Return 'a', 'a and b', 'a, b and c' or 'a, b, c and 7 others'."""
    if len(words) > most + 1:
        words = [*words[:most], f"{len(words) - most} others"]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def seconds(value: float) -> str:
    """Return a time with three significant digits: '0.52 s', '27.2 s', '41.5 min', '3.2 h'."""
    for unit, size in (("h", 3600), ("min", 60)):
        if value >= 2 * size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s"


def _result(name, runs, count):
    run, task = runs[0], tasks.of(runs[0])
    values = [task.error(task.rank(each)) for each in runs]  # rank is the error of the primary metric
    heading = next(iter(task.columns)).removesuffix(" %")
    low, high = run.metrics[task.primary].low, run.metrics[task.primary].high
    facts = [] if low is None else [f"95 % interval {_value(task, low).removesuffix(' %')} to {_value(task, high)}"]
    facts += [] if run.n_errors is None else [f"{run.n_errors:,} of {run.n_test:,} {task.unit}s wrong"]
    text = f"{_value(task, values[0])} {heading}"
    if len(runs) > 1:
        text = f"{_value(task, statistics.fmean(values))} {heading}, the mean over {len(runs)} seeds"
        first = [f"seed {run.config.seed}: {fact}" for fact in facts[:1]]
        facts = [f"sd {_value(task, statistics.stdev(values))}", *first]
    text += f" ({'; '.join(facts)})" if facts else ""
    best = f"is the best of {count} configurations by validation:" if count > 1 else "reaches"
    return f"{name} {best} {text}."


def _value(task, value):
    return f"{100 * value:.2f} %" if task.primary in FLAT else f"{value:.4g}"


def _evidence(name, best, first, records, names, tested):
    """Compare the best with the others. first: the run of each configuration that has the lowest seed."""
    others = [run for run in first if run is not best]
    if not others:
        return "There is no other configuration to compare it with."
    try:
        found = comparison.compare_runs(records)
    except (RunError, ValueError):
        return _by_intervals(name, best, others, names) + (FIGURE if tested else "")
    places = {label: place for place, label in enumerate(found.names)}
    mine, parts, used = places[label(best, records)], {1: [], 0: [], -1: []}, set()
    for run in others:
        other = places[label(run, records)]
        used.add(MCNEMAR if found.runs[mine] == found.runs[other] == 1 else OVER_SEEDS)
        lead = np.sign(found.only[mine, other] - found.only[other, mine])
        parts[int(lead) if found.p[mine, other] < ALPHA else 0].append(names[run.config.hash])
    words = [f"significantly better than {listed(parts[1])}"] if parts[1] else []
    words += [f"significantly worse than {listed(parts[-1])}"] if parts[-1] else []
    lines = [f"{name} is {' and '.join(words)}"] if words else []
    lines += [f"there is no evidence of a difference from {listed(parts[0])}"] if parts[0] else []
    test = " or, with several seeds, ".join(sorted(used))
    return f"On the same {tasks.of(best).unit}s, {'; '.join(lines)} ({test} with Holm's correction, level {ALPHA})."


def _by_intervals(name, best, others, names):
    task, ends = tasks.of(best), {}
    for run in (best, *others):
        _, low, high = run.metrics[task.primary]
        if low is not None and high is not None:
            ends[run.config.hash] = sorted((task.error(low), task.error(high)))
    why = "The predictions of some runs are not at hand"
    if best.config.hash not in ends:
        return f"{why}, so pairs are not compared."
    better, worse, same = "lies on the better side of", "lies on the worse side of", "overlaps"
    parts = {better: [], worse: [], same: []}
    least, most = ends.pop(best.config.hash)
    for key, (low, high) in ends.items():
        parts[better if most < low else worse if high < least else same].append(names[key])
    words = [
        f"{side} {'that' if len(them) == 1 else 'those'} of {listed(them)}" for side, them in parts.items() if them
    ]
    return f"{why}, so intervals are compared: that of {name} {' and '.join(words)}." if words else f"{why}."


def _times(name, best, others):
    def clause(get, written):
        own, known = _mean(best, get), [(_mean(runs, get), other) for other, runs in others]
        if not own:
            return "an unknown time"
        slow = [f"{other} {written(found)}" for found, other in sorted(known, reverse=True) if found > own]
        most = others and all(found < own for found, _ in known)
        return written(own) + (f" (longer: {listed(slow)})" if slow else " (longer than any other)" if most else "")

    train = clause(lambda run: run.fit_s, seconds)
    one = clause(lambda run: run.predict_ms_p50, lambda value: f"{value:.3g} ms")
    return f"Training {name} took {train}, and reading one {tasks.of(best[0]).unit} {one}."


def _mean(runs, get):
    values = [value for run in runs if (value := get(run)) is not None]
    return statistics.fmean(values) if values else 0.0
