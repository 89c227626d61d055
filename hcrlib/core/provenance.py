"""Describe the origin of a result: machine, versions, commit, time."""

import datetime
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from hcrlib.core import plugins
from hcrlib.core.code_hash import code_sha256

PACKAGES = (
    *("hcrlib", "numpy", "scikit-learn", "scikit-learn-intelex", "faiss-cpu"),
    *("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "onnx", "onnxruntime", "tf2onnx"),
)

LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)

__version__ = importlib.metadata.version("hcrlib")


def provenance(config: Any = None) -> dict[str, Any]:
    """Return a dict of plain values; "" or None where something cannot be known. config: the RunConfig, for `repeat`."""
    changed = _git("status", "--porcelain", "--", ":/hcrlib", ":/pyproject.toml")
    return {
        "utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if changed is None else bool(changed),
        "code_sha256": code_sha256(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **machine(),
        "threads": threads(),
        "runs_at_once": 1,  # a sweep's worker writes how many shared its machines, and so the times
        "packages": packages(),
        "repeat": repeat(config) if config else None,
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]) if "ipykernel" not in sys.modules else "notebook",
    }


def threads() -> dict[str, int | str]:
    """Return the number of threads of each loaded library, and the environment variables that limit them.

    TensorFlow's own pool is not among them: it takes all cores unless TF_NUM_INTRAOP_THREADS limits it.
    """
    from threadpoolctl import threadpool_info

    pools = {pool["internal_api"]: pool["num_threads"] for pool in threadpool_info()}
    return {**pools, **{name: os.environ[name] for name in LIMITS if name in os.environ}}


def machine() -> dict[str, Any]:
    """Return the processor's name and the number of cores that this process may use: cpu, cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": _cpu(), "cores": cores}


def repeat(config: Any) -> str:
    """Return the command line of a RunConfig with every parameter written out, so that it outlives changed defaults."""
    command = ["hcr", "train", config.classifier, "--data", config.dataset, "--seed", str(config.seed)]
    command += ["--budget", str(config.budget)] if config.budget is not None else []
    plain = all(isinstance(step, str) for step in config.preprocess) and config.preprocess
    command += ["--preprocess", ",".join(config.preprocess) if plain else json.dumps(config.preprocess)]
    for name, value in sorted(config.params.items()):
        command += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    backend = os.environ.get("KERAS_BACKEND")
    return f"KERAS_BACKEND={backend} {shlex.join(command)}" if backend else shlex.join(command)


def packages() -> dict[str, str]:
    """Return name -> version of the installed libraries, plug-ins included, that results depend on."""
    names = dict.fromkeys([*PACKAGES, *(plugin.distribution for plugin in plugins.LOADED)])
    return {name: found for name in names if (found := version(name))}


def version(package: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(["git", "-C", here, *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
