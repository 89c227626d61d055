"""Ask how much a network's accuracy varies with its seed: by its first weights or by the order of its images, and what follows.

The first weights and the rest (order of the images, dropout, augmentation) have seeds of their own, each with each: a two-way
layout of random effects with one run per cell (Searle, Casella and McCulloch 1992).
"""

import itertools
import math
from statistics import NormalDist

import numpy as np
import pandas as pd

from hcrlib import records
from hcrlib.plotting import style

POWER, LEVEL = 0.8, 0.05  # a difference is shown four times in five, by a two-sided test
SEEDS = 1, 2, 3, 5, 10, 20
GAPS = 0.1, 0.2, 0.5, 1.0, 2.0  # differences of accuracy in points


def layout(study):
    """Return {name: DataFrame} of accuracies in %: a row per seed of the first weights, a column per seed of the rest."""
    rows = [
        (
            f"{run.data['name']}, {run.config.classifier}",
            run.config.params["weights_seed"],
            run.config.seed,
            100 * run.accuracy,
        )
        for run in study.runs
    ]
    frame = pd.DataFrame(rows, columns=["name", "weights", "order", "accuracy"])
    return {name: its.pivot(index="weights", columns="order", values="accuracy") for name, its in frame.groupby("name")}


def components(cells):
    """Return the variances {"weights", "order", "rest"} of a complete table of accuracies, (I, J); none is negative.

    They are those of random effects, estimated from the mean squares of rows, columns and the rest; `rest` is what a pair of
    seeds gives beyond its row and its column.
    """
    cells = np.asarray(cells, float)
    n_rows, n_columns = cells.shape
    rows, columns, mean = cells.mean(axis=1, keepdims=True), cells.mean(axis=0, keepdims=True), cells.mean()
    between_rows = n_columns * ((rows - mean) ** 2).sum() / (n_rows - 1)
    between_columns = n_rows * ((columns - mean) ** 2).sum() / (n_columns - 1)
    rest = ((cells - rows - columns + mean) ** 2).sum() / ((n_rows - 1) * (n_columns - 1))
    return {
        "weights": float(max(0.0, (between_rows - rest) / n_columns)),
        "order": float(max(0.0, (between_columns - rest) / n_rows)),
        "rest": float(rest),
    }


def table(cells):
    """Return a row per name of `layout`: runs, mean and range in %, the sd of one run, and the shares of its variance in %."""
    rows = []
    for name, its in cells.items():
        parts = components(its)
        total, values = sum(parts.values()), its.to_numpy()
        shares = [100 * part / total if total else math.nan for part in parts.values()]
        rows.append((name, its.size, values.mean(), values.min(), values.max(), math.sqrt(total), *shares))
    columns = ["network", "runs", "mean %", "least %", "most %", "sd of a run", "by weights %", "by order %", "rest %"]
    return pd.DataFrame(rows, columns=columns)


def lasting(one, other):
    """Return the variance that the choice of test images gives the gap of two methods' accuracies, however many runs they have.

    one, other: bool (runs, n), whether a run is right, of two or more runs each. It is that of the gap of an image's two
    probabilities of being read right, over n images; 0 for methods that find the same images hard.
    """
    gaps = one.mean(axis=0) - other.mean(axis=0)
    chance = 0.0  # what the luck of runs adds to the variance of gaps; it is in the variance over seeds already
    for right in (one, other):
        chance += (right - right.mean(axis=1, keepdims=True)).var(axis=0, ddof=1).mean() / len(right)
    return float(max(0.0, gaps.var(ddof=1) - chance) / len(gaps))


def smallest_gap(variance, images, seeds):
    """Return the least difference of accuracy that `seeds` runs of each of two methods show, POWER of the time at LEVEL.

    variance: of one run over seeds, the sum of both methods', of accuracies in 0..1. It holds what the luck of a run gives each
    test image, too, so that all of it shrinks with the runs. images: as `lasting` returns, which does not.
    """
    return float(_factor() * math.sqrt(variance / seeds + images))


def seeds_needed(variance, images, gap):
    """Return how many runs of each method show a difference, see `smallest_gap`; None if there are too few test images."""
    rest = (gap / _factor()) ** 2 - images
    return max(1, math.ceil(variance / rest)) if rest > 0 else None


def _factor():
    normal = NormalDist()
    return normal.inv_cdf(1 - LEVEL / 2) + normal.inv_cdf(POWER)


def sizes(study, cells):
    """Return a row per pair of networks: the gap in points that some numbers of seeds show, and the seeds that some gaps need.

    A network is paired with one alike, which finds the same images hard, and with each other one on its dataset.
    """
    rows = []
    right = {name: _right(study, name) for name in cells}
    variances = {name: sum(components(its).values()) / 100**2 for name, its in cells.items()}
    for one, other in itertools.combinations_with_replacement(cells, 2):
        dataset, network = one.rsplit(", ", 1)
        another = other.rsplit(", ", 1)
        if another[0] != dataset:
            continue
        apart = lasting(right[one], right[other]) if one != other else 0.0
        variance, name = (
            variances[one] + variances[other],
            one if one == other else f"{dataset}, {network} and {another[1]}",
        )
        shown = {
            f"{k} {'seed shows' if k == 1 else 'seeds show'}": 100 * smallest_gap(variance, apart, k) for k in SEEDS
        }
        needed = {f"{gap} needs": seeds_needed(variance, apart, gap / 100) or "more images" for gap in GAPS}
        rows.append({"networks": name, "images": right[one].shape[1], **shown, **needed})
    return pd.DataFrame(rows)


def _right(study, name):
    """Return bool (runs, n): which test images each run of a name reads right."""
    runs = [run for run in study.runs if f"{run.data['name']}, {run.config.classifier}" == name]
    return np.array([given["predicted"] == given["labels"] for given in map(records.load_predictions, runs)])


def answer(study, cells):
    """Return the answer in sentences, every number of which is computed from the runs."""
    found, needed = table(cells).set_index("network"), sizes(study, cells).set_index("networks")
    return " ".join(
        f"{name}: one run has an sd of {row['sd of a run']:.2f} points ({row['least %']:.2f} to {row['most %']:.2f} % over "
        f"{row.runs:.0f} runs); {row['by weights %']:.0f} % of the variance comes from the first weights, "
        f"{row['by order %']:.0f} % from the order of the images, the rest is neither's alone. One seed of each of two such "
        f"networks shows a difference from {needed.loc[name, '1 seed shows']:.2f} points on, five seeds from "
        f"{needed.loc[name, '5 seeds show']:.2f}, on {needed.loc[name, 'images']:,} test images."
        for name, row in found.iterrows()
    )


def spread(cells):
    """Draw the accuracy of every run: a column of marks for each seed of the first weights, joined for each order."""
    ax = style.figure()
    for name, its in cells.items():
        centered = its - its.to_numpy().mean()
        tone, mark = style.style(name.rpartition(", ")[2])
        for order in its.columns:
            ax.plot(centered[order], mark + "-", color=tone, alpha=0.5, linewidth=0.8, label=None if order else name)
    ax.axhline(0, color="#8c8c8c", linewidth=1, linestyle="--")
    ax.set(xlabel="seed of the first weights (lines: seeds of the order)", ylabel="accuracy less the mean (points)")
    ax.set_title("What the seed alone changes")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(fontsize="small")
    return ax
