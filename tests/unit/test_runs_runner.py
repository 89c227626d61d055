"""From a request to a record: resolution, failure, skipping, what is kept."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import hcrlib as hcr
from hcrlib import records
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.metrics import scores as metrics
from hcrlib.models.knn import Knn
from hcrlib.runs import runner, store

QUIET = {"say": lambda line: None}


@pytest.fixture
def run():
    return hcr.train("knn", budget=500, **QUIET)


def test_a_request_is_resolved_with_every_default_written_out():
    config = runner.resolve("knn", k=5)
    assert config.params == {"k": 5, "weighted": True}
    assert config.preprocess == ["scale", "deskew"]
    assert config.id == f"mnist-5k/knn/{config.hash}"


@pytest.mark.parametrize(("name", "meant"), [("dataset", "data"), ("sed", "seed"), ("kk", "k")])
def test_a_misspelled_argument_is_suggested(name, meant):
    with pytest.raises(ConfigError, match=f"'{name}' is not a parameter of knn. Did you mean '{meant}'"):
        hcr.train("knn", **{name: 3}, **QUIET)


def test_a_misspelled_dataset_of_one_s_own_is_suggested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-letters").mkdir()
    (tmp_path / "my-letters/dataset.yml").touch()
    with pytest.raises(ConfigError, match="Did you mean 'my-letters'"):
        runner.resolve("knn", dataset="my-leters")


def test_a_parameter_that_came_later_leaves_ids_as_they_were():
    usual = runner.resolve("linear", class_weight=None)
    assert usual.id == runner.resolve("linear").id == "mnist-5k/linear/ec20fd6b063a"
    assert runner.resolve("linear", class_weight="balanced").params["class_weight"] == "balanced"


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"classifier": "knn", "neighbours": 3}, "not a parameter of knn"),
        ({"classifier": "knn", "preprocess": "scale"}, "a list of steps, got 'scale'"),
        ({"classifier": "cnn-basic", "preprocess": ["scale", "hog"]}, "needs images. Got 1296 features of hog"),
        ({"classifier": "knn", "preprocess": ["scale", {"hog": {"cell": 5}}]}, "cells of 5 pixels"),
    ],
)
def test_a_wrong_request_is_refused(request_, says, results):
    with pytest.raises(ConfigError, match=says):
        runner.resolve(**request_)
    assert not results.exists()


def test_a_model_to_start_from_is_found_from_every_folder(tmp_path, results, monkeypatch):
    """A bundle is named by its absolute path, a run by its id, a model of the zoo by its name."""
    for folder in (tmp_path / "bundle", tmp_path / "wills-fr", results / "runs/mine/crnn-small/0123"):
        folder.mkdir(parents=True)
        (folder / "record.json").touch()
    monkeypatch.chdir(tmp_path)

    def start(name):
        return runner.resolve("crnn-small", dataset="emnist-words", start=name).params["start"]

    bundle, run = str(tmp_path / "bundle"), "mine/crnn-small/0123"
    assert [start(name) for name in ("./bundle", "bundle", bundle)] == [bundle] * 3
    assert [start(name) for name in (run, f"./results/runs/{run}", str(results / "runs" / run))] == [run] * 3
    assert [start(name) for name in ("wills-fr", "./wills-fr")] == ["wills-fr", str(tmp_path / "wills-fr")]
    assert start(None) is None
    for missing in ("./bundel", "0123", "mine/crnn-small/later"):
        with pytest.raises(ConfigError, match=rf"no model '{missing}' to start from. Expected a run's id"):
            start(missing)
    with pytest.raises(ConfigError, match="Did you mean 'best-lines'"):
        start("best-line")
    shutil.rmtree(bundle)
    with pytest.raises(RunError, match=rf"The model that this run uses is not here \({bundle}\).*Put the bundle back"):
        store.finished_run(results / "runs", bundle)


def test_sizes_are_those_of_the_network_to_start_from(results):
    def made(start, classifier="crnn-residual", **params):
        run = runner.resolve("crnn-residual", dataset="mnist-numbers", epochs=1, units=40, width=8)
        records.RunRecord(config=run, status="finished", task="recognition").write(results / "runs" / run.id)
        return runner.resolve(classifier, dataset="mnist-numbers", start=start or run.id, **params).params

    of_run = made(None, units=50)
    assert (of_run["width"], of_run["units"], of_run["epochs"]) == (8, 50, 30), "unless they are given"
    assert made(None, "crnn-small")["units"] == 128, "of another kind of network"
    assert made(None, planned=None)["units"] == 128, "which is not known yet"
    best = json.loads((paths.project_root() / "results/zoo/best-lines/record.json").read_text())["config"]["params"]
    assert made("best-lines")["units"] == best["units"]


def test_a_parameter_called_start_may_mean_something_else(monkeypatch):
    @dataclasses.dataclass(kw_only=True)
    class Counting(Knn):
        start: int = 3

    monkeypatch.setattr(runner, "named", lambda name: Counting)
    monkeypatch.setattr(store, "named", lambda name: Counting)
    assert runner.resolve("knn").params["start"] == 3


def test_the_record_says_what_came_out(run):
    assert run.status == "finished"
    assert (run.n_train, run.n_val, run.n_test) == (500, 400, 1000)
    assert run.accuracy == 1 - run.misses / 1000
    assert run.ci_low < run.accuracy < run.ci_high
    assert run.accuracy > 0.9
    assert run.missing == {"n_parameters": "the method has no learned parameters to count"}
    assert run.fit_s >= 0
    assert run.predict_ms_p50 <= run.predict_ms_p90
    assert records.read(run.path) == run
    assert json.loads((run.path / "record.json").read_text())["id"] == run.id


def test_kept_predictions_and_the_model_agree_with_the_record(run):
    kept, test = records.load_predictions(run), hcr.load_dataset("mnist-5k").test
    assert (kept["labels"] == test.labels).all()
    assert kept["scores"].shape == (1000, 10)
    assert metrics.count_errors(kept["labels"], kept["predicted"]) == run.misses
    for source in (run, run.id, run.path, str(run.path)):
        assert hcr.load_model(source).predict(test.images) == [str(label) for label in kept["predicted"]]
    (run.path / "model" / "knn.npz").write_bytes(b"not a zip")
    with pytest.raises(RunError, match="cannot be loaded"):
        hcr.load_model(run)
    (run.path / "record.json").unlink()
    with pytest.raises(RunError, match="no record here"):
        hcr.load_model(run.id)


def test_read_answers_for_a_photo_of_a_digit(run):
    model = hcr.load_model(run)
    glyph = hcr.load_dataset("mnist-5k").train.images[0]
    photo = 255 - np.kron(np.pad(glyph, 10), np.ones((7, 7), np.uint8))
    reading = model.read(photo)
    assert reading.alternatives[0][0] == reading.label == model.predict(glyph[None])[0]
    assert not reading.unsure
    assert reading.seen.shape == (28, 28)
    assert model.read(photo, unsure_below=1.01).label == "?"
    with pytest.raises(ValueError, match="blank"):
        model.read(np.zeros((50, 50), np.uint8))


def test_a_failure_is_recorded_and_raised(monkeypatch):
    def broken(self, *arguments):
        raise MemoryError("no room")

    monkeypatch.setattr(Knn, "fit", broken)
    with pytest.raises(MemoryError):
        hcr.train("knn", **QUIET)
    [record] = records.read_all()
    assert record.status == "failed"
    assert "MemoryError: no room" in record.reason
    with pytest.raises(RunError, match="no model"):
        hcr.load_model(record.id)


@pytest.mark.parametrize(("kind", "method"), [(Knn, "fit"), (Knn, "save"), (records.RunRecord, "write")])
def test_a_failure_keeps_what_an_earlier_run_measured(run, monkeypatch, kind, method):
    before = records.load_predictions(run)["scores"]
    for _ in range(2):
        with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
            patch.setattr(kind, method, lambda self, *given: 1 / 0)
            hcr.train("knn", budget=500, **QUIET)
    assert records.read(run.path) == run
    assert (records.load_predictions(run)["scores"] == before).all()
    hcr.load_model(run)
    assert not (run.path / "new").exists()


def test_budgets_that_do_not_fit_are_noted():
    said = []
    run = hcr.train("dummy", budget=5000, say=said.append)
    assert run.notes == said == ["the budget is 5,000, but there are only 3,600 images to train on"]
    assert "classes without a training image" in hcr.train("dummy", budget=4, **QUIET).notes[0]


def test_a_classifier_may_decline(monkeypatch):
    monkeypatch.setattr(Knn, "skip", lambda self, data: f"{data.name} is not for me")
    run = hcr.train("knn", **QUIET)
    assert (run.status, run.reason, run.accuracy) == ("skipped", "mnist-5k is not for me", None)


def test_scores_that_are_not_numbers_fail(monkeypatch):
    monkeypatch.setattr(Knn, "scores", lambda self, x: np.full((len(x), 10), np.nan, np.float32))
    with pytest.raises(RunError, match="4000 not finite"):
        hcr.train("knn", **QUIET)


def test_a_record_of_another_schema_or_cut_short_is_refused(run):
    path = run.path / "record.json"
    text = path.read_text()
    path.write_text(text.replace('"schema": 2', '"schema": 99'))
    with pytest.raises(RunError, match="unknown schema"):
        records.read(path)
    path.write_text(text[:100])
    with pytest.raises(RunError, match="cannot be read"):
        records.read_all()


def test_a_run_that_is_being_replaced_is_not_listed(run, monkeypatch):
    shutil.copytree(run.path, run.path / store.NEW)
    assert [record.id for record in records.read_all()] == [run.id]  # not twice
    (run.path / "record.json").unlink()
    assert records.read_all() == []
    listed = [run.path / "record.json"]
    monkeypatch.setattr(Path, "rglob", lambda *_: listed)  # listed, and gone before it was opened
    assert records.read_all() == []


def test_one_class_is_too_few():
    with pytest.raises(DataError, match="of one class"):
        hcr.train("dummy", budget=1, **QUIET)
