"""Store records in results/runs/<dataset>/<classifier>/<hash>/: record.json, written last, beside predictions.npz.

A folder without a record.json is an unfinished run.
"""

import contextlib
import json
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.fileio import atomic
from hcrlib.records.config import RunConfig
from hcrlib.records.record import FLAT, RunRecord

if TYPE_CHECKING:
    import pandas as pd

NEW = "new"  # subfolder in which a run's results are completed before they replace earlier ones
DAMAGED = ConfigError, RunError, ValueError, TypeError, KeyError, AttributeError


def run_path(config: RunConfig) -> Path:
    """Return results/runs/<dataset>/<classifier>/<hash>, which may not exist."""
    return paths.runs_root() / config.id


def read(path: Path | str) -> RunRecord:
    """Return the record in a run's folder or in a record.json file. Raises RunError if it is missing or unreadable."""
    path = Path(path)
    folder = path.parent if path.name == "record.json" else path
    path = path / "record.json" if path.is_dir() else path
    try:
        return _parsed(path)
    except (FileNotFoundError, NotADirectoryError):
        if folder.is_dir():
            is_run = folder.parent.parent.parent == paths.runs_root()
            hint = (
                "The run is unfinished: start it again"
                if is_run
                else "An id is DATASET/CLASSIFIER/HASH: `hcr results` lists them"
            )
            raise RunError("There is no record here", where=path, hint=hint) from None
        hint = "`hcr results` lists the ids of the runs on this machine"
        raise RunError("There is no such run", where=folder, hint=hint) from None


def find(config: RunConfig, root: Path | None = None) -> RunRecord | None:
    """Return the record of a configuration, or None if the run is unfinished or was never started.

    root: None for results/runs.
    """
    try:
        return _parsed(Path(f"{root or paths.runs_root()}/{config.id}/record.json"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_all(root: Path | str | None = None) -> list[RunRecord]:
    """Return all records under results/runs, or root, in the order of their paths.

    Runs that another process is replacing at this moment are left out.
    """
    root = Path(root or paths.runs_root())
    found = []
    for path in sorted(path for path in root.rglob("record.json") if path.parent.name != NEW):
        with contextlib.suppress(FileNotFoundError):
            found.append(_parsed(path))
    return found


def load_records(folder: Path | str) -> list[RunRecord]:
    """Return the records in a folder's records.jsonl, which sweeps write. Raises RunError if it cannot be read."""
    path = Path(folder) / "records.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [RunRecord.from_dict(json.loads(line)) for line in lines]
    except (OSError, *DAMAGED) as error:
        raise RunError(f"These records cannot be read: {error}", where=path, hint="Run the sweep again") from error


def save_predictions(folder: Path | str, **arrays: np.ndarray) -> None:
    """Write predictions.npz: `labels` and `predicted`, (n,) each, and for characters `scores`, float16 (n, k)."""
    with atomic(Path(folder) / "predictions.npz") as part:
        np.savez_compressed(part, **arrays)  # type: ignore[arg-type]


def load_predictions(record: RunRecord, folder: Path | str | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of a finished run's predictions.npz, see save_predictions. Raises RunError if they cannot be read."""
    path = Path(folder or record.path) / "predictions.npz"
    if not path.exists():
        raise RunError(f"The predictions of {record.id} are missing", where=path, hint="Run it again on this machine")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"These predictions cannot be read: {error}", where=path, hint="Run it again") from error


def frame(records: Iterable[RunRecord]) -> "pd.DataFrame":
    """Return a DataFrame with one row per record: flat configuration and measurements, parameters as JSON text."""
    import pandas as pd

    return pd.DataFrame([_row(record) for record in records])


def check_comparable(records: Iterable[RunRecord], together: bool = False) -> None:
    """Raise RunError, naming both hashes, if two records of one dataset were measured on different test labels.

    together: compare all of them with each other, whatever the names of their datasets.
    """
    first: dict[str, RunRecord] = {}
    for record in records:
        if record.status != "finished":
            continue
        known = first.setdefault("" if together else record.config.dataset, record)
        if known.data["test_sha256"] != record.data["test_sha256"]:
            what = f"{known.id} and {record.id} were tested on different data and cannot be compared"
            expected, hint = f"test sha256 {known.data['test_sha256']}", "Run one of them again on the other's data"
            raise RunError(what, expected=expected, got=record.data["test_sha256"], hint=hint)


def _parsed(path: Path) -> RunRecord:
    try:
        return RunRecord.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except DAMAGED as error:
        hint = getattr(error, "hint", "") or "Delete its folder, run again"
        raise RunError(f"This record cannot be read: {getattr(error, 'what', error)}", where=path, hint=hint) from error


def _row(record: RunRecord) -> dict[str, Any]:
    values = record.to_dict()
    config, data, made = values.pop("config"), values.pop("data"), values.pop("provenance")
    for nested in ("classes", "history", "missing", "schema", "metrics", "device"):
        values.pop(nested)
    config["params"] = json.dumps(config["params"], sort_keys=True)
    config["preprocess"] = " ".join(s if isinstance(s, str) else json.dumps(s) for s in config["preprocess"])
    notes = "; ".join(values.pop("notes"))
    others = {name: metric.value for name, metric in record.metrics.items() if name not in FLAT}
    return {
        "id": values.pop("id"),
        "measured_on": record.measured_on,
        **config,
        **{name: values.pop(name) for name in ("status", "reason", "task")},
        **{name: getattr(record, name) for name in FLAT},
        **others,
        "misses": record.n_errors,
        **values,
        "notes": notes,
        "data_sha256": data.get("sha256"),
        "test_sha256": data.get("test_sha256"),
        **{name: made.get(name) for name in ("utc", "commit", "dirty", "cpu", "cores")},
    }
