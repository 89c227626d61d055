"""Trained models in formats that need no training library: ONNX and, for networks, TensorFlow Lite.

ONNX is of opset 13 and IR 7, which TensorRT 8.2 and every ONNX Runtime since 1.8 can load. TensorFlow Lite takes one image at a
time: of float32, of weights in float16, or of whole numbers of 8 bits (Jacob et al. 2018), whose ranges training images tell.
Networks of lines keep their free width, and their LSTMs become loops of built-in operations: runtimes on boards have no others.
"""

import contextlib
import io
import logging
import os
import warnings
from pathlib import Path

import numpy as np

from hcrlib.core import onnx_graph
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.fileio import atomic
from hcrlib.runtime import LineNetwork, LiteLineNetwork, LiteNetwork, Network
from hcrlib.runtime._model import count_disagreements
from hcrlib.runtime.line_pipeline import best_path

OPSET, IR = 13, 7
TOLERANCE = 1e-3  # of a probability: sums in another order differ by a hundredth of that
TIE = 1e-6  # classes whose probabilities are this close are both the answer
LARGEST = 2**31 - 2**24  # bytes of constants: a file of the format holds less than 2 GB
LITE = "float32", "float16", "int8"  # kinds of TensorFlow Lite
# What TensorRT 8's parser takes (onnx-tensorrt, docs/operators.md; checked against that of 8.4, opset 13 as 8.2), less what no
# image needs.
_TENSORRT = """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv ConvTranspose
    DepthToSpace Div Dropout Einsum Elu Equal Erf Exp Expand Flatten Floor GRU Gather GatherElements Gemm GlobalAveragePool
    GlobalMaxPool Greater GreaterOrEqual HardSigmoid Identity InstanceNormalization LRN LSTM LeakyRelu Less LessOrEqual Log
    LogSoftmax MatMul Max MaxPool Mean Min Mul Neg Not Or PRelu Pad Pow ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean
    ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round Selu Shape Sigmoid Sign Slice Softmax Softplus
    Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Tile TopK Transpose Unsqueeze Where
"""
TENSORRT = frozenset(_TENSORRT.split())


def write_onnx(classifier, path, x, batch=None):
    """Writes what a fitted classifier computes to path; returns the largest difference of a probability.

    x: float32 (n, 28, 28) or (n, d), preprocessed images that both are asked about. batch: images at a time, None for any
    number. ConfigError for a classifier that cannot be written. RunError, and nothing is written, unless both agree on every
    label and within TOLERANCE on every probability, and where Keras' backend writes another version of the format.
    """
    if not len(x):
        raise ConfigError("There are no images to compare the network in ONNX by")
    expected = classifier.scores(x)
    with atomic(path) as part:
        if classifier.backend == "keras":
            _by_keras(classifier.answering(), part, batch)
        else:
            _by_node(classifier, part, x.shape[1:], expected.shape[1], batch)
        return _compared(expected, Network(part).scores(x), path)


def write_onnx_of_lines(recogniser, path, pictures, expected):
    """Writes a fitted recogniser's network to path, for any number of pictures of any width that it takes.

    pictures: prepared ones that both are asked about; expected: the trained network's probabilities, a list of float32
    (steps, k + 1). Returns the largest difference; RunError, and nothing is written, where one is above TOLERANCE.
    """
    with atomic(path) as part:
        _by_keras(recogniser.answering(), part, None)
        answered = probabilities(LineNetwork(part), pictures)
        apart = max(float(np.abs(a - b).max()) for a, b in zip(answered, expected, strict=True))
        if not apart <= TOLERANCE:
            told, got = f"probabilities within {TOLERANCE:g}", f"up to {apart:.2g} apart"
            what = "The network in ONNX does not answer as it did"
            raise RunError(what, where=Path(path).name, expected=told, got=got)
        return apart


def probabilities(recogniser, pictures):
    """A list of float32 (steps, k + 1), a prepared picture each, of a Recognizer or a network of lines."""
    return [np.exp(one) for one in recogniser.log_probabilities(pictures)]


def best_text(probabilities, classes):
    """The text of the best path of probabilities (steps, k + 1)."""
    return best_path(np.log(np.maximum(probabilities, 1e-30)), classes)[0]


def write_lite(learner, path, x, kind="float32"):
    """Writes a fitted Keras classifier's or recogniser's network to path as TensorFlow Lite, for one image at a time.

    x: float32 (n, 28, 28) or (n, d), preprocessed training images, which tell the ranges of an int8 network; or a recogniser's
    prepared pictures. ConfigError for a classifier that is no network, and for a recogniser in int8; RunError where its
    operations cannot be written.
    """
    if learner.backend != "keras":
        raise ConfigError(f"{learner.name} is no network: only networks are written as TensorFlow Lite")
    if kind not in LITE:
        raise ConfigError(f"There is no kind '{kind}' of TensorFlow Lite", expected=", ".join(LITE))
    of_lines = learner.task == "recognition"
    if of_lines and kind == "int8":  # TensorFlow 2.21's converter ends the process: a segmentation fault
        raise ConfigError(
            f"{learner.name} has LSTMs, which TensorFlow cannot write in int8", expected="float32, float16"
        )
    import keras
    import tensorflow as tf

    model = learner.answering()
    image = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="images")
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, model(image)))
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ([one.reshape(image.shape)] for one in x)
    with atomic(path) as part:
        try:
            with _silence():
                part.write_bytes(converter.convert())
                # That it can be run is part of being written.
                LiteLineNetwork(part).log_probabilities(x[:1]) if of_lines else LiteNetwork(part).scores(x[:1])
        except OSError:
            raise
        except Exception as error:  # of kinds that TensorFlow does not publish
            raise RunError(
                f"The network cannot be written as TensorFlow Lite ({kind})", got=str(error)[:300]
            ) from error


def operators(path):
    """The operators in an ONNX file: name -> (how many, whether TensorRT 8.2's parser takes it), by name."""
    import collections

    import onnx

    counts = collections.Counter(node.op_type for node in onnx.load(path).graph.node)
    return {name: (n, name in TENSORRT) for name, n in sorted(counts.items())}


def _by_keras(model, path, batch):
    import keras
    import onnx

    shape = (batch, *model.input_shape[1:])
    model(
        np.zeros((1, *(size or 96 for size in shape[1:])), np.float32)
    )  # Keras exports only what has been called once
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


def _by_node(classifier, path, shape, n_classes, batch):
    import onnx

    model = onnx_graph.model(classifier, shape, n_classes, batch)
    model.ir_version, model.opset_import[0].version = IR, OPSET
    size = sum(len(each.raw_data) for each in model.graph.initializer)
    if size > LARGEST:
        hint = "Export a run with a smaller budget"
        raise ConfigError(
            "The model is too large for one ONNX file", expected="at most 2 GB", got=f"{size / 1e9:.1f} GB", hint=hint
        )
    onnx.save(model, path)


@contextlib.contextmanager
def _silence():
    """Without what TensorFlow's converter and its compiled code tell of their work: pages, on every way there is."""
    log, kept = logging.getLogger("tensorflow"), os.dup(2)
    level = log.level
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), Path(os.devnull).open("wb") as nowhere:
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            log.setLevel(level)
            os.dup2(kept, 2)
            os.close(kept)


def _compared(expected, answered, path):
    """The largest difference of two networks' probabilities; RunError unless their answers are the same."""
    apart = float(np.abs(answered - expected).max())
    differ = count_disagreements(expected, answered, TIE)
    if differ or not apart <= TOLERANCE:  # a difference that is no number is one
        raise RunError(
            "The network in ONNX does not answer as it did",
            where=Path(path).name,
            expected=f"the same {len(expected):,} labels, probabilities within {TOLERANCE:g}",
            got=f"{differ} other labels, probabilities up to {apart:.2g} apart",
        )
    return apart
