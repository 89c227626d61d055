"""Ask how much a network's accuracy varies with its seed: by its first weights or by the order of its images, and what follows.

The first weights and the rest (order of the images, dropout, augmentation) have seeds of their own, each with each: a two-way
layout of random effects with one run per cell (Searle, Casella and McCulloch 1992).
"""

import math

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


def disagreement(study, name):
    """Return (share of test images on which two runs of a name differ in being right, mean over the pairs; the images)."""
    runs = [run for run in study.runs if f"{run.data['name']}, {run.config.classifier}" == name]
    given = [records.load_predictions(run) for run in runs]
    share = np.mean([each["predicted"] == each["labels"] for each in given], axis=0)  # of the runs that are right
    n = len(runs)
    return float((2 * share * (1 - share)).mean() * n / (n - 1)), len(share)


def smallest_gap(sd, disagreeing, images, seeds):
    """Return the least difference of accuracy that `seeds` runs of each of two methods show, POWER of the time at LEVEL.

    sd: of a run, over seeds, in 0..1. disagreeing: as `disagreement` returns. The variances over seeds and over images are
    added, as `over_images_and_seeds` does.
    """
    from scipy.stats import norm

    factor = norm.ppf(1 - LEVEL / 2) + norm.ppf(POWER)
    return float(factor * math.sqrt(2 * sd**2 / seeds + disagreeing / images))


def seeds_needed(sd, disagreeing, images, gap):
    """Return how many runs of each method show a difference, see `smallest_gap`; None if there are too few test images."""
    from scipy.stats import norm

    factor = norm.ppf(1 - LEVEL / 2) + norm.ppf(POWER)
    rest = (gap / factor) ** 2 - disagreeing / images
    return math.ceil(2 * sd**2 / rest) if rest > 0 and sd else 1 if rest > 0 else None


def sizes(study, cells):
    """Return a row per name: the gap in points that some numbers of seeds show, and the seeds that some gaps need."""
    rows = []
    for name, its in cells.items():
        sd, (apart, images) = math.sqrt(sum(components(its).values())) / 100, disagreement(study, name)
        shown = {f"{k} seeds show": 100 * smallest_gap(sd, apart, images, k) for k in SEEDS}
        needed = {f"{gap} needs": seeds_needed(sd, apart, images, gap / 100) or "more images" for gap in GAPS}
        rows.append({"network": name, "images": images, **shown, **needed})
    return pd.DataFrame(rows)


def answer(study, cells):
    """Return the answer in sentences, every number of which is computed from the runs."""
    found, needed = table(cells).set_index("network"), sizes(study, cells).set_index("network")
    return " ".join(
        f"{name}: one run has an sd of {row['sd of a run']:.2f} points ({row['least %']:.2f} to {row['most %']:.2f} % over "
        f"{row.runs:.0f} runs); {row['by weights %']:.0f} % of the variance come from the first weights, "
        f"{row['by order %']:.0f} % from the order of the images, the rest is neither's alone. One seed of each of two such "
        f"networks shows a difference from {needed.loc[name, '1 seeds show']:.2f} points on, five seeds from "
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
