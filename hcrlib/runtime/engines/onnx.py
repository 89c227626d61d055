"""Networks in ONNX, run by ONNX Runtime on the processor: no training library is loaded."""

import os

import numpy as np

from ._lines import LineNetworkBase

# Else ONNX Runtime from 1.31 on uploads what is run, and keeps an id.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
BATCH = 1024  # images at a time: bounds the memory of the layers' outputs


class MissingError(ValueError):
    """The file that an engine needs does not exist."""


class Network:
    """Probabilities from a model.onnx, in place of a classifier of hcrlib.models.

    Args:
        path: the file.
        threads: number of threads of a call; None for one per core.

    Raises:
        ValueError: the file is missing, damaged or not a network from images to classes.
    """

    backend = "onnx"

    def __init__(self, path, threads=None):
        self.name, self.path = "", str(path)
        self.session, self.engine = open_session(self.path, threads)
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        shapes = [each.shape for each in inputs + outputs]
        if len(inputs) != 1 or len(outputs) != 1 or len(shapes[1]) != 2 or not _is_fixed(shapes[0][1:] + shapes[1][1:]):
            raise ValueError("%s is not a network from images to classes: its shapes are %s" % (self.path, shapes))
        self.input, self.shape, self.n_classes = inputs[0].name, tuple(shapes[0][1:]), shapes[1][1]
        self.batch = shapes[0][0] if isinstance(shapes[0][0], int) else BATCH

    def scores(self, x):
        """Return float32 (n, k), rows sum to 1, of a Pipeline's output: float32 (n, 28, 28) or (n, d).

        Raises ValueError for images of another shape than those it was trained on.
        """
        x = checked_shape(x, self.shape)
        if len(x) <= self.batch:
            return self._run(x) if len(x) else np.zeros((0, self.n_classes), np.float32)
        return np.concatenate([self._run(x[start : start + self.batch]) for start in range(0, len(x), self.batch)])

    def _run(self, x):
        return self.session.run(None, {self.input: x})[0]


class LineNetwork(LineNetworkBase):
    """Log-probabilities from a model.onnx, in place of a recognizer of hcrlib.models.

    Raises ValueError for a file that is missing, damaged or not a network from lines to characters at each time step.
    """

    backend = "onnx"

    def __init__(self, path, threads=None):
        self.name, self.path = "", str(path)
        self.session, self.engine = open_session(self.path, threads)
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        self._set_shapes([each.shape for each in inputs + outputs])
        self.input = inputs[0].name

    def _logits(self, batch):
        return self.session.run(None, {self.input: batch})[0]


def open_session(path, threads=None):
    """Return (onnxruntime.InferenceSession on the processor, the engine's name and version).

    threads: number of threads of a call; None for one per core. MissingError, or ValueError for a file that is damaged.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: they are raised below
    if threads:
        options.intra_op_num_threads = threads
    if not os.path.isfile(path):
        raise MissingError("there is no %s" % path)
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes are not part of ONNX Runtime's public interface
        raise ValueError("%s is not a network that ONNX Runtime can load: %s" % (path, error))
    return session, "onnxruntime " + onnxruntime.__version__


def checked_shape(x, shape):
    """Return float32 (n, *shape), contiguous; x may lack a last axis of channels. ValueError for any other shape."""
    x = np.ascontiguousarray(x, dtype=np.float32)
    if x.shape[1:] not in (shape, shape[:-1]):
        raise ValueError("expected images of shape %s, got %s" % (shape, x.shape[1:]))
    return x.reshape((len(x),) + shape)


def _is_fixed(shape):
    return len(shape) > 1 and all(isinstance(size, int) for size in shape)
