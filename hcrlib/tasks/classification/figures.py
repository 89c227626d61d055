"""Figures of classifiers: each function draws records or predictions on an `ax` and returns it."""

import dataclasses
import itertools
import textwrap

import numpy as np
from matplotlib.ticker import Locator, MaxNLocator, NullLocator

from hcrlib.plotting.style import figure, style, variant_of
from hcrlib.records import averaged, by_configuration, label

AXES = {
    "fit_s": "time to fit (s)",
    "predict_us_per_image": "time to predict (µs per image, all test images at once)",
}
MOST = 20  # rows of a matrix of pairs: more would take minutes to draw and be too small to read
TALL, COLUMN = 18, 3  # lines of a column of a legend, and its width in inches
POWERS, FEW = (0.0001, 0.001, 0.01, 0.1), 3  # of error rates; ticks at least


def accuracy_against(ax, records, cost):
    """Draw accuracy with its 95 % interval against a cost, one of AXES; both axes are logarithmic, y in the error rate.

    A configuration is one mark, at the mean over its seeds, which are small dots.
    """
    configurations = [(averaged(runs), runs) for runs in by_configuration(records)]
    for record, runs in sorted(configurations, key=lambda pair: -pair[0].accuracy):
        error = _error(record)
        interval = [[max(0, error - max(1 - record.ci_high, _least(record)))], [1 - record.ci_low - error]]
        name = textwrap.fill(label(record, records), 28, break_long_words=False, break_on_hyphens=False)
        tone, mark = style(record.config.classifier, variant_of(record, records))
        look = {"fmt": mark, "markersize": 8, "capsize": 4, "color": tone}
        ax.errorbar(getattr(record, cost), error, yerr=interval, label=name, **look)
        if len(runs) > 1:
            ax.plot(
                [getattr(run, cost) for run in runs], [*map(_error, runs)], ".", color=tone, markersize=6, alpha=0.6
            )
    ax.set(xscale="log", xlabel=AXES[cost], ylabel="accuracy (%)")
    _error_axis(ax, {_least(record) for record, _ in configurations if record.accuracy == 1})
    ax.margins(x=0.1, y=0.1)
    return _with_legend(ax)


def _error(record):
    return max(1 - record.accuracy, _least(record))


def _least(record):
    """Return half an error, where no error is drawn: a logarithmic axis has no 0."""
    return 0.5 / record.n_test


def _with_legend(ax):
    """Add a grid, and a legend beside the axes, which widens the figure if it is long; return the axes."""
    ax.grid(alpha=0.3)
    lines = sum(name.count("\n") + 1 for name in ax.get_legend_handles_labels()[1])
    columns = -(-lines // TALL)
    width, height = ax.figure.get_size_inches()
    ax.figure.set_size_inches(width + COLUMN * max(columns - 1, 0), height)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, ncols=max(columns, 1))
    return ax


def _error_axis(ax, perfect=()):
    """Make the y-axis logarithmic in the error rate, with labels of accuracy in percent. perfect: error rates labeled 100."""
    ax.set(yscale="log", ylabel=f"{ax.get_ylabel()}, logarithmic in the errors")
    ax.invert_yaxis()
    ax.yaxis.set_major_locator(_ErrorRates(perfect))
    ax.yaxis.set_major_formatter(lambda error, _: "100" if error in perfect else f"{100 * (1 - error):.5g}")
    ax.yaxis.set_minor_locator(NullLocator())


class _ErrorRates(Locator):
    """Place ticks at round error rates: 1, 2, 5 times a power of ten, or closer where these would be few."""

    def __init__(self, perfect):
        self.perfect = perfect

    def __call__(self):
        low, high = sorted(self.axis.get_view_interval())
        low = max(low, max(self.perfect, default=0) * 1.1)
        for digits in ((1, 2, 5), range(1, 10)):
            rates = sorted({*(digit * power for power in POWERS for digit in digits), 0.9})
            if sum(low <= rate <= high for rate in rates) >= FEW:
                break
        else:
            rates = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high)
        return [*(rate for rate in rates if low <= rate <= high), *self.perfect]


def square(n_classes):
    """Return new axes in the size that a confusion matrix of that many classes needs."""
    side = min(10, 4.5 + n_classes / 10)
    return figure(side, side)


def confusion(ax, counts, classes):
    """Draw a confusion matrix: shares of each row, a true class, as shades; for up to 26 classes also the counts."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares**0.5, cmap="Blues", vmin=0, vmax=1)  # the root makes a share of 1 % visible
    few = len(classes) <= 10
    ax.set_xticks(range(len(classes)), classes, fontsize=9 if few else 7)
    ax.set_yticks(range(len(classes)), classes, fontsize=9 if few else 7)
    for row, column in np.argwhere(counts > 0) if len(classes) <= 26 else ():
        tone = "white" if shares[row, column] > 0.4 else "black"
        ax.text(column, row, counts[row, column], ha="center", va="center", fontsize=8 if few else 5.5, color=tone)
    ax.set(xlabel="predicted class", ylabel="true class")
    return ax


def confusions(counts, classes, most=5):
    """Return the most frequent errors as text: '4 as 9: 12 times'."""
    wrong = np.where(np.eye(len(classes), dtype=bool), 0, counts)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [np.unravel_index(i, wrong.shape) for i in order if wrong.flat[i]]
    return [f"{classes[row]} as {classes[column]}: {_times(wrong[row, column])}" for row, column in pairs]


def _times(n):
    return "once" if n == 1 else f"{n} times"


def glyphs(ax, images, captions, columns=8):
    """Draw images, uint8 (n, 28, 28), in rows of `columns`, each with its caption underneath."""
    step_x, step_y = 34, 42
    for at, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = (at % columns) * step_x, (at // columns) * step_y
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=255, extent=(left, left + 28, top + 28, top))
        ax.text(left + 14, top + 30, caption, ha="center", va="top", fontsize=8)
    ax.set_axis_off()
    if not captions:
        ax.text(0.5, 0.5, "none", ha="center", va="center")
        return ax
    ax.set(xlim=(-3, columns * step_x - 3), ylim=(-(-len(captions) // columns) * step_y, -3))
    return ax


def found(ax, steps, captions, answers):
    """Draw what a model saw of pictures, a column each: the picture, the ink found in it, the glyph, and its answer.

    steps: runtime.glyph.Steps of each picture. captions, answers: str, above and below each column.
    """
    for column, (each, caption, answer) in enumerate(zip(steps, captions, answers, strict=True)):
        left = 1.15 * column
        for row, image in enumerate((each.picture, 255 - each.ink, 255 - each.glyph)):
            height, width = np.array(image.shape[:2]) / max(image.shape[:2])
            x, y = left + (1 - width) / 2, 1.1 * row + (1 - height) / 2
            ax.imshow(image, cmap="gray", vmin=0, vmax=255, extent=(x, x + width, y + height, y))
        ax.text(left + 0.5, -0.08, textwrap.fill(caption, 14), ha="center", va="bottom", fontsize=7)
        ax.text(left + 0.5, 3.3, answer, ha="center", va="top", fontsize=12)
    for row, name in enumerate(("picture", "ink", "glyph", "answer")):
        ax.text(-0.1, 1.1 * row + 0.5 if row < 3 else 3.4, name, ha="right", va="center", fontsize=8, color="#555555")
    ax.set(xlim=(-0.9, 1.15 * len(steps)), ylim=(3.7, -0.6), aspect="equal")
    ax.set_axis_off()
    return ax


def mistakes(ax, images, predictions, classes, most=24):
    """Draw the most confident errors, with captions 'true class → prediction, probability'.

    images: uint8 (n, 28, 28), of the test split. predictions: as `records.load_predictions` returns.
    """
    labels, predicted, scores = (predictions[name] for name in ("labels", "predicted", "scores"))
    wrong = np.flatnonzero(labels != predicted)
    sure = scores[wrong, predicted[wrong]].astype(np.float32)
    order = np.argsort(-sure, kind="stable")[:most]
    captions = [
        f"{classes[labels[i]]} → {classes[predicted[i]]}, {p:.0%}"
        for i, p in zip(wrong[order], sure[order], strict=True)
    ]
    return glyphs(ax, images[wrong[order]], captions)


def learning_curves(ax, records):
    """Draw accuracy after each epoch: solid on validation images, dotted on the (possibly augmented) training images.

    The seeds of a configuration are lines of the same look, with one entry in the legend.
    """
    for runs in by_configuration(records):
        tone, mark = style(runs[0].config.classifier, variant_of(runs[0], records))
        for record, (key, line, word) in itertools.product(
            runs, (("val_accuracy", "-" + mark, "validation"), ("accuracy", ":", "training"))
        ):
            epochs, values = (
                [scale * row[name] for row in record.history] for name, scale in (("epoch", 1), (key, 100))
            )
            name = f"{label(record, records)}, {word}" if record is runs[0] else None
            ax.plot(epochs, values, line, color=tone, markersize=4, linewidth=1.5 / len(runs) ** 0.5, label=name)
    ax.set(xlabel="epoch", ylabel="accuracy (%)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
    return ax


def _best_of(ax, comparison):
    """Return the Comparison of those that get the most images right, MOST at most, and fit the figure to them."""
    if len(comparison.names) <= MOST:
        return comparison
    lead = (comparison.only - comparison.only.T).sum(axis=1)
    best = np.sort(np.argsort(-lead, kind="stable")[:MOST])
    ax.figure.set_size_inches(2 + 0.9 * MOST, 1.2 + 0.55 * MOST)
    parts = {
        field.name: getattr(comparison, field.name) for field in dataclasses.fields(comparison)
    }  # each has k, or k x k
    pairs = np.ix_(best, best)
    return type(comparison)(
        **{key: part[pairs] if np.ndim(part) == 2 else tuple(part[at] for at in best) for key, part in parts.items()}
    )


def versus(ax, comparison):
    """Draw a `metrics.statistics.Comparison`: how many more images the row gets right than the column, above Holm's p.

    Of several runs each, the mean over all pairs of runs.

    Blue: the row is better; orange: worse; gray: no evidence of a difference.
    """
    import seaborn
    from matplotlib.colors import ListedColormap

    from hcrlib.metrics.statistics import ALPHA, amount, p_value

    known, comparison = len(comparison.names), _best_of(ax, comparison)
    more = comparison.only - comparison.only.T
    verdict = np.where(comparison.p < ALPHA, np.sign(more), 0)
    words = np.vectorize(lambda n, p: f"{'+' * (n >= 0)}{amount(n)}\n{p_value(p)}", otypes=[object])(more, comparison.p)
    look = {"cmap": ListedColormap(["#f5c27a", "#e6e6e6", "#9ccbe8"]), "vmin": -1, "vmax": 1, "cbar": False}
    look |= {"mask": np.eye(len(more), dtype=bool), "linewidths": 1, "annot_kws": {"fontsize": 8, "color": "black"}}
    names = comparison.names
    seaborn.heatmap(verdict, ax=ax, annot=words, fmt="", xticklabels=names, yticklabels=names, **look)
    ax.tick_params(length=0)
    ax.tick_params(axis="y", rotation=0)
    if known > MOST:
        ax.set(xlabel=f"the {MOST} best of {known}")
    ax.set(ylabel="correct images, row minus column")
    return ax


def reliability(ax, records, predictions):
    """Draw the accuracy of predictions against their confidence; on the diagonal, scores are true probabilities.

    predictions: as `records.load_predictions` returns, one per record. Markers grow with the number of images in their bin;
    bins of fewer than 10 are omitted as unreliable. A configuration is one line, over the images of all its seeds; its ECE is
    their mean.
    """
    from hcrlib.metrics import statistics

    ax.plot([0, 1], [0, 1], color="#8c8c8c", linewidth=1, linestyle="--", label="calibrated")
    for record, answers in _pooled(records, predictions):
        table = statistics.reliability(_joined(answers)).query("images >= 10")
        tone, mark = style(record.config.classifier, variant_of(record, records))
        error = np.mean([statistics.calibration_error(each) for each in answers])
        name = f"{label(record, records)}, ECE {100 * error:.1f} %"
        ax.plot(table.confidence, table.accuracy, color=tone, linewidth=1, alpha=0.7)
        sizes = 15 + 120 * np.sqrt(table.images / table.images.sum())
        ax.scatter(table.confidence, table.accuracy, sizes, color=tone, marker=mark, label=name)
    ax.set(xlabel="confidence: score of the prediction", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    return _with_legend(ax)


def rejection(ax, records, predictions, most=0.3):
    """Draw the accuracy of the remaining predictions when the least confident are rejected ("?"), up to the share `most`.

    A configuration is one line, over the images of all its seeds.
    """
    from hcrlib.metrics import statistics

    for record, answers in _pooled(records, predictions):
        table = statistics.rejection(_joined(answers)).query("rejected <= @most")
        error = np.maximum(1 - table.accuracy, 0.5 / record.n_test)  # a logarithmic axis has no 0
        tone, _ = style(record.config.classifier)
        line = ("-", "--", ":", "-.")[variant_of(record, records) % 4]
        ax.plot(100 * table.rejected, error, line, color=tone, label=label(record, records))
    ax.set(xlabel='rejected ("?", % of the images)', ylabel="accuracy of the others (%)")
    _error_axis(ax)
    return _with_legend(ax)


def _pooled(records, predictions):
    """Return [(first record, predictions of each run)] of the configurations."""
    given = {id(record): answers for record, answers in zip(records, predictions, strict=True)}
    return [(runs[0], [given[id(run)] for run in runs]) for runs in by_configuration(records)]


def _joined(answers):
    """Return the predictions of several runs as those of one."""
    return {name: np.concatenate([each[name] for each in answers]) for name in ("labels", "predicted", "scores")}


def class_scores(ax, table):
    """Draw recall and precision of each class, lowest recall first. table: as `metrics.statistics.by_class` returns."""
    table = table.sort_values("recall", kind="stable").reset_index(drop=True)
    at = np.arange(len(table))
    both = 100 * table[["recall", "precision"]]
    ax.vlines(at, both.min(axis=1), both.max(axis=1), "#cccccc")
    ax.plot(at, 100 * table.recall, "o", color="#0072b2", markersize=5, label="recall")
    ax.plot(at, 100 * table.precision, "D", color="#e69f00", markersize=4, label="precision")
    ax.set_xticks(at, table["class"], fontsize=9 if len(table) <= 26 else 7)
    ax.set(xlabel="class", ylabel="%")
    ax.grid(alpha=0.3, axis="y")
    ax.legend(fontsize="small")
    return ax
