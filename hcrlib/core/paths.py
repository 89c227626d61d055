"""Where data, results and caches are. Pure functions of the environment: nothing is created here."""

import json
import os
from pathlib import Path

import platformdirs


def project_root() -> Path:
    """Return the checkout that holds `notebooks/` and `params/`, or the current folder where hcrlib was installed alone."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "params").is_dir() else Path.cwd()


def data_root() -> Path | None:
    """Return `HCR_DATA`, or None where it is not set. It is only ever read."""
    value = os.environ.get("HCR_DATA")
    return Path(value).expanduser() if value else None


def here(name: str | Path) -> Path:
    """Return the path on this machine of a folder that a run names: the name itself unless `HCR_SENT` maps it elsewhere.

    A sweep's worker sets that JSON mapping for folders it has received: it may lack the folder, or have another of its name.
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


def runs_root() -> Path:
    """Return the folder of the runs: results/runs/<dataset>/<classifier>/<hash>/."""
    return results_root() / "runs"


def zoo_roots() -> tuple[Path, ...]:
    """Return the folders in which trained models are looked up by name: the results folder's zoo, then the checkout's own."""
    return tuple(dict.fromkeys(root / "zoo" for root in (results_root(), project_root() / "results")))
