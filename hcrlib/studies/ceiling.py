"""Ask how many labels of a dataset are wrong, or cannot be told by anybody, and what accuracy is left to reach.

Confident learning (Northcutt, Jiang and Chuang 2021): every image gets the scores of a classifier that was not trained on it.
A label is suspect where another class is confident: its score is at least its mean score over the images labeled so.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from hcrlib import records
from hcrlib.core.errors import ConfigError
from hcrlib.core.registry import did_you_mean
from hcrlib.core.rng import seed_for
from hcrlib.datasets import Split, load_dataset, stratified_take
from hcrlib.metrics import scores
from hcrlib.models import FitContext, named
from hcrlib.plotting import style
from hcrlib.runtime.character_model import alike_matrix
from hcrlib.studies._study import measured

FOLDS = 5
CLEAR = 0.9  # score of another class from which a label looks wrong; below, the image can be read in two ways


def judged(study, judge, images=None):
    """Return {dataset: DataFrame} with a row per image of all splits: split, index in it, label, other, score, kind.

    judge: the classifier whose run on the dataset says how to get scores. other: the class that is confident; score: its.
    kind: "" where the label is not suspect, "wrong" from the score CLEAR on, else "unclear". images: to judge only as many,
    stratified; None for all. Raises ConfigError for a judge that no run of the study is of.
    """
    classifiers = dict.fromkeys(run.config.classifier for run in study.runs)
    if judge not in classifiers:
        raise ConfigError(f"No run of the study is of the judge '{judge}'", hint=did_you_mean(judge, classifiers))
    found = {}
    for run in study.runs:
        if run.config.classifier == judge:
            [columns] = measured(run, {"images": images, "folds": FOLDS}, out_of_fold)
            found[run.config.dataset] = pd.DataFrame(columns)
    return found


def out_of_fold(run, settings):
    """Return [the columns of `judged`] by the classifier of a run, fitted anew to the other folds for each fold."""
    from sklearn.model_selection import StratifiedKFold

    data, config = load_dataset(run.config.dataset), run.config
    parts = {"train": data.train, "validation": data.val, "test": data.test}
    pool = Split(*(np.concatenate([getattr(part, name) for part in parts.values()]) for name in ("images", "labels")))
    split = np.repeat(list(parts), [len(part) for part in parts.values()])
    index = np.concatenate([np.arange(len(part)) for part in parts.values()])
    n = min(settings["images"] or len(pool), len(pool))
    chosen = stratified_take(pool.labels, n, 0, "ceiling")
    pool, split, index = pool.take(chosen), split[chosen], index[chosen]
    probabilities = np.empty((n, data.n_classes), np.float32)
    folds = StratifiedKFold(settings["folds"], shuffle=True, random_state=seed_for(0, "ceiling/folds"))
    for rest, fold in folds.split(index, pool.labels):
        known = rest[stratified_take(pool.labels[rest], len(rest) * 9 // 10, 0, "ceiling/known")]
        fit, val = pool.take(known), pool.take(np.setdiff1d(rest, known))
        pipeline = named(config.classifier).runtime_model.pipeline_class(config.preprocess).fit(fit.images)
        learner = named(config.classifier).create(config.params)
        with tempfile.TemporaryDirectory() as scratch:
            context = FitContext(data.n_classes, config.seed, Path(scratch), lambda line: None, data.sha256)
            learner.fit(pipeline.apply(fit.images), fit.labels, pipeline.apply(val.images), val.labels, context)
            probabilities[fold] = learner.scores(pipeline.apply(pool.images[fold]))
    other, score = suspects(probabilities, pool.labels)
    kind = np.where(other < 0, "", np.where(score >= CLEAR, "wrong", "unclear"))
    columns = {
        "split": split,
        "index": index,
        "label": pool.labels,
        "other": other,
        "score": score.round(4),
        "kind": kind,
    }
    return [{name: column.tolist() for name, column in columns.items()}]


def suspects(probabilities, labels):
    """Return (other, score), (n,) each: the class that is confident instead of the label, or -1, and its probability.

    probabilities: (n, k), out of fold. labels: int (n,).
    """
    n, k = probabilities.shape
    means = np.array(
        [probabilities[labels == c, c].mean() if (labels == c).any() else np.inf for c in range(k)], np.float64
    )
    confident = np.where(probabilities >= means, probabilities, -1)
    best = confident.argmax(axis=1)
    score = confident[np.arange(n), best]
    return np.where((score < 0) | (best == labels), -1, best), score


def counts(found):
    """Return a row per dataset: images, and how many labels look wrong or unclear, with their shares in %."""
    rows = []
    for dataset, its in found.items():
        wrong, unclear = (int((its.kind == kind).sum()) for kind in ("wrong", "unclear"))
        rows.append((dataset, len(its), wrong, 100 * wrong / len(its), unclear, 100 * unclear / len(its)))
    return pd.DataFrame(rows, columns=["dataset", "images", "wrong", "wrong %", "unclear", "unclear %"])


def set_aside(study, found, judge):
    """Return a row per run of another classifier than the judge: test accuracy in %, on all images and on what is left.

    wrong: without labels that look wrong; clear: without unclear ones, too. same shape: on all, where classes of one shape,
    such as 0, O and o, count as one. alike %: the share of the errors on clear images that are between such classes.
    """
    rows = []
    for run in study.runs:
        if run.config.classifier == judge or run.config.dataset not in found:
            continue
        right, labels, predicted = _right(run)
        its = found[run.config.dataset]
        its = its[its.split == "test"]
        kinds, index = its.kind.to_numpy(), its["index"].to_numpy()
        right, same = right[index], (alike_matrix(run.classes)[labels, predicted] > 0)[index]
        errors = ~right & (kinds == "")
        alike = 100 * (same & errors).sum() / max(1, errors.sum())
        values = right.mean(), right[kinds != "wrong"].mean(), right[kinds == ""].mean(), same.mean()
        rows.append((run.config.dataset, study.name(run), *(100 * value for value in values), int(errors.sum()), alike))
    columns = ["dataset", "classifier", "all %", "without wrong %", "clear %", "same shape %", "errors left", "alike %"]
    return pd.DataFrame(rows, columns=columns)


def _right(run):
    given = records.load_predictions(run)
    return given["labels"] == given["predicted"], given["labels"], given["predicted"]


def pairs(study, found, judge, most=8):
    """Return a row per pair of classes: errors of the runs of `set_aside` on clear images between the two, in either order."""
    rows = []
    for run in study.runs:
        if run.config.classifier == judge or run.config.dataset not in found:
            continue
        its = found[run.config.dataset]
        clear = its[(its.split == "test") & (its.kind == "")]["index"].to_numpy()
        _, labels, predicted = _right(run)
        matrix = scores.confusion(labels[clear], predicted[clear], len(run.classes))
        both = np.triu(matrix + matrix.T, 1)
        total = both.sum()
        for place in np.argsort(-both, axis=None, kind="stable")[:most]:
            one, other = np.unravel_index(place, both.shape)
            if both[one, other]:
                share = 100 * both[one, other] / total
                words = run.config.dataset, study.name(run), f"{run.classes[one]}/{run.classes[other]}"
                rows.append((*words, int(both[one, other]), share))
    return pd.DataFrame(rows, columns=["dataset", "classifier", "pair", "errors", "of the rest %"])


def answer(study, found, judge):
    """Return the answer in sentences, every number of which is computed from `judged` and the runs."""
    left, worst = set_aside(study, found, judge), pairs(study, found, judge)
    many = counts(found).set_index("dataset")
    points = []
    for row in left.to_dict("records"):
        its = many.loc[row["dataset"]]
        top = worst[(worst.dataset == row["dataset"]) & (worst.classifier == row["classifier"])].head(3)
        text = (
            f"- {row['dataset']}: {its['wrong %']:.2f} % of the labels look wrong, {its['unclear %']:.2f} % unclear. "
            f"{row['classifier']} reads {row['all %']:.2f} % of all test images, {row['same shape %']:.2f} % where classes of "
            f"one shape count as one, and {row['clear %']:.2f} % of the clear images."
        )
        if len(top):
            text += f" Of its {row['errors left']} errors on these, {top['of the rest %'].sum():.0f} % are between "
            text += f"{', '.join(top.pair)}."
        points.append(text)
    first = (
        f"{_range(many['wrong %'] + many['unclear %'])} % of the labels look wrong or unclear; with these set aside, "
        f"{_range(left['clear %'])} % of the test images are read right instead of {_range(left['all %'])} %."
    )
    return "\n".join([first, "", *points])


def _range(values):
    """Return the least and the largest of a Series as text: "0.51 to 12.73"."""
    return " to ".join(dict.fromkeys(f"{value:.2f}" for value in (values.min(), values.max())))


def sheet(found, dataset, kind, most=32):
    """Draw the suspect images of a kind, the most confident first: 'label→other score'."""
    from hcrlib.tasks.classification import figures

    data, its = load_dataset(dataset), found[dataset]
    its = its[its.kind == kind].sort_values("score", ascending=False, kind="stable").head(most)
    parts = {"train": data.train, "validation": data.val, "test": data.test}
    images = [parts[row.split].images[row[2]] for row in its.itertuples()]
    captions = [f"{data.classes[row.label]}→{data.classes[row.other]} {row.score:.0%}" for row in its.itertuples()]
    ax = style.figure(6.5, 0.5 + 0.8 * max(1, -(-len(images) // 8)))
    ax.set_title(f"{dataset}: labels that look {kind}")
    return figures.glyphs(ax, images, captions)
