"""The results of benchmarks: results/bench/<name>.json with a figure each, and a page of all of them."""

import dataclasses
import json
import math

from tabulate import tabulate

from hcrlib.core import paths
from hcrlib.core.fileio import write_text
from hcrlib.core.provenance import provenance
from hcrlib.plotting import style

HEADER = """# What the workbench costs

Measured by `hcr bench`, side by side in one run each: medians, with the lowest and the highest in brackets.
"""
# keys of a row: its point, and the ends of its line
DRAWN = (
    ("median_s", "low_s", "high_s"),
    ("p50_ms", "p50_ms", "p99_ms"),
    ("fit_s", None, None),
    ("accuracy", "ci_low", "ci_high"),
    ("cer", "cer_low", "cer_high"),
    ("val_accuracy", "lowest", "highest"),
    ("f1", None, None),
)
AXIS = {
    "p50_ms": "milliseconds, p50 to p99",
    "accuracy": "share read right, 95 % interval",
    "cer": "character error rate",
    "f1": "F1",
    "val_accuracy": "validation accuracy, mean and range of seeds",
}  # otherwise seconds
MANY = 40  # lines of a figure, from which on they are set closer
TONES = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000"  # of models that share the lines


def folder():
    """Return results/bench."""
    return paths.results_root() / "bench"


def save(bench, outcome):
    """Write results/bench/<name>.json and .png atomically; return the path of the JSON file."""
    found = {"name": bench.name, "question": bench.question, **dataclasses.asdict(outcome)}
    found["provenance"] = provenance()
    draw(found)
    path = folder() / f"{bench.name}.json"
    write_text(path, json.dumps(_plain(found), indent=1, allow_nan=False) + "\n")
    return path


def write():
    """Write results/bench/README.md from all saved benchmarks; return its path."""
    parts = [HEADER]
    for path in sorted(folder().glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        made = found["provenance"]
        where = f"{made['cpu']}, {made['cores']} cores, {made['system']}, {made['utc'][:10]}"
        threads = ", ".join(f"{name} {count}" for name, count in made["threads"].items())
        parts.append(
            f"## {found['question']}\n\n`hcr bench {found['name']}`, rounds: {found['runs']}; {where}; threads: {threads}\n\n"
            f"{tables(found, 'pipe')}\n\n![{found['question']}]({found['name']}.png)\n"
        )
    path = folder() / "README.md"
    write_text(path, "\n".join(parts))
    return path


def tables(found, style):
    """Return the ratios, rows and notes of a saved benchmark as text. style: a table format of tabulate."""
    blocks = []
    if found["ratios"]:
        head = "", "ratio", "aim", ""
        met = {True: "reached", False: "missed", None: ""}
        rows = [(r["what"], _spread(r), r["aim"], met[r["met"]]) for r in found["ratios"]]
        blocks.append(tabulate(rows, head, tablefmt=style, disable_numparse=True))
    rows = [{key: _short(value) for key, value in row.items()} for row in found["rows"]]
    blocks.append(tabulate(rows, "keys", tablefmt=style, disable_numparse=True))
    blocks.append("\n".join(f"- {note}" for note in found["notes"]))
    return "\n\n".join(filter(None, blocks))


def draw(found):
    """Draw results/bench/<name>.png: durations on a logarithmic axis, by number of images if the rows have one; or shares."""
    rows = found["rows"]
    path = folder() / f"{found['name']}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    if "predict_us_per_image" in rows[0]:
        return style.save(_growth(rows), path)
    middle, low, high = next(keys for keys in DRAWN if keys[0] in rows[0])
    names = [row["what"] if "how" not in row else f"{row['what']}\n{row['how']}" for row in rows]
    places = {name: at for at, name in enumerate(dict.fromkeys(names))}
    shared = len(places) < len(rows) and all("model" in row for row in rows)  # a line shows several models
    models = list(dict.fromkeys(row["model"] for row in rows)) if shared else [None]
    ax = style.figure(7.5, 1 + (0.2 if len(places) > MANY else 0.32) * len(places))
    for row, name in zip(rows, names, strict=True):
        at = models.index(row["model"]) if shared else 0
        place, tone = places[name] + 0.5 * ((at + 0.5) / len(models) - 0.5), TONES[at % len(TONES)]
        ax.plot(row[middle], place, "o", color=tone, markersize=4 if shared else 6)  # on log axes, bars mean nothing
        if low in row:
            ax.plot([row[low], row[high]], [place, place], color=tone if shared else "black", linewidth=1.2)
    if shared:
        handles = [ax.plot([], [], "o", color=TONES[at % len(TONES)], label=name)[0] for at, name in enumerate(models)]
        ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(models), frameon=False)
    ax.set_yticks(range(len(places)), places)
    ax.set_ylim(len(places) - 0.5, -0.5)
    if middle not in ("accuracy", "cer", "val_accuracy", "f1"):
        ax.set_xscale("log")
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel(AXIS.get(middle, "seconds"))
    return style.save(ax, path)


def _growth(rows):
    """Plot fit and predict times against the number of images, both axes logarithmic: a power law is a straight line."""
    first, second = style.pair()
    for ax, key, says in (
        (first, "fit_s", "seconds to fit"),
        (second, "predict_us_per_image", "µs to predict an image"),
    ):
        for name in dict.fromkeys(row["what"] for row in rows):
            tone, mark = style.style(name)
            points = [(row["images"], row[key]) for row in rows if row["what"] == name]
            ax.plot(*zip(*points, strict=True), color=tone, marker=mark, label=name)
        ax.set(xscale="log", yscale="log", xlabel="training images", ylabel=says)
    second.legend(fontsize=8)
    return second


def _spread(found):
    if found["ratio"] is None or not math.isfinite(found["ratio"]):
        return "?"
    return f"{found['ratio']:.3g}" + (f" ({found['low']:.3g} to {found['high']:.3g})" if "low" in found else "")


def _short(value):
    if not isinstance(value, float):
        return value
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _plain(value):
    """Return a value with NaN and infinities replaced by None, for JSON."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
