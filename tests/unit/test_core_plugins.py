"""Another package adds a model and a dataset through entry points; one that fails to import costs nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hcrlib.cli import main
from hcrlib.core import plugins
from hcrlib.datasets.catalog import DATASETS
from hcrlib.models import CLASSIFIERS
from hcrlib.tuning import search

ROOT = Path(__file__).resolve().parents[2]
DATASET = """
import numpy as np
from hcrlib.datasets.base import Split, Whole
from hcrlib.datasets.catalog import DATASETS, Entry

def load(entry):
    def split(n):
        labels = np.arange(n) % 2
        return Split(np.where(labels[:, None, None] == 1, 200, 20).astype(np.uint8).repeat(28, 1).repeat(28, 2), labels)
    return Whole(entry.name, entry.classes, split(100), split(20), "made up", comparable=False)

DATASETS.add("dark-or-light", Entry("dark-or-light", "plug-in", ("dark", "light"), ((100, 20),), load=load))
"""


def install(folder, distribution, entry_points, **modules):
    """Write what `pip install` of a package writes: its modules and a dist-info with its entry points."""
    info = folder / f"{distribution.replace('-', '_')}-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(entry_points)
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(code)


@pytest.fixture
def hcr(tmp_path):
    """A function that runs `hcr` with what is installed in tmp_path/site; it returns the completed process."""
    site = tmp_path / "site"
    example = re.search(
        r"```python\n(\"\"\"The nearest class mean.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S
    )[1]
    points = re.search(
        r"```toml\n\[project\.entry-points\.\"(\S+?)\"\]\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S
    )
    points = f"[{points[1]}]\n{points[2].replace(chr(34), '')}[hcrlib.datasets]\ndark-or-light = dark_or_light\n"
    install(site, "nearest-mean", points, nearest_mean=example, dark_or_light=DATASET)
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])

    def run(*words):
        command = [sys.executable, "-c", "from hcrlib.cli.main import main; raise SystemExit(main())", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})

    run.site = site
    return run


def printed(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def in_process(hcr, monkeypatch):
    """What is installed in tmp_path/site is loaded by this process."""
    monkeypatch.syspath_prepend(hcr.site)
    monkeypatch.setattr(plugins, "LOADED", [])
    for group in ("hcrlib.models", "hcrlib.datasets"):
        plugins.load(group)
    yield
    CLASSIFIERS.remove("nearest-mean")
    DATASETS.remove("dark-or-light")


@pytest.mark.filterwarnings(r"ignore:(currentThread|getName)\(\) is deprecated:DeprecationWarning:keras_tuner")
def test_a_model_and_a_dataset_of_another_package_are_trained_and_tuned(in_process, results, capsys):
    for command, word in {
        "doctor": "nearest-mean 1.5: loaded",
        "data list": "dark-or-light",
        "train nearest-mean --data dark-or-light": "100.0",
    }.items():
        assert main.main(command.split()) == 0
        assert word in capsys.readouterr().out
    [record] = results.rglob("record.json")
    assert '"nearest-mean": "1.5"' in record.read_text()
    space = {"temperature": "1..100 log"}
    found = search.search("nearest-mean", budget=300, trials=2, space=space, say=lambda line: None)
    assert list(found.trials().status) == ["finished", "finished"]


@pytest.mark.slow
def test_a_model_of_another_package_is_swept_and_drawn(hcr, tmp_path, results):
    runs = [{"classifier": "nearest-mean"}, {"classifier": "dummy"}]
    sweep = {"question": "Is it better?", "defaults": {"budget": 300}, "runs": runs}
    (tmp_path / "means.yml").write_text(yaml.safe_dump(sweep))
    assert "nearest-mean" in printed(hcr("sweep", tmp_path / "means.yml"))
    assert "nearest-mean" in (results / "means/leaderboard.md").read_text()
    assert (results / "means/figures/mnist-5k-fit.png").stat().st_size > 5000


def test_a_plugin_that_fails_to_import_is_named_and_costs_nothing_else(hcr):
    points = "[hcrlib.models]\nlate = broken_model\n[hcrlib.datasets]\nlost = no_such_module\n"
    install(hcr.site, "of-somebody", points, broken_model="raise RuntimeError('made for another version')\n")
    done = hcr("train", "nearest-mean", "--budget", "300")
    assert printed(done)
    for name, group in (("late", "hcrlib.models"), ("lost", "hcrlib.datasets")):
        assert f"The plug-in '{name}' ({group}) of of-somebody 1.5 cannot be loaded" in done.stderr
    assert "RuntimeError: made for another version. Update or uninstall of-somebody" in done.stderr
    told = hcr("doctor").stdout
    assert "of-somebody 1.5: RuntimeError: made for another version" in told
    assert "of-somebody 1.5: ModuleNotFoundError: No module named 'no_such_module'" in told


def test_a_plugin_that_takes_a_name_that_exists_is_refused(hcr):
    code = "from hcrlib.models import CLASSIFIERS\nCLASSIFIERS.add('knn', object)\n"
    install(hcr.site, "copycat", "[hcrlib.models]\ncopy = copycat\n", copycat=code)
    done = hcr("train", "knn", "--budget", "300")
    assert printed(done)
    assert "The plug-in 'copy' (hcrlib.models) of copycat 1.5 cannot be loaded: ConfigError" in done.stderr
