"""Our scoring of a support vector machine against scikit-learn's own."""

import sys

import numpy as np
import pytest
from sklearn.svm import SVC

from hcrlib import datasets
from hcrlib.metrics import statistics
from hcrlib.models import CLASSIFIERS, FitContext
from hcrlib.models._base import fitted_temperature, softmax
from hcrlib.models.svm import _margins, _votes
from hcrlib.runs import runner


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.RandomState(0)
    y = np.arange(200) % 4
    return (rng.randn(200, 6) + 1.5 * rng.randn(4, 6)[y]).astype(np.float32), y.astype(np.int64)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_votes_and_margins_are_scikit_learns(blobs, n_classes):
    x, y = blobs
    x, y = x[y < n_classes], y[y < n_classes]
    reference = SVC(C=1.0, gamma=0.2, decision_function_shape="ovr", break_ties=True).fit(x, y)
    squared = ((x[:, None] - reference.support_vectors_[None]) ** 2).sum(axis=2)
    kernel = np.exp(-0.2 * squared)
    ours = _votes(_margins(kernel, reference.dual_coef_, reference.intercept_, reference.n_support_))
    assert (ours.argmax(axis=1) == reference.predict(x)).all()
    assert n_classes == 2 or np.abs(ours - reference.decision_function(x)).max() < 1e-3


def test_classifier_predicts_as_scikit_learn_does(blobs, tmp_path):
    x, y = blobs
    ours = CLASSIFIERS.get("svm").create({"c": 1.0, "gamma": 0.2})
    ours.fit(x[:150], y[:150], x[150:], y[150:], FitContext(4, 0, tmp_path))
    reference = SVC(C=1.0, gamma=0.2, break_ties=True).fit(x[:150], y[:150])
    assert (ours.scores(x).argmax(axis=1) == reference.predict(x)).mean() > 0.99


def test_a_larger_training_set_is_subsampled_by_scikit_learn_where_it_is_alone(blobs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearnex.svm", None)
    x, y = blobs
    svm = CLASSIFIERS.get("svm").create({"max_train": 40})
    svm.fit(x, y, x, y, FitContext(4, 0, tmp_path))
    assert svm.engine.startswith("scikit-learn ")
    assert svm.n_train_used == 40
    assert svm.notes[0] == "fitted on 40 of 200 training images (max_train)"
    vectors = svm.vectors
    svm.fit(x, y, x, y, FitContext(4, 1, tmp_path))
    assert (svm.vectors == vectors).all(), "it is deterministic"


def test_calibration_keeps_the_answers_and_mends_the_probabilities(blobs, tmp_path):
    x, y = blobs
    plain, calibrated = (CLASSIFIERS.get("svm").create({"gamma": 0.2, "calibrated": c}) for c in (False, True))
    for svm in (plain, calibrated):
        svm.fit(x[::2], y[::2], x[1::2], y[1::2], FitContext(4, 0, tmp_path))
    before, after = plain.scores(x[1::2]), calibrated.scores(x[1::2])
    picked = np.arange(100), y[1::2]
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    assert -np.log(after[picked]).mean() < -np.log(before[picked]).mean()


def test_probabilities_are_calibrated_unless_votes_are_asked_for(tmp_path):
    data = datasets.load("mnist-5k")
    x, x_val, x_test = (split.images / np.float32(255) for split in (data.train.take(range(600)), data.val, data.test))
    errors = {}
    for calibrated in (False, CLASSIFIERS.get("svm").parameters()["calibrated"]):
        svm = CLASSIFIERS.get("svm").create({"calibrated": calibrated})
        svm.fit(x, data.train.labels[:600], x_val, data.val.labels, FitContext(10, 0, tmp_path))
        scores = svm.scores(x_test)
        found = {"labels": data.test.labels, "predicted": scores.argmax(axis=1), "scores": scores}
        errors[calibrated] = (
            statistics.calibration_error(found),
            np.count_nonzero(found["predicted"] != found["labels"]),
        )
    assert errors[True][0] < 0.05 < 0.2 < errors[False][0]
    assert errors[True][1] == errors[False][1]


def test_a_changed_default_makes_another_run_and_leaves_the_earlier_one_its_id():
    now, before = runner.resolve("svm", dataset="mnist"), runner.resolve("svm", dataset="mnist", calibrated=False)
    assert before.id == "mnist/svm/c5c996665d38"  # of a committed record
    assert now.id != before.id
    assert now.params["calibrated"]


def test_temperature_of_logits_that_are_right_as_they_are():
    logits = np.log(np.array([[0.8, 0.2]] * 1000, np.float32))
    assert fitted_temperature(logits, np.array([0] * 800 + [1] * 200)) == pytest.approx(1, abs=0.01)


def test_a_few_labels_that_are_all_predicted_do_not_make_it_certain():
    logits = 9 * np.eye(2, dtype=np.float32)[np.arange(8) % 2]
    scores = softmax(logits / fitted_temperature(logits, np.arange(8) % 2))
    assert scores.max() == pytest.approx(9 / 10, abs=0.01)  # the rule of succession
