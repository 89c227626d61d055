"""Batch normalization uses the statistics of the trained weights, however few the steps of training."""

import numpy as np
import pytest

from hcrlib.datasets import load_dataset
from hcrlib.models import CLASSIFIERS, FitContext
from hcrlib.models._batch_norm import BATCHES, estimation
from hcrlib.runtime import Pipeline

pytestmark = pytest.mark.slow  # imports TensorFlow


@pytest.mark.parametrize("feed", ["array", "batches"])
def test_statistics_are_averages_over_batches(feed):
    import keras

    norm = keras.layers.BatchNormalization()
    model = keras.Sequential([keras.Input((3,)), norm, keras.layers.Dense(2), keras.layers.BatchNormalization()])
    x = np.random.RandomState(0).normal(5, 2, (10, 3)).astype(np.float32)
    parts = [x[:4], x[4:8], x[8:]]
    callback = estimation(keras, 4)
    callback.x = x if feed == "array" else [(part, None) for part in parts]
    callback.set_model(model)
    for _ in range(2):  # nothing of an earlier estimate stays
        callback.on_test_begin()
    weights = np.array([4, 4, 2]) / 10
    assert np.allclose(norm.moving_mean, x.mean(axis=0), atol=1e-5)
    assert np.allclose(norm.moving_variance, np.average([p.var(axis=0) for p in parts], 0, weights), atol=1e-4)
    assert np.abs(model.layers[-1].moving_mean).max() > 0


def test_no_more_batches_than_needed():
    import keras

    norm = keras.layers.BatchNormalization()
    callback = estimation(keras, 1)
    callback.x = np.arange(2.0 * BATCHES)[:, None]
    callback.set_model(keras.Sequential([keras.Input((1,)), norm]))
    callback.on_test_begin()
    assert np.allclose(norm.moving_mean, (BATCHES - 1) / 2)


def test_a_network_trained_for_few_steps_infers_as_it_trained(tmp_path):
    data = load_dataset("mnist-5k")
    kind = CLASSIFIERS.get("cnn-basic")
    x, y = Pipeline(kind.preprocess).fit(data.train.images).apply(data.train.images[:500]), data.train.labels[:500]
    classifier = kind.create({"epochs": 4, "width": 8, "dropout": 0})
    classifier.fit(x, y, x[:100], y[:100], FitContext(10, 1, tmp_path, lambda line: None))

    def loss(probabilities):
        return -np.log(probabilities[np.arange(len(y)), y] + 1e-9).mean()

    trained = loss(np.asarray(classifier.model(x[..., None], training=True)))
    assert trained < 0.1
    assert loss(classifier.scores(x)) == pytest.approx(trained, abs=0.05), "with moving averages: 0.9"
    assert classifier.history[-1]["val_accuracy"] == pytest.approx(
        (classifier.scores(x[:100]).argmax(axis=1) == y[:100]).mean(), abs=1e-6
    )
