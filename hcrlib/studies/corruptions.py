"""Measure classifiers on corrupted test images: who breaks first, and does training on other changed images help?"""

import functools
import textwrap

import numpy as np
import pandas as pd

from hcrlib import api
from hcrlib.datasets import load_dataset, stratified_take
from hcrlib.datasets.corruption import CORRUPTIONS, STRENGTHS, corrupt
from hcrlib.plotting import style
from hcrlib.studies._study import accuracy, change, measured

MOVES = "shear", "scale", "rotate", "translate"  # the kinds that augmentation by moving pixels resembles
AUGMENTED = "shift", "rotation", "shear", "scale", "translation", "perspective", "elastic", "cutout", "mixup"
LOST = 0.9  # of the accuracy on clean images: below, a classifier has broken


def table(study, images, strengths=STRENGTHS):
    """Return a DataFrame of (name, kind, strength, accuracy): all runs on the same stratified test images, corrupted.

    Strength 0 is the clean image, once for each run, of kind "clean".
    """
    settings = {"images": images, "strengths": list(strengths)}
    rows = [{"name": named(study, run), **row} for run in study.runs for row in measured(run, settings, on_corrupted)]
    return pd.DataFrame(rows)


def named(study, run):
    """Return the name of a run's configuration; "plain" or "augmented" if augmentation alone sets two of a classifier apart."""
    alike = [other for other in study.runs if other.config.classifier == run.config.classifier]
    if len(alike) != 2 or _bare(alike[0]) != _bare(alike[1]) or _augmented(alike[0]) == _augmented(alike[1]):
        return study.name(run)
    return f"{run.config.classifier.removesuffix('-augmented')}, {'augmented' if _augmented(run) else 'plain'}"


def on_corrupted(run, settings):
    """Return the rows of `table` of one run."""
    model, data, n = api.load_model(run), run.config.dataset, settings["images"]
    wanted = [("clean", 0), *((kind, strength) for kind in CORRUPTIONS for strength in settings["strengths"])]
    return [
        {"kind": kind, "strength": strength, "accuracy": accuracy(model, *_corrupted(data, n, kind, strength))}
        for kind, strength in wanted
    ]


@functools.cache
def _corrupted(data, n, kind, strength):
    """Return (images, labels) of n test images of a dataset."""
    test = load_dataset(data).test
    chosen = test.take(stratified_take(test.labels, min(n, len(test)), 0, "corruptions"))
    return (corrupt(chosen.images, kind, strength) if strength else chosen.images), chosen.labels


def by_classifier(found):
    """Return a row per classifier: clean and mean corrupted accuracy in %, their gap, and the share that it broke on.

    The one that loses most comes first. found: as `table` returns.
    """
    rows = []
    for name, its in found.groupby("name", sort=False):
        clean, rest = its[its.kind == "clean"].accuracy.item(), its[its.kind != "clean"]
        worst = rest.groupby("kind").accuracy.mean().idxmin()
        broken = (rest.accuracy < LOST * clean).mean()
        mean = rest.accuracy.mean()
        rows.append((name, 100 * clean, 100 * mean, 100 * (clean - mean), 100 * broken, worst))
    columns = ["classifier", "clean %", "corrupted %", "lost", "broke on %", "worst on"]
    return pd.DataFrame(rows, columns=columns).sort_values("lost", ascending=False, kind="stable", ignore_index=True)


def by_kind(found):
    """Return a DataFrame with a row per kind, the hardest first, a column per classifier: accuracy in %, mean of strengths."""
    rest = found[found.kind != "clean"]
    wide = 100 * rest.pivot_table(index="kind", columns="name", values="accuracy", sort=False)
    return wide.loc[wide.mean(axis=1).sort_values(kind="stable").index]


def pairs(study):
    """Return [(name, name)] of configurations that differ in nothing but augmentation: the plain one and the augmented."""
    found = []
    for plain in study.runs:
        for run in study.runs:
            if run is not plain and _bare(run) == _bare(plain) and not _augmented(plain) and _augmented(run):
                found.append((named(study, plain), named(study, run)))
    return found


def _augmented(run):
    return run.config.classifier == "svm-virtual" or any(run.config.params.get(name) for name in AUGMENTED)


def _bare(run):
    config = run.config
    params = {name: value for name, value in config.params.items() if name not in (*AUGMENTED, "diagonals")}
    classifier = config.classifier.removesuffix("-virtual")
    return config.dataset, classifier, config.budget, config.seed, str(config.preprocess), sorted(params.items())


def gains(study, found):
    """Return a row per pair: what augmentation by moved pixels gains, in points, on clean images, on moves, on all other kinds.

    helped: on how many of the other kinds; p: of the two-sided Wilcoxon signed-rank test over these kinds.
    """
    from scipy.stats import wilcoxon

    means = found.groupby(["kind", "name"], sort=False).accuracy.mean().unstack() * 100
    others = [kind for kind in means.index if kind not in (*MOVES, "clean")]
    rows = []
    for plain, augmented in pairs(study):
        gain = means[augmented] - means[plain]
        rest = gain[others]
        p = wilcoxon(rest).pvalue if rest.any() else 1.0
        helped = f"{int((rest > 0).sum())} of {len(rest)}"
        rows.append((augmented, gain["clean"], gain[list(MOVES)].mean(), rest.mean(), helped, p))
    return pd.DataFrame(rows, columns=["augmented", "clean", "moves", "other kinds", "helped", "p"])


def answer(study, found):
    """Return the answer in sentences, every number of which is computed from `table`."""
    ranked, kinds, gained = by_classifier(found), by_kind(found), gains(study, found)
    first, last, n = ranked.iloc[0], ranked.iloc[-1], len(found[found.kind != "clean"]) // len(ranked)
    text = (
        f"Over {n} corruptions, {first.classifier} loses most: {first.lost:.1f} points ({first['clean %']:.1f} to "
        f"{first['corrupted %']:.1f} %); {last.classifier} loses least: {last.lost:.1f} ({last['clean %']:.1f} to "
        f"{last['corrupted %']:.1f} %). The hardest kind is {kinds.index[0]} ({kinds.iloc[0].mean():.1f} % right on average), "
        f"the easiest {kinds.index[-1]} ({kinds.iloc[-1].mean():.1f} %)."
    )
    if len(gained):
        moves, others, clear = gained.moves.mean(), gained["other kinds"], gained.p < 0.05
        helped, harmed = (clear & (others > 0)).sum(), (clear & (others < 0)).sum()
        text += (
            f" Augmentation that moves pixels {change(moves, 1)} on moved images and {change(others.mean(), 1)} on the kinds "
            f"that it does not resemble: there it helps {helped} and harms {harmed} of {len(gained)} classifiers (Wilcoxon, "
            "p < 0.05)."
        )
    return text


def shown(study, images=1, strength=3):
    """Draw the first test images of the study's first dataset under every corruption of a strength."""
    from hcrlib.tasks.classification import figures

    data = study.runs[0].config.dataset
    drawn = [
        _corrupted(data, max(images, len(load_dataset(data).classes)), kind, strength)[0][:images]
        for kind in CORRUPTIONS
    ]
    captions = [kind for kind in CORRUPTIONS for _ in range(images)]
    return figures.glyphs(style.figure(7.5, 3), np.concatenate(drawn), captions, columns=8)


def against_strength(study, found):
    """Draw the mean accuracy over the kinds against the strength, a line per classifier."""
    ax = style.figure()
    runs = {named(study, run): run for run in study.runs}
    for name, its in found.groupby("name", sort=False):
        means = 100 * its.groupby("strength").accuracy.mean()
        tone, mark = style.style(runs[name].config.classifier, style.variant_of(runs[name], study.runs))
        ax.plot(means.index, means, "-" + mark, color=tone, label=name)
    ax.set(
        xticks=sorted(found.strength.unique()),
        xlabel="strength of the corruption (0: none)",
        ylabel="accuracy (%), mean over kinds",
        title="Accuracy on corrupted images",
    )
    ax.grid(alpha=0.3)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return ax


def heatmap(found):
    """Draw `by_kind`, the accuracy of each classifier on each kind."""
    import seaborn

    wide = by_kind(found)
    wide.columns = [textwrap.fill(name, 14) for name in wide.columns]
    ax = style.figure(1.2 + 1.1 * len(wide.columns), 6)
    seaborn.heatmap(wide, ax=ax, annot=True, fmt=".0f", cmap="Blues", vmin=0, vmax=100, cbar=False)
    ax.set(xlabel="", ylabel="", title="accuracy (%) by kind, mean over strengths")
    ax.tick_params(axis="x", rotation=0, labelsize=8)
    return ax
