"""Manage a run's folder: replace results atomically, and recover from killed attempts."""

import contextlib
import os
import shutil
from pathlib import Path

from hcrlib import records
from hcrlib.core import paths
from hcrlib.core.errors import RunError
from hcrlib.records import RunConfig, RunRecord
from hcrlib.records.storage import NEW

LOCK = ".lock"
CHECKPOINT = "checkpoint", "checkpoint.old"  # the second one remains after a kill between two renames


def swap(folder: Path) -> None:
    """Replace an earlier run with the one in NEW; its record is removed first and the new one moved last.

    This only renames files: it works on a full disk, and after a kill the same call completes it.
    """
    (folder / "record.json").unlink(missing_ok=True)
    for path in sorted((folder / NEW).iterdir(), key=lambda path: path.name == "record.json"):
        if path.is_dir():
            shutil.rmtree(folder / path.name, ignore_errors=True)
        os.replace(path, folder / path.name)
    shutil.rmtree(folder / NEW)


def settle(folder: Path) -> None:
    """Complete a swap that was interrupted by a kill."""
    if (folder / NEW / "record.json").exists():
        swap(folder)


def finished(config: RunConfig) -> RunRecord | None:
    """Return the configuration's finished record, or None."""
    with contextlib.suppress(RunError):  # a damaged record counts as missing
        record = records.find(config)
        return record if record and record.status == "finished" else None
    return None


def finished_run(runs: Path, run: str) -> tuple[RunRecord, Path]:
    """Return the record and the folder of a run below `runs` by its id, of a model of the zoo by its name, or of a bundle.

    Raises RunError unless it is finished.
    """
    places = runs / run, *(zoo / run for zoo in paths.zoo_roots()), Path(run)
    folder = next((place for place in places if (place / "record.json").is_file()), places[0])
    record = records.read(folder)
    if record.status != "finished":
        raise RunError(f"This run is not finished but {record.status}", where=run, hint=record.reason)
    return record, folder
