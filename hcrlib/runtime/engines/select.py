"""Which library answers: the first of TensorRT, ONNX Runtime and LiteRT that is installed and finds its file."""

import os

from .onnx import MissingError, Network
from .tensorrt import TensorRTNetwork, built
from .tflite import LiteNetwork

ENGINES = {  # in the order they are tried
    "tensorrt": lambda folder, threads: TensorRTNetwork(built(os.path.join(folder, "model.onnx"))),
    "onnxruntime": lambda folder, threads: Network(os.path.join(folder, "model.onnx"), threads),
    "litert": lambda folder, threads: LiteNetwork(os.path.join(folder, "model.tflite")),
}


def network(folder, engine=None, threads=None, engines=ENGINES):
    """A network from a model/ folder: of the named engine, or of the first one that works here. threads: of ONNX Runtime.

    engines: name -> a function of (folder, threads); those of characters, or LINE_ENGINES.

    ValueError for an engine of another name, and, with each one's reason, where none works.
    """
    if engine is not None and engine not in engines:
        raise ValueError("there is no engine '%s'; there are: %s" % (engine, ", ".join(engines)))
    reasons = []
    for each in [engine] if engine else engines:
        try:
            return engines[each](str(folder), threads)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            reasons.append("%s: %s" % (each, error))
    raise ValueError("the model cannot be loaded. " + "; ".join(reasons))


def networks(folder, engines):
    """The networks of all engines whose library and file are here. ValueError where one cannot load its file."""
    found = []
    for each in engines.values():
        try:
            found.append(each(str(folder), None))
        except (ImportError, OSError, RuntimeError, MissingError):
            continue
    return found
