"""A trained network in TensorFlow Lite, run by LiteRT: one image at a time."""

import os
import threading

import numpy as np

from .onnx import MissingError, shaped


class LiteNetwork:
    """Probabilities from a model.tflite, in the place of a Network. name: the trained classifier's.

    Raises ValueError for a file that is missing, damaged or not a network from images to classes, ImportError where neither
    ai_edge_litert nor tflite_runtime is installed.
    """

    backend = "litert"

    def __init__(self, path):
        self.name, self.path = "", str(path)
        self.interpreter, self.engine, given, answers = opened(self.path)
        self._one_at_a_time = threading.Lock()  # the tensors are those of one call
        shapes = [tuple(int(size) for size in each["shape"]) for each in (given, answers)]
        if [shape[0] for shape in shapes] != [1, 1] or len(shapes[1]) != 2:
            raise ValueError("%s is no network from one image to classes: its shapes are %s" % (self.path, shapes))
        self._given, self._answers = given["index"], answers["index"]
        self.shape, self.n_classes = shapes[0][1:], shapes[1][1]

    def scores(self, x):
        """float32 (n, k), rows sum to 1, from what a Pipeline makes: float32 (n, 28, 28) or (n, d).

        Raises ValueError for images of another shape than those it was trained on.
        """
        x = shaped(x, self.shape)
        out = np.empty((len(x), self.n_classes), np.float32)
        with self._one_at_a_time:
            for at in range(len(x)):
                self.interpreter.set_tensor(self._given, x[at : at + 1])
                self.interpreter.invoke()
                out[at] = self.interpreter.get_tensor(self._answers)[0]
        return out


def opened(path):
    """(interpreter, the engine's name and version, what it tells of its one input, of its one output) of a file.

    MissingError, or ValueError for a file that is damaged or has more of them; ImportError as LiteNetwork.
    """
    interpreter, engine = _library()
    if not os.path.isfile(path):
        raise MissingError("there is no %s" % path)
    try:
        loaded = interpreter(model_path=path, num_threads=1)
        loaded.allocate_tensors()
        [given], [answers] = loaded.get_input_details(), loaded.get_output_details()
    except (ValueError, RuntimeError) as error:
        raise ValueError("%s is no network that LiteRT can load: %s" % (path, error))
    return loaded, engine, given, answers


def _library():
    """(Interpreter, name and version) of the library that is installed."""
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
