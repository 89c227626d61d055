"""Fit power laws to the error of classifiers over the number of training images: who learns fastest, who overtakes whom?

error = a n^-b + c (Cortes et al. 1993; Hestness et al. 2017): b is how fast a method learns, c what more images do not cure.
"""

import dataclasses
import math

import numpy as np
import pandas as pd

from hcrlib.plotting import style

LEAST = 4  # numbers of images that a law of three parameters is fitted to


@dataclasses.dataclass(frozen=True)
class PowerLaw:
    """error = a n^-b + c. b_sd: standard deviation of b by the fit. r2: the explained share of the variance of log error."""

    a: float
    b: float
    c: float
    b_sd: float
    r2: float

    def __call__(self, n):
        """Return the error at n images, a number or an array."""
        return self.a * np.asarray(n, float) ** -self.b + self.c


def fit(n, error):
    """Return the PowerLaw of least squares in log error, of numbers of images (k,) and errors in 0..1 (k,).

    Raises ValueError for fewer than LEAST different numbers of images.
    """
    from scipy.optimize import curve_fit

    n, error = np.asarray(n, float), np.maximum(np.asarray(error, float), 1e-6)
    if len(set(n)) < LEAST:
        raise ValueError(f"a power law needs {LEAST} numbers of training images, got {len(set(n))}")

    def log_error(n, log_a, b, c):
        return np.log(np.exp(log_a) * n**-b + c)

    slope, start = np.polyfit(np.log(n), np.log(error), 1)
    first = start, max(-slope, 0.01), error.min() / 10
    limits = (-np.inf, 0, 0), (np.inf, np.inf, error.min())
    found, variances = curve_fit(log_error, n, np.log(error), first, bounds=limits, max_nfev=10_000)
    rest = np.log(error) - log_error(n, *found)
    total = ((np.log(error) - np.log(error).mean()) ** 2).sum()
    return PowerLaw(
        math.exp(found[0]), *map(float, found[1:]), float(variances[1, 1] ** 0.5), 1 - (rest**2).sum() / total
    )


def crossing(one, other, low, high):
    """Return the number of images, between two, from which on the PowerLaw `one` has the smaller error.

    None if there is none, and also if `one` has the smaller error from `low` on: it overtakes nothing.
    """
    from scipy.optimize import brentq

    def gap(log_n):
        return float(one(math.exp(log_n)) - other(math.exp(log_n)))

    places = np.linspace(math.log(low), math.log(high), 200)
    signs = np.sign([gap(place) for place in places])
    turns = np.flatnonzero((signs[:-1] > 0) & (signs[1:] <= 0))
    if signs[-1] > 0 or not len(turns):
        return None
    return math.exp(brentq(gap, places[turns[-1]], places[turns[-1] + 1]))


def table(study):
    """Return a row per run: dataset, classifier, images (of training), seed, and error in 0..1."""
    rows = [
        (run.data["name"], run.config.classifier, run.n_train, run.config.seed, 1 - run.accuracy) for run in study.runs
    ]
    return pd.DataFrame(rows, columns=["dataset", "classifier", "images", "seed", "error"])


def means(found):
    """Return a row per dataset, classifier and number of images: mean accuracy over the seeds in %, its sd, and the seeds."""
    groups = found.groupby(["dataset", "classifier", "images"], sort=False).error
    frame = groups.agg(["mean", "std", "count"]).reset_index()
    frame["mean"], frame["std"] = 100 * (1 - frame["mean"]), 100 * frame["std"]
    return frame.rename(columns={"mean": "accuracy %", "std": "sd", "count": "seeds"})


def fits(found):
    """Return {(dataset, classifier): PowerLaw} of those with enough numbers of images."""
    groups = found.groupby(["dataset", "classifier"], sort=False)
    return {key: fit(its.images, its.error) for key, its in groups if its.images.nunique() >= LEAST}


def laws(fitted):
    """Return a row per PowerLaw: its parameters, c in %, and how well it fits."""
    rows = [(*key, law.a, law.b, law.b_sd, 100 * law.c, law.r2) for key, law in fitted.items()]
    return pd.DataFrame(rows, columns=["dataset", "classifier", "a", "b", "sd of b", "c %", "R2"])


def crossings(found, fitted, late="cnn-basic", early="svm"):
    """Return a row per dataset: from how many images on `late` has fewer errors than `early`, by the laws, and measured.

    measured: the fewest images from which on its mean over the seeds is better at every number of images; None: at none.
    """
    rows = []
    for dataset, its in found.groupby("dataset", sort=False):
        if not {(dataset, late), (dataset, early)} <= set(fitted):
            continue
        law = crossing(fitted[dataset, late], fitted[dataset, early], its.images.min(), its.images.max())
        wide = its.pivot_table(index="images", columns="classifier", values="error").dropna(subset=[late, early])
        better = (wide[late] < wide[early])[::-1].cummin()[::-1]
        rows.append((dataset, late, early, law and round(law), min(better.index[better], default=None)))
    return pd.DataFrame(rows, columns=["dataset", "late", "early", "by the laws", "measured"], dtype=object)


def answer(found, fitted, late="cnn-basic", early="svm"):
    """Return the answer in sentences, every number of which is computed from `table` and `fits`."""
    sentences = []
    over = crossings(found, fitted, late, early).set_index("dataset")
    for dataset, its in found.groupby("dataset", sort=False):
        most = its[its.images == its.images.max()].groupby("classifier").error.mean()
        best = most.idxmin()
        text = f"{dataset}: with all {its.images.max():,} images {best} is best ({100 * (1 - most[best]):.2f} %)"
        known = {name: law for (data, name), law in fitted.items() if data == dataset}
        if known:
            fast = max(known, key=lambda name: known[name].b)
            text += f"; the error of {fast} falls fastest, as n^-{known[fast].b:.2f}"
        if dataset in over.index:
            law, seen = over.loc[dataset, ["by the laws", "measured"]]
            if seen is None:
                text += f"; {late} does not overtake {early}"
            elif seen == its.images.min():
                text += f"; {late} is ahead of {early} from the fewest images on ({seen:,})"
            else:
                text += f"; {late} is ahead of {early} from {seen:,} images on"
                text += f" (by the laws from {law:,})" if law else ""
        sentences.append(text + ".")
    return " ".join(sentences)


def curves(found, fitted, dataset):
    """Draw error against training images of a dataset, both logarithmic: each run a mark, each PowerLaw a line."""
    from matplotlib.ticker import LogLocator

    ax, its = style.figure(), found[found.dataset == dataset]
    n = np.geomspace(its.images.min(), its.images.max(), 100)
    for name, points in its.groupby("classifier", sort=False):
        tone, mark = style.style(name)
        law = fitted.get((dataset, name))
        words = f"{name}: n^-{law.b:.2f}, to {100 * law.c:.2g} %" if law else name
        ax.plot(points.images, 100 * points.error, mark, color=tone, markersize=5, alpha=0.7, label=words)
        if law:
            ax.plot(n, 100 * law(n), "-", color=tone, linewidth=1)
    ax.set(xscale="log", yscale="log", xlabel="training images", ylabel="error (%)", title=dataset)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5, 7)))  # all nine labels of a decade overlap
    ax.yaxis.set_minor_formatter("{x:g}")
    ax.grid(alpha=0.3, which="both")
    ax.legend(fontsize="small")
    return ax
