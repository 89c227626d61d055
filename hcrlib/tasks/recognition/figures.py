"""Figures of recognizers of words and lines: each function draws on an `ax` and returns it."""

import numpy as np
import pandas as pd

from hcrlib.datasets.preview import under_texts
from hcrlib.metrics import scores
from hcrlib.plotting.style import style, variant_of
from hcrlib.records import averaged, by_configuration, label

LIKELY = 0.05  # minimum probability of a character to be shown
NAMES = {" ": "space", "": "nothing"}


def steps(ax, log_probabilities, classes):
    """Draw a network's probabilities at each time step as shades, one row per likely character.

    log_probabilities: float (steps, k + 1), the blank first. classes: the k characters.
    """
    shares = np.exp(log_probabilities)
    rows = [0, *(1 + np.flatnonzero(shares[:, 1:].max(axis=0) > LIKELY))]
    ax.imshow(shares[:, rows].T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_yticks(range(len(rows)), ["blank", *(NAMES.get(classes[at - 1], classes[at - 1]) for at in rows[1:])])
    ax.set(xlabel="time step")
    return ax


def rates(ax, records):
    """Draw character and word error rates with their 95 % intervals, the lowest first.

    A configuration is one row, with the means over its seeds, which are small dots.
    """
    every, groups = records, sorted(by_configuration(records), key=lambda runs: averaged(runs).cer)
    records = [averaged(runs) for runs in groups]
    places = np.arange(len(records))
    for unit, tone, mark, off in (("cer", "#0072b2", "o", -0.1), ("wer", "#d55e00", "s", 0.1)):
        middle, low, high = (np.array([getattr(r, unit + end) for r in records]) for end in ("", "_low", "_high"))
        spread = 100 * np.array([middle - low, high - middle])
        word = {"cer": "characters (CER)", "wer": "words (WER)"}[unit]
        ax.errorbar(100 * middle, places + off, xerr=spread, fmt=mark, color=tone, capsize=4, label=word)
        for at, runs in enumerate(groups):
            if len(runs) > 1:
                dots = [100 * getattr(run, unit) for run in runs]
                ax.plot(dots, [at + off] * len(runs), ".", color=tone, markersize=6, alpha=0.6)
    ax.set_yticks(places, [label(record, every) for record in records])
    ax.set_ylim(len(records) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.set(xlabel="error rate (%), 95 % interval")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(fontsize="small")
    return ax


def learning_curves(ax, records):
    """Draw the character error rate on validation after each epoch.

    The seeds of a configuration are lines of the same look, with one entry in the legend.
    """
    for runs in by_configuration(records):
        tone, mark = style(runs[0].config.classifier, variant_of(runs[0], records))
        look = {"color": tone, "markersize": 4, "linewidth": 1.5 / len(runs) ** 0.5}
        for record in runs:
            rates = [100 * min(row["val_cer"], 1) for row in record.history]
            name = label(record, records) if record is runs[0] else None
            ax.plot([row["epoch"] for row in record.history], rates, "-" + mark, label=name, **look)
    ax.set(xlabel="epoch", ylabel="character error rate, validation (%)", yscale="log")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("{x:g}")
    ax.grid(alpha=0.3, which="both")
    ax.legend(fontsize="small")
    return ax


def by_length(ax, answers, parts=6):
    """Draw character error rates by length of text, in groups of about equal size.

    answers: as `records.load_predictions` returns. parts: maximum number of groups.
    """
    references, hypotheses = answers["labels"], answers["predicted"]
    lengths = np.array([len(text) for text in references])
    edges = np.unique(
        np.quantile(lengths, np.linspace(0, 1, parts + 1)[:-1], method="lower")
    )  # shortest text of each group
    part, names = np.digitize(lengths, edges) - 1, []
    for at in range(len(edges)):
        mine = part == at
        rate, low, high = (100 * value for value in scores.error_rate(hypotheses[mine], references[mine]))
        ax.errorbar(at, rate, yerr=[[rate - low], [high - rate]], fmt="o", color="#0072b2", capsize=4)
        least, most = lengths[mine].min(), lengths[mine].max()
        names.append(f"{least} to {most}" if most > least else str(most))
    ax.set_xticks(range(len(names)), names)
    ax.set_ylim(bottom=0)
    ax.set(xlabel="characters of the text", ylabel="character error rate (%), 95 % interval")
    ax.grid(axis="y", alpha=0.3)
    return ax


def confusion_counts(ax, answers, most=15):
    """Draw the most frequent confusions of characters: true → predicted."""
    found = scores.confusion_counts(answers["predicted"], answers["labels"]).most_common(most)
    places = np.arange(len(found))
    ax.hlines(places, 0, [n for _, n in found], "#cccccc")
    ax.plot([n for _, n in found], places, "o", color="#0072b2")
    ax.set_yticks(places, [f"{NAMES.get(a, a)} → {NAMES.get(b, b)}" for (a, b), _ in found])
    ax.set_ylim(max(len(found), 1) - 0.5, -0.5)
    ax.set(xlabel="times", ylabel="true → predicted")
    ax.grid(axis="x", alpha=0.3)
    return ax


def rates_of(hypotheses, references):
    """Return a DataFrame with a row per name of {name: texts}: CER and WER in percent, with 95 % intervals."""
    columns = {"CER % (95 % interval)": "characters", "WER % (95 % interval)": "words"}

    def cell(texts, unit):
        rate, low, high = scores.error_rate(texts, references, unit)
        return f"{100 * rate:.2f} ({100 * low:.2f} to {100 * high:.2f})"

    rows = [[cell(texts, unit) for unit in columns.values()] for texts in hypotheses.values()]
    return pd.DataFrame(rows, list(hypotheses), list(columns))


def gallery(captioned, columns=1):
    """Draw [(text, image)] with `under_texts` and return the first axes."""
    return under_texts(captioned, columns).axes[0]


def worst(images, answers, most=8):
    """Return [(true text → predicted text, image)] of the texts with the most edits, for `gallery`."""
    pairs = zip(answers["predicted"].tolist(), answers["labels"].tolist(), strict=True)
    wrong = np.array([scores.edits(*pair) for pair in pairs])
    order = [at for at in np.argsort(-wrong, kind="stable")[:most] if wrong[at]]
    captions = [f"{answers['labels'][index]} → {answers['predicted'][index] or '(nothing)'}" for index in order]
    return [(caption, images[index]) for caption, index in zip(captions, order, strict=True)]
