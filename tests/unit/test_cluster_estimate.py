"""What a run may take is told by records of the like, by images and epochs, and orders the runs."""

import dataclasses
import json

import pytest

from hcrlib.cluster.estimate import AROUND_S, Estimate, known
from hcrlib.core import paths
from hcrlib.runs.config import RunConfig
from hcrlib.runs.records import RunRecord


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
    assert by.seconds(config(budget=1000, epochs=2)) == pytest.approx(10 + AROUND_S)
    assert by.seconds(config(budget=2000, epochs=2)) == pytest.approx(20 + AROUND_S)
    assert by.seconds(config(budget=1000, epochs=6)) == pytest.approx(30 + AROUND_S)
    assert by.seconds(config(budget=500, epochs=1)) == pytest.approx(2.5 + AROUND_S)


def test_without_epochs_images_alone_count():
    by = estimate(made(config("knn", k=3), 4.0, 1000))
    assert by.seconds(config("knn", budget=250, k=9)) == pytest.approx(1 + AROUND_S)


def test_a_budget_beyond_the_set_counts_as_the_set():
    by = estimate(made(config(), 10.0, 1000))
    assert by.seconds(config(budget=10**9)) == by.seconds(config())


def test_own_data_is_estimated_by_its_budget():
    by = estimate(made(config(dataset="/my/own"), 10.0, 1000))
    assert by.seconds(config(dataset="/my/own", budget=2000)) == pytest.approx(20 + AROUND_S)
    assert by.seconds(config(dataset="/my/own")) > 0


def test_records_of_the_same_data_are_asked_first():
    by = estimate(made(config(dataset="mnist"), 100.0, 1000), made(config(), 10.0, 1000))
    assert by.seconds(config(budget=1000)) == pytest.approx(10 + AROUND_S)
    assert by.seconds(config(dataset="mnist", budget=1000)) == pytest.approx(100 + AROUND_S)
    assert by.seconds(config(dataset="emnist-letters", budget=1000)) == pytest.approx(55 + AROUND_S)


def test_one_odd_record_among_many_changes_nothing():
    by = estimate(*(made(config(seed=n), seconds, 1000) for n, seconds in enumerate([10.0, 10.0, 10.0, 9000.0])))
    assert by.seconds(config(budget=1000)) == pytest.approx(10 + AROUND_S)


def test_of_a_classifier_nobody_ever_ran_nothing_is_known():
    by = estimate(made(config("knn"), 1.0, 1000))
    assert by.seconds(config("svm")) is None
    assert by.total([config("svm"), config("knn", budget=1000), config("cnn-basic")]) == (
        pytest.approx(1 + AROUND_S),
        2,
    )


def test_only_what_finished_counts():
    by = estimate(made(config(), 1.0, 1000, "failed"), made(config(), 1.0, 1000, "skipped"), made(config(), None, None))
    assert by.seconds(config()) is None
    assert estimate().total([]) == (0, 0)


def test_the_cheapest_first_and_nobody_is_left_out():
    by = estimate(made(config("knn"), 0.1, 1000), made(config("svm"), 500.0, 1000))
    asked = [config("svm"), config("cnn-basic", budget=100), config("knn"), config("svm", budget=10)]
    order = by.order(asked)
    assert sorted(c.hash for c in order) == sorted(c.hash for c in asked)
    assert [(c.classifier, c.budget) for c in order] == [("cnn-basic", 100), ("knn", None), ("svm", 10), ("svm", None)]


def test_what_nobody_knows_is_ordered_by_its_images():
    asked = [config("svm"), config("svm", budget=1000), config("mlp", budget=10)]
    assert [c.budget for c in estimate().order(asked)] == [10, 1000, None]


def test_runs_of_one_cost_keep_their_order():
    asked = [config(seed=seed) for seed in (3, 1, 2)]
    assert estimate().order(asked) == asked


def test_records_of_results_and_of_the_project_are_known(alone, results, tmp_path):
    made(config(), 1.0, 1000).write()
    for root, seed in ((results, 1), (tmp_path / "project/results", 2)):
        (root / "demo").mkdir(parents=True)
        (root / "demo/records.jsonl").write_text(json.dumps(made(config(seed=seed), 1.0, 1000).to_dict()) + "\n")
    assert sorted(record["config"]["seed"] for record in known()) == [0, 1, 2]


def test_a_results_folder_that_is_the_projects_is_read_once(alone, monkeypatch, tmp_path):
    root = tmp_path / "project/results"
    monkeypatch.setenv("HCR_RESULTS", str(root))
    (root / "demo").mkdir(parents=True)
    (root / "demo/records.jsonl").write_text(json.dumps(made(config(), 1.0, 1000).to_dict()) + "\n")
    assert len(known()) == 1


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "7", '"x"', "\xff"])
def test_a_record_that_cannot_be_read_is_skipped(alone, content):
    made(config(), 1.0, 1000).write()
    other = made(config(seed=1), 9.0, 1000)
    other.path.mkdir(parents=True)
    (other.path / "record.json").write_bytes(content.encode("latin-1"))
    assert Estimate(known()).seconds(config(budget=1000)) == pytest.approx(1 + AROUND_S)


def test_a_line_of_a_leaderboard_that_is_no_record_is_skipped(alone, results):
    lines = [json.dumps(made(config(seed=seed), 1.0, 1000).to_dict()) for seed in (0, 1)]
    (results / "demo").mkdir(parents=True)
    (results / "demo/records.jsonl").write_text("\n".join([lines[0], "null", "[]", lines[0][:-9], lines[1]]) + "\n")
    assert Estimate(known()).seconds(config(budget=1000)) == pytest.approx(1 + AROUND_S)
    assert len([record for record in known() if isinstance(record, dict)]) == 2


def test_configurations_are_not_changed():
    asked = [config(epochs=3), config("knn")]
    before = [dataclasses.asdict(c) for c in asked]
    estimate(made(config(), 1.0, 1000)).order(asked)
    assert [dataclasses.asdict(c) for c in asked] == before
