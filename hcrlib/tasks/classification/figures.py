"""Figures of classifiers: functions draw records and predictions on an `ax` and return it."""

import textwrap

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from hcrlib.plotting.style import figure, style, variant_of
from hcrlib.records import label

AXES = {
    "fit_s": "time to fit (s)",
    "predict_us_per_image": "time to predict (µs per image, all test images at once)",
}
TICKS = [wrong * power for power in (0.0001, 0.001, 0.01, 0.1) for wrong in (1, 2, 5)] + [0.9]  # shares of mistakes


def accuracy_against(ax, records, cost):
    """Accuracy with its 95 % interval against a cost, one of AXES; both axes logarithmic, the y-axis in mistakes."""
    for record in sorted(records, key=lambda record: -record.accuracy):
        wrong = max(1 - record.accuracy, 0.5 / record.n_test)  # none at all has no place on a logarithmic axis
        interval = [[max(0, wrong - (1 - record.ci_high))], [1 - record.ci_low - wrong]]
        name = textwrap.fill(label(record, records), 28, break_long_words=False, break_on_hyphens=False)
        tone, mark = style(record.config.classifier, variant_of(record, records))
        at = getattr(record, cost), wrong
        ax.errorbar(*at, yerr=interval, fmt=mark, markersize=8, capsize=4, color=tone, label=name)
    ax.set(xscale="log", xlabel=AXES[cost], ylabel="accuracy (%)")
    _mistakes_axis(ax)
    ax.margins(x=0.1, y=0.1)
    ax.grid(alpha=0.3)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return ax


def _mistakes_axis(ax):
    """Shares of mistakes, drawn on a logarithmic axis and told as accuracy in percent."""
    ax.set(yscale="log")
    ax.invert_yaxis()
    ax.yaxis.set_major_locator(FixedLocator(TICKS))
    ax.yaxis.set_major_formatter(lambda wrong, _: f"{100 * (1 - wrong):.4g}")
    ax.yaxis.set_minor_locator(NullLocator())


def square(n_classes):
    """Return a new axes in the size that a confusion matrix of so many classes needs."""
    side = min(10, 4.5 + n_classes / 10)
    return figure(side, side)


def confusion(ax, counts, classes):
    """Rows are true classes, columns the answers: shares of the row as shades and, up to 26 classes, counts as figures."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares**0.5, cmap="Blues", vmin=0, vmax=1)  # the root: a share of 1 % is still seen
    few = len(classes) <= 10
    ax.set_xticks(range(len(classes)), classes, fontsize=9 if few else 7)
    ax.set_yticks(range(len(classes)), classes, fontsize=9 if few else 7)
    for row, column in np.argwhere(counts > 0) if len(classes) <= 26 else ():
        tone = "white" if shares[row, column] > 0.4 else "black"
        ax.text(column, row, counts[row, column], ha="center", va="center", fontsize=8 if few else 5.5, color=tone)
    ax.set(xlabel="answer", ylabel="true class")
    return ax


def confusions(counts, classes, most=5):
    """Return the most frequent mistakes in words: '4 as 9: 12 times'."""
    wrong = np.where(np.eye(len(classes), dtype=bool), 0, counts)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [np.unravel_index(i, wrong.shape) for i in order if wrong.flat[i]]
    return [f"{classes[row]} as {classes[column]}: {_times(wrong[row, column])}" for row, column in pairs]


def _times(n):
    return "once" if n == 1 else f"{n} times"


def glyphs(ax, images, captions, columns=8):
    """Images, uint8 (n, 28, 28), in rows of `columns`, each with its caption underneath."""
    step_x, step_y = 34, 42
    for at, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = (at % columns) * step_x, (at // columns) * step_y
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=255, extent=(left, left + 28, top + 28, top))
        ax.text(left + 14, top + 30, caption, ha="center", va="top", fontsize=8)
    ax.set(xlim=(-3, columns * step_x - 3), ylim=(-(-len(captions) // columns) * step_y, -3))
    ax.set_axis_off()
    return ax


def mistakes(ax, images, predictions, classes, most=24):
    """Return the wrong answers of which the model was surest: 'true class → answer, probability'.

    images: uint8 (n, 28, 28), the test split's; predictions: of `records.load_predictions`.
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
    """Accuracy after each epoch: on validation images solid, on the (possibly shifted) training images dotted."""
    for record in records:
        tone, mark = style(record.config.classifier, variant_of(record, records))
        name, epochs = label(record, records), [row["epoch"] for row in record.history]
        for key, line, word in (("val_accuracy", "-" + mark, "validation"), ("accuracy", ":", "training")):
            values = [100 * row[key] for row in record.history]
            ax.plot(epochs, values, line, color=tone, markersize=4, label=f"{name}, {word}")
    ax.set(xlabel="epoch", ylabel="accuracy (%)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
    return ax


def versus(ax, comparison):
    """Rows against columns of a `stats.Comparison`: how many more images the row gets right, and Holm's p underneath.

    Blue: the row is better; orange: worse; grey: no evidence of a difference.
    """
    import seaborn
    from matplotlib.colors import ListedColormap

    from hcrlib.metrics.statistics import ALPHA, p_value

    more = comparison.only - comparison.only.T
    verdict = np.where(comparison.p < ALPHA, np.sign(more), 0)
    words = [
        [f"{m:+,}\n{p_value(p)}" for m, p in zip(*row, strict=True)] for row in zip(more, comparison.p, strict=True)
    ]
    seaborn.heatmap(
        verdict,
        ax=ax,
        annot=words,
        fmt="",
        mask=np.eye(len(more), dtype=bool),
        cmap=ListedColormap(["#f5c27a", "#e6e6e6", "#9ccbe8"]),
        vmin=-1,
        vmax=1,
        cbar=False,
        linewidths=1,
        annot_kws={"fontsize": 8, "color": "black"},
        xticklabels=comparison.names,
        yticklabels=comparison.names,
    )
    ax.tick_params(length=0)
    ax.tick_params(axis="y", rotation=0)
    ax.set(ylabel="images right, row less column")
    return ax


def reliability(ax, records, predictions):
    """Draw how often predictions of a confidence are right; on the diagonal a score is the probability that it claims to be.

    predictions: what `records.load_predictions` answers, one a record. Marks grow with the images in their bin; bins of
    fewer than 10 are omitted as unreliable.
    """
    from hcrlib.metrics import statistics

    ax.plot([0, 1], [0, 1], color="#8c8c8c", linewidth=1, linestyle="--", label="calibrated")
    for record, answers in zip(records, predictions, strict=True):
        table = statistics.reliability(answers).query("images >= 10")
        tone, mark = style(record.config.classifier, variant_of(record, records))
        name = f"{label(record, records)}, ECE {100 * statistics.calibration_error(answers):.1f} %"
        ax.plot(table.confidence, table.accuracy, color=tone, linewidth=1, alpha=0.7)
        sizes = 15 + 120 * np.sqrt(table.images / table.images.sum())
        ax.scatter(table.confidence, table.accuracy, sizes, color=tone, marker=mark, label=name)
    ax.set(xlabel="confidence: score of the answer", ylabel="share of right answers", xlim=(0, 1.02), ylim=(0, 1.02))
    ax.grid(alpha=0.3)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return ax


def rejection(ax, records, predictions, most=0.3):
    """Accuracy of the answers that are left when the least confident images are answered "?", up to a share of `most`."""
    from hcrlib.metrics import statistics

    for record, answers in zip(records, predictions, strict=True):
        table = statistics.rejection(answers).query("rejected <= @most")
        wrong = np.maximum(1 - table.accuracy, 0.5 / record.n_test)  # none at all has no place on a logarithmic axis
        tone, _ = style(record.config.classifier)
        line = ("-", "--", ":", "-.")[variant_of(record, records) % 4]
        ax.plot(100 * table.rejected, wrong, line, color=tone, label=label(record, records))
    ax.set(xlabel='answered "?" (% of the images)', ylabel="accuracy of the other answers (%)")
    _mistakes_axis(ax)
    ax.grid(alpha=0.3)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return ax


def class_scores(ax, table):
    """Recall and precision of each class, the class that is found worst first; table: of `stats.by_class`."""
    table = table.sort_values("recall", kind="stable").reset_index(drop=True)
    at = np.arange(len(table))
    ax.vlines(
        at,
        100 * table[["recall", "precision"]].min(axis=1),
        100 * table[["recall", "precision"]].max(axis=1),
        "#cccccc",
    )
    ax.plot(at, 100 * table.recall, "o", color="#0072b2", markersize=5, label="recall: of this class, found")
    ax.plot(at, 100 * table.precision, "D", color="#e69f00", markersize=4, label="precision: of these answers, right")
    ax.set_xticks(at, table["class"], fontsize=9 if len(table) <= 26 else 7)
    ax.set(xlabel="class", ylabel="%")
    ax.grid(alpha=0.3, axis="y")
    ax.legend(fontsize="small")
    return ax
