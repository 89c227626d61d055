"""A search tries what its space allows, as long as Hyperband says, chooses by validation, and never sees a test image."""

import argparse
import contextlib
import dataclasses
import functools
import json
import types

import numpy as np
import pytest
import yaml

import hcrlib as hcr
from hcrlib import datasets
from hcrlib.cli import tune as tune_commands
from hcrlib.cluster import client
from hcrlib.cluster.backend import Cluster
from hcrlib.cluster.jobs import DONE, Outcome
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, HcrError, RunError
from hcrlib.models import CLASSIFIERS, Classifier, named
from hcrlib.models._base import number
from hcrlib.models._keras import quiet_keras
from hcrlib.plotting import style
from hcrlib.runs import runner
from hcrlib.sweeps import plan
from hcrlib.tuning import plots as tuning_plots
from hcrlib.tuning import search as tune
from hcrlib.tuning import trials
from hcrlib.tuning.space import dimensions_of
from hcrlib.tuning.trials import _on_cluster, shown

pytestmark = pytest.mark.filterwarnings(  # keras-tuner 1.4.8 asks for its thread in an old way
    r"ignore:(currentThread|getName)\(\) is deprecated:DeprecationWarning:keras_tuner"
)
TINY = {"k": [1, 3, 5, 7, 9], "weighted": [False, True]}


def quiet(line):
    """For say."""


def knn(**asked):
    return tune.search("knn", **{"budget": 200, "trials": 4, "space": TINY, "say": quiet, **asked})


def figures(search):
    """What a search found, less what differs from run to run."""
    return search.trials().drop(columns="seconds")


@pytest.fixture
def learner(monkeypatch):
    """A stand-in for a network: more accurate, the longer it is trained and the nearer `bend` is to 0.5."""
    monkeypatch.setattr(quiet_keras().backend, "clear_session", lambda: None)  # there are no models to free

    @dataclasses.dataclass(kw_only=True)
    class Learner(Classifier):
        name, backend = "learner", "keras"
        epochs: int = 4
        bend: float = number(0.1, below=1)

        def fit(self, x, y, x_val, y_val, task):
            right = np.arange(len(y_val)) < len(y_val) * (1 - abs(self.bend - 0.5)) * (1 - 0.5 / self.epochs)
            self.answers = np.eye(task.n_classes, dtype=np.float32)[np.where(right, y_val, (y_val + 1) % 10)]

        def scores(self, x):
            return self.answers

        def save(self, folder): ...

        def load(self, folder): ...

    yield Learner
    CLASSIFIERS.remove("learner")


@pytest.mark.parametrize(
    "name", ["cnn-basic", "mlp", "svm", "knn", "linear", "cnn-two-layer", "crnn-small", "crnn-paper"]
)
def test_every_space_of_the_table_is_one_that_its_classifier_takes(name):
    space = dimensions_of(named(name))
    assert [dimension.name for dimension in space] == [*named(name).space]
    assert all(dimension.varies for dimension in space)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"dataset": "mnist-5"}, "Did you mean 'mnist-5k'?"),
        ({"space": {"preproces": [["scale"]]}}, "Did you mean 'preprocess'?"),
        ({"space": {"k": "9..1"}}, "The range of 'k' is not valid"),
        ({"space": {"k": "1..1.5"}}, "knn's parameter 'k' is not valid"),
        ({"space": {"weighted": "false..true"}}, "The range of 'weighted' is not valid"),
        ({"space": {"k": []}}, "The space of 'k' is empty"),
        ({"space": {"k": 3}}, "Nothing varies"),
        ({"space": {"k": [1, "two"]}}, "'two'"),
        ({"space": {"preprocess": ["scale", "deskew"]}}, "a list of lists of steps"),
        ({"space": {"preprocess": [["scale"], ["scale", "skew"]]}}, "no preprocessing step 'skew'"),
        ({"space": ["k"]}, "a mapping of parameters"),
        (
            {"classifier": "dummy"},
            "There is no search space for dummy: it has no parameters",
        ),
        (
            {"classifier": "ensemble"},
            "in " + str(paths.project_root() / "hcrlib/models/ensemble.py"),
        ),
        ({"classifier": "mlp", "space": {"dropout": "0..0.5 log"}}, "above 0, for a log scale"),
        ({"classifier": "mlp", "space": {"epochs": "1..9"}}, "Set max_epochs"),
        ({"classifier": "mlp", "max_epochs": 0}, "mlp's parameter 'epochs' is not valid"),
        ({"max_epochs": 3}, "knn has no epochs"),
        ({"budget": 0}, "'budget' is not valid"),
    ],
)
def test_a_wrong_search_is_refused_before_anything_runs(asked, word, results):
    with pytest.raises(HcrError) as refused:
        tune.search(**{"classifier": "knn", "say": quiet, **asked})
    assert word in str(refused.value)
    assert not (results / "tuning").exists()


def test_a_space_is_suggested_by_defaults_limits_and_choices(monkeypatch):
    """A model of another package is tuned without one of its own."""

    @dataclasses.dataclass(kw_only=True)
    class Suggesting(named("dummy")):
        temperature: float = number(10.0, above=5)
        share: float = number(0.4, below=0.5)
        neighbors: int = 3
        bold: bool = False
        weights: str | None = dataclasses.field(default=None, metadata={"choices": ("balanced",)})
        unknown: float = 0.0
        label: str = "x"

    found = {dimension.name: dimension for dimension in dimensions_of(Suggesting)}
    assert list(found) == ["temperature", "share", "neighbors", "bold", "weights"]
    assert {name: str(dimension) for name, dimension in found.items()} == {
        **{"temperature": "5.5..100 log", "share": "0.04..0.45 log", "neighbors": "1..12 log"},
        **{"bold": "false, true", "weights": "null, balanced"},
    }
    assert found["neighbors"].whole


def test_how_a_space_is_written():
    space = {"c": "1e-1..100 log", "gamma": [0.01, "2e-2"], "calibrated": [True, False], "max_train": "10..20"}
    c, gamma, calibrated, most = tune.plan("svm", space=space).space
    assert (c.low, c.high, c.log, c.whole) == (0.1, 100.0, True, False)
    assert gamma.choices == [0.01, 0.02]
    assert calibrated.choices == [True, False]
    assert (most.low, most.high, most.log, most.whole) == (10, 20, False, True)
    assert [c.place(value) for value in (0.1, 100)] == [0, 1]
    assert c.place(10) == pytest.approx(2 / 3)
    assert most.place(15) == 0.5
    assert [str(dimension) for dimension in (c, calibrated)] == ["0.1..100 log", "true, false"]
    assert shown(["scale", {"blur": {"sigma": 0.7}}, {"blur": {"sigma": 1.0}}]) == "scale+blur+blur(sigma 1)"


@pytest.mark.slow
def test_a_random_search_follows_from_its_seed(tmp_path, monkeypatch):
    first = knn()
    table = first.trials()
    columns = ["trial", "k", "weighted", "val_error", "val_accuracy", "val_loss", "seconds", "status", "reason"]
    assert list(table) == columns
    assert list(table.trial) == [1, 2, 3, 4]
    assert not table.duplicated(["k", "weighted"]).any()
    assert (table.val_error == 1 - table.val_accuracy).all()
    assert first.best()["val_error"] == table.val_error.min()
    assert knn(trials=6).trials().head(4).equals(table)
    assert not figures(knn(seed=1)).equals(figures(first))
    assert knn(seed=1, budget=100).folder != knn(seed=1).folder
    monkeypatch.setenv("HCR_RESULTS", str(tmp_path / "other"))
    assert figures(knn()).equals(figures(first))
    assert len(knn(space={"weighted": [False, True]}, trials=9).rows()) == 2, "all there are"


@pytest.mark.slow
def test_no_test_image_is_read(monkeypatch):
    data = dataclasses.replace(hcr.load_dataset("mnist-5k"), test=None)
    monkeypatch.setattr(datasets, "load", lambda name, **how: data)
    search = knn(space={**TINY, "preprocess": [["scale"], ["scale", "standardize"]]})
    assert list(search.trials().status) == ["finished"] * 4
    assert search.write().exists()


@pytest.mark.slow
def test_the_best_is_a_file_that_a_sweep_takes_and_training_repeats(tmp_path, results):
    search = knn(space={**TINY, "preprocess": [["scale", {"blur": {"sigma": 1}}], ["scale", "deskew"]]})
    best = search.best()
    default, tuned = plan.load(search.folder / "tuned-mnist-5k-knn.yml").configs
    assert (default.params, default.budget) == ({"k": 3, "weighted": True}, 200)
    assert (tuned.params, tuned.preprocess) == (best["params"], best["preprocess"])
    run = hcr.train("knn", budget=200, preprocess=tuned.preprocess, **tuned.params, say=quiet)
    assert (run.val_accuracy, run.val_loss) == (best["val_accuracy"], best["val_loss"])
    assert search.write(tmp_path / "mine.yml").read_text() == (search.folder / "tuned-mnist-5k-knn.yml").read_text()
    assert len((search.folder / "trials.csv").read_text().splitlines()) == 5


@pytest.mark.slow
def test_hyperband_trains_few_long_and_promotes_the_best(learner):
    search = tune.search("learner", max_epochs=9, space={"bend": "0..0.9"}, say=quiet)
    rows = search.rows()
    epochs = [*[1] * 9, *[3] * 3, 9, *[3] * 5, *[9] * 2, *[9] * 3]  # brackets of 9, 5 and 3, a third of which go on
    assert [row["epochs"] for row in rows] == epochs
    assert [row["params"]["epochs"] for row in rows] == epochs
    by_misses = sorted(rows[:9], key=lambda row: row["val_error"])
    assert {row["promoted_from"] for row in rows[9:12]} == {row["trial"] for row in by_misses[:3]}
    for row in rows:
        if row["promoted_from"]:
            before = rows[row["promoted_from"] - 1]
            assert row["params"]["bend"] == before["params"]["bend"]
            assert row["val_error"] < before["val_error"]
    assert search.best()["epochs"] == 9
    assert "epochs" in search.trials()
    short = tune.search("learner", max_epochs=2, trials=3, space={"bend": "0..0.9"}, say=quiet)  # a pass has two
    assert [row["epochs"] for row in short.rows()] == [2, 2, 2]


@pytest.mark.slow
def test_a_network_trains_its_own_number_of_epochs_and_ranges_are_kept(learner):
    assert tune.plan("learner", space={"bend": [0.1, 0.2]}).max_epochs == 4
    assert tune.plan("mlp").max_epochs == 15
    search = tune.search("learner", trials=4, max_epochs=1, space={"bend": "0.12345..0.12354"}, say=quiet)
    assert all(0.12345 <= row["params"]["bend"] <= 0.12354 for row in search.rows())


@pytest.mark.slow
def test_parallel_coordinates_and_cost(learner):
    ax = tuning_plots.parallel(style.figure(), knn())
    lines = [line for line in ax.lines if line.get_marker() == "o"]
    assert len(lines) == 4
    assert sum(line.get_linewidth() > 2 for line in lines) == 3
    assert [label.get_text() for label in ax.get_xticklabels()] == ["k", "weighted", "wrong (%), log"]
    assert any(text.get_text().startswith("trial") for text in ax.texts)
    search = tune.search("learner", max_epochs=3, space={"bend": "0.01..0.9 log"}, say=quiet)
    ax = tuning_plots.parallel(style.figure(), search)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["bend, log", "epochs", "wrong (%), log"]
    assert style.save(ax).data
    ax = tuning_plots.cost(style.figure(), search)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert style.save(ax).data


def command(*words):
    parser = argparse.ArgumentParser()
    tune_commands.add_parser(parser.add_subparsers())
    args = parser.parse_args(["tune", *words])
    return args.func(args)


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    (tmp_path / "space.yml").write_text('k: "1..9"\nweighted: [true, false]\n')
    out = tmp_path / "best.yml"
    words = ["knn", "--budget", "200", "--trials", "3", "--space", str(tmp_path / "space.yml"), "--out", str(out)]
    assert command(*words) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert (
        "random search over knn on mnist-5k, 200 training images:\nk         1..9\nweighted  true, false" in printed.out
    )
    assert f"hcr sweep {out}" in printed.out
    assert yaml.safe_load(out.read_text())["runs"][0] == {"classifier": "knn"}
    with pytest.raises(ConfigError, match="no such file"):
        command("knn", "--space", "nowhere.yml")
    (tmp_path / "space.yml").write_text("k: [1]\nk: [2]")
    with pytest.raises(ConfigError, match="duplicate key 'k'.*space.yml, line 2"):
        command(*words)


def test_without_a_finished_trial_there_is_nothing_to_choose_or_draw():
    search = tune.plan("knn")
    assert len(search.trials()) == 0
    draw = tuning_plots.parallel, tuning_plots.cost
    for ask in (search.best, search.write, *(functools.partial(each, style.figure(), search) for each in draw)):
        with pytest.raises(RunError, match="No trial has finished"):
            ask()


@pytest.mark.slow
def test_a_network_is_measured_as_training_measures_it(capfd):
    space = {"learning_rate": "0.001..0.01 log", "hidden": [16, 32]}
    search = tune.search("mlp", max_epochs=2, trials=2, budget=300, space=space, say=quiet)
    assert capfd.readouterr() == ("", "")
    assert [row["epochs"] for row in search.rows()] == [2, 2]
    best = search.best()
    run = hcr.train("mlp", budget=300, preprocess=best["preprocess"], **best["params"], say=quiet)
    assert run.val_accuracy == best["val_accuracy"]
    assert run.val_loss == pytest.approx(best["val_loss"], abs=1e-6)
    assert not (search.folder / "work").exists()


def test_on_other_images_a_trial_does_not_go_on_from_a_checkpoint():
    ids = []
    calls = types.SimpleNamespace(run=lambda calls: ids.extend(call["id"] for call in calls) or [])
    for content in ("a" * 64, "a" * 64, "b" * 64):
        search = types.SimpleNamespace(config=runner.resolve("knn"), data=types.SimpleNamespace(sha256=content))
        assert list(_on_cluster(search, calls)([{"params": {"k": 3}, "preprocess": ["scale"]}])) == []
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.slow
def test_trials_that_end_in_another_order_are_the_same(learner, tmp_path, monkeypatch):
    """In each of Hyperband's rounds, the last one ends first."""
    rounds = []

    def backwards(calls):
        rounds.append(len(calls))
        for at, call in reversed([*enumerate(calls)]):
            result = trials.measure(call["given"], tmp_path / call["id"])
            yield at, Outcome(DONE, "", packed=json.dumps(result).encode())

    calls = contextlib.nullcontext(types.SimpleNamespace(run=backwards))
    monkeypatch.setattr(client, "Calls", lambda cluster: calls)
    search = tune.plan("learner", max_epochs=3, space={"bend": "0..0.9"})
    alone = figures(search.run(say=quiet))
    monkeypatch.setenv("HCR_RESULTS", str(tmp_path / "elsewhere"))
    assert figures(search.run(say=quiet, cluster=Cluster())).equals(alone)
    assert rounds == [3, 1, 2]


@pytest.mark.weekly
@pytest.mark.slow
def test_a_cluster_makes_the_same_trials_of_a_network(tmp_path, monkeypatch, eager):
    asked = {"budget": 200, "max_epochs": 1, "space": {"hidden": [16, 32], "batch_size": [32, 64]}}
    alone = tune.plan("mlp", **asked).run(2, say=quiet)
    monkeypatch.setenv("HCR_RESULTS", str(tmp_path / "elsewhere"))
    shared = tune.plan("mlp", **asked).run(2, say=quiet, cluster=Cluster(workers=1))
    same = ["trial", "hidden", "batch_size", "epochs", "status"]
    assert shared.trials()[same].equals(alone.trials()[same])
    apart = 400 * (shared.trials().val_error - alone.trials().val_error)  # sums of two threads, or of one
    assert (apart.abs() <= 4).all()
