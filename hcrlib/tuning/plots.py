"""Draw the figures of a search: each function draws a Search on an `ax` and returns it.

Better trials are darker (viridis, whose order survives color blindness and grayscale), and the best are thick.
"""

import numpy as np
from matplotlib import colormaps
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator

from hcrlib.tuning.space import Dimension
from hcrlib.tuning.trials import shown

WRONG = "wrong (%)"  # name of the last axis
GHOST = 0.45  # opacity of the other trials' lines
SPREAD = 0.025  # maximum distance between lines through the same choice, as a fraction of the axis


def parallel(ax, search, best=3):
    """Draw parallel coordinates: each trial is a line across one axis per parameter and, at the right, its error.

    Axes are logarithmic where the space is. The `best` trials are thick, named by their number. Failed ones are omitted.
    Raises RunError if no trial has finished.
    """
    rows = search.ranked()
    dimensions = [dimension for dimension in search.space if dimension.varies]
    if search.max_epochs is not None:
        dimensions.append(Dimension("epochs", low=1, high=max(2, search.max_epochs), whole=True))
    errors = [_error(row) for row in rows]
    dimensions.append(_error_axis(errors))
    for rank, (row, tone) in reversed([*enumerate(zip(rows, _tones(errors), strict=True))]):
        places = [_place(dimension, row, row["trial"]) for dimension in dimensions]
        first = rank < best
        style = {"linewidth": 2.6, "zorder": 3} if first else {"linewidth": 1.1, "alpha": GHOST}
        ax.plot(range(len(places)), places, color=tone, marker="o", markersize=5 if first else 3, **style)
    _draw_axes(ax, dimensions)
    _name(ax, rows[:best], dimensions)
    return ax


def cost(ax, search, best=3):
    """Draw the errors of each trial against its seconds, both on log scales; an arrow leads from a trial that
    Hyperband promoted to its longer training. Left is cheaper, up is better. Raises RunError if no trial has finished.
    """
    rows = search.ranked()
    place = {row["trial"]: (row["seconds"], _error(row)) for row in rows}
    for row in rows:
        if row["promoted_from"] in place:
            arrow = {"arrowstyle": "->", "color": "#8c8c8c", "shrinkA": 5, "shrinkB": 5}
            ax.annotate("", place[row["trial"]], place[row["promoted_from"]], arrowprops=arrow)
    for rank, (row, tone) in enumerate(zip(rows, _tones([_error(row) for row in rows]), strict=True)):
        size = 70 if rank < best else 36
        ax.scatter(*place[row["trial"]], size, color=tone, edgecolor="black" if rank < best else "none", zorder=3)
    for rank, row in enumerate(rows[:best]):  # alternate sides: the best trials lie close together
        style = {"xytext": (-7 if rank % 2 else 7, -9 if rank == 2 else 4), "ha": "right" if rank % 2 else "left"}
        ax.annotate(f"trial {row['trial']}", place[row["trial"]], textcoords="offset points", fontsize=8, **style)
    ax.set(xscale="log", yscale="log", xlabel=f"time to fit and to predict the validation {search.task.unit}s (s)")
    ax.set_ylabel(f"wrong of {rows[0]['n_val']:,} validation {search.task.unit}s (%)")
    for axis, values in zip((ax.xaxis, ax.yaxis), zip(*place.values(), strict=True), strict=True):
        axis.set_major_locator(FixedLocator(_marks(values)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_locator(NullLocator())
    ax.invert_yaxis()
    ax.margins(0.12)
    ax.grid(alpha=0.3)
    return ax


def _error(row):
    """Return a trial's error in percent, kept above 0 for the logarithmic axis."""
    return 100 * max(row["val_error"], 0.5 / row["n_val"])


def _tones(errors):
    """Return a color per error by rank, darkest for the lowest. The palest fifth of viridis is too faint on white."""
    _, ranks = np.unique(errors, return_inverse=True)
    return colormaps["viridis"](0.8 * ranks / max(1, ranks.max(initial=0)))


def _error_axis(errors):
    low, high = min(errors), max(errors)
    return Dimension(WRONG, low=low, high=high if high > low else 2 * low, log=True)


def _place(dimension, row, number):
    """Return where a trial's line crosses an axis, 0..1."""
    if dimension.name == WRONG:
        return 1 - dimension.place(_error(row))  # up is better
    value = row["preprocess"] if dimension.name == "preprocess" else row["params"][dimension.name]
    spread = SPREAD * ((number * 0.618) % 1 - 0.5) * 2 if dimension.choices else 0  # the golden ratio spreads evenly
    return dimension.place(value) + spread


def _draw_axes(ax, dimensions):
    """Draw vertical axes with ticks beside them and names above."""
    for x, dimension in enumerate(dimensions):
        ax.vlines(x, 0, 1, color="#555555", linewidth=1, zorder=0)
        for place, label in _ticks(dimension):
            ax.plot([x - 0.02, x], [place, place], color="#555555", linewidth=1, zorder=0)
            _label(ax, x, place, label)
    names = [f"{dimension.name}{', log' * dimension.log}".replace("_", " ") for dimension in dimensions]
    ax.set_xticks(range(len(names)), names, fontsize=9)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set(yticks=[], ylim=(-0.1, 1.1), xlim=(-0.15, len(names) - 1 + 0.55))
    for side in ax.spines.values():
        side.set_visible(False)


def _label(ax, x, place, label):
    """Write a tick's label beside the axis, or beyond its ends, where there are no lines."""
    end = int(place > 0.999) - int(place < 0.001)
    position = (x, place + end * 0.035) if end else (x + 0.05, place)
    style = {"ha": "center" if end else "left", "va": {1: "bottom", 0: "center", -1: "top"}[end]}
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
    ax.text(*position, label, fontsize=8, zorder=4, bbox=box, **style)


def _ticks(dimension):
    """Return [(place, label)]: every choice, or a few round numbers, at least one per decade on a log scale."""
    if dimension.choices is not None:
        return [(dimension.place(choice), shown(choice)) for choice in dimension.choices]
    locator = LogLocator(subs=(1, 3), numticks=99) if dimension.log else MaxNLocator(4, integer=dimension.whole)
    values = locator.tick_values(dimension.low, dimension.high)
    inside = [value for value in values if dimension.low < value < dimension.high]
    ends = [dimension.low, dimension.high]
    inside = [value for value in inside if min(abs(dimension.place(value) - place) for place in (0, 1)) > 0.06]
    turn = dimension.name == WRONG
    return [(abs(turn - dimension.place(value)), f"{value:.3g}") for value in [*ends, *inside]]


def _name(ax, rows, dimensions):
    """Write the best trials' numbers beside the last axis; equal trials share a line, and lines do not overlap."""
    at_place = {}
    for row in rows:
        at_place.setdefault(_place(dimensions[-1], row, row["trial"]), []).append(str(row["trial"]))
    free = 2.0
    for place, numbers in at_place.items():
        free = min(place, free - 0.05)
        word = "trial " if len(numbers) == 1 else "trials "
        ax.text(len(dimensions) - 1 + 0.3, free, word + ", ".join(numbers), fontsize=8, va="center", weight="bold")


def _marks(values):
    """Return some round numbers over the range of the values, for a log scale."""
    low, high = min(values), max(values)
    marks = LogLocator(subs=(1, 2, 5), numticks=99).tick_values(low, high)
    inside = [mark for mark in marks if low * 0.99 <= mark <= high * 1.01]
    return inside if len(inside) > 2 else np.unique([float(f"{value:.2g}") for value in np.geomspace(low, high, 4)])
