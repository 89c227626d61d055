"""Trained networks in ONNX: opset 13 and IR 7, which TensorRT 8.2 and every ONNX Runtime since 1.8 can load."""

import warnings
from pathlib import Path

import numpy as np

from hcrlib.errors import ConfigError, RunError
from hcrlib.files import atomic
from hcrlib.runtime import Network

OPSET, IR = 13, 7
TOLERANCE = 1e-3  # of a probability: sums in another order differ by a hundredth of that
TIE = 1e-6  # classes whose probabilities are this close are both the answer


def write_onnx(classifier, path, x):
    """Writes a fitted Keras classifier's network to path, for any number of images; returns the largest difference.

    x: float32 (n, 28, 28) or (n, d), preprocessed images that both networks are asked about. ConfigError for a classifier
    that is no network. RunError, and nothing is written, unless both agree on every label and within TOLERANCE on every
    probability, and where Keras' backend writes another version of the format.
    """
    if classifier.backend != "keras":
        raise ConfigError(f"{classifier.name} is no network: only networks are written as ONNX")
    if not len(x):
        raise ConfigError("There are no images to compare the network in ONNX by")
    expected, model = classifier.scores(x), classifier.answering()
    with atomic(path) as part:
        _export(model, part)
        return _compared(expected, Network(part).scores(x), path)


def _export(model, path):
    import keras
    import onnx

    shape = (None, *model.input_shape[1:])
    model(np.zeros((1, *shape[1:]), np.float32))  # Keras exports only what has been called once
    given = keras.InputSpec(shape=shape, dtype="float32", name="images")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf2onnx asks numpy for names that it has no more; Keras stands in for them
        model.export(path, format="onnx", verbose=False, opset_version=OPSET, input_signature=[given])
    written = onnx.load(path)
    versions = written.opset_import[0].version, written.ir_version
    if versions != (OPSET, IR):
        hint = "Export with KERAS_BACKEND=tensorflow"
        expected, got = (f"opset {opset}, IR {ir}" for opset, ir in ((OPSET, IR), versions))
        raise RunError("The ONNX file is of another version", expected=expected, got=got, hint=hint)


def _compared(expected, answered, path):
    """The largest difference of two networks' probabilities; RunError unless their answers are the same."""
    apart = float(np.abs(answered - expected).max())
    short = expected.max(axis=1) - expected[np.arange(len(expected)), answered.argmax(axis=1)]
    differ = int(np.count_nonzero(short > TIE))
    if differ or apart > TOLERANCE:
        raise RunError(
            "The network in ONNX does not answer as it did",
            where=Path(path).name,
            expected=f"the same {len(expected):,} labels, probabilities within {TOLERANCE:g}",
            got=f"{differ} other labels, probabilities up to {apart:.2g} apart",
        )
    return apart
