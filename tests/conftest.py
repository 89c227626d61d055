"""What all tests share: temporary folders for results and caches, and the order in which files run."""

import atexit
import json
import math
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from filelock import FileLock

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # before anything imports TensorFlow
WORKER = "PYTEST_XDIST_WORKER" in os.environ
if WORKER:  # each process computes on its share of the cores: two that both use all of them are slower than one
    share = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    for library in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(library, str(share))
if not WORKER:  # the processes of a session share its cache, so that a dataset is built once
    os.environ["HCR_CACHE"] = tempfile.mkdtemp(prefix="hcr-test-cache-")
    atexit.register(shutil.rmtree, os.environ["HCR_CACHE"], ignore_errors=True)
ROOT = Path(__file__).resolve().parents[1]
DURATIONS = ROOT / "tests/durations.json"  # file -> seconds, and slow test -> seconds, written by `make durations`
SLOW = 0.2  # seconds: `make test-fast` leaves out tests that took longer
LONG = 3  # seconds: `make test` leaves out tests that took longer, but for
KEPT = (  # the main paths
    "tests/contract/test_classifiers.py::test_conforms[cnn-basic]",
    "tests/notebooks/test_execution.py::test_it_shows_what_was_committed[00_tour]",
    "tests/unit/test_docs.py::test_what_a_page_shows_runs[docs/howto/own-images.md]",
    "tests/unit/test_docs.py::test_what_a_page_shows_runs[docs/start.md]",
)


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    """The results folder of this test alone."""
    folder = tmp_path / "results"
    monkeypatch.setenv("HCR_RESULTS", str(folder))
    return folder


@pytest.fixture
def eager(monkeypatch):
    """TensorFlow without graphs, in runs too: those of small networks take longer to build than a few steps take."""
    import tensorflow as tf

    monkeypatch.setattr("hcrlib.models._settings.EAGER", True)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A function make_once(name, make) -> folder: all processes of a session share what make(folder) wrote there."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if WORKER else base

    def make_once(name, make):
        folder = base / name
        with FileLock(base / f"{name}.lock"):
            if not folder.exists():
                part = base / f"{name}.part"
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                make(part)
                part.rename(folder)
        return folder

    return make_once


@pytest.fixture(scope="session")
def tiny_cnn(shared):
    """(RunRecord, folder of results) of a small network, trained once a session: copy the folder before you change it."""
    import hcrlib
    from hcrlib import records

    def make(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HCR_RESULTS", str(folder))
            hcrlib.train("cnn-basic", epochs=1, width=4, budget=1000, say=lambda line: None)

    folder = shared("tiny-cnn", make)
    return records.read_all(folder / "runs")[0], folder


@pytest.fixture(scope="session")
def real_data():
    """The folder of official files, or a skip with the reason."""
    root = os.environ.get("HCR_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("HCR_DATA names no folder of official data files")
    return Path(root)


@pytest.fixture
def short_network(monkeypatch):
    """crnn-small has a network that trains in a second: see short_network.py."""
    import short_network

    short_network.install(monkeypatch.setattr)


@pytest.fixture
def install_package():
    """A function that writes what `pip install` of a package writes: install(site, distribution, entry_points, **modules)."""

    def install(site, distribution, entry_points, **modules):
        info = site / f"{distribution.replace('-', '_')}-1.5.dist-info"
        info.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")
        for name, code in modules.items():
            (site / f"{name}.py").write_text(code, encoding="utf-8")

    return install


@pytest.fixture
def other_package(tmp_path, monkeypatch, install_package):
    """The folder where the example package of docs/howto/classifier.md is installed, for this process and those it starts."""
    page = (ROOT / "docs/howto/classifier.md").read_text(encoding="utf-8")
    [module] = re.findall(r"```python\n(\"\"\"The nearest class mean.*?)```", page, re.DOTALL)
    [point] = re.findall(r"^nearest-mean = .*$", page, re.MULTILINE)
    site = tmp_path / "site"
    install_package(site, "nearest-mean", f"[hcrlib.models]\n{point}\n".replace('"', ""), nearest_mean=module)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    from hcrlib.core.code_hash import code_sha256

    code_sha256.cache_clear()  # plug-ins count as code
    yield site
    code_sha256.cache_clear()


@pytest.fixture
def loaded_package(other_package, monkeypatch):
    """The same, and its model is registered in this process."""
    from hcrlib.core import plugins
    from hcrlib.models import CLASSIFIERS

    monkeypatch.setattr(plugins, "LOADED", [])
    plugins.load("hcrlib.models")
    yield other_package
    CLASSIFIERS.remove("nearest-mean")
    del sys.modules["nearest_mean"]


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items):
    """Mark slow and long tests; run new files, then the slowest ones, first, so that no process waits for the last one."""
    seconds = json.loads(DURATIONS.read_text(encoding="utf-8"))
    for item in items:
        of_item = seconds.get(item.nodeid, 0)
        if of_item > SLOW:
            item.add_marker("slow")
        if of_item > LONG and item.nodeid not in KEPT:
            item.add_marker("long")
    # Stable: the order within a file stays.
    items.sort(key=lambda item: -seconds.get(item.path.relative_to(ROOT).as_posix(), math.inf))


took = Counter()  # file or test -> seconds, of this session


def pytest_runtest_logreport(report):
    took[report.nodeid.partition("::")[0]] += report.duration
    if report.when == "call":  # without fixtures: those that several share would be the first one's
        took[report.nodeid] = report.duration


def pytest_sessionfinish():
    if os.environ.get("HCR_DURATIONS") and not WORKER:
        known = json.loads(DURATIONS.read_text(encoding="utf-8"))
        known = {
            name: s for name, s in known.items() if name.partition("::")[0] not in took
        }  # its tests may have other names
        known |= {name: round(s, 2) for name, s in took.items()}
        present = {
            name: s
            for name, s in sorted(known.items())
            if (ROOT / name.partition("::")[0]).exists() and ("::" not in name or s > SLOW)
        }
        DURATIONS.write_text(json.dumps(present, indent=0) + "\n", encoding="utf-8")
