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
from hcrlib import records
from hcrlib.core import paths, timing
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.registry import did_you_mean
from hcrlib.datasets import load_dataset, load_text, stratified_take
from hcrlib.export import formats as export
from hcrlib.export import line_card, zoo
from hcrlib.metrics import scores
from hcrlib.models import load_model
from hcrlib.runs import comparison
from hcrlib.runtime import LineNetwork, LiteLineNetwork, LiteNetwork, Network, bundle
from hcrlib.runtime._model import count_disagreements

RANGES = 500  # training images that tell an int8 network its ranges
TIMED = 200  # single images
SOURCE = "path/of/this/folder"  # what its card has load_model take
FORMATS = {  # file -> (what it is, batch of ONNX or kind of TensorFlow Lite)
    "model.onnx": ("ONNX, any batch", None),
    "model-1.onnx": ("ONNX, batch 1", 1),
    "model.tflite": ("TFLite float32", "float32"),
    "model-float16.tflite": ("TFLite float16", "float16"),
    "model-int8.tflite": ("TFLite int8", "int8"),
}
EXACT = None, 1, "float32"  # formats that give the trained model's every answer


def write(run, folder=None, say=print):
    """Writes the bundle of a finished run to a folder that is not there yet, results/bundles/... by default; returns its Path.

    run: its id. Each format answers the whole test split: float32 must give the trained model's every label, or text, what the
    others lose is in the manifest. ConfigError for a folder that is there; RunError, and nothing is left, for a run without a
    model and where a float32 format answers otherwise.
    """
    record = comparison.completed(records.read(paths.runs_root() / run))
    if record.status != "finished":
        raise ConfigError(f"{record.id} has no model: its status is '{record.status}'", hint="See: hcr results")
    folder = Path(folder) if folder else paths.results_root() / "bundles" / record.id.replace("/", "-")
    if folder.exists():
        raise ConfigError("There is something already", where=folder, hint="Delete it, or name another folder: --to")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        new = Path(scratch) / "bundle"
        _fill(new, folder.name, record, say)
        bundle.check_engines(new)
        os.replace(new, folder)  # complete, or not there at all
    return folder


def best(question):
    """The id of the best run of a sweep's results, such as "mnist": the highest accuracy on validation images."""
    folder = paths.results_root() / question
    if not (folder / "records.jsonl").is_file():
        there = sorted(path.parent.name for path in paths.results_root().glob("*/records.jsonl"))
        raise ConfigError(f"There are no results of a sweep '{question}'", hint=did_you_mean(question, there))
    found = records.load_records(folder)
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
    (new / "model").mkdir(parents=True)
    kept = (_Characters if record.cer is None else _Lines)(record)
    rows = [_format(new / "model" / file, kept, say) for file in kept.formats]
    card = kept.describe(new, name, rows)
    record.write(new)
    (new / "README.md").write_text(card, encoding="utf-8")
    runtime = Path(hcrlib.runtime.__file__).parent
    shutil.copytree(runtime, new / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    bundle.write_manifest(new, run=record.id, input=kept.input, formats=rows)


def _format(path, kept, say):
    """Writes one format and returns its row; where it cannot be written, the row holds the reason."""
    what, how = FORMATS[path.name]
    try:
        network = kept.written(path, how)
    except (ConfigError, RunError) as error:
        if isinstance(error, RunError) and path.suffix == ".onnx":
            raise
        say(f"{what}: left out. {error.what}")
        return {"what": what, "file": None, "bytes": 0, "reason": str(error)}
    wrong, figures = kept.measured(network)
    if wrong and how in EXACT:
        raise RunError(f"{what} answers {wrong:,} of {len(kept.test):,} test {kept.unit}s otherwise", where=path.name)
    row = {
        "what": what,
        "file": f"model/{path.name}",
        "bytes": path.stat().st_size,
        **figures,
        "agreement": 1 - wrong / len(kept.test),
        "ms_p50": timing.latency_ms(lambda at: kept.answers(network, at), range(min(TIMED, len(kept.test))))["p50"],
        "engine": network.engine,
    }
    others = f"other {kept.answer}s: {wrong}, {row['ms_p50']:.2f} ms"
    say(f"{what}: {row['bytes'] / 1e6:.2f} MB, {kept.figure} {row[kept.key]:.2%}, {others}")
    return row


class _Characters:
    """A run's classifier with what its formats are asked about: `test`, the prepared test split."""

    formats = tuple(FORMATS)
    unit, answer, figure, key = "image", "label", "accuracy", "accuracy"

    def __init__(self, record):
        self.record, self.data = record, _same(record, load_dataset(record.config.dataset))
        model = load_model(record.path / "model")
        self.classifier, self.pipeline = model.learner, model.pipeline
        train, val = self.data.train, self.data.val
        self.val, self.test = (self.pipeline.apply(part.images) for part in (val, self.data.test))
        ranges = stratified_take(train.labels, min(RANGES, len(train)), 0, "bundle/ranges")
        self.ranges = self.pipeline.apply(train.images[ranges])
        self.checked = self.val[stratified_take(val.labels, min(zoo.CHECKED, len(val)), 0, "zoo")]
        self.expected = self.classifier.scores(self.test)

    def written(self, path, how):
        """The network that was written to path."""
        if path.suffix == ".onnx":
            export.write_onnx(self.classifier, path, self.checked, how)
            network = Network(path)
            self.input = list(network.shape)
            return network
        export.write_lite(self.classifier, path, self.ranges, how)
        return LiteNetwork(path)

    def measured(self, network):
        """(how many test images a network answers otherwise, figures of its row)."""
        answered = network.scores(self.test)
        return count_disagreements(self.expected, answered, export.TIE), {
            "accuracy": float((answered.argmax(axis=1) == self.data.test.labels).mean()),
            "largest_difference": float(np.abs(answered - self.expected).max()),
        }

    def answers(self, network, at):
        """A network's answers to one of the test split alone."""
        return network.scores(self.test[at : at + 1])

    def describe(self, new, name, rows):
        """The card; everything else that a bundle tells of its model is written."""
        unsure_below = zoo.describe(new, self.record, self.classifier.scores(self.val), self.data.val)
        use = (
            f'The threshold of "?" is a probability of {unsure_below:.3f}: of the validation images that are read right, '
            f"{zoo.REFUSED:.0%} lie under it."
        )
        card = zoo.card(name, self.record, rows[0]["bytes"], source=SOURCE, unsure_below=unsure_below)
        return _card(card, self, rows, use)


class _Lines:
    """A run's recogniser with what its formats are asked about, in the place of _Characters."""

    formats = tuple(file for file in FORMATS if file != "model-1.onnx")
    answer, figure, key = "text", "character error rate", "cer"

    def __init__(self, record):
        self.record = record
        self.data = _same(record, load_text(record.config.dataset, val_seed=record.data["val_seed"]))
        model = load_model(record.path / "model")
        self.recogniser, pipeline, self.classes = model.learner, model.pipeline, model.classes
        self.unit = self.data.unit.rstrip("s")
        self.input = [pipeline.height, None, 1]
        self.checked = pipeline.apply(self.data.val.images[: line_card.CHECKED])
        self.golden = export.probabilities(self.recogniser, self.checked)
        self.test = pipeline.apply(self.data.test.images)
        self.expected = export.probabilities(self.recogniser, self.test)

    def written(self, path, how):
        if path.suffix == ".onnx":
            export.write_onnx_of_lines(self.recogniser, path, self.checked, self.golden)
            return LineNetwork(path)
        export.write_lite(self.recogniser, path, self.checked, how)
        return LiteLineNetwork(path)

    def measured(self, network):
        """As of _Characters; labels that are within TOLERANCE are both right, for differences add up over steps."""
        answered = export.probabilities(network, self.test)
        pairs = list(zip(self.expected, answered, strict=True))
        truth, said = ([export.best_text(one, self.classes) for one in some] for some in (self.expected, answered))
        other = [a != b for a, b in zip(truth, said, strict=True)]
        wrong = sum(
            count_disagreements(*pair, export.TOLERANCE) > 0
            for pair, differs in zip(pairs, other, strict=True)
            if differs
        )
        return wrong, {
            "accuracy": float(np.mean([a == b for a, b in zip(said, self.data.test.texts, strict=True)])),
            "cer": scores.rate(said, self.data.test.texts),
            "largest_difference": max(float(np.abs(a - b).max()) for a, b in pairs),
        }

    def answers(self, network, at):
        return network.log_probabilities(self.test[at : at + 1])

    def describe(self, new, name, rows):
        line_card.describe(new, self.record, self.data.val, self.golden)
        card = line_card.card(name, self.record, rows[0]["bytes"], rows[0]["largest_difference"], source=SOURCE)
        return _card(card, self, rows)


def _same(record, data):
    """The data, where the run was made with them; RunError for others."""
    if data.sha256 != record.data["sha256"]:
        told, got = record.data["sha256"], data.sha256
        raise RunError("The run was made with other data", where=record.id, expected=told, got=got)
    return data


def _card(card, kept, rows, use=""):
    """A model's card with what its formats lose, and how they are used."""
    told = [
        (
            row["what"],
            f"{row['bytes'] / 1e6:.2f} MB",
            f"{row[kept.key]:.2%}",
            f"{row['agreement']:.3%}",
            f"{row['ms_p50']:.2f}",
        )
        if row["file"]
        else (row["what"], "left out", "", "", "")
        for row in rows
    ]
    heading = "format", "size", kept.figure, f"same {kept.answer}s", f"ms per {kept.unit}"
    how = "```\npython3 -m runtime PICTURE...     # in this folder; needs numpy, Pillow and onnxruntime\n```"
    use = "\n\n".join(filter(None, [how, use]))
    return f"{card}\n## Formats\n\n{zoo.table(heading, told)}\n\n## Use\n\n{use}\n"
