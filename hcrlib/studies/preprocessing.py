"""Compare preprocessing steps for each classifier: which pay, and for whom?"""

import numpy as np
import pandas as pd

from hcrlib import records
from hcrlib.core.errors import ConfigError
from hcrlib.metrics.statistics import ALPHA, compare, p_value
from hcrlib.plotting import style
from hcrlib.records.naming import step_name

NONE = "none"  # only the scaling to 0..1, which all share


def steps(run):
    """Return the steps of a run after scaling as text: "deskew, blur(sigma=1)"."""
    return ", ".join(map(step_name, run.config.preprocess[1:])) or NONE


def table(study):
    """Return a row per run: dataset, classifier, steps, accuracy and gain over none in points, images won and lost, p, verdict.

    p is of McNemar's exact test, corrected for all pairs of steps of the classifier on the dataset (Holm). verdict: "better",
    "worse" or "". Raises ConfigError for two runs of the same steps, and for a classifier without a run of no steps.
    """
    rows = []
    groups = {(run.data["name"], run.config.classifier): {} for run in study.runs}
    for run in study.runs:
        if steps(run) in (its := groups[run.data["name"], run.config.classifier]):
            what, two = f"Two runs of the study have the steps '{steps(run)}'", (its[steps(run)], run)
            got = " and ".join(each.config.id for each in two)
            raise ConfigError(
                what, expected="runs of a classifier on a dataset that differ in their steps alone", got=got
            )
        its[steps(run)] = run
    for (dataset, classifier), runs in groups.items():
        if NONE not in runs:
            what = f"There is nothing to compare {classifier} on {dataset} with"
            raise ConfigError(what, expected="a run with `preprocess: [scale]`", got=" and ".join(runs))
        compared = compare({name: records.load_predictions(run) for name, run in runs.items()})
        base = compared.names.index(NONE)
        for at, name in enumerate(compared.names):
            won, lost, p = compared.only[at, base], compared.only[base, at], compared.p[at, base]
            verdict = "" if p >= ALPHA else "better" if won > lost else "worse"
            gain = 100 * (runs[name].accuracy - runs[NONE].accuracy)
            rows.append((dataset, classifier, name, 100 * runs[name].accuracy, gain, int(won), int(lost), p, verdict))
    columns = ["dataset", "classifier", "steps", "accuracy %", "gain", "won", "lost", "p", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def answer(found):
    """Return the answer in sentences, every number of which is computed from `table`."""
    sentences = []
    for dataset, its in found.groupby("dataset", sort=False):
        parts = []
        for classifier, rows in its.groupby("classifier", sort=False):
            better = rows[rows.verdict == "better"]
            if len(better):
                best = better.loc[better["accuracy %"].idxmax()]
                parts.append(f"{classifier} gains {best.gain:.2f} points by {best.steps} ({p_value(best.p)})")
            else:
                parts.append(f"{classifier} gains nothing that McNemar's test finds")
        worse = its[its.verdict == "worse"]
        text = f"{dataset}: {', '.join(parts)}"
        text += f"; {len(worse)} of {(its.steps != NONE).sum()} combinations make a classifier worse"
        sentences.append(text + ".")
    return " ".join(sentences)


def gains(found, dataset):
    """Draw the gain of each combination of steps over none, in points of accuracy; a star marks those that are significant."""
    import seaborn

    its = found[(found.dataset == dataset) & (found.steps != NONE)]
    wide = its.pivot_table(index="steps", columns="classifier", values="gain", sort=False)
    marks = its.pivot_table(index="steps", columns="classifier", values="verdict", aggfunc="first", sort=False)
    words = np.array(
        [
            ["" if np.isnan(gain) else f"{gain:+.2f}{'*' * bool(mark)}" for gain, mark in zip(*pair, strict=True)]
            for pair in zip(wide.to_numpy(), marks.to_numpy(), strict=True)
        ]
    )
    ax = style.figure(1.5 + 1.2 * len(wide.columns), 1.5 + 0.45 * len(wide))
    most = max(1.0, np.nanquantile(np.abs(wide), 0.9))
    seaborn.heatmap(wide, ax=ax, annot=words, fmt="", cmap="RdBu", vmin=-most, vmax=most, cbar=False)
    ax.set(xlabel="", ylabel="", title=f"{dataset}: gain in points (*: p < {ALPHA})")
    ax.tick_params(axis="y", rotation=0)
    return ax
