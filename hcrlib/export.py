"""Trained networks in ONNX: opset 13 and IR 7, which TensorRT 8.2 and every ONNX Runtime since 1.8 can load."""

import warnings

import numpy as np

from hcrlib.errors import ConfigError, RunError
from hcrlib.files import atomic
from hcrlib.runtime import Network

OPSET = 13
TOLERANCE = 1e-3  # of a probability: sums in another order differ by a hundredth of that


def write_onnx(classifier, path, x):
    """Writes a fitted Keras classifier's network to path, for any number of images; returns the largest difference.

    x: float32 (n, 28, 28) or (n, d), preprocessed images that both networks are asked about: RunError unless they agree on
    every label and within TOLERANCE on every probability. ConfigError for a classifier that is no network.
    """
    if classifier.backend != "keras":
        raise ConfigError(f"{classifier.name} is no network: only networks are written as ONNX")
    expected = classifier.scores(x)  # Keras exports only what has been called once
    import keras

    given = keras.InputSpec(shape=(None, *classifier.model.input_shape[1:]), dtype="float32", name="images")
    with atomic(path) as part:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # tf2onnx asks numpy for names that it has no more; Keras stands in for them
            classifier.model.export(part, format="onnx", verbose=False, opset_version=OPSET, input_signature=[given])
        answered = Network(part).scores(x)
    apart = float(np.abs(answered - expected).max(initial=0))
    differ = int(np.count_nonzero(answered.argmax(axis=1) != expected.argmax(axis=1)))
    if differ or apart > TOLERANCE:
        path.unlink()
        raise RunError(
            f"{classifier.name} in ONNX does not answer as it did",
            where=path,
            expected=f"the same {len(x):,} labels, probabilities within {TOLERANCE:g}",
            got=f"{differ} other labels, probabilities up to {apart:.2g} apart",
        )
    return apart
