"""Choose the engine: the first of TensorRT, ONNX Runtime and LiteRT that is installed and finds its file."""

import os

from .onnx import MissingError

ENGINES = {"tensorrt": "model.onnx", "onnxruntime": "model.onnx", "litert": "model.tflite"}  # in order of preference


def open_network(folder, networks, engine=None, threads=None):
    """Open the network of a model/ folder with the named engine, or with the first one that works on this machine.

    Args:
        folder: of the files that ENGINES names.
        networks: engine -> a function of (path, threads) that opens the file.
        engine: a key of networks, or None.
        threads: of ONNX Runtime; None for one per core.

    Raises:
        ValueError: the engine is unknown, or none works; the message has each one's reason.
    """
    if engine is not None and engine not in networks:
        raise ValueError("unknown engine '%s'; available: %s" % (engine, ", ".join(networks)))
    reasons = []
    for name in [engine] if engine else networks:
        try:
            return networks[name](os.path.join(str(folder), ENGINES[name]), threads)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            reasons.append("%s: %s" % (name, error))
    raise ValueError("the model cannot be loaded. " + "; ".join(reasons))


def open_networks(folder, networks):
    """Open the network with every engine whose library and file exist. ValueError where one cannot load its file."""
    opened = []
    for name, function in networks.items():
        try:
            opened.append(function(os.path.join(str(folder), ENGINES[name]), None))
        except (ImportError, OSError, RuntimeError, MissingError):
            continue
    return opened
