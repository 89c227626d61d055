"""Bundles: a finished run as one folder that is used without hcrlib, measured and verified before it is visible.

manifest.json, README.md (the model's card), record.json, labels.txt, golden.npz, model/ (model.json and the formats) and
runtime/, the code that reads pictures with it. `hcrlib.runtime.bundle` verifies and loads it.
"""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

import hcrlib.runtime
from hcrlib import export, leaderboard, paths, records, stats, timing, zoo
from hcrlib.datasets import load_dataset, stratified_take
from hcrlib.errors import ConfigError, RunError
from hcrlib.models import stored
from hcrlib.registry import did_you_mean
from hcrlib.runtime import LiteNetwork, Network, bundle

RANGES = 500  # training images that tell an int8 network its ranges
TIMED = 200  # single images
FORMATS = {  # file -> (what it is, batch of ONNX or kind of TensorFlow Lite)
    "model.onnx": ("ONNX, any batch", None),
    "model-1.onnx": ("ONNX, batch 1", 1),
    "model.tflite": ("TFLite float32", "float32"),
    "model-float16.tflite": ("TFLite float16", "float16"),
    "model-int8.tflite": ("TFLite int8", "int8"),
}


def write(run, folder=None, say=print):
    """Writes the bundle of a finished run to a folder that is not there yet, results/bundles/... by default; returns its Path.

    run: its id. Each format answers the whole test split: float32 must give the trained model's every label, what the others
    lose is in the manifest. ConfigError for a folder that is there; RunError, and nothing is left, for a run without a model
    and where a float32 format answers otherwise.
    """
    record = stats.completed(records.read(paths.runs_root() / run))
    if record.status != "finished":
        raise ConfigError(f"{record.id} has no model: its status is '{record.status}'", hint="See: hcr results")
    if record.cer is not None:
        what = f"{record.config.classifier} reads words and lines, which are not written in several formats yet"
        raise ConfigError(what, hint=f"hcr zoo add NAME {record.id}: as ONNX, with its runtime's answers verified")
    folder = Path(folder) if folder else paths.results_root() / "bundles" / record.id.replace("/", "-")
    if folder.exists():
        raise ConfigError("There is something already", where=folder, hint="Delete it, or name another folder: --to")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        new = Path(scratch) / "bundle"
        _fill(new, folder.name, record, say)
        bundle.check_golden(bundle.load(new), new)
        os.replace(new, folder)  # complete, or not there at all
    return folder


def best(question):
    """The id of the best run of a sweep's results, such as "mnist": the highest accuracy on validation images."""
    folder = paths.results_root() / question
    if not (folder / "records.jsonl").is_file():
        there = sorted(path.parent.name for path in paths.results_root().glob("*/records.jsonl"))
        raise ConfigError(f"There are no results of a sweep '{question}'", hint=did_you_mean(question, there))
    found = leaderboard.stored(folder)
    finished = [record for record in found if record.status == "finished" and record.val_accuracy is not None]
    if not finished:
        raise ConfigError(f"'{question}' holds no finished run", hint="hcr sweep params/NAME.yml makes them")
    found = max(finished, key=lambda record: record.val_accuracy)
    if not (found.path / "model").is_dir():
        hint = f"hcr sweep params/{question}.yml makes it"
        raise ConfigError(f"The model of {found.id} is not on this machine", where=found.path, hint=hint)
    return found.id


def measured(folder):
    """The rows of a bundle's formats: what, bytes, accuracy, agreement, largest_difference, ms_p50, or reason."""
    return bundle.verify(folder).get("formats", [])


def _fill(new, name, record, say):
    data = load_dataset(record.config.dataset)
    if data.sha256 != record.data["sha256"]:
        raise RunError(
            "The run was made with other data", where=record.id, expected=record.data["sha256"], got=data.sha256
        )
    classifier, pipeline, _ = stored(record.path / "model")
    model = new / "model"
    model.mkdir(parents=True)
    val, test = (pipeline.apply(part.images) for part in (data.val, data.test))
    ranges = data.train.images[stratified_take(data.train.labels, min(RANGES, len(data.train)), 0, "bundle/ranges")]
    expected = classifier.scores(test)
    checked = stratified_take(data.val.labels, min(zoo.CHECKED, len(val)), 0, "zoo")
    asked = val[checked], pipeline.apply(ranges), test, data.test.labels
    rows = [_format(file, classifier, model, *asked, expected, say) for file in FORMATS]
    unsure_below = zoo.describe(new, record, classifier.scores(val), data.val)
    record.write(new)
    (new / "README.md").write_text(_card(name, record, rows, unsure_below), encoding="utf-8")
    runtime = Path(hcrlib.runtime.__file__).parent
    shutil.copytree(runtime, new / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    given = list(Network(model / "model.onnx").shape)
    bundle.seal(new, run=record.id, input=given, formats=rows)


def _format(file, classifier, folder, val, ranges, test, labels, expected, say):
    """Writes one format and returns its row; where it cannot be written, the row holds the reason."""
    what, how = FORMATS[file]
    path = folder / file
    try:
        if path.suffix == ".onnx":
            export.write_onnx(classifier, path, val, how)
            network = Network(path)
        else:
            export.write_lite(classifier, path, ranges, how)
            network = LiteNetwork(path)
    except (ConfigError, RunError) as error:
        if isinstance(error, RunError) and path.suffix == ".onnx":
            raise
        say(f"{what}: left out. {error.what}")
        return {"what": what, "file": None, "bytes": 0, "reason": str(error)}
    answered = network.scores(test)
    wrong = bundle.otherwise(expected, answered, export.TIE)
    if wrong and how in (None, 1, "float32"):
        raise RunError(f"{what} answers {wrong:,} of {len(test):,} test images otherwise", where=file)
    row = {
        "what": what,
        "file": f"model/{file}",
        "bytes": path.stat().st_size,
        "accuracy": float((answered.argmax(axis=1) == labels).mean()),
        "agreement": 1 - wrong / len(test),
        "largest_difference": float(np.abs(answered - expected).max()),
        "ms_p50": timing.latency_ms(lambda at: network.scores(test[at : at + 1]), range(min(TIMED, len(test))))["p50"],
        "engine": network.engine,
    }
    say(
        f"{what}: {row['bytes'] / 1e6:.2f} MB, accuracy {row['accuracy']:.2%}, other labels: {wrong}, {row['ms_p50']:.2f} ms"
    )
    return row


def _card(name, record, rows, unsure_below):
    told = [
        (
            row["what"],
            f"{row['bytes'] / 1e6:.2f} MB",
            f"{row['accuracy']:.2%}",
            f"{row['agreement']:.3%}",
            f"{row['ms_p50']:.2f}",
        )
        if row["file"]
        else (row["what"], "left out", "", "", "")
        for row in rows
    ]
    table = zoo.table(("format", "size", "accuracy", "same labels", "ms an image"), told)
    use = (
        "```\npython3 -m runtime PICTURE...     # in this folder; needs numpy, Pillow and onnxruntime\n```\n\n"
        f'The threshold of "?" is a probability of {unsure_below:.3f}: of the validation images that are read right, '
        f"{zoo.REFUSED:.0%} lie under it."
    )
    card = zoo.card(name, record, rows[0]["bytes"], source="path/of/this/folder", unsure_below=unsure_below)
    return f"{card}\n## Formats\n\n{table}\n\n## Use\n\n{use}\n"
