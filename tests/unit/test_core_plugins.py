"""Another package adds a model and a dataset through entry points; one that fails to import costs nothing else.

tests/notebooks/test_papermill.py sweeps and draws that model.
"""

import subprocess
import sys

import pytest

from hcrlib.cli import main
from hcrlib.core import plugins
from hcrlib.core.code_hash import code_sha256
from hcrlib.datasets.catalog import DATASETS
from hcrlib.tuning import search

DATASET = """
import numpy as np
from hcrlib.datasets.base import Published, Split
from hcrlib.datasets.catalog import DATASETS, Entry

def load(entry):
    def split(n):
        labels = np.arange(n) % 2
        return Split(np.where(labels[:, None, None] == 1, 200, 20).astype(np.uint8).repeat(28, 1).repeat(28, 2), labels)
    return Published(entry.name, entry.classes, split(100), split(20), "made up", comparable=False)

DATASETS.add("dark-or-light", Entry("dark-or-light", "plug-in", ("dark", "light"), ((100, 20),), load=load))
"""


def hcr(*words):
    """Run `hcr` in a process of its own."""
    command = [sys.executable, "-c", "from hcrlib.cli.main import main; raise SystemExit(main())", *words]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.filterwarnings(r"ignore:(currentThread|getName)\(\) is deprecated:DeprecationWarning:keras_tuner")
def test_a_model_of_another_package_is_trained_and_tuned(loaded_package, results, capsys):
    assert main.main(["doctor"]) == 0
    assert "nearest-mean 1.5: loaded" in capsys.readouterr().out
    assert main.main(["train", "nearest-mean", "--budget", "300"]) == 0
    [record] = results.rglob("record.json")
    assert '"nearest-mean": "1.5"' in record.read_text()
    space = {"temperature": "1..100 log"}
    found = search.search("nearest-mean", budget=300, trials=2, space=space, say=lambda line: None)
    assert list(found.trials().status) == ["finished", "finished"]


def test_a_dataset_of_another_package_is_listed_and_loaded(tmp_path, monkeypatch, capsys, install_package):
    install_package(tmp_path, "two-tones", "[hcrlib.datasets]\ndark-or-light = dark_or_light\n", dark_or_light=DATASET)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugins, "LOADED", [])
    plugins.load("hcrlib.datasets")
    try:
        assert main.main(["data", "list"]) == 0
        assert "dark-or-light" in capsys.readouterr().out
        assert main.main(["train", "knn", "--data", "dark-or-light"]) == 0
        assert "100.0" in capsys.readouterr().out
    finally:
        DATASETS.remove("dark-or-light")
        del sys.modules["dark_or_light"]


@pytest.mark.slow
def test_a_plugin_that_fails_is_named_and_costs_nothing_else(other_package, install_package):
    points = "[hcrlib.models]\nlate = broken_model\ncopy = copycat\n[hcrlib.datasets]\nlost = no_such_module\n"
    copycat = "from hcrlib.models import CLASSIFIERS\nCLASSIFIERS.add('knn', object)\n"
    broken = "raise RuntimeError('made for another version')\n"
    install_package(other_package, "of-somebody", points, broken_model=broken, copycat=copycat)
    done = hcr("train", "nearest-mean", "--budget", "300")
    assert done.returncode == 0, done.stderr
    for name, group, error in (
        ("late", "hcrlib.models", "RuntimeError: made for another version"),
        ("copy", "hcrlib.models", "ConfigError: A classifier named 'knn' already exists"),
        ("lost", "hcrlib.datasets", "ModuleNotFoundError: No module named 'no_such_module'"),
    ):
        assert f"The plug-in '{name}' ({group}) of of-somebody 1.5 cannot be loaded: {error}" in done.stderr
    assert "of-somebody 1.5: RuntimeError: made for another version" in hcr("doctor").stdout


def test_an_installed_plugin_counts_as_code_with_its_version_and_its_source(tmp_path, monkeypatch, install_package):
    def code():
        code_sha256.cache_clear()
        return code_sha256()

    found = [code()]
    install_package(tmp_path, "of-somebody", "[hcrlib.tasks]\nmaps = maps.task\n")
    (tmp_path / "maps").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    for place, text in (("maps/__init__.py", ""), ("maps/task.py", "N = 1"), ("maps/task.py", "N = 2")):
        (tmp_path / place).write_text(text)
        found.append(code())
    metadata = tmp_path / "of_somebody-1.5.dist-info/METADATA"
    metadata.write_text(metadata.read_text().replace("1.5", "1.6"))
    found.append(code())
    assert len(set(found)) == len(found)
    metadata.with_name("entry_points.txt").unlink()
    assert code() == found[0]
