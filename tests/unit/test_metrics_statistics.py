"""Statistics of predictions: cases worked out by hand."""

import math

import numpy as np
import pytest

from hcrlib.core.errors import RunError
from hcrlib.metrics import statistics
from hcrlib.records import Metric, RunConfig, RunRecord
from hcrlib.runs import comparison


def answers(labels, predicted, confidence=1.0, k=3):
    """Predictions whose answers have this confidence, one number or one an image; the rest is spread evenly."""
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    confidence = np.broadcast_to(confidence, len(labels))
    scores = np.repeat((1 - confidence)[:, None] / (k - 1), k, axis=1)
    scores[np.arange(len(labels)), predicted] = confidence
    return {"labels": labels, "predicted": predicted, "scores": scores}


def test_mcnemar_counts_the_images_on_which_two_disagree():
    labels = np.zeros(20, int)
    a = answers(labels, [0] * 20)
    b = answers(labels, [1] * 6 + [0] * 14)  # six that a gets right and b does not, none the other way
    compared = statistics.compare({"a": a, "b": b})
    assert compared.only.tolist() == [[0, 6], [0, 0]]
    assert compared.p[0, 1] == pytest.approx(2 * 0.5**6)  # two-sided binomial: 1/32
    assert compared.verdict("b", "a") == "a is better than b (0 images against 6, p = 0.031)"


def test_holm_multiplies_the_smallest_p_by_the_number_of_pairs():
    labels = np.zeros(20, int)
    a, b, c = (answers(labels, [1] * wrong + [0] * (20 - wrong)) for wrong in (0, 6, 8))
    compared = statistics.compare({"a": a, "b": b, "c": c})
    assert compared.p[0, 2] == pytest.approx(3 * 2 * 0.5**8)  # the smallest of three
    assert compared.p[0, 1] == pytest.approx(2 * 2 * 0.5**6)  # the second
    assert compared.p[1, 2] == pytest.approx(0.5)  # the last one, two images against none
    assert compared.p[1, 1] == 1
    assert compared.verdicts()[2].startswith("no evidence of a difference between b and c")
    assert (compared.frame().to_numpy() == compared.p).all()


def test_two_that_answer_alike_do_not_differ():
    a = answers([0, 1, 2], [0, 1, 1])
    assert statistics.compare({"a": a, "b": a}).p.tolist() == [[1, 1], [1, 1]]
    assert statistics.compare({"a": a}).verdicts() == []
    with pytest.raises(ValueError, match="different labels"):
        statistics.compare({"a": a, "b": answers([1, 0, 2], [0, 1, 1])})


def test_by_class():
    table = statistics.by_class(answers([0, 0, 0, 1], [0, 0, 1, 1]), ("a", "b", "c"))
    assert table["class"].tolist() == ["a", "b", "c"]
    assert table.precision.tolist() == [1, 0.5, 0]
    assert table.recall.tolist() == pytest.approx([2 / 3, 1, 0])
    assert table.f1.tolist() == pytest.approx([0.8, 2 / 3, 0])
    assert table.images.tolist() == [3, 1, 0]
    assert statistics.balanced_accuracy(answers([0] * 9 + [1], [0] * 10)) == 0.5


def test_top_three():
    scores = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4], [0.25] * 4], np.float16)
    found = {"labels": np.array([2, 0, 2]), "predicted": scores.argmax(axis=1), "scores": scores}
    assert statistics.top(found) == pytest.approx(2 / 3)  # the last one: a tie, in which 2 is the third
    assert statistics.top(found, 4) == 1
    sure = {"labels": np.array([0]), "predicted": np.array([5]), "scores": np.eye(10)[5:6]}
    assert statistics.top(sure) == 0, "its label has no score"


def test_calibration():
    sure = answers([0] * 10, [0] * 6 + [1] * 4, [0.9] * 10)
    assert statistics.calibration_error(sure) == pytest.approx(0.3)
    mixed = answers([0] * 4, [0, 0, 0, 1], [1.0, 1.0, 0.5, 0.5])
    assert statistics.calibration_error(mixed) == 0
    assert statistics.reliability(mixed).values.tolist() == [[0.5, 0.5, 2], [1, 1, 2]]


def test_rejection():
    table = statistics.rejection(answers([0] * 4, [0, 0, 1, 0], [0.9, 0.8, 0.7, 0.7]))
    assert table.threshold.tolist() == [0.9, 0.8, 0.7]
    assert table.rejected.tolist() == [0.75, 0.5, 0]
    assert table.accuracy.tolist() == [1, 1, 0.75]
    assert table.misses.tolist() == [0, 0, 1]


def run(accuracy=0.9, sha256="feed", params=None, seed=0):
    config = RunConfig("mnist-5k", "mlp", params or {"epochs": 1}, ["scale"], seed)
    metrics, data = {"accuracy": Metric(accuracy)}, {"test_sha256": sha256}
    return RunRecord(config=config, status="finished", metrics=metrics, data=data)


def test_runs_on_other_images_are_refused_with_both_hashes():
    with pytest.raises(RunError, match=r"feed.*beef"):
        comparison.compare_runs([run(), run(sha256="beef", seed=1)])


def test_seeds_of_one_configuration_are_a_row():
    table = comparison.over_seeds([run(0.9), run(0.92, seed=1), run(0.8, params={"epochs": 2})])
    assert table.n.tolist() == [2, 1]
    assert table["mean"].tolist() == pytest.approx([0.91, 0.8])
    assert table.sd[0] == pytest.approx(0.02 / math.sqrt(2))
    assert math.isnan(table.sd[1])
    assert table.word.tolist() == ["sd over 2 seeds", "one run: nothing is known of its spread"]
