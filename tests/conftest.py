"""What all tests share: results and caches go to temporary folders, never into the checkout or the user's own."""

import atexit
import collections
import os
import shutil
import tempfile
from pathlib import Path

import pytest

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # before anything imports TensorFlow
os.environ["HCR_CACHE"] = tempfile.mkdtemp(prefix="hcr-test-cache-")  # one for the session: built sets are built once
atexit.register(shutil.rmtree, os.environ["HCR_CACHE"], ignore_errors=True)


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    """The results folder of this test alone."""
    folder = tmp_path / "results"
    monkeypatch.setenv("HCR_RESULTS", str(folder))
    return folder


@pytest.fixture(scope="session")
def real_data():
    """The folder of official files, or a skip with the reason."""
    root = os.environ.get("HCR_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("HCR_DATA names no folder of official data files")
    return Path(root)


LONGEST = (  # files of over a minute, the longest first
    *("test_training_faults", "test_execution_lines", "test_sweep_faults", "test_classifiers", "test_tune_faults"),
    *("test_execution", "test_runs_recognition", "test_browser", "test_papermill", "test_zoo"),
)


def pytest_collection_modifyitems(items):
    """Files that take longest, then those with the most slow tests come first: the process that ends last then waits little."""
    slow = collections.Counter(item.path for item in items if item.get_closest_marker("slow"))
    first = {stem: at for at, stem in enumerate(LONGEST)}
    # Stable: the order within a file stays.
    items.sort(key=lambda item: (first.get(item.path.stem, len(first)), -slow[item.path]))
