"""Which library answers: the first of TensorRT, ONNX Runtime and LiteRT that is installed and finds its file."""

import os

from .lite import LiteNetwork
from .network import Network
from .trt import TensorRTNetwork, built

ENGINES = {  # in the order they are tried
    "tensorrt": lambda folder, threads: TensorRTNetwork(built(os.path.join(folder, "model.onnx"))),
    "onnxruntime": lambda folder, threads: Network(os.path.join(folder, "model.onnx"), threads),
    "litert": lambda folder, threads: LiteNetwork(os.path.join(folder, "model.tflite")),
}


def network(folder, engine=None, threads=None):
    """A network from a model/ folder: of the named engine, or of the first one that works here. threads: of ONNX Runtime.

    ValueError for an engine of another name, and, with each one's reason, where none works.
    """
    if engine is not None and engine not in ENGINES:
        raise ValueError("there is no engine '%s'; there are: %s" % (engine, ", ".join(ENGINES)))
    reasons = []
    for each in [engine] if engine else ENGINES:
        try:
            return ENGINES[each](str(folder), threads)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            reasons.append("%s: %s" % (each, error))
    raise ValueError("the model cannot be loaded. " + "; ".join(reasons))
