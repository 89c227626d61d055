"""From a request to a record: resolution, failure, skipping, what is kept."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hcrlib as hcr
from hcrlib import records
from hcrlib.core import fileio
from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.metrics import scores as metrics
from hcrlib.models._base import CLASSIFIERS, Classifier
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


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"classifier": "kn"}, "Did you mean 'knn'"),
        ({"classifier": "knn", "neighbours": 3}, "not a parameter of knn"),
        ({"classifier": "cnn-basic", "epoch": 3}, "Did you mean 'epochs'"),
        ({"classifier": "knn", "preprocess": ["scale", "deskw"]}, "no preprocessing step"),
        ({"classifier": "knn", "seed": -1}, "seed"),
        ({"classifier": "knn", "preprocess": "scale"}, "a list of steps, got 'scale'"),
        ({"classifier": "cnn-basic", "preprocess": ["scale", "hog"]}, "needs images. Got 1296 features of hog"),
        ({"classifier": "knn", "preprocess": ["scale", {"hog": {"cell": 5}}]}, "cells of 5 pixels"),
    ],
)
def test_a_wrong_request_is_refused(request_, says, results):
    with pytest.raises(ConfigError, match=says):
        runner.resolve(**request_)
    assert not results.exists()


def test_the_record_says_what_came_out(run):
    assert run.status == "finished"
    assert (run.n_train, run.n_val, run.n_test) == (500, 400, 1000)
    assert run.accuracy == 1 - run.misses / 1000
    assert run.ci_low < run.accuracy < run.ci_high
    assert run.accuracy > 0.9
    assert run.missing == {"n_parameters": "the method has no learnt parameters to count"}
    assert run.fit_s >= 0
    assert run.predict_ms_p50 <= run.predict_ms_p90
    assert records.read(run.path) == run
    assert json.loads((run.path / "record.json").read_text())["id"] == run.id


def test_predictions_are_kept_and_agree_with_the_record(run):
    kept = records.load_predictions(run)
    assert metrics.count_errors(kept["labels"], kept["predicted"]) == run.misses
    assert kept["scores"].shape == (1000, 10)
    assert (kept["labels"] == hcr.load_dataset("mnist-5k").test.labels).all()


def test_the_model_answers_as_the_record_says(run):
    test = hcr.load_dataset("mnist-5k").test
    for source in (run, run.id, run.path, str(run.path)):
        model = hcr.load_model(source)
        wrong = sum(name != str(label) for name, label in zip(model.predict(test.images), test.labels, strict=True))
        assert wrong == run.misses


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


def test_ones_own_images_with_a_damaged_one_among_them(tmp_path):
    for name, at in (("left", 5), ("right", 35)):
        (tmp_path / name).mkdir()
        for number in range(10):
            image = np.full((40, 40), 255, np.uint8)
            image[5:35, at - 3 : at + number // 3 + 1] = image[18:22, 5:36] = 0
            Image.fromarray(image).save(tmp_path / name / f"{number}.png")
    (tmp_path / "left" / "bad.png").write_bytes(b"no image")
    (tmp_path / "dataset.yml").write_text("name: strokes\nformat: folders\nimages: .\ntest_fraction: 0.3\n")
    said = []
    run = hcr.train("knn", data=tmp_path, say=said.append)
    assert run.id == f"{tmp_path.name}/knn/{run.config.hash}"
    assert (run.n_test, run.classes) == (6, ["left", "right"])
    assert said[0] == "images left out, because they cannot be read: 1"
    assert "left/bad.png" in said[1]
    assert len(run.data["damaged"]) == 1


def test_results_are_one_table(run):
    table = hcr.results()
    assert table.loc[0, "accuracy"] == run.accuracy
    assert table.loc[0, "id"] == run.id


def test_no_results_are_an_empty_table():
    assert len(hcr.results()) == 0


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


def test_a_failure_keeps_what_an_earlier_run_measured(run, monkeypatch):
    before = records.load_predictions(run)["scores"]
    monkeypatch.setattr(Knn, "save", lambda self, folder: (folder / "half").write_text("") or 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            hcr.train("knn", budget=500, **QUIET)
    assert records.read(run.path) == run
    assert (records.load_predictions(run)["scores"] == before).all()
    hcr.load_model(run)
    assert not (run.path / "new").exists()


def test_a_kill_in_the_middle_of_the_swap_is_mended(run, monkeypatch):
    whole = runner.os.replace

    def killed(source, target):
        if str(source).endswith("new/predictions.npz"):
            raise KeyboardInterrupt
        whole(source, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(runner.os, "replace", killed)
        hcr.train("knn", budget=500, **QUIET)
    assert store.finished(run.config) is None
    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        patched.setattr(Knn, "fit", lambda *arguments: 1 / 0)
        hcr.train("knn", budget=500, **QUIET)
    assert store.finished(run.config).misses == run.misses
    hcr.load_model(run)


def test_a_full_disk_at_the_very_end_keeps_what_was_there(run, monkeypatch):
    def full(self, folder=None):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr(records.RunRecord, "write", full)
        hcr.train("knn", budget=500, **QUIET)
    assert records.read(run.path) == run
    hcr.load_model(run)


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


def test_an_unknown_model_names_those_there_are():
    with pytest.raises(ConfigError, match="There is no model 'best-11'"):
        hcr.load_model("best-11")


def test_a_damaged_model_is_refused(run):
    (run.path / "model" / "knn.npz").write_bytes(b"not a zip")
    with pytest.raises(RunError, match="cannot be loaded"):
        hcr.load_model(run)


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


def test_other_test_labels_are_not_compared(run):
    other = dataclasses.replace(run, data={**run.data, "test_sha256": "feed"})
    with pytest.raises(RunError, match="feed") as caught:
        records.check_comparable([run, other])
    assert run.data["test_sha256"] in str(caught.value)


def test_adding_a_classifier_is_adding_a_class():
    @dataclasses.dataclass(kw_only=True)
    class Coin(Classifier):
        """Tosses."""

        name = "coin"
        fit = save = load = lambda self, *arguments: None

        def scores(self, x):
            return np.full((len(x), 10), 0.1, np.float32)

    try:
        assert hcr.train("coin", **QUIET).misses > 800
    finally:
        CLASSIFIERS.remove("coin")


def test_one_class_is_too_few():
    with pytest.raises(DataError, match="of one class"):
        hcr.train("dummy", budget=1, **QUIET)


def test_a_run_is_made_by_one_process_at_a_time(monkeypatch):
    config = runner.resolve("dummy")
    monkeypatch.setattr(runner, "PATIENCE_S", 0)
    with fileio.file_lock(records.run_path(config) / ".lock"), pytest.raises(RunError, match="Another process"):
        runner.run_one(config, lambda line: None)
    assert runner.run_one(config, lambda line: None).status == "finished"


def test_a_run_without_its_record_is_no_model_yet(run):
    (run.path / "record.json").unlink()
    with pytest.raises(RunError, match="no record here"):
        hcr.load_model(run.id)
