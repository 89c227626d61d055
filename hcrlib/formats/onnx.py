"""Write models as ONNX, opset 13 and IR 7, which TensorRT 8.2 and every ONNX Runtime since 1.8 can load."""

import collections
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.fileio import atomic
from hcrlib.formats import onnx_graph
from hcrlib.models import Learner
from hcrlib.runtime import LineModel

OPSET, IR = 13, 7
TOLERANCE = 1e-3  # of a probability; another order of summation changes it by a hundredth of that
WORTH_A_CAST = 1024  # numbers, at least, in a constant that is stored as float16
LARGEST = 2**31 - 2**24  # bytes of constants: an ONNX file is limited to 2 GB
# The operators for images that the parser of TensorRT 8 accepts (onnx-tensorrt, docs/operators.md; compared with that of 8.4,
# which has opset 13, like 8.2).
_TENSORRT = """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv ConvTranspose
    DepthToSpace Div Dropout Einsum Elu Equal Erf Exp Expand Flatten Floor GRU Gather GatherElements Gemm GlobalAveragePool
    GlobalMaxPool Greater GreaterOrEqual HardSigmoid Identity InstanceNormalization LRN LSTM LeakyRelu Less LessOrEqual Log
    LogSoftmax MatMul Max MaxPool Mean Min Mul Neg Not Or PRelu Pad Pow ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean
    ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round Selu Shape Sigmoid Sign Slice Softmax Softplus
    Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Tile TopK Transpose Unsqueeze Where
"""
TENSORRT = frozenset(_TENSORRT.split())


def write(learner: Learner, path: str | Path, x: Any, batch: int | None = None) -> float:
    """Write the computation of a fitted learner to a file.

    Args:
        learner: a Keras learner, or one with a method `onnx`.
        path: of the file; it is unchanged if anything fails.
        x: prepared images, as `learner.scores` takes them, on which the file must agree with the learner.
        batch: number of images at a time; None for any.

    Returns:
        The largest difference of any probability.

    Raises:
        ConfigError: the learner cannot be written, or there are no images.
        RunError: a label differs, or a probability by more than TOLERANCE; or Keras' backend writes another version of ONNX.
    """
    if not len(x):
        raise ConfigError("There are no images to compare the ONNX file with the trained network on")
    expected, kind = learner.scores(x), learner.runtime_model
    with atomic(path) as part:
        if learner.backend == "keras":
            _by_keras(learner.answering(), part, batch, halve=kind is LineModel)
        else:
            _by_node(learner, part, x.shape[1:], expected.shape[1], batch)
        actual = kind.open_file(part).scores(x)
        differ, apart = kind.count_disagreements(expected, actual, kind.tie), kind.largest_difference(expected, actual)
        if differ or not apart <= TOLERANCE:  # also if it is nan
            wanted = f"the same {len(expected):,} answers, probabilities within {TOLERANCE:g}"
            got = f"{differ} other answers, probabilities that differ by up to {apart:.2g}"
            what = "The network in ONNX gives other answers than the trained one"
            raise RunError(what, where=Path(path).name, expected=wanted, got=got)
        return apart


def operators(path: str | Path) -> dict[str, tuple[int, bool]]:
    """Return the operators of an ONNX file: name -> (count, whether TensorRT 8.2's parser accepts it), by name."""
    import onnx

    counts = collections.Counter(node.op_type for node in onnx.load(path).graph.node)
    return {name: (n, name in TENSORRT) for name, n in sorted(counts.items())}


def _by_keras(model, path, batch, halve):
    import keras
    import onnx

    shape = (batch, *model.input_shape[1:])
    model(np.zeros((1, *(size or 96 for size in shape[1:])), np.float32))  # Keras exports only models that were called
    given = keras.InputSpec(shape=shape, dtype="float32", name="images")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf2onnx uses names that numpy has removed; Keras patches them
        model.export(path, format="onnx", verbose=False, opset_version=OPSET, input_signature=[given])
    written = onnx.load(path)
    versions = written.opset_import[0].version, written.ir_version
    if versions != (OPSET, IR):
        hint = "Export with KERAS_BACKEND=tensorflow"
        expected, got = (f"opset {opset}, IR {ir}" for opset, ir in ((OPSET, IR), versions))
        raise RunError("The ONNX file is of another version", expected=expected, got=got, hint=hint)
    if halve:
        _halve(written.graph)
        onnx.save(written, path)


def _halve(graph):
    """Store those constants of an onnx.GraphProto as float16 that are equal as float16.

    A Cast gives each its type back, so that the network computes the same. ONNX Runtime does that once, when it loads the file;
    TensorRT 8 does not take kernels from a Cast, but is not for recognizers.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < WORTH_A_CAST:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if (half == values).all():
            name = constant.name
            constant.CopyFrom(numpy_helper.from_array(half, f"{name}-float16"))
            casts.append(helper.make_node("Cast", [constant.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _by_node(learner, path, shape, n_classes, batch):
    import onnx

    model = onnx_graph.model(learner, shape, n_classes, batch)
    model.ir_version, model.opset_import[0].version = IR, OPSET
    size = sum(len(each.raw_data) for each in model.graph.initializer)
    if size > LARGEST:
        got, hint = f"{size / 1e9:.1f} GB", "Export a run with a smaller budget"
        raise ConfigError("The model is too large for one ONNX file", expected="at most 2 GB", got=got, hint=hint)
    onnx.save(model, path)
