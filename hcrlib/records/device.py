"""Records that a board's benchmark wrote: results/boards/<board>/<profile>/<engine>/<run's id>/record.json."""

import json
import re
from pathlib import Path

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.records.record import RunRecord
from hcrlib.records.storage import DAMAGED
from hcrlib.records.storage import read_all as read_all_below


def add(path: Path | str) -> RunRecord:
    """Store a record that `runtime.benchmark` wrote, replacing one of the same board, engine and run, and return it.

    Raises RunError if it cannot be read, ConfigError if no benchmark wrote it.
    """
    path = Path(path)
    try:
        record = RunRecord.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise RunError(f"This record cannot be read: {error.strerror}", where=path) from error
    except DAMAGED as error:
        hint = "Copy it again from the board"
        raise RunError(f"This record cannot be read: {error}", where=path, hint=hint) from error
    device = record.device or {}
    facts = device.get("facts") if isinstance(device, dict) else None
    if not (isinstance(facts, dict) and isinstance(facts.get("board"), str) and isinstance(device.get("kind"), str)):
        hint = "python3 deploy/jetson/benchmark.py BUNDLE writes them, to board-records/"
        raise ConfigError("This record was not written by the benchmark", where=path, hint=hint)
    parts = facts["board"], device.get("profile") or "", device["kind"], *record.id.split("/")
    return record.write(root().joinpath(*filter(None, map(_slug, parts))))


def root() -> Path:
    """Return the folder of the records of boards."""
    return paths.results_root() / "boards"


def read_all() -> list[RunRecord]:
    """Return all records of boards, in the order of their paths."""
    return read_all_below(root())


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
