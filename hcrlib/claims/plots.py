"""Figures of the ledger of claims: the papers' figures against measured results."""

import numpy as np

from hcrlib.claims import ledger
from hcrlib.core.errors import RunError
from hcrlib.plotting import style

PAPER, HOLDING = "#1a1a1a", "#0072b2"
TONES = {ledger.HOLDS: HOLDING, ledger.FAILS: "#d55e00", ledger.UNDECIDED: "#cc79a7", ledger.OPEN: "#8c8c8c"}


def against_figures(ax, content):
    """Draw accuracies with their intervals beside the papers' figures, a row per claim; content: of claims.json.

    The axis is logarithmic in the error rate. Colors show verdicts; gray decides nothing about the paper, see `reason`.
    """
    rows = [row for row in content["claims"] if row["measure"] == "accuracy" and row["figure"] and row["measured"]]
    for y, row in enumerate(reversed(rows)):
        entry, tone = row["measured"][0], TONES[row["verdict"]]
        wrong, paper = max(1 - entry["value"], 1e-5), 1 - row["figure"]
        bars = [[wrong - (1 - entry["high"])], [1 - entry["low"] - wrong]]
        ax.plot([wrong, paper], [y, y], color="#cccccc", zorder=0)
        ax.errorbar(wrong, y, xerr=bars, fmt="o", color=tone, capsize=3, markersize=6)
        ax.plot(paper, y, marker="|", color=PAPER, markersize=14, markeredgewidth=2)
    ax.set_yticks(range(len(rows)), [row["name"] for row in reversed(rows)])
    ax.set(xscale="log", xlabel="accuracy (%)")
    ax.invert_xaxis()
    ticks = [0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002]
    ax.set_xticks(ticks, [f"{100 * (1 - tick):g}" for tick in ticks])
    ax.minorticks_off()
    ax.grid(alpha=0.3, axis="x")
    marks = [("the paper's figure", "|", PAPER), *((verdict, "o", tone) for verdict, tone in TONES.items())]
    for label, mark, tone in marks:
        ax.plot([], [], linestyle="", marker=mark, color=tone, markersize=8, label=label)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, fontsize=8, frameon=False)
    return ax


def methods(ax, content, names):
    """Draw bars of several methods, in their classifiers' colors, a group per claim; accuracies with their intervals.

    names: claims about one measure whose runs are labeled by method, such as "SVM".
    """
    rows = [_row(content, name) for name in names]
    for group, row in enumerate(rows):
        for place, entry in enumerate(row["measured"]):
            tone, _ = style.style(entry["runs"][0]["id"].split("/")[1])
            share = row["measure"] in ("accuracy", "train_accuracy")
            value = 100 * entry["value"] if share else entry["value"]
            x = group + (place - (len(row["measured"]) - 1) / 2) * 0.28
            ax.bar(x, value, 0.25, color=tone, label=entry["label"] if group == 0 else None)
            top = value
            if entry["low"] is not None:
                low, top = 100 * entry["low"], 100 * entry["high"]
                ax.errorbar(x, value, yerr=[[value - low], [top - value]], color="#1a1a1a", capsize=4)
            ax.text(x, top, f"{value:.2f}" if share else f"{value:.3g}", ha="center", va="bottom", fontsize=8)
    ax.grid(alpha=0.3, axis="y")
    ax.set_axisbelow(True)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def committee(ax, content, name):
    """Draw the accuracy of each member of an ensemble, and that of the ensemble with its interval as a band."""
    row = _row(content, name)
    entry = row["measured"][0]
    alone = [100 * run["alone"] for run in entry["runs"]]
    ax.axhspan(100 * entry["low"], 100 * entry["high"], color=HOLDING, alpha=0.15, label="its 95 % interval")
    ax.axhline(100 * entry["value"], color=HOLDING, label=f"{len(alone)} averaged: {100 * entry['value']:.2f} %")
    figure = 100 * row["figure"]
    ax.axhline(figure, color=PAPER, linestyle="--", label=f"the paper's figure: {figure:.2f} %")
    seeds = [run["seed"] for run in entry["runs"]]
    ax.plot(seeds, alone, "o", color="#0072b2", label=f"each alone: mean {np.mean(alone):.2f} %")
    ax.set(xlabel="seed", ylabel="accuracy (%)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def _row(content, name):
    """Return the claim of a name; RunError if it is missing or was not measured."""
    for row in content["claims"]:
        if row["name"] == name and row["measured"]:
            return row
    raise RunError(f"Nothing was measured for the claim '{name}'", hint="hcr claims")
