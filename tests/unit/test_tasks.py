"""A task is one folder: a tiny third one is added, trained, recorded, ranked, tuned and read back."""

import json
import sys
import textwrap

import pytest

import hcrlib as hcr
from hcrlib import records, tasks
from hcrlib.core.errors import ConfigError
from hcrlib.models._base import LEARNERS
from hcrlib.plotting import style
from hcrlib.reporting import leaderboard
from hcrlib.runs import comparison
from hcrlib.tuning import search

TASK = '''
"""How much ink an image has: a regression."""

import dataclasses

import numpy as np

from hcrlib import runtime
from hcrlib.datasets import Dataset
from hcrlib.models import Learner
from hcrlib.tasks.base import Task


class Ink(Task):
    name = "ink"
    unit = "image"
    primary = "mae"
    higher_is_better = False
    data = Dataset
    train_notebook = compare_notebook = "none.ipynb"


@dataclasses.dataclass(kw_only=True)
class Shrunk(Learner):
    """The share of ink in the image, shrunk towards the mean."""

    name = "shrunk"
    task = "ink"
    runtime_model = runtime.CharacterModel
    preprocess = ["scale"]
    space = {"keep": [0.5, 1.0]}

    keep: float = 1.0

    def fit(self, images, ink):
        self.engine, self.mean = "numpy", float(ink.mean())

    def save(self, folder):
        (folder / "mean.txt").write_text(str(self.mean))

    def load(self, folder):
        self.mean = float((folder / "mean.txt").read_text())
'''
MEASURING = """
import numpy as np

from hcrlib.records import Metric


def check(record, train, data): ...


def subset(split, n, seed):
    return split.take(np.arange(n))


def ink(split):
    return split.images.mean(axis=(1, 2)) / 255


def prepare(pipeline, split):
    return pipeline.apply(split.images), ink(split)


def fit(learner, train, val, context):
    learner.fit(*train)


def predict(learner, prepared, classes):
    return learner.mean + learner.keep * (prepared[0].mean(axis=(1, 2)) - learner.mean)


def validation(outputs, split):
    return {"val_mae": Metric(float(np.abs(outputs - ink(split)).mean()))}


def test(outputs, split):
    return {"mae": Metric(float(np.abs(outputs - ink(split)).mean()))}, None


def predictions(outputs, split):
    return {"labels": ink(split), "predicted": outputs}
"""


@pytest.fixture
def ink(tmp_path, monkeypatch):
    """The task, in a folder of its own beside those of hcrlib."""
    folder = tmp_path / "tasks/ink"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(textwrap.dedent(TASK))
    (folder / "measuring.py").write_text(textwrap.dedent(MEASURING))
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path / "tasks")])
    __import__("hcrlib.tasks.ink")
    yield tasks.get("ink")
    tasks.TASKS.remove("ink")
    del LEARNERS["ink"]
    for name in ("hcrlib.tasks.ink", "hcrlib.tasks.ink.measuring"):
        sys.modules.pop(name, None)


def quiet(line):
    """Take a line of progress."""


@pytest.mark.slow
@pytest.mark.filterwarnings(r"ignore:(currentThread|getName)\(\):DeprecationWarning")  # keras-tuner's
def test_a_third_task_is_one_folder(ink):
    runs = [hcr.train("shrunk", budget=100, keep=keep, say=quiet) for keep in (0.5, 1.0)]
    runs.append(hcr.train("dummy", budget=100, say=quiet))
    assert [run.task for run in runs] == ["ink", "ink", "classification"]
    assert runs[1].mae < 1e-6 < runs[0].mae
    assert runs[0].n_errors is None
    again = records.read(runs[0].path)
    assert (again.mae, again.val_mae, again.task) == (runs[0].mae, runs[0].val_mae, "ink")
    assert len(records.load_predictions(again)["predicted"]) == 1000
    assert "mae" in str(again)
    text = leaderboard.render(records.read_all())
    assert "mnist-5k, ink" in text
    assert "mnist-5k, classification" in text
    lines = [line.split()[:2] for line in text.splitlines() if line.startswith("shrunk")]
    assert [words[1] == "keep=0.5" for words in lines] == [False, True]
    assert set(comparison.over_seeds(runs).metric) == {"mae", "accuracy"}
    assert hcr.results().mae.notna().sum() == 2
    best = search.plan("shrunk", budget=100).run(4, quiet).best()
    assert best["params"] == {"keep": 1.0}
    assert best["val_error"] == best["val_mae"]


def test_every_task_names_a_primary_metric_that_it_measures():
    for name in tasks.TASKS.names():
        task = tasks.get(name)
        assert task.primary in task.measured
        assert next(iter(task.columns)) in task.compact
        assert task.learners.names()
    with pytest.raises(ConfigError, match="Did you mean 'recognition'"):
        tasks.get("recogniton")


def test_a_model_without_a_colour_gets_one_of_its_own(ink):
    known = {style.style(name) for name in (*tasks.get("classification").learners.names(), "crnn-small")}
    assert style.style("shrunk") not in known


def test_predictions_of_the_primary_metric_have_a_direction():
    accuracy, cer = tasks.get("classification"), tasks.get("recognition")
    assert accuracy.error(0.75) == 0.25
    assert cer.error(0.25) == 0.25
    config = records.RunConfig("mnist-5k", "knn", {}, ["scale"])
    good, bad = (
        records.RunRecord(config=config, status="finished", metrics={"accuracy": records.Metric(value)})
        for value in (0.9, 0.5)
    )
    assert accuracy.rank(good) < accuracy.rank(bad) < accuracy.rank(good, "val_") == float("inf")
    assert json.dumps(good.to_dict())
