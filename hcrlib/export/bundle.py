"""Export a finished run as a bundle, a folder that works without hcrlib; it is measured and verified before it is visible.

A bundle holds manifest.json, README.md (the model card), record.json, labels.txt, golden.npz, model/ (model.json and the
formats) and runtime/, the code that reads images with it. `hcrlib.runtime.bundle` verifies and loads it.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import hcrlib.runtime
from hcrlib import tasks
from hcrlib.core import paths, timing
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.registry import did_you_mean
from hcrlib.datasets import frame_of
from hcrlib.export import model_card
from hcrlib.formats import onnx, tflite
from hcrlib.models import load_model
from hcrlib.records import RunRecord, load_records, read
from hcrlib.runtime import Model, bundle

TIMED = 200  # images predicted one by one
SOURCE = "path/of/this/folder"  # the argument of load_model in the card of a bundle
FORMATS: dict[str, tuple[str, Any]] = {  # file -> (what it is, batch of ONNX or kind of TensorFlow Lite)
    "model.onnx": ("ONNX, any batch", None),
    "model-1.onnx": ("ONNX, batch 1", 1),
    "model.tflite": ("TFLite float32", "float32"),
    "model-float16.tflite": ("TFLite float16", "float16"),
    "model-int8.tflite": ("TFLite int8", "int8"),
}
EXACT = None, 1, "float32"  # formats that must predict the same labels as the trained model


def write(
    run: str,
    to: str | Path | None = None,
    formats: Sequence[str] | None = None,
    with_runtime: bool = True,
    anonymous: bool = False,
    log: Callable[[str], Any] = print,
    why: str = "",
) -> Path:
    """Write a finished run into a new folder, and return its Path.

    Each format predicts the whole test split: those of EXACT must give the labels of the trained model; the manifest states the
    losses of the others.

    Args:
        run: the run's id.
        to: the folder; results/bundles/... by default.
        formats: files of FORMATS; None for all formats of the task; empty to keep the files of the model's own format.
        with_runtime: whether to add the code that reads images with it.
        anonymous: whether to replace the path of a custom dataset by its name.
        log: called with each line of progress.
        why: the reason for choosing this run, for the model card.

    Raises:
        ConfigError: the folder exists, or the run has no model.
        RunError: an exact format predicts other labels; nothing is written then.
    """
    record = read(paths.runs_root() / run)
    if record.id != run.strip("/"):
        raise ConfigError(f"'{run}' is not a run's id", expected=record.id)
    if record.status != "finished":
        raise ConfigError(f"{record.id} has no model: its status is '{record.status}'", hint="See: hcr results")
    tasks.check_code(record)
    folder = Path(to) if to else paths.results_root() / "bundles" / record.id.replace("/", "-")
    if folder.exists():
        raise ConfigError("Output folder already exists", where=folder, hint="Delete it, or name another folder: --to")
    folder.parent.mkdir(parents=True, exist_ok=True)
    source = SOURCE if with_runtime else folder.name
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        new = Path(scratch) / folder.name
        (new / "model").mkdir(parents=True)
        record = tasks.of(record).complete(record)
        model, rows, about = _fill(new, record, formats, log)
        size = rows[0]["bytes"] if rows else sum(f.stat().st_size for f in new.rglob("model/**/*") if f.is_file())
        card = model_card.render(folder.name, record, model, size, rows, source, with_runtime, why)
        (new / "README.md").write_text(card, encoding="utf-8")
        (_anonymous(record) if anonymous else record).write(new)
        if with_runtime:
            code = Path(hcrlib.runtime.__file__).parent
            shutil.copytree(code, new / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
        if rows:
            bundle.write_manifest(new, run=record.id, formats=rows, **about)
            bundle.check_engines(new)
        os.replace(new, folder)  # atomic
    return folder


def best(question: str) -> str:
    """Return the id of the best run of a sweep's results, such as "mnist", by the task's primary metric on validation."""
    question = paths.sweep_name(question)
    folders = {folder.name: folder for folder in paths.sweep_folders(paths.results_root())}
    if (folder := folders.get(question)) is None:
        raise ConfigError(f"There are no results of a sweep '{question}'", hint=did_you_mean(question, sorted(folders)))
    finished = [record for record in load_records(folder) if record.status == "finished"]
    for record in finished:
        if record.task not in tasks.TASKS.names():
            tasks.check_code(record)
    ranked = [(tasks.of(record).rank(record, "val_"), record) for record in finished]
    ranked = [pair for pair in ranked if pair[0] < float("inf")]
    if not ranked:
        raise ConfigError(f"'{question}' has no finished run", hint="Run it: hcr sweep params/NAME.yml")
    record = min(ranked, key=lambda pair: pair[0])[1]
    if not (record.path / "model").is_dir():
        hint = f"Make it: hcr sweep params/{question}.yml"
        raise ConfigError(f"The model of {record.id} is not on this machine", where=record.path, hint=hint)
    return record.id


def measured(folder: str | Path) -> list[dict]:
    """Return the rows of a bundle's formats: what, bytes, accuracy, agreement, largest_difference, ms_p50, or reason."""
    return bundle.verify(folder).get("formats", [])


def _fill(new: Path, record: RunRecord, formats: Sequence[str] | None, log: Callable) -> tuple[Model, list[dict], dict]:
    """Write model/ and, for formats, labels.txt and golden.npz; return the model, the formats' rows, manifest entries."""
    task, source = tasks.of(record), record.path / "model"
    model = load_model(source, frame=frame_of(record.config.dataset))
    if formats is not None and not formats:
        shutil.copytree(source, new / "model", dirs_exist_ok=True)
        return model, [], {}
    data = task.load(record.config.dataset, val_seed=record.data["val_seed"])
    if data.sha256 != record.data["sha256"]:
        expected = record.data["sha256"]
        hint = "The dataset has changed since: train it again"
        raise RunError(
            "The run was made with other data", where=record.id, expected=expected, got=data.sha256, hint=hint
        )
    x = model.pipeline.apply(data.test.images)
    parity = _Parity(task.export, model, data, x, model.learner.scores(x))
    rows = [parity.write(new / "model" / file, log) for file in formats or task.export.FORMATS]
    about = json.loads((source / "model.json").read_text(encoding="utf-8"))
    about |= task.export.about(record, model, data)
    (new / "model/model.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    model = model.from_dict(model.learner, about)
    (new / "labels.txt").write_text("\n".join(record.classes) + "\n", encoding="utf-8")
    np.savez_compressed(new / "golden.npz", **model.golden(task.export.golden(data.val, model.unit)))
    if accompany := getattr(task.export, "accompany", None):
        record.notes += filter(None, [accompany(new / "model", model, data, log)])
    shape = model.open_file(new / "model/model.onnx").shape
    return model, rows, {"input": list(shape)}


class _Parity:
    """Write the formats of a trained model, and compare their predictions of the test split with the model's."""

    def __init__(self, task: ModuleType, model: Model, data: Any, x: Any, expected: Any) -> None:
        self.task, self.model, self.data, self.x, self.expected = task, model, data, x, expected
        self.checked = model.pipeline.apply(task.checked(data.val).images)
        self.calibration = model.pipeline.apply(task.calibration(data))

    def write(self, path: Path, log: Callable[[str], Any]) -> dict[str, Any]:
        """Write one format and return its row; if it cannot be written, the row has the reason."""
        what, how = FORMATS[path.name]
        try:
            if path.suffix == ".onnx":
                onnx.write(self.model.learner, path, self.checked, how)
            else:
                tflite.write(self.model.learner, path, self.calibration, how)
        except (ConfigError, RunError) as error:
            if path.name == "model.onnx" or (isinstance(error, RunError) and path.suffix == ".onnx"):
                raise
            log(f"{what}: left out. {error.what}")
            return {"what": what, "file": None, "bytes": 0, "reason": str(error)}
        row = {"what": what, "file": f"model/{path.name}", "bytes": path.stat().st_size, **self._compared(path)}
        if row["agreement"] < 1 and how in EXACT:
            wrong = round((1 - row["agreement"]) * len(self.x))
            raise RunError(f"{what} gives other answers to {wrong:,} of {len(self.x):,} test images", where=path.name)
        log(f"{what}: {row['bytes'] / 1e6:.2f} MB, same answers {row['agreement']:.2%}, {row['ms_p50']:.2f} ms")
        return row

    def _compared(self, path: Path) -> dict[str, Any]:
        network, model = self.model.open_file(path), self.model
        scores = network.scores(self.x)
        singles = [self.x[index : index + 1] for index in range(min(TIMED, len(self.x)))]
        return {
            **self.task.measure(model.decode(scores), self.data.test, model.classes),
            "largest_difference": model.largest_difference(self.expected, scores),
            "agreement": 1 - model.count_disagreements(self.expected, scores, model.tie) / len(self.x),
            "ms_p50": timing.latency_ms(network.scores, singles)["p50"],
            "engine": network.engine,
        }


def _anonymous(record: RunRecord) -> RunRecord:
    """Return the record with a custom dataset's name instead of its path on this machine."""
    path, name = json.dumps(record.config.dataset)[1:-1], record.data["name"]
    return RunRecord.from_dict(json.loads(json.dumps(record.to_dict()).replace(path, name)))
