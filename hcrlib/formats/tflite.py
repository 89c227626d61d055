"""Write networks as TensorFlow Lite, for one image at a time: float32, float16 weights, or int8 (Jacob et al. 2018).

Training images determine the ranges of int8 values. Networks for lines keep their variable width, and their LSTMs become loops
of built-in operations, the only ones that runtimes on boards have.
"""

import contextlib
import io
import logging
import os
import warnings
from pathlib import Path
from typing import Any

from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.fileio import atomic
from hcrlib.core.logs import log_level
from hcrlib.models import Learner

KINDS = "float32", "float16", "int8"


def write(learner: Learner, path: str | Path, x: Any, kind: str = "float32") -> None:
    """Write a fitted Keras learner's network to a file.

    Args:
        learner: a network.
        path: of the file; it is unchanged if anything fails.
        x: prepared training images, which determine the ranges of an int8 network.
        kind: one of KINDS.

    Raises:
        ConfigError: the learner is not a network, or it has LSTMs, which int8 does not support.
        RunError: TensorFlow cannot write its operations.
    """
    if learner.backend != "keras":
        raise ConfigError(f"{learner.name} is not a network: only networks are written as TensorFlow Lite")
    if kind not in KINDS:
        raise ConfigError(f"Unknown kind '{kind}' of TensorFlow Lite", expected=", ".join(KINDS))
    import keras
    import tensorflow as tf

    model = learner.answering()
    recurrent = keras.layers.RNN, keras.layers.Bidirectional
    if kind == "int8" and any(isinstance(layer, recurrent) for layer in model.layers):
        # the converter of TensorFlow 2.21 crashes the process with a segmentation fault
        what = f"{learner.name} has LSTMs, which TensorFlow cannot write in int8"
        raise ConfigError(what, expected="float32, float16")
    image = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="images")
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, model(image)))
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ([each.reshape(image.shape)] for each in x)
    with atomic(path) as part:
        try:
            with _silence():
                part.write_bytes(converter.convert())
                learner.runtime_model.open_file(part).scores(x[:1])  # a file that cannot be run must not be written
        except OSError:
            raise
        except Exception as error:  # its classes are not part of TensorFlow's public interface
            what = f"The network cannot be written as TensorFlow Lite ({kind})"
            raise RunError(what, got=str(error)[:300]) from error


@contextlib.contextmanager
def _silence():
    """Silence TensorFlow's converter and its compiled code, which print pages in three ways."""
    stderr, quiet = os.dup(2), log_level(logging.ERROR, "tensorflow")
    with (
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
        quiet,
        Path(os.devnull).open("wb") as null,
    ):
        warnings.simplefilter("ignore")
        os.dup2(null.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
