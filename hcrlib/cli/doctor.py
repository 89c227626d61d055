"""`hcr doctor`: what is installed, which datasets are available, what is missing and how to get it."""

import contextlib
import importlib.metadata
import os
import shutil

from hcrlib.cli._common import add_command

NEEDED = (
    *("numpy", "scikit-learn", "pandas", "matplotlib", "mlxtend", "tensorflow", "keras", "onnxruntime"),
    *("papermill", "jupyterlab"),
)
OPTIONAL = {
    "faiss-cpu": "exact knn in half the time: pip install 'hcrlib[fast]'",
    "scikit-learn-intelex": "the svm in a tenth of the time: pip install 'hcrlib[fast]'",
    "nbval": "the tests of the notebooks: pip install 'hcrlib[test]'",
}


def add_parser(subparsers):
    """Add `doctor` to an argparse subparsers object."""
    summary = "show what is installed, which datasets are available, what is missing and how to get it"
    add_command(subparsers, "doctor", _doctor, summary)


def _doctor(args):
    """Print one line per package, dataset and folder; return 0 if the demo has all it needs."""
    from hcrlib import datasets
    from hcrlib.core import paths

    missing = [name for name in NEEDED if not _print_version(name, "needed: make env")]
    for name, hint in OPTIONAL.items():
        _print_version(name, hint)
    print(f"{'keras backend':22} {os.environ.get('KERAS_BACKEND', 'tensorflow')}\n")
    for row in datasets.describe():
        how = row["here"] or f"not here; get it: hcr data fetch {row['name']}, {row['download_bytes'] / 1e6:,.0f} MB"
        print(f"{row['name']:22} {how}")
    print()
    for name, folder in (("data", paths.data_root()), ("results", paths.results_root()), ("cache", paths.cache_root())):
        print(f"{name:22} {folder or 'HCR_DATA is not set'}{_free_space(folder)}")
    return 1 if missing else 0


def _print_version(package, hint):
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        print(f"{package:22} {importlib.metadata.version(package)}")
        return True
    print(f"{package:22} missing; {hint}")
    return False


def _free_space(folder):
    """Return ', 12.3 GB free' for the disk that a folder is, or will be, on."""
    existing = next((place for place in (folder, *folder.parents) if place.exists()), None) if folder else None
    return f", {shutil.disk_usage(existing).free / 1e9:.1f} GB free" if existing else ""
