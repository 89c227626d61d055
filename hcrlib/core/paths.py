"""Locate data, results and caches. These are pure functions of the environment: they create nothing."""

import json
import os
from pathlib import Path

import platformdirs

from hcrlib.core.errors import ConfigError
from hcrlib.core.registry import did_you_mean, nearest

PROJECT = "params", "notebooks/10_train.ipynb"  # of a checkout, and not in the installed package


def project_root() -> Path:
    """Return the checkout that hcrlib lies in, else the one that the current folder lies in, else the current folder."""
    own, here = Path(__file__).resolve().parents[2], Path.cwd()
    return own if (own / "params").is_dir() else next(filter(_is_project, (here, *here.parents)), here)


def outside_hint() -> str | None:
    """Return what to do if a file of the project is missing because there is no checkout; None if there is one."""
    if _is_project(project_root()):
        return None
    return "The package alone does not hold params/, notebooks/ and results/: start in a checkout of the project"


def _is_project(folder: Path) -> bool:
    return all((folder / name).exists() for name in PROJECT)


def data_root() -> Path | None:
    """Return `HCR_DATA`, or None if it is not set. The folder is never written to."""
    value = os.environ.get("HCR_DATA")
    return Path(value).expanduser() if value else None


def here(name: str | Path) -> Path:
    """Return the local path of a folder that a run refers to: the name itself unless `HCR_SENT` maps it elsewhere.

    A sweep's worker sets that JSON mapping for folders it has received: it may lack the folder,
    or have a different one by that name.
    """
    return Path(json.loads(os.environ.get("HCR_SENT") or "{}").get(str(name), name))


def cache_root() -> Path:
    """Return `HCR_CACHE`, or the user's cache folder: downloads, imports and built sets; safe to delete."""
    value = os.environ.get("HCR_CACHE")
    return Path(value).expanduser() if value else Path(platformdirs.user_cache_dir("hcrlib", appauthor=False))


def results_root() -> Path:
    """Return `HCR_RESULTS`, or `results/` of the checkout."""
    value = os.environ.get("HCR_RESULTS")
    return Path(value).expanduser() if value else project_root() / "results"


def results_roots() -> tuple[Path, ...]:
    """Return the folders in which records are looked up: the results folder, then the checkout's with the committed ones."""
    return tuple(dict.fromkeys((results_root(), project_root() / "results")))


def sweep_folders(*roots: Path) -> list[Path]:
    """Return the folders with the records of a sweep or a study in results folders; by default, in `results_roots()`."""
    patterns = "*/records.jsonl", "studies/*/records.jsonl"
    return [
        file.parent for root in roots or results_roots() for pattern in patterns for file in sorted(root.glob(pattern))
    ]


def runs_root() -> Path:
    """Return the folder of the runs: results/runs/<dataset>/<classifier>/<hash>/."""
    return results_root() / "runs"


def found(path: str | Path) -> Path:
    """Return the Path of a file that a user named, looked up in the current folder and in the project's.

    Raises ConfigError, with the path as typed and both places, if it is in neither.
    """
    path, root = Path(path), project_root()
    if place := next((place for place in (path, root / path) if place.exists()), None):
        return place
    places = "" if path.is_absolute() else " or ".join(dict.fromkeys(map(str, (Path.cwd(), root))))
    paths = [path for folder in ("params", "params/studies") for path in sorted((root / folder).glob("*.yml"))]
    files = {path.stem: str(path.relative_to(root)) for path in paths}
    likeliest = files.get(nearest(path.stem, files) or "", path)
    hint = did_you_mean(likeliest, files.values()) if files else outside_hint()
    expected = f"a file in {places}" if places else None
    raise ConfigError("There is no such file", where=path, expected=expected, hint=hint)


def sweep_name(source: str | Path) -> str:
    """Return the name of a sweep, given the name itself, its params file or its results folder."""
    return Path(source).name.removesuffix(".yml")


def zoo_roots() -> tuple[Path, ...]:
    """Return the folders in which trained models are looked up by name: the results folder's zoo, then the checkout's."""
    return tuple(root / "zoo" for root in results_roots())
