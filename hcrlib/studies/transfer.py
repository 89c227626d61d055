"""Test digits' classifiers on datasets that they were not trained on: what do other hands cost, and what does framing alone?

Test sets are those of the runs, handwriting fonts and photographs. Each image is read as its dataset has it, and framed anew
as MNIST frames images (the ink in a box of 20 pixels, centered by mass) and as EMNIST does (in one of 24, in the middle).
"""

import contextlib
import functools
import hashlib

import numpy as np
import pandas as pd

from hcrlib import api
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import Split, fonts, frame_of, load_dataset, photographs, stratified_take
from hcrlib.datasets.font_lines import HELD_OUT, faces_of
from hcrlib.plotting import style
from hcrlib.runtime.glyph import steps_of
from hcrlib.runtime.image import FRAMES, SIDE
from hcrlib.studies._study import accuracy, measured

FONTS, PHOTOS = "fonts", "photographs"
OWN = "own"  # the frame that a dataset came with


def table(study, images):
    """Return a row per run, test set and frame: name, trained, tested, frame, accuracy in 0..1, and the images.

    images: of each test set, stratified. Fonts and photographs that are not on this machine are left out. Raises ConfigError
    unless all runs are of the same classes.
    """
    for run in study.runs:
        if list(run.classes) != list(study.runs[0].classes):
            what = f"Labels of {study.runs[0].config.dataset} and {run.config.dataset} do not mean the same"
            expected, got = (" ".join(each.classes) for each in (study.runs[0], run))
            raise ConfigError(
                what, expected=f"the classes {expected}", got=got, hint="Train on datasets of the same classes"
            )
    tests, rows = available(study), []
    for run in study.runs:
        about = {"name": study.name(run), "classifier": run.config.classifier, "trained": run.config.dataset}
        rows += [{**about, **row} for row in measured(run, {"images": images, "tests": tests}, on_others)]
    return pd.DataFrame(rows)


def available(study):
    """Return [[test set, hash of its content]] of those that are on this machine."""
    found = [[name, load_dataset(name).test_sha256] for name in dict.fromkeys(run.config.dataset for run in study.runs)]
    for name in (FONTS, PHOTOS):
        with contextlib.suppress(DataError):
            digest = hashlib.sha256()
            for label, content in _fonts() if name == FONTS else _photographs():
                digest.update(f"{label} {len(content)} ".encode() + bytes(content))
            found.append([name, digest.hexdigest()])
    return found


def on_others(run, settings):
    """Return the rows of `table` of one run."""
    model, rows = api.load_model(run), []
    for name, _ in settings["tests"]:
        for frame in FRAMES if name in (FONTS, PHOTOS) else (OWN, *FRAMES):
            split = _framed(name, tuple(run.classes), settings["images"], frame)
            right = accuracy(model, split.images, split.labels)
            rows.append({"tested": name, "frame": frame, "accuracy": right, "images": len(split)})
    return rows


@functools.cache
def _framed(name, classes, images, frame):
    """Return the Split of a test set in a frame."""
    if name in (FONTS, PHOTOS):
        return _drawn(name, classes, frame)
    test = load_dataset(name).test
    test = test.take(stratified_take(test.labels, min(images, len(test)), 0, "transfer"))
    return test if frame == OWN else Split(np.stack([reframed(image, frame) for image in test.images]), test.labels)


def reframed(image, frame, ink="light"):
    """Return uint8 (28, 28), the ink of an image of any size framed anew; a blank one where there is none. ink: of steps_of."""
    try:
        return steps_of(image, ink, frame).glyph
    except ValueError:
        return np.zeros((SIDE, SIDE), np.uint8)


def _drawn(name, classes, frame):
    pairs = _of_fonts(classes) if name == FONTS else _photographs()
    shown = [(classes.index(label), image) for label, image in pairs if label in classes]
    ink = "light" if name == FONTS else "auto"
    return Split(np.stack([reframed(image, frame, ink) for _, image in shown]), np.array([label for label, _ in shown]))


def _fonts():
    """Return [(name, file)] of the fonts. DataError if one is not on this machine."""
    return [(font.name, file) for font in fonts.FONTS for file in fonts.read(font)]


@functools.cache
def _photographs():
    return photographs.photographs(start=1)


def _of_fonts(classes):
    faces = [face for part in ("train", *HELD_OUT) for face in faces_of(part)]
    return [(name, np.pad(face.glyphs[name].ink, 8)) for face in faces for name in classes if name in face.characters]


def matrix(found, classifier):
    """Return a DataFrame of accuracies in %: a row per training set, a column per test set, each in the training set's frame.

    A test set of the same frame is taken as it is.
    """
    its = found[found.classifier == classifier]
    best = its[[_fits(row) for row in its.itertuples()]]
    return 100 * best.pivot_table(index="trained", columns="tested", values="accuracy", sort=False)


def _fits(row):
    frame = frame_of(row.trained)
    own = row.tested not in (FONTS, PHOTOS) and frame_of(row.tested) == frame
    return row.frame == (OWN if own else frame)


def framing(found):
    """Return a row per run: accuracy in % on its own test images, as they are and framed anew, and what the wrong frame costs.

    cost: points of accuracy that the other frame loses against the run's own, both framed anew.
    """
    rows = []
    for (name, trained), its in found[found.trained == found.tested].groupby(["name", "trained"], sort=False):
        values = 100 * its.set_index("frame").accuracy
        mine = frame_of(trained)
        [other] = [frame for frame in FRAMES if frame != mine]
        rows.append((trained, name, mine, values[OWN], values[mine], values[other], values[mine] - values[other]))
    columns = ["dataset", "classifier", "frame", "as it is %", "same frame %", "other frame %", "cost"]
    return pd.DataFrame(rows, columns=columns)


def answer(found):
    """Return the answer in sentences, every number of which is computed from `table`."""
    rows = []
    for classifier in found.classifier.unique():
        wide = matrix(found, classifier)
        for trained, row in wide.iterrows():
            for tested, value in row.drop(trained).dropna().items():
                on = "the other dataset" if tested in wide.index else tested
                rows.append((f"{classifier} of {trained}", on, row[trained] - value, value))
    lost = pd.DataFrame(rows, columns=["who", "on", "points", "accuracy"])
    clauses = []
    for on, group in lost.groupby("on", sort=False):
        least, most = (group.loc[index] for index in (group.points.idxmin(), group.points.idxmax()))
        clauses.append(
            f"on {on} by {-most.points:+.1f} ({most.who}, {most.accuracy:.1f} % right) to {-least.points:+.1f} "
            f"({least.who}, {least.accuracy:.1f} %)"
        )
    costs = framing(found)
    most = costs.loc[costs.cost.idxmax()]
    text = f"Framed as in training, accuracy changes {'; '.join(clauses)} points. " if clauses else ""
    return text + (
        f"The other dataset's frame alone costs {costs.cost.mean():.1f} points on average, {most.cost:.1f} at most "
        f"({most.classifier} of {most.dataset})."
    )


def heatmap(found, classifier):
    """Draw `matrix`."""
    import seaborn

    wide = matrix(found, classifier)
    ax = style.figure(2.5 + 1.3 * len(wide.columns), 1.5 + 0.6 * len(wide))
    least = min(matrix(found, each).min(axis=None) for each in found.classifier.unique())  # shades as in all figures
    seaborn.heatmap(wide, ax=ax, annot=True, fmt=".1f", cmap="Blues", vmin=10 * (least // 10), vmax=100, cbar=False)
    ax.set(xlabel="tested on", ylabel="trained on", title=f"{classifier}: accuracy (%)")
    ax.tick_params(axis="y", rotation=0)
    return ax
