"""Which library answers: the first of TensorRT, ONNX Runtime and LiteRT that is installed and finds its file."""

import os

from .lite import LiteNetwork
from .network import Network
from .trt import TensorRTNetwork, built


def _tensorrt(folder, name):
    return TensorRTNetwork(built(os.path.join(folder, "model.onnx")), name)


def _onnxruntime(folder, name):
    return Network(os.path.join(folder, "model.onnx"), name)


def _litert(folder, name):
    return LiteNetwork(os.path.join(folder, "model.tflite"), name)


ENGINES = {"tensorrt": _tensorrt, "onnxruntime": _onnxruntime, "litert": _litert}
ORDER = "tensorrt", "onnxruntime", "litert"


def network(folder, name="", engine=None):
    """A network from a model/ folder: of the named engine, or of the first one that works here.

    name: of the classifier that was trained. ValueError for an engine of another name, and, with each one's reason, where none
    works.
    """
    if engine is not None and engine not in ENGINES:
        raise ValueError("there is no engine '%s'; there are: %s" % (engine, ", ".join(ORDER)))
    reasons = []
    for each in [engine] if engine else ORDER:
        try:
            return ENGINES[each](str(folder), name)
        except (ImportError, ValueError, OSError) as error:
            reasons.append("%s: %s" % (each, error))
    raise ValueError("the model cannot be loaded. " + "; ".join(reasons))
