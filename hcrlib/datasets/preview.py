"""Draw a dataset at a glance: samples of every class and the class balance, or lines with their texts."""

import functools
from pathlib import Path

import numpy as np

from hcrlib.core import paths
from hcrlib.core.rng import frozen_rng
from hcrlib.datasets.base import SIDE, Dataset
from hcrlib.datasets.loading import find
from hcrlib.datasets.official_files import writing
from hcrlib.datasets.text import TextDataset

ROW_INCHES = 0.3
PREVIEW = 10, 0.85  # inches: width of a preview of lines, height of a row
WORDS_A_ROW = 4


def show(name, out=None, per_class=12):
    """Draw a dataset by name into a PNG and return its Path.

    Characters: a labeled row of training images per class, with bars of the class balance. Words and lines: per_class of
    them, each under its text. out: the file to write; default: results/figures/dataset-NAME.png.
    """
    return write(find(name), out, per_class)


def write(data, out=None, per_class=12):
    """Draw a loaded Dataset or TextDataset; see show."""
    name = "+".join(Path(part).name for part in data.name.split("+"))  # the parts of a mixture may be paths
    out = Path(out) if out else paths.results_root() / "figures" / f"dataset-{name}.png"
    figure = draw(data, per_class)
    with writing(out) as part:
        figure.savefig(part, format="png", dpi=110)
    return out


@functools.singledispatch
def draw(data, n=12):
    """Return a matplotlib Figure of a dataset; each class of datasets registers its own. n: images per class, or lines."""
    raise TypeError(f"no preview is registered for {type(data).__name__}")


@draw.register
def draw_characters(data: Dataset, per_class=12):
    """Return a matplotlib Figure of a Dataset: images of each class, and the class balance."""
    from matplotlib.figure import Figure

    rows = np.arange(data.n_classes)
    figure = Figure(figsize=(per_class * ROW_INCHES + 4.5, data.n_classes * ROW_INCHES + 1.2), layout="constrained")
    samples, balance = figure.subplots(1, 2, width_ratios=(per_class * ROW_INCHES, 3.5))
    samples.imshow(_sheet(data.train, data.n_classes, per_class), cmap="gray_r", aspect="auto", interpolation="nearest")
    samples.set_yticks((rows + 0.5) * SIDE - 0.5, data.classes)
    samples.set_xticks([])
    left = np.zeros(data.n_classes)
    for part, colour in (("train", "#2a6f97"), ("val", "#89c2d9"), ("test", "#e07a5f")):
        counts = np.bincount(getattr(data, part).labels, minlength=data.n_classes)
        balance.barh(rows, counts, left=left, color=colour, label=f"{part} {counts.sum():,}")
        left += counts
    balance.set(yticks=rows, yticklabels=data.classes, xlabel="images", ylim=(data.n_classes - 0.5, -0.5))
    figure.legend(loc="outside lower right", ncols=3, fontsize="small")
    figure.suptitle(_title(data), fontsize="medium")
    return figure


@draw.register
def draw_lines(data: TextDataset, n=12):
    """Return a matplotlib Figure of n training lines of a TextDataset, drawn by a fixed seed, each under its text."""
    chosen = frozen_rng(0, "sheet").permutation(len(data.train))[: max(1, n)]
    samples = [(data.train.texts[at], data.train.images[at]) for at in chosen]
    figure = under_texts(samples, 1 if data.unit == "lines" else WORDS_A_ROW)
    figure.suptitle(_title(data), fontsize="medium", parse_math=False)
    return figure


def under_texts(samples, columns):
    """Return a matplotlib Figure of captioned images, [(text, uint8 (h, w))], in rows of one height."""
    from matplotlib.figure import Figure

    rows = -(-len(samples) // columns)
    figure = Figure(figsize=(PREVIEW[0], 0.2 + PREVIEW[1] * rows), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, (text, image) in zip(axes, samples, strict=False):
        ax.imshow(image, cmap="gray", vmin=0, vmax=255)
        ax.set_anchor("W")
        ax.set_title(text, loc="left", fontsize=9, parse_math=False)
    return figure


def _title(data):
    return f"{data.name} ({data.source}), sha256 {data.sha256[:12]}"


def _sheet(split, n_classes, per_class):
    """Return uint8 (n_classes * 28, per_class * 28): images drawn by a fixed seed; blank where a class has fewer."""
    sheet = np.zeros((n_classes, per_class, SIDE, SIDE), np.uint8)
    order = np.argsort(frozen_rng(0, "sheet").random_sample(len(split)))
    for label in range(n_classes):
        chosen = order[split.labels[order] == label][:per_class]
        sheet[label, : len(chosen)] = split.images[chosen]
    return sheet.swapaxes(1, 2).reshape(n_classes * SIDE, per_class * SIDE)
