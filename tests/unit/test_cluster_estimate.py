"""How long a run may take is estimated from earlier records, scaled by images and epochs."""

import json

import pytest

from hcrlib.cluster.estimate import OVERHEAD_S, Estimate, is_local, known
from hcrlib.core import paths
from hcrlib.core.provenance import machine
from hcrlib.records import RunConfig, RunRecord


def config(classifier="mlp", dataset="mnist-5k", budget=None, seed=0, **params):
    return RunConfig(dataset, classifier, params, ["scale"], seed, budget)


def made(asked, seconds, images, status="finished"):
    return RunRecord(config=asked, status=status, fit_s=seconds, n_train=images)


def estimate(*records):
    return Estimate([record.to_dict() for record in records])


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """Without the leaderboards that the project carries."""
    monkeypatch.setattr(paths, "project_root", lambda: tmp_path / "project")


def test_the_fit_scales_with_images_and_epochs():
    by = estimate(made(config(epochs=2), 10.0, 1000))
    assert by.seconds(config(budget=1000, epochs=2)) == pytest.approx(10 + OVERHEAD_S)
    assert by.seconds(config(budget=2000, epochs=2)) == pytest.approx(20 + OVERHEAD_S)
    assert by.seconds(config(budget=1000, epochs=6)) == pytest.approx(30 + OVERHEAD_S)
    assert by.seconds(config(budget=500, epochs=1)) == pytest.approx(2.5 + OVERHEAD_S)


def test_records_of_the_same_data_are_asked_first():
    by = estimate(made(config(dataset="mnist"), 100.0, 1000), made(config(), 10.0, 1000))
    assert by.seconds(config(budget=1000)) == pytest.approx(10 + OVERHEAD_S)
    assert by.seconds(config(dataset="mnist", budget=1000)) == pytest.approx(100 + OVERHEAD_S)
    assert by.seconds(config(dataset="emnist-letters", budget=1000)) == pytest.approx(55 + OVERHEAD_S)


def test_of_a_classifier_nobody_ever_ran_nothing_is_known():
    by = estimate(made(config("knn"), 1.0, 1000))
    assert by.seconds(config("svm")) is None
    assert by.seconds(config("knn", budget=1000)) == pytest.approx(1 + OVERHEAD_S)


def test_only_what_finished_counts():
    by = estimate(made(config(), 1.0, 1000, "failed"), made(config(), 1.0, 1000, "skipped"), made(config(), None, None))
    assert by.seconds(config()) is None


def test_records_of_results_and_of_the_project_are_known(alone, results, tmp_path):
    made(config(), 1.0, 1000).write()
    for root, seed in ((results, 1), (tmp_path / "project/results", 2)):
        (root / "demo").mkdir(parents=True)
        (root / "demo/records.jsonl").write_text(json.dumps(made(config(seed=seed), 1.0, 1000).to_dict()) + "\n")
    assert sorted(record["config"]["seed"] for record in known()) == [0, 1, 2]


@pytest.mark.parametrize(
    "record", [{}, {"provenance": None}, [1], None, {"provenance": {"cpu": "another", "cores": 1}}]
)
def test_times_of_another_machine_are_not_estimates_of_this_one(record):
    assert not is_local(record)
    assert is_local({"provenance": machine()})


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "7", '"x"', "\xff"])
def test_a_record_that_cannot_be_read_is_skipped(alone, content):
    made(config(), 1.0, 1000).write()
    other = made(config(seed=1), 9.0, 1000)
    other.path.mkdir(parents=True)
    (other.path / "record.json").write_bytes(content.encode("latin-1"))
    assert Estimate(known()).seconds(config(budget=1000)) == pytest.approx(1 + OVERHEAD_S)
