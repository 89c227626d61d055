"""Statistics of predictions: cases worked out by hand."""

import math

import numpy as np
import pytest
from scipy.stats import t

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


def test_several_seeds_are_compared_over_images_and_seeds():
    labels = np.zeros(100, int)
    a = [answers(labels, [1] * wrong + [0] * (100 - wrong)) for wrong in (1, 2, 3)]
    b = [answers(labels, [1] * wrong + [0] * (100 - wrong)) for wrong in (20, 22, 24)]
    compared = statistics.compare({"a": a, "b": b})
    assert compared.only[0, 1] == pytest.approx(20)
    assert compared.only[1, 0] == 0
    gaps = np.mean([x["predicted"] for x in b], axis=0) - np.mean([x["predicted"] for x in a], axis=0)
    parts = np.array([gaps.var(ddof=1) / 100, 0.01**2 / 3, 0.02**2 / 3])
    degrees = parts.sum() ** 2 / (parts**2 / [99, 2, 2]).sum()
    assert compared.p[0, 1] == pytest.approx(2 * t.sf(0.2 / parts.sum() ** 0.5, degrees))
    assert compared.verdict("a", "b").startswith("a is better than b (20 images against 0 a run, p")


def test_seeds_that_vary_as_much_as_two_methods_differ_are_no_evidence():
    labels = np.zeros(1000, int)
    a, b = ([answers(labels, [1] * wrong + [0] * (1000 - wrong)) for wrong in each] for each in ((20, 60), (45, 85)))
    assert statistics.compare({"a": a[0], "b": b[0]}).p[0, 1] < 0.001, "two single runs differ"
    assert statistics.compare({"a": a, "b": b}).p[0, 1] > 0.3, "two methods do not"
    assert statistics.compare({"a": a, "b": a}).p[0, 1] == 1
    one = statistics.compare({"a": a[0], "b": b})
    assert one.p[0, 1] > 0.2, "one run beside several"


@pytest.mark.parametrize(("seeds", "found"), [((3, 3), 8), ((1, 3), 16)])  # docs/concepts/protocol.md has both
def test_the_test_over_seeds_seldom_finds_what_is_not_there(seeds, found):
    rng = np.random.default_rng(0)

    def right(images, n):
        return (images + rng.normal(0, 0.2, (n, 1)) + rng.normal(0, 1, (n, len(images))) > 0).astype(int)

    p = [
        statistics.over_images_and_seeds(*(right(images, n) for n in seeds))
        for images in rng.normal(2.5, 1.5, (300, 500))
    ]
    assert np.count_nonzero(np.array(p) < 0.05) == found


def test_a_deterministic_method_has_no_spread():
    labels = np.zeros(1000, int)
    one = answers(labels, [1] * 20 + [0] * 980)
    others = [answers(labels, [1] * wrong + [0] * (1000 - wrong)) for wrong in (36, 44, 52)]
    p = [statistics.compare({"a": one, "b": others}, fixed).p[0, 1] for fixed in ((), ("a",))]
    assert p[1] < 0.01 < p[0]


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


def test_configurations_are_compared_and_copies_of_a_deterministic_one_count_once(monkeypatch):
    given = answers([0] * 23, [1] * 6 + [0] * 17), answers([0] * 23, [0] * 6 + [1] * 17)
    kinds = [("mlp", given[0])] * 3 + [("knn", given[1])] * 3
    runs = [RunRecord(config=RunConfig("mnist-5k", name, {}, ["scale"], at % 3), status="finished", data={"test_sha256": "a"})
            for at, (name, _) in enumerate(kinds)]  # fmt: skip
    found = {run.id: one for run, (_, one) in zip(runs, kinds, strict=True)}
    monkeypatch.setattr(comparison, "load_predictions", lambda run: found[run.id])
    compared = comparison.compare_runs(runs)
    assert compared.names == ("mlp", "knn")
    assert compared.runs == (3, 1)
    assert compared.only.tolist() == [[0, 17], [6, 0]]
    assert compared.p[0, 1] < 0.05, "one pair, to which Holm's correction adds nothing"
    assert compared.verdict("knn", "mlp").startswith("mlp is better than knn (6 images against 17 a run")


def test_seeds_of_one_configuration_are_a_row():
    table = comparison.over_seeds([run(0.9), run(0.92, seed=1), run(0.8, params={"epochs": 2})])
    assert table.n.tolist() == [2, 1]
    assert table["mean"].tolist() == pytest.approx([0.91, 0.8])
    assert table.sd[0] == pytest.approx(0.02 / math.sqrt(2))
    assert math.isnan(table.sd[1])
    assert table.word.tolist() == ["sd over 2 seeds", "one run: nothing is known of its spread"]
    assert table.explode(["seeds", "each"])[["seeds", "each"]].values.tolist() == [[0, 0.9], [1, 0.92], [0, 0.8]]
    assert not table.deterministic.any()
