"""Nearest neighbors: both engines, by hand."""

import sys

import numpy as np
import pytest

from hcrlib.models import CLASSIFIERS, FitContext

X = np.array([[0.0, 0], [0, 1], [5, 5], [5, 6], [9, 9]], np.float32)
Y = np.array([0, 0, 1, 1, 2])


def fitted(tmp_path, **params):
    knn = CLASSIFIERS.get("knn").create(params)
    knn.fit(X, Y, X, Y, FitContext(3, 0, tmp_path))
    return knn


@pytest.mark.parametrize("engine", ["faiss", "scikit-learn"])
def test_three_neighbours_vote(tmp_path, monkeypatch, engine):
    if engine == "scikit-learn":
        monkeypatch.setitem(sys.modules, "faiss", None)
    knn = fitted(tmp_path, k=3, weighted=False)
    assert knn.engine.startswith(engine)
    scores = knn.scores(np.array([[0.1, 0.2], [6, 6]], np.float32))
    assert np.allclose(scores, [[2 / 3, 1 / 3, 0], [0, 2 / 3, 1 / 3]])


def test_weights_are_inverse_distances(tmp_path):
    scores = fitted(tmp_path, k=3).scores(np.array([[0, -1.0]], np.float32))
    far = 1 / np.sqrt(25 + 36)
    assert np.allclose(scores, [[1.5 / (1.5 + far), far / (1.5 + far), 0]], atol=1e-5)
    everything = fitted(tmp_path, k=50, weighted=False).scores(X[:1])
    assert np.allclose(everything, [[0.4, 0.4, 0.2]]), "of all images, where there are fewer"
