"""What is kept of a run: one record.json in the run's folder, written last, so that a folder without it is unfinished.

Numbers carry their unit in the name; rates are 0..1; a measurement that is missing is null, with its reason in `missing`.
"""

import dataclasses
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.fileio import atomic, write_text
from hcrlib.runs.config import RunConfig

SCHEMA = 1


@dataclasses.dataclass(kw_only=True)
class RunRecord:
    """One run: what was asked, what came out, where it comes from.

    status: "finished", "failed" or "skipped", the last two with a `reason`. accuracy is misses of n_test, on the test split,
    which was read once; val_accuracy is what choices are made by. ci_low, ci_high: 95 % Wilson interval of the accuracy.
    balanced_accuracy: the mean recall of the classes; top3_accuracy: the label is among the three highest scores;
    calibration_error: expected difference of confidence and accuracy (ECE, 15 bins).
    predict_us_per_image: the whole test split at once, preprocessing included; predict_ms: one image at a time, percentiles.
    Of words and lines, accuracy is the share that is right as a whole; cer, wer: edits by characters and words that there are,
    greedy decoding, with 95 % bootstrap intervals over lines.
    fit_s: the fit alone, without loading libraries and data (and preprocess_fit_s).
    """

    config: RunConfig
    status: str
    reason: str | None = None
    classes: list | None = None
    n_train: int | None = None
    n_val: int | None = None
    n_test: int | None = None
    misses: int | None = None
    accuracy: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    balanced_accuracy: float | None = None
    top3_accuracy: float | None = None
    calibration_error: float | None = None
    val_accuracy: float | None = None
    val_loss: float | None = None
    fit_s: float | None = None
    preprocess_fit_s: float | None = None
    predict_us_per_image: float | None = None
    predict_ms_p50: float | None = None
    predict_ms_p90: float | None = None
    predict_ms_p99: float | None = None
    n_parameters: int | None = None
    size_bytes: int | None = None
    engine: str | None = None
    cer: float | None = None
    cer_low: float | None = None
    cer_high: float | None = None
    wer: float | None = None
    wer_low: float | None = None
    wer_high: float | None = None
    val_cer: float | None = None
    notes: list = dataclasses.field(default_factory=list)
    missing: dict = dataclasses.field(default_factory=dict)
    history: list = dataclasses.field(default_factory=list)
    data: dict = dataclasses.field(default_factory=dict)
    provenance: dict = dataclasses.field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def id(self):
        """'<dataset>/<classifier>/<hash>'."""
        return self.config.id

    @property
    def measured_on(self):
        """'NVIDIA Jetson Nano, jetson-nano-5w, tensorrt-fp16' where a board's benchmark measured its times, else ''."""
        measured = self.provenance.get("board")
        told = (measured["facts"]["board"], measured.get("profile"), measured["kind"]) if measured else ()
        return ", ".join(filter(None, told))

    @property
    def path(self):
        """The run's folder: record.json, predictions.npz, model/, and the executed notebook of a sweep."""
        return run_path(self.config)

    def __str__(self):
        if self.status != "finished":
            return f"{self.id}: {self.status}: {self.reason}"
        of_lines = "" if self.cer is None else f"CER {self.cer:.2%}, WER {self.wer:.2%}, whole "
        return (
            f"{self.id}: {of_lines}{self.accuracy:.2%} ({self.misses:,} misses of {self.n_test:,}, "
            f"95 % CI {self.ci_low:.2%} to {self.ci_high:.2%}), fit {self.fit_s:.1f} s"
        )

    def to_dict(self):
        """Plain values for JSON."""
        return {"id": self.id, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, values):
        """The record that to_dict described; RunError for another schema."""
        if values.get("schema") != SCHEMA:
            raise RunError(
                "This record is of another schema", expected=SCHEMA, got=values.get("schema"), hint="Run it again"
            )
        values = {key: value for key, value in values.items() if key != "id"}
        return cls(**{**values, "config": RunConfig.from_dict(values["config"])})

    def write(self, folder=None):
        """Writes record.json, atomically; everything else of the run must be there by now. Returns the record."""
        write_text(
            Path(folder or self.path) / "record.json", json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        )
        return self


def run_path(config):
    """results/runs/<dataset>/<classifier>/<hash>; created by whoever writes there."""
    return paths.runs_root() / config.id


def read(path):
    """The RunRecord in a run's folder (or record.json itself); RunError where there is none or it cannot be read."""
    path = Path(path)
    path = path if path.name == "record.json" or not path.is_dir() else path / "record.json"
    try:
        return _parsed(path)
    except FileNotFoundError:
        if path.parent.is_dir():
            raise RunError(
                "There is no record here", where=path, hint="The run is unfinished: start it again"
            ) from None
        raise RunError(
            "There is no such run", where=path.parent, hint="`hcr results` lists the ids of those here"
        ) from None


def _parsed(path):
    try:
        return RunRecord.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ConfigError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(
            f"This record cannot be read: {error}", where=path, hint="Delete its folder, run again"
        ) from error


def find(config, root=None):
    """The record of that configuration, or None where the run is unfinished or was never made; root: None for results/runs."""
    try:
        return _parsed(Path(f"{root or paths.runs_root()}/{config.id}/record.json"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_all(root=None):
    """All records under results/runs (or root), in the order of their paths."""
    root = Path(root or paths.runs_root())
    return [read(path) for path in sorted(root.rglob("record.json"))]


def save_predictions(folder, labels, scores):
    """predictions.npz: labels int64 (n,), scores float16 (n, k) and predicted int64 (n,), the argmax of the full scores."""
    with atomic(Path(folder) / "predictions.npz") as part:
        np.savez_compressed(part, labels=labels, predicted=scores.argmax(axis=1), scores=scores.astype(np.float16))


def save_texts(folder, truth, said):
    """predictions.npz of words or lines: labels and predicted, text (n,)."""
    with atomic(Path(folder) / "predictions.npz") as part:
        np.savez_compressed(part, labels=np.array(truth), predicted=np.array(said))


def load_predictions(record, folder=None):
    """{"labels", "predicted", "scores"} of a finished run, as save_predictions wrote them to its folder."""
    path = Path(folder or record.path) / "predictions.npz"
    if not path.exists():
        raise RunError(f"The predictions of {record.id} are not here", where=path, hint="Run it again on this machine")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"These predictions cannot be read: {error}", where=path, hint="Run it again") from error


def frame(records):
    """A DataFrame, one row a record: configuration and measurements flat, the parameters as JSON text."""
    import pandas as pd

    return pd.DataFrame([_row(record) for record in records])


def check_comparable(records, together=False):
    """RunError, naming both hashes, where two records of one dataset were measured on different test labels.

    together: all of them are to be compared with each other, whatever their datasets are called.
    """
    first: dict[str, Any] = {}
    for record in records:
        if record.status != "finished":
            continue
        known = first.setdefault("" if together else record.config.dataset, record)
        if known.data["test_sha256"] != record.data["test_sha256"]:
            raise RunError(
                f"{known.id} and {record.id} were tested on different data and cannot be compared",
                expected=f"test sha256 {known.data['test_sha256']}",
                got=record.data["test_sha256"],
                hint="Run one of them again on the other's data",
            )


def _row(record):
    values = record.to_dict()
    config, data, made = values.pop("config"), values.pop("data"), values.pop("provenance")
    for nested in ("classes", "history", "missing", "schema"):
        values.pop(nested)
    config["params"] = json.dumps(config["params"], sort_keys=True)
    config["preprocess"] = " ".join(s if isinstance(s, str) else json.dumps(s) for s in config["preprocess"])
    values["notes"] = "; ".join(values["notes"])
    return {
        "id": values.pop("id"),
        "measured_on": record.measured_on,
        **config,
        **values,
        "data_sha256": data.get("sha256"),
        "test_sha256": data.get("test_sha256"),
        **{name: made.get(name) for name in ("utc", "commit", "dirty", "cpu", "cores")},
    }
