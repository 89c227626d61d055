"""Manage a run's folder: replace results atomically, and recover from killed attempts."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Container
from pathlib import Path
from typing import Any

from hcrlib import records
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.registry import did_you_mean
from hcrlib.models import Learner, named
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


def model_parameters(classifier: str) -> list[str]:
    """Return the parameters of a learner whose values name a trained model: fields with {"model": True} as metadata."""
    return [field.name for field in dataclasses.fields(named(classifier)) if field.metadata.get("model")]


def model_name(name: str, planned: Container[str] | None = ()) -> str:
    """Return the name of a model that a run starts from, such that it is found from every folder.

    The id of a run and the name of a model of the zoo stay as they are; a folder, in the current or the project's folder,
    becomes a run's id if it is below results/runs, else an absolute path. ConfigError if there is no such model.

    planned: ids of runs that will be made before; None if they are not known yet, so that any id may be one.
    """
    is_path = name.startswith((".", "~", os.sep))
    if not is_path and any((root / name / "record.json").is_file() for root in (paths.runs_root(), *paths.zoo_roots())):
        return name
    path = Path(name).expanduser()
    place = next((each for each in (path, paths.project_root() / path) if (each / "record.json").is_file()), None)
    if place is not None:
        place, runs = place.resolve(), paths.runs_root().resolve()
        return place.relative_to(runs).as_posix() if place.is_relative_to(runs) else str(place)
    if not is_path and (planned is None or name in planned):
        return name
    expected = "a run's id, DATASET/MODEL/HASH, a name of `hcr zoo list`, or a bundle's folder with its record.json"
    zoo = sorted(place.parent.name for root in paths.zoo_roots() for place in root.glob("*/record.json"))
    hint = did_you_mean(name, zoo) if zoo else paths.outside_hint()
    raise ConfigError(f"There is no model '{name}' to start from", expected=expected, hint=hint)


def sizes(kind: type[Learner], start: str, planned: Container[str] | None = ()) -> dict[str, Any]:
    """Return the sizes of the network that a run starts from, by parameter; none if it is of another kind or not made yet."""
    with contextlib.suppress(RunError):
        if planned is not None and start not in planned:
            config = finished_run(paths.runs_root(), start)[0].config
            return {name: config.params[name] for name in kind.sizes if config.classifier == kind.name}
    return {}


def finished_run(runs: Path, run: str) -> tuple[RunRecord, Path]:
    """Return the record and the folder of a run below `runs` by its id, of a model of the zoo by its name, or of a bundle.

    Raises RunError unless it is finished.
    """
    places = runs / run, *(zoo / run for zoo in paths.zoo_roots()), Path(run)
    folder = next((place for place in places if (place / "record.json").is_file()), places[0])
    if Path(run).is_absolute() and not (folder / "record.json").is_file():
        hint = "Put the bundle back there, or name another place and train anew"
        raise RunError("The model that this run uses is not here", where=run, expected="its record.json", hint=hint)
    record = records.read(folder)
    if record.status != "finished":
        raise RunError(f"This run is not finished but {record.status}", where=run, hint=record.reason)
    return record, folder
