import shutil

import numpy as np
import pytest

import hcrlib as hcr
from hcrlib import records
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.models import CLASSIFIERS, FitContext
from hcrlib.runs import rerun, store


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of results of two runs, and their ids."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HCR_RESULTS", str(folder))
        return folder, [hcr.train("knn", k=k, preprocess=["scale"], say=lambda line: None).id for k in (1, 9)]


@pytest.fixture
def runs(trained, tmp_path, monkeypatch):
    shutil.copytree(trained[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("HCR_RESULTS", str(tmp_path))
    return [records.read(paths.runs_root() / run) for run in trained[1]]


def voted(*runs, **params):
    return hcr.train("ensemble", runs=[run.id for run in runs], say=lambda line: None, **params)


def test_probabilities_are_averaged(runs):
    both = voted(*runs)
    members = [records.load_predictions(run)["scores"].astype(np.float64) for run in runs]
    found = records.load_predictions(both)["scores"]
    assert np.abs(found - np.mean(members, axis=0)).max() < 2e-3  # of float16
    assert both.engine.startswith("2 of ")
    assert any("members, together" in note for note in both.notes)
    assert both.fit_s >= sum(run.fit_s for run in runs)
    assert both.size_bytes > sum(run.size_bytes for run in runs)

    images = hcr.load_dataset("mnist-5k").val.images[:20]
    again = hcr.load_model(both).scores(images)
    assert np.abs(again - np.mean([hcr.load_model(run).scores(images) for run in runs], axis=0)).max() < 1e-6
    assert voted(*reversed(runs)).id == both.id, "their order makes no difference"
    assert rerun.rerun(both.id, lambda line: None).verdict == rerun.BIT_EQUAL
    for member in (both.path / "model").glob("member-*"):
        shutil.rmtree(member)
    with pytest.raises(RunError, match="no members"):
        hcr.load_model(both)


def test_one_run_over_shifted_images_is_a_record_of_its_own(runs):
    shifted = voted(runs[0], shift=1)
    assert shifted.id != runs[0].id
    assert shifted.misses != runs[0].misses
    assert hcr.load_model(shifted).scores(np.zeros((0, 28, 28), np.uint8)).shape == (0, 10)


@pytest.mark.parametrize(
    ("name", "members", "params", "words"),
    [
        ("ensemble", [], {}, "needs the ids of finished runs"),
        ("ensemble", [0, 0], {}, "named twice"),
        ("ensemble", ["mnist-5k/knn/000000000000"], {}, "no such run"),
        ("ensemble", [0, "few"], {}, "a part of the images"),
        ("ensemble", [0, "other"], {}, "trained on other images"),
        ("ensemble", [0, 1], {"budget": 100}, "neither a budget nor preprocessing"),
        ("ensemble", [0, 1], {"preprocess": ["scale", "deskew"]}, "neither a budget nor preprocessing"),
        ("cnn-distilled", [], {}, "needs the ids of finished runs"),
        ("cnn-distilled", [0], {"budget": 100}, "neither a budget nor preprocessing"),
    ],
)
def test_unsuitable_members_and_settings_are_refused(runs, name, members, params, words):
    known = {index: run.id for index, run in enumerate(runs)}
    if "few" in members:
        known["few"] = hcr.train("knn", budget=100, say=lambda line: None).id
    if "other" in members:
        record = records.read(runs[1].path)
        record.data["sha256"] = "beef"
        known["other"] = record.write().id
    members = {"runs": [known.get(member, member) for member in members]} if members else {}
    with pytest.raises((ConfigError, RunError), match=words):
        hcr.train(name, **members, **params, say=lambda line: None)


@pytest.mark.slow
def test_a_pupil_learns_from_its_teachers_alone(runs, tmp_path):
    """With wrong labels of weight 0, it still gives its teachers' answers."""
    data, few = hcr.load_dataset("mnist-5k"), slice(None, None, 4)
    x, x_val = (np.float32(split.images) / 255 for split in (data.train, data.val))
    task = FitContext(
        10, 0, tmp_path, lambda line: None, data.sha256, lambda run: store.finished_run(paths.runs_root(), run)
    )
    teach = {"runs": [run.id for run in runs], "batch_size": 16, "width": 16}
    pupil = CLASSIFIERS.get("cnn-distilled").create({**teach, "epochs": 3, "hard": 0})
    pupil.fit(x[few], np.roll(data.train.labels, 1)[few], x_val, data.val.labels, task)
    assert (pupil.scores(x_val).argmax(axis=1) == data.val.labels).mean() > 0.8
    assert pupil.prior_fit_s == sum(run.fit_s for run in runs)
    assert any("2 teachers" in note for note in pupil.notes)


@pytest.mark.slow
def test_a_pupil_learns_from_labels_too(runs, monkeypatch):
    kind, seen = CLASSIFIERS.get("cnn-distilled"), []
    monkeypatch.setattr(kind, "augmented", lambda self, x, targets, rng: seen.append(targets) or (x, targets))
    teach = {"runs": [run.id for run in runs], "views": 0, "hard": 0.5}
    run = hcr.train(kind.name, epochs=1, width=8, say=lambda line: None, **teach)
    assert run.fit_s > sum(run.fit_s for run in runs)
    assert np.allclose(seen[0].sum(axis=1), 1, atol=1e-5)
    assert (seen[0].max(axis=1) >= 0.5).all(), "half of it is the label"
    assert (seen[0].max(axis=1) < 1).any(), "the rest is the teachers'"
