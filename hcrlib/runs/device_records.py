"""What a board's benchmark measured, read back: results/boards/<board>/<profile>/<engine>/<run's id>/record.json."""

import json
import re
from pathlib import Path

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.runs import records
from hcrlib.runs.records import RunRecord


def add(path):
    """Keeps a record that `runtime.benchmark` wrote and returns it, in the place of one of the same board, engine and run.

    RunError where it cannot be read; ConfigError for a record that no benchmark wrote.
    """
    path = Path(path)
    try:
        record = RunRecord.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise RunError(f"This record cannot be read: {error.strerror}", where=path) from error
    except (ConfigError, RunError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(
            f"This record cannot be read: {error}", where=path, hint="Copy it again from the board"
        ) from error
    measured = record.provenance.get("board")
    facts = measured.get("facts") if isinstance(measured, dict) else None
    if not isinstance(facts, dict) or not all(
        isinstance(word, str) for word in (facts.get("board"), measured.get("kind"))
    ):
        hint = "python3 deploy/jetson/benchmark.py BUNDLE writes them, to board-records/"
        raise ConfigError("This record was not written by the benchmark", where=path, hint=hint)
    place = [
        _slug(part) for part in (facts["board"], measured.get("profile") or "", measured["kind"], *record.id.split("/"))
    ]
    return record.write(root().joinpath(*filter(None, place)))


def root():
    """Where they are kept."""
    return paths.results_root() / "boards"


def read_all():
    """All of them, in the order of their paths."""
    return records.read_all(root())


def _slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
