"""Networks in TensorFlow Lite, run by LiteRT: one image at a time."""

import os
import threading

import numpy as np

from ._lines import LineNetworkBase
from .onnx import MissingError, checked_shape


class LiteNetwork:
    """Probabilities from a model.tflite, in place of a Network. threads: ignored, LiteRT computes with one.

    Raises:
        ValueError: the file is missing, damaged or not a network from images to classes.
        ImportError: neither ai_edge_litert nor tflite_runtime is installed.
    """

    backend = "litert"

    def __init__(self, path, threads=None):
        self.name, self.path = "", str(path)
        self.interpreter, self.engine, given, answer = open_interpreter(self.path)
        self._lock = threading.Lock()  # the tensors belong to one call at a time
        shapes = [tuple(int(size) for size in each["shape"]) for each in (given, answer)]
        if [shape[0] for shape in shapes] != [1, 1] or len(shapes[1]) != 2:
            raise ValueError("%s is not a network from one image to classes: its shapes are %s" % (self.path, shapes))
        self._input, self._output = given["index"], answer["index"]
        self.shape, self.n_classes = shapes[0][1:], shapes[1][1]

    def scores(self, x):
        """Return float32 (n, k), rows sum to 1, of a Pipeline's output: float32 (n, 28, 28) or (n, d).

        Raises ValueError for images of another shape than those it was trained on.
        """
        x = checked_shape(x, self.shape)
        out = np.empty((len(x), self.n_classes), np.float32)
        with self._lock:
            for index in range(len(x)):
                self.interpreter.set_tensor(self._input, x[index : index + 1])
                self.interpreter.invoke()
                out[index] = self.interpreter.get_tensor(self._output)[0]
        return out


class LiteLineNetwork(LineNetworkBase):
    """Log-probabilities from a model.tflite, in place of a LineNetwork. Raises as LiteNetwork."""

    backend = "litert"
    batch = 1

    def __init__(self, path, threads=None):
        self.name, self.path = "", str(path)
        self.interpreter, self.engine, given, answer = open_interpreter(self.path)
        self._lock = threading.Lock()  # the tensors belong to one call at a time
        self._set_shapes([[int(n) if n > 0 else None for n in each["shape_signature"]] for each in (given, answer)])
        self._input, self._output = given["index"], answer["index"]
        self._allocated = tuple(given["shape"])

    def _logits(self, batch):
        with self._lock:
            if batch.shape != self._allocated:
                self._allocated = None  # until allocate_tensors succeeds
                self.interpreter.resize_tensor_input(self._input, batch.shape, strict=True)
                self.interpreter.allocate_tensors()
                self._allocated = batch.shape
            self.interpreter.set_tensor(self._input, batch)
            self.interpreter.invoke()
            return self.interpreter.get_tensor(self._output)


def open_interpreter(path):
    """Return (interpreter, the engine's name and version, details of its one input, of its one output).

    MissingError, or ValueError for a file that is damaged or has more of them; ImportError as LiteNetwork.
    """
    interpreter, engine = _library()
    if not os.path.isfile(path):
        raise MissingError("there is no %s" % path)
    try:
        loaded = interpreter(model_path=path, num_threads=1)
        loaded.allocate_tensors()
        [given], [answer] = loaded.get_input_details(), loaded.get_output_details()
    except (ValueError, RuntimeError) as error:
        raise ValueError("%s is not a network that LiteRT can load: %s" % (path, error))
    return loaded, engine, given, answer


def _library():
    """Return (Interpreter, name and version) of the installed library."""
    try:
        import ai_edge_litert
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter, "ai_edge_litert " + getattr(ai_edge_litert, "__version__", "")
    except ImportError:
        pass
    try:
        import tflite_runtime
        from tflite_runtime.interpreter import Interpreter
    except ImportError:
        raise ImportError("LiteRT is not installed: pip install ai-edge-litert")
    return Interpreter, "tflite_runtime " + tflite_runtime.__version__
