"""A run's folder on disk: what is replaced in one step, what a killed attempt leaves, and who may write."""

import contextlib
import os
import shutil
from pathlib import Path

from hcrlib import records
from hcrlib.core.errors import RunError
from hcrlib.records import RunConfig, RunRecord

LOCK = ".lock"
NEW = "new"  # where a run is complete before it takes the place of an earlier one
CHECKPOINT = "checkpoint", "checkpoint.old"  # the second one: after a kill between two renames


def swap(folder: Path) -> None:
    """Put what was saved in NEW in the place of an earlier run; the record goes first and comes last.

    Nothing but renaming: a full disk does not stop it, and after a kill in between the same call completes it.
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
    """Return the finished record of that configuration, or None."""
    with contextlib.suppress(RunError):  # a damaged one counts as missing
        record = records.find(config)
        return record if record and record.status == "finished" else None
    return None


def finished_run(runs: Path, run: str) -> tuple[RunRecord, Path]:
    """Return the record and the folder of a run's id below `runs`. Raises RunError unless it is finished."""
    folder = runs / run
    record = records.read(folder)
    if record.status != "finished":
        raise RunError(f"This run is not finished but {record.status}", where=run, hint=record.reason)
    return record, folder
