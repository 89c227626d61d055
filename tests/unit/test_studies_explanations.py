"""The study of explanations: each map and each neighbor is what it is said to be."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hcrlib.core.errors import ConfigError
from hcrlib.models.svm import Svm, _margins
from hcrlib.runtime import Pipeline
from hcrlib.runtime.occlusion import contributions, erasures
from hcrlib.studies import explanations
from hcrlib.studies.explanations import Explained

ROWS = [
    ("knn", 1, 4, 9, 1.0, True, True, 9, None, True, None, False),
    ("knn", 2, 4, 9, 0.6, True, False, 4, None, True, None, False),
    ("knn", 3, 7, 7, 0.9, False, False, 7, None, True, None, False),
    ("cnn", 1, 4, 9, 0.9, True, False, 9, 4, True, True, False),
    ("cnn", 4, 5, 6, 0.8, True, True, 6, 6, True, True, False),
    ("cnn", 5, 5, 5, 0.8, True, False, 5, 5, True, True, False),
    ("cnn", 6, 5, 5, 0.8, False, False, 5, 5, False, True, True),
]


@pytest.fixture
def found():
    about = ["name", "index", "label", "predicted", "score", "changed", "corrected", "nearest", "hidden"]
    names = [*about, "by_occlusion", "by_gradient", "at_random"]
    return pd.DataFrame(ROWS, columns=names).assign(
        dataset="d", half=[None if row[0] == "cnn" else 3 for row in ROWS], vectors=40
    )


def explained(learner, blank=0.0):
    """An Explained without a run."""
    made = object.__new__(Explained)
    made.learner, made.blank = learner, np.full((28, 28), blank, np.float32)
    return made


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_terms_of_support_vectors_add_up_to_the_decision(n_classes):
    rng = np.random.default_rng(0)
    y = np.arange(60) % n_classes
    x = (rng.random((60, 28, 28)) + 0.2 * y[:, None, None]).astype(np.float32)
    svm = Svm(calibrated=False)
    svm.fit(x, y, x, y, SimpleNamespace(n_classes=n_classes))
    about, image = explained(svm), x[0]
    kernel = np.exp(-svm.gamma * ((svm.vectors - image.ravel()) ** 2).sum(axis=1))[None]
    [margins] = _margins(kernel, svm.coefficients, svm.intercept, svm.counts)
    for pair, (one, other) in enumerate(zip(*np.triu_indices(n_classes, 1), strict=True)):
        sign = -1 if n_classes == 2 else 1  # scikit-learn flips the sign of a single pair
        terms = about.evidence(image, one, other)
        assert terms.sum() == pytest.approx(sign * (margins[pair] - svm.intercept[pair]), abs=1e-4)
        np.testing.assert_array_equal(about.evidence(image, other, one), -terms)
    answer = int(svm.logits(image[None]).argmax())
    terms = np.sort(np.abs(about.evidence(image, answer, int(svm.logits(image[None]).argsort()[0, -2]))))[::-1]
    half, of = about.half(image, answer)
    assert half < of == np.count_nonzero(terms)
    assert terms[: half - 1].sum() < terms.sum() / 2 <= terms[:half].sum() + 1e-5
    assert explained(SimpleNamespace(backend="")).half(image, 0) == (None, None)


def test_the_gradient_is_that_of_the_log_odds():
    from hcrlib.models._keras import started

    keras = started(0)
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    )
    about = explained(SimpleNamespace(backend="keras", answering=lambda: model), blank=0.25)
    image = np.random.default_rng(0).random((28, 28)).astype(np.float32)
    weights = model.layers[-1].weights[0].numpy().reshape(28, 28, 3)
    scores = model(image[None, ..., None]).numpy()[0]
    others = (scores[0] * weights[..., 0] + scores[2] * weights[..., 2]) / (1 - scores[1])
    np.testing.assert_allclose(about.gradient(image, 1), (weights[..., 1] - others) * (image - 0.25), atol=1e-5)
    assert about._activated(image[None]).shape == (1, 784), "what the last layer gets"
    assert explained(SimpleNamespace(backend="")).gradient(image, 0) is None


def test_patches_cover_the_ink_and_share_its_loss():
    image = np.full((28, 28), 0.25, np.float32)
    image[10:12, 10:12] = 1
    images, patches = erasures(image, 0.25)
    assert len(images) == 1 + len(patches)
    assert all((each[patch] == 0.25).all() for each, patch in zip(images[1:], patches, strict=True))
    losses = (images[0] - images[1:]).sum(axis=(1, 2))
    by = contributions(losses, patches, image.shape)
    assert by[10:12, 10:12].min() > 0
    assert not by[:5].any()
    assert len(erasures(np.zeros((28, 28), np.uint8))[0]) == 1, "nothing to erase"


def test_the_ink_of_the_highest_rank_is_erased():
    image = np.zeros((28, 28), np.float32)
    image[0, :20] = 1
    asked = []

    def scores(x):
        asked.append(x[0])
        return np.array([[x[0].sum() <= 18, x[0].sum() > 18]], np.float32)

    by = np.zeros((28, 28))
    by[0, 3:5], by[5] = 1, 2  # the highest of all is paper
    rng, about = np.random.default_rng(0), explained(SimpleNamespace(scores=scores))
    assert about.changes(image, 1, by, rng)
    np.testing.assert_array_equal(np.flatnonzero(asked[0] != image), [3, 4])
    assert about.changes(image, 1, None, rng) is None
    for _ in range(3):
        about.changes(image, 1, np.zeros((28, 28)), rng)
    assert len({tuple(np.flatnonzero(each != image)) for each in asked[1:]}) > 1, (
        "no order but chance where all are equal"
    )


def test_features_are_refused():
    about = object.__new__(Explained)
    about.model = SimpleNamespace(pipeline=Pipeline(["scale", "hog"]))
    with pytest.raises(ConfigError, match=r"pipeline makes features.*Write a study of runs without hog"):
        about.prepared(np.zeros((1, 28, 28), np.uint8))


def test_shares_are_of_right_answers_or_of_mistakes(found):
    knn, cnn = explanations.by_classifier(found).set_index("classifier").T.items()
    assert knn[1].tolist()[:6] == [1, 2, 0, 50, 100, 50]
    assert np.isnan(knn[1].iloc[-1])
    assert cnn[1].tolist() == [2, 2, 50, 50, 100, 100, 50]
    maps = explanations.by_map(found).set_index("classifier")
    assert maps.loc["cnn"].tolist() == [50, 100, 50]
    assert maps.loc["knn"].isna().tolist() == [False, True, False]


def test_the_mistake_that_fewest_others_make_is_shown(found, monkeypatch):
    missed = {"knn": [1, 2], "cnn": [1, 4], "other": [1, 4]}  # the sample of the other holds none of its mistakes

    def predictions(run):
        return {"labels": np.zeros(9), "predicted": np.isin(np.arange(9), missed[run.name])}

    monkeypatch.setattr(explanations.records, "load_predictions", predictions)
    runs = [SimpleNamespace(name=name, config=SimpleNamespace(dataset="d")) for name in missed]
    study = SimpleNamespace(runs=runs)
    assert explanations.shown(study, found)[["name", "index"]].to_numpy().tolist() == [["knn", 2], ["cnn", 4]]
    missed["other"] = [1, 2, 4, 9]
    assert explanations.shown(study, found).score.tolist() == [0.6, 0.8]


def test_the_answer_states_the_numbers_of_the_tables(found):
    text = explanations.answer(SimpleNamespace(runs=[]), found)
    assert "changes 0 (0 to 79) % of the right answers of knn and 50 (9 to 91) % of those of cnn; some patch" in text
    assert "some patch corrects 50 % of the mistakes, of which there are 2." in text
    assert "by pixels, is of the class that was answered for 50 % (knn) to 100 % (cnn)" in text
    assert "changes 100 % (cnn) of the right answers, by occlusion 50 %, at random 50 %." in text
    assert "between a right answer of knn and the runner-up is on 3 of the 40 support vectors" in text
