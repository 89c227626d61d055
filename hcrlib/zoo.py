"""Small trained models to keep: results/zoo/<name>/ with model/, record.json and README.md, the model's card.

Card: Mitchell et al. 2019, "Model Cards for Model Reporting": what it is, what it was made and tested with, where it fails.
"""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np

from hcrlib import metrics, paths, records, stats
from hcrlib.datasets import describe, load_dataset
from hcrlib.errors import ConfigError
from hcrlib.export import write_onnx
from hcrlib.models import stored

CHECKED = 1000  # validation images that the network in ONNX must answer like the trained one
SHOWN = 10  # rows of the card's tables
LIMITS = """
- It answers one of its classes to anything: a character of another alphabet, a blot, two touching characters. Answers of a
  low probability are shown as "?": under 50 %, unless `read` is told another threshold.
- It was trained on characters that were cut out, boxed and centred. `read` does the same to any picture of one character; of a
  page it can make nothing.
- The writers were employees of the US Census Bureau and American high-school students of about 1990: other hands write a 1,
  a 7 or a 9 in other ways.
""".strip()
ALIKE = "- Some characters have the same shape (O and 0; I, l and 1; S and 5): only what stands beside them tells which."


def add(name, run):
    """Copies a finished run to results/zoo/NAME and returns that Path; a network is written as ONNX.

    run: its id. ConfigError for a name that is taken or no name, and for a run without a model.
    """
    place = paths.results_root() / "zoo" / name
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"'{name}' is no name for a model", expected="letters, digits, '-', '_', '.'")
    if place.exists():
        raise ConfigError(f"There is a model '{name}' already", where=place, hint="Delete its folder first")
    record = stats.completed(records.read(paths.runs_root() / run))
    if record.status != "finished":
        raise ConfigError(f"{record.id} has no model: its status is '{record.status}'", hint="See: hcr results")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".") as scratch:
        new = Path(scratch) / name
        size, apart = _model(record, new / "model")
        record.write(new)
        (new / "README.md").write_text(card(name, record, size, apart), encoding="utf-8")
        os.replace(new, place)  # complete, or not there at all
    return place


def card(name, record, size, apart=None):
    """The model's card, Markdown. size: of model/, in bytes. apart: the largest difference of ONNX's probabilities."""
    data = next((row for row in describe() if row["name"] == record.config.dataset), {})
    answers = records.load_predictions(record)
    parameters = f"{record.n_parameters:,} parameters, " if record.n_parameters else ""
    form = (
        f"ONNX (opset 13), probabilities within {apart:.1g} of the trained network's" if apart is not None else "native"
    )
    lines = [
        f"# {name}",
        f"{record.config.classifier}, {parameters}{size / 1e6:.2f} MB, {form}. {len(record.classes)} classes: "
        f"`{' '.join(record.classes)}`.",
        f'```python\nimport hcrlib\nhcrlib.load_model("{name}").read("a-character.png")\n```',
        "## Data",
        f"{record.config.dataset}: {record.n_train:,} images to train on, {record.n_val:,} to choose by, {record.n_test:,} to "
        f"test. {data.get('traps', '')}".rstrip(),
        "".join(f"{key.capitalize()}: {data[key]}.\n" for key in ("source", "licence") if data.get(key)).rstrip(),
        "## Protocol",
        f"Validation images were cut from the training images (share {record.data['val_fraction']:g}, seed "
        f"{record.data['val_seed']}); every choice was made by them. The test split was read once, after it. Seed "
        f"{record.config.seed}; preprocessing: `{json.dumps(record.config.preprocess)}`. {record.fit_s / 60:.1f} minutes on "
        f"{record.provenance.get('cores', '?')} cores ({record.provenance.get('cpu') or 'unknown processor'}).",
        f"```\n{record.provenance.get('repeat') or 'see record.json'}\n```",
        "## Figures",
        _table(
            ("figure", "value"),
            [
                ("accuracy", f"{record.accuracy:.2%}: {record.misses:,} misses of {record.n_test:,}"),
                ("95 % interval (Wilson)", f"{record.ci_low:.2%} to {record.ci_high:.2%}"),
                ("among the first three", _percent(record.top3_accuracy)),
                ("mean recall of the classes", _percent(record.balanced_accuracy)),
                ("calibration error (ECE)", _percent(record.calibration_error)),
                ("accuracy on validation images", _percent(record.val_accuracy)),
            ],
        ),
        "## Confusions",
        _table(("written", "read as", "images", "of that class"), _confusions(answers, record.classes)),
        "The classes that are found least often:",
        _table(("class", "recall", "precision", "images"), _worst(answers, record.classes)),
        "## Limits",
        f"{LIMITS}\n{ALIKE}" if {*"OISl"} & {*record.classes} else LIMITS,
        "## Licence",
        "The model is under the project's licence (MIT); its training images under theirs, above.",
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def _model(record, folder):
    """Writes model/; (bytes, largest difference of ONNX's probabilities or None where it is no network)."""
    source, apart = record.path / "model", None
    classifier, pipeline, _ = stored(source)
    folder.mkdir(parents=True)
    if getattr(classifier, "backend", "") == "keras":
        images = load_dataset(record.config.dataset).val.images[:CHECKED]
        apart = write_onnx(classifier, folder / "model.onnx", pipeline.apply(images))
        shutil.copy(source / "model.json", folder)
    else:
        shutil.copytree(source, folder, dirs_exist_ok=True)
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()), apart


def _confusions(answers, classes):
    counts = metrics.confusion(answers["labels"], answers["predicted"], len(classes))
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    for at in np.argsort(-counts, axis=None, kind="stable")[:SHOWN]:
        i, j = np.unravel_index(at, counts.shape)
        if counts[i, j]:
            yield classes[i], classes[j], f"{counts[i, j]:,}", f"{counts[i, j] / totals[i]:.1%}"


def _worst(answers, classes):
    table = stats.by_class(answers, classes).sort_values("recall", kind="stable")
    for row in table[table.images > 0].head(min(SHOWN, len(classes) // 2)).itertuples():
        yield row[1], f"{row.recall:.1%}", f"{row.precision:.1%}", f"{row.images:,}"


def _table(heading, rows):
    rows = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def _percent(value):
    return "not measured" if value is None else f"{value:.2%}"
