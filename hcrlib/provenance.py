"""Where a number comes from: machine, versions, commit, time."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

PACKAGES = (
    "hcrlib",
    "numpy",
    "scikit-learn",
    "scikit-learn-intelex",
    "faiss-cpu",
    "keras",
    "tensorflow",
    "jax",
    "torch",
)


__version__ = importlib.metadata.version("hcrlib")


def provenance():
    """A dict of plain values; "" or None where something cannot be known."""
    return {
        "utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--", "hcrlib", "pyproject.toml")),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]) if "ipykernel" not in sys.modules else "notebook",
    }


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments):
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(["git", "-C", here, *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
