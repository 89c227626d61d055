"""Small trained models to keep: results/zoo/<name>/ with model/, record.json and README.md, the model's card. One in ONNX is a
bundle: it has golden answers and a manifest, too, and is verified before it is used.

Card: Mitchell et al. 2019, "Model Cards for Model Reporting": what it is, what it was made and tested with, where it fails.
"""

import json
import math
import os
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np

from hcrlib import records
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError
from hcrlib.core.provenance import repeat
from hcrlib.datasets import describe as catalogue
from hcrlib.datasets import frame_of, load_dataset, stratified_take
from hcrlib.export import formats, line_card
from hcrlib.export.line_card import duration, listed, table
from hcrlib.metrics import scores as metrics
from hcrlib.metrics import statistics
from hcrlib.models import load_model
from hcrlib.runs import comparison
from hcrlib.runtime import bundle
from hcrlib.runtime.character_model import UNSURE_BELOW

CHECKED = 1000  # validation images that the network in ONNX must answer like the trained one
GOLDEN = 32  # validation images whose answers every engine has to give
REFUSED = 0.01  # of the right answers on validation images: what the threshold of "?" may cost
SHOWN = 10  # rows of the card's tables
LIMITS = """
- It answers one of its classes to anything: a character of another alphabet, a blot, two touching characters. Answers of a
  low probability are shown as "?": under {threshold} %, unless `read` is told another threshold.
- It was trained on characters that were cut out, boxed and centred. `read` does the same to any picture of one character; of a
  page it can make nothing.
""".strip()
WRITERS = """
- The writers were employees of the US Census Bureau and American high-school students of about 1990: other hands write a 1,
  a 7 or a 9 in other ways.
""".strip()
ALIKE = "O 0", "I 1", "L 1", "I L", "S 5", "Z 2", "l 1", "l I"  # they may have the very same shape


def add(name, run):
    """Copies a finished run to results/zoo/NAME and returns that Path; a network is written as ONNX.

    run: its id. ConfigError for a name that is taken or no name, and for a run without a model.
    """
    place = paths.results_root() / "zoo" / name
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"'{name}' is no name for a model", expected="letters, digits, '-', '_', '.'")
    if place.exists():
        raise ConfigError(f"There is a model '{name}' already", where=place, hint="Delete its folder first")
    record = comparison.completed(records.read(paths.runs_root() / run))
    if record.id != run.strip("/"):
        raise ConfigError(f"'{run}' is no run's id", expected=record.id)
    if record.status != "finished":
        raise ConfigError(f"{record.id} has no model: its status is '{record.status}'", hint="See: hcr results")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".") as scratch:
        new = Path(scratch) / name
        if record.cer is None:
            size, unsure_below, apart = _model(record, new)
            text = card(name, record, size, apart, unsure_below=unsure_below)
        else:
            size, apart = line_card.fill(record, new)
            text = line_card.card(name, record, size, apart)
        _nowhere(record).write(new)
        (new / "README.md").write_text(text, encoding="utf-8")
        if apart is not None:
            bundle.write_manifest(new, run=record.id)
        os.replace(new, place)  # complete, or not there at all
    return place


def _nowhere(record):
    """The record with a user's own data named as it is called, nowhere by its place on this machine."""
    path = json.dumps(record.config.dataset)[1:-1]
    return records.RunRecord.from_dict(json.loads(json.dumps(record.to_dict()).replace(path, record.data["name"])))


def card(name, record, size, apart=None, source=None, unsure_below=UNSURE_BELOW):
    """The model's card, Markdown.

    size: of model/, in bytes. apart: the largest difference of ONNX's probabilities. source: what load_model is given, the
    name unless it says otherwise. unsure_below: the probability under which an answer is "?".
    """
    answers, limits = records.load_predictions(record), LIMITS.format(threshold=f"{100 * unsure_below:.3g}")
    about = next(
        (row for row in catalogue() if row["name"] == record.config.dataset), {}
    )  # nothing of a user's own data
    parts = [
        f"# {name}",
        _what(record, size, apart),
        f'```python\nimport hcrlib\nhcrlib.load_model("{source or name}").read("a-character.png")\n```',
        "## Data",
        *_data(record, about),
        "## Protocol",
        f"Validation images were cut from the training images (share {record.data['val_fraction']:g}, seed "
        f"{record.data['val_seed']}); every choice was made by them. The test split was read once, after it. Seed "
        f"{record.config.seed}; preprocessing: `{json.dumps(record.config.preprocess)}`; {duration(record.fit_s)} on "
        f"{record.provenance.get('cores', '?')} cores ({record.provenance.get('cpu') or 'unknown processor'}).",
        f"```\n{repeat(record.config).replace(record.config.dataset, record.data['name'])}\n```",
        listed(record.notes),
        "## Figures",
        table(("figure", "value"), _figures(record)),
        "## Confusions",
        table(("written", "read as", "images", "of that class"), _confusions(answers, record.classes)),
        "The classes that are found least often:",
        table(("class", "recall", "precision", "images"), _worst(answers, record.classes)),
        "## Limits",
        "\n".join(filter(None, [limits, WRITERS if about else "", _alike(record.classes)])),
        "## Licence",
        "The model is under the project's licence (MIT), its training images under their own"
        + (", above." if about else "."),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _what(record, size, apart):
    parameters = f"{record.n_parameters:,} parameters, " if record.n_parameters else ""
    form = ""
    if apart is not None:
        bound = 10.0 ** math.ceil(math.log10(max(apart, 1e-9)))
        form = f", ONNX (opset {formats.OPSET}), probabilities within {bound:g} of the trained network's"
    return (
        f"{record.config.classifier}, {parameters}{size / 1e6:.2f} MB{form}. {len(record.classes)} classes: "
        f"{' '.join(record.classes)}"
    )


def _data(record, about):
    yield (
        f"{record.data['name']}: {record.n_train:,} images to train on, {record.n_val:,} to choose by, {record.n_test:,} to "
        f"test. Test images: sha256 {record.data['test_sha256'][:12]}."
    )
    told = [f"{key.capitalize()}: {about[key]}." for key in ("source", "licence") if about.get(key)]
    yield listed(told + record.data["notes"])


def _figures(record):
    yield "accuracy", f"{record.accuracy:.2%}: {record.misses:,} misses of {record.n_test:,}"
    yield "95 % interval (Wilson)", f"{record.ci_low:.2%} to {record.ci_high:.2%}"
    yield "among the first three", _percent(record.top3_accuracy)
    yield "mean recall of the classes", _percent(record.balanced_accuracy)
    yield "calibration error (ECE)", _percent(record.calibration_error)
    yield "accuracy on validation images", _percent(record.val_accuracy)


def describe(folder, record, scores, val):
    """Writes a bundle's model.json, with the threshold of "?" and the frame, labels.txt and golden.npz; returns the threshold.

    scores: float32 (n, k), the trained classifier's on the images of `val`, a Split.
    """
    about = json.loads((record.path / "model/model.json").read_text(encoding="utf-8"))
    about["unsure_below"], about["frame"] = threshold(scores, val.labels), frame_of(record.config.dataset)
    (folder / "model/model.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(record.classes) + "\n", encoding="utf-8")
    golden = stratified_take(val.labels, min(GOLDEN, len(val)), 0, "bundle/golden")
    np.savez_compressed(folder / "golden.npz", images=val.images[golden], scores=scores[golden])
    return about["unsure_below"]


def threshold(scores, labels):
    """The probability under which an answer is "?": so many right answers on validation images, REFUSED, lie under it."""
    right = scores.argmax(axis=1) == labels
    return float(np.quantile(scores.max(axis=1)[right], REFUSED)) if right.any() else 1.0


def _model(record, new):
    """Fills a folder; (bytes of model/, threshold of "?", largest difference of ONNX's probabilities, None for no network)."""
    source, model, apart, unsure_below = record.path / "model", new / "model", None, UNSURE_BELOW
    fitted = load_model(source)
    classifier, pipeline = fitted.learner, fitted.pipeline
    model.mkdir(parents=True)
    if classifier.backend == "keras":
        val = load_dataset(record.config.dataset).val
        pixels = pipeline.apply(val.images)
        checked = stratified_take(val.labels, min(CHECKED, len(val)), 0, "zoo")
        apart = formats.write_onnx(classifier, model / "model.onnx", pixels[checked])
        unsure_below = describe(new, record, classifier.scores(pixels), val)
    else:
        shutil.copytree(source, model, dirs_exist_ok=True)
    return sum(file.stat().st_size for file in model.rglob("*") if file.is_file()), unsure_below, apart


def _confusions(answers, classes):
    counts = metrics.confusion(answers["labels"], answers["predicted"], len(classes))
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    for at in np.argsort(-counts, axis=None, kind="stable")[:SHOWN]:
        i, j = np.unravel_index(at, counts.shape)
        if counts[i, j]:
            yield classes[i], classes[j], f"{counts[i, j]:,}", f"{counts[i, j] / totals[i]:.1%}"


def _worst(answers, classes):
    table = statistics.by_class(answers, classes).sort_values("recall", kind="stable")
    for row in table[table.images > 0].head(min(SHOWN, len(classes) // 2)).itertuples():
        yield row[1], f"{row.recall:.1%}", f"{row.precision:.1%}", f"{row.images:,}"


def _alike(classes):
    pairs = [pair.replace(" ", " and ") for pair in ALIKE if {*pair.split()} <= {*classes}]
    told = "- Some classes can have the same shape, and only what stands beside a character tells which it is:"
    return f"{told} {', '.join(pairs)}." if pairs else ""


def _percent(value):
    return "not measured" if value is None else f"{value:.2%}"
