"""Weigh the accuracy of networks against what they cost: parameters, bytes, operations, and the time of one image.

Each network is measured as float32, with float16 weights and as int8 (TensorFlow Lite, one image at a time), and with its
smallest weights set to 0 (Han et al. 2015), without training it again.
"""

import tempfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from hcrlib import api
from hcrlib.core.errors import ConfigError
from hcrlib.core.registry import did_you_mean
from hcrlib.core.timing import latency_ms
from hcrlib.datasets import load_dataset
from hcrlib.formats import tflite
from hcrlib.plotting import style
from hcrlib.studies._study import change, measured
from hcrlib.tasks.classification.export import calibration

FORMS = tflite.KINDS
TIMED = 200  # images that are read one by one
MARKS = {"float32": "o", "float16": "s", "int8": "^", "pruned": "x", "distilled": "*"}
COSTS = {  # column -> (label of the axis, whether pruning lowers it)
    "bytes": ("bytes of the file, deflated", True),
    "operations": ("multiplications of one image", False),
    "ms": ("ms of one image, median", False),
}


def table(study, forms, pruned):
    """Return a row per network and form: name, width, form, parameters, operations, bytes, ms and accuracy in %.

    forms: of FORMS; float32, which the others are compared with, is always measured. pruned: shares of the weights to set to 0;
    their ms are nan, since no engine here skips zeros. bytes: of the .tflite file, deflated, as otherwise zeros would save
    none. The float32 of distilled networks is called distilled. Raises ConfigError for an unknown form.
    """
    if unknown := [form for form in forms if form not in FORMS]:
        raise ConfigError(f"There is no form '{unknown[0]}'", hint=did_you_mean(unknown[0], FORMS))
    forms, rows = dict.fromkeys(("float32", *forms)), []
    for run in study.runs:
        about = {"name": study.name(run), "width": run.config.params["width"]}
        for row in measured(run, {"forms": list(forms), "pruned": list(pruned)}, on_forms):
            is_taught = run.config.classifier == "cnn-distilled" and row["form"] == "float32"
            rows.append({**about, **row, "form": "distilled" if is_taught else row["form"]})
    return pd.DataFrame(rows)


def on_forms(run, settings):
    """Return the rows of `table` of one run."""
    model, data = api.load_model(run), load_dataset(run.config.dataset)
    network, x = model.learner.answering(), model.pipeline.apply(data.test.images)
    ranges = model.pipeline.apply(calibration(data))
    same = {"parameters": int(network.count_params()), "operations": operations(network)}
    rows, weights = [], network.get_weights()
    for form, share in [
        *((form, None) for form in settings["forms"]),
        *(("float32", each) for each in settings["pruned"]),
    ]:
        network.set_weights(weights if share is None else prune(weights, share))
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "model.tflite"
            tflite.write(model.learner, path, ranges, form)
            engine, size = model.open_file(path), len(zlib.compress(path.read_bytes(), 9))
            right = float((engine.scores(x).argmax(axis=1) == data.test.labels).mean())
            ms = latency_ms(engine.scores, np.split(x[:TIMED], len(x[:TIMED])))["p50"] if share is None else None
        about = {"form": form} if share is None else {"form": "pruned", "share": share}
        rows.append({**about, **same, "bytes": size, "ms": ms, "accuracy %": 100 * right})
    return rows


def operations(network):
    """Return the multiplications by weights that one image takes in a keras.Model of convolutions and dense layers."""
    total = 0
    for layer in network.layers:
        kernels = sum(int(np.prod(weight.shape)) for weight in layer.weights if len(weight.shape) > 1)
        if kernels:
            total += kernels * int(np.prod(layer.output.shape[1:-1]))
    return total


def prune(weights, share):
    """Return arrays of weights in which that share of those of kernels, the smallest of all layers, is 0; others stay."""
    kernels = np.concatenate([np.abs(array).ravel() for array in weights if array.ndim > 1])
    n = round(share * len(kernels))
    limit = np.partition(kernels, n - 1)[n - 1] if n else -1.0
    return [np.where(np.abs(array) > limit, array, 0) if array.ndim > 1 else array for array in weights]


def front(found, cost):
    """Return the rows that no other beats in one of a cost and the accuracy without losing in the other, the cheapest first."""
    rows = found.dropna(subset=[cost]).sort_values([cost, "accuracy %"], ascending=[True, False], kind="stable")
    return rows[rows["accuracy %"] > rows["accuracy %"].cummax().shift(fill_value=-1)]


def losses(found):
    """Return a row per form: its networks, mean loss of accuracy in points against float32, and mean bytes in % of its.

    Pruned ones are a row for each share.
    """
    exact = found[found.form.isin(["float32", "distilled"])].set_index("name")
    others = found[~found.form.isin(["float32", "distilled"])]
    rows = []
    for (form, share), its in others.groupby(
        ["form", others.get("share", pd.Series(dtype=float))], dropna=False, sort=False
    ):
        base = exact.loc[its.name.to_numpy()]
        lost = base["accuracy %"].to_numpy() - its["accuracy %"].to_numpy()
        bytes_ = 100 * its.bytes.to_numpy() / base.bytes.to_numpy()
        name = form if np.isnan(share) else f"{form} {share:.0%}"
        rows.append((name, len(its), lost.mean(), lost.max(), bytes_.mean()))
    return pd.DataFrame(rows, columns=["form", "networks", "lost", "most lost", "bytes %"])


def distilled(found):
    """Return a row per distilled network that has a twin of its width trained on labels alone: both accuracies, the gain."""
    plain = found[found.form == "float32"].set_index("width")["accuracy %"]
    taught = found[found.form == "distilled"].set_index("width")["accuracy %"]
    rows = [
        (width, plain[width], taught[width], taught[width] - plain[width]) for width in taught.index if width in plain
    ]
    return pd.DataFrame(rows, columns=["width", "labels alone %", "distilled %", "gain"])


def answer(found):
    """Return the answer in sentences, every number of which is computed from `table`."""
    best, cheap = found.loc[found["accuracy %"].idxmax()], front(found, "bytes")
    small = cheap[cheap["accuracy %"] >= best["accuracy %"] - 1].iloc[0]
    text = (
        f"The most accurate is {best['name']} as {best.form} ({best['accuracy %']:.2f} % with {best.bytes:,.0f} bytes, "
        f"deflated). The smallest within a point of it is {small['name']} as {small.form}: {small['accuracy %']:.2f} % with "
        f"{small.bytes:,.0f} bytes and {small.operations:,} multiplications an image."
    )
    for row in losses(found).itertuples():
        text += (
            f" {row.form[0].upper()}{row.form[1:]} {change(-row.lost)} on average, with {row[5]:.0f} % of the bytes."
        )
    if len(gains := distilled(found)):
        text += f" Distillation {change(gains.gain.mean())} on average over {len(gains)} widths."
    return text


def figure(found, cost):
    """Draw accuracy against a cost, a key of COSTS, and the front as a line."""
    label, pruning = COSTS[cost]
    ax, best = style.figure(), front(found if pruning else found[found.form != "pruned"], cost)
    for form, its in found.groupby("form", sort=False):
        if form != "pruned" or pruning:
            look = {"color": f"C{list(MARKS).index(form)}", "markersize": 5, "alpha": 0.8}
            ax.plot(its[cost], its["accuracy %"], MARKS[form], label=form, **look)
    ax.step(best[cost], best["accuracy %"], where="post", color="#8c8c8c", linewidth=1, label="Pareto front")
    ax.set(xscale="log", xlabel=label, ylabel="accuracy (%)", title=f"What accuracy costs: {cost}")
    ax.set_ylim(bottom=max(0, best["accuracy %"].max() - 20), top=best["accuracy %"].max() + 0.5)
    ax.grid(alpha=0.3, which="both")
    ax.legend(fontsize="small")
    return ax
