"""A trained network in ONNX, run by ONNX Runtime on the processor: no training library is loaded."""

import os

import numpy as np

BATCH = 1024  # images at a time: bounds the memory of what the layers make in between


class MissingError(ValueError):
    """The file that an engine needs is not there."""


class Network:
    """Probabilities from a model.onnx, in the place of a classifier of hcrlib.models. name: the trained classifier's.

    threads: that one call computes with; None for one a core.

    Raises ValueError for a file that is missing, damaged or not a network from images to classes.
    """

    backend = "onnx"

    def __init__(self, path, threads=None):
        self.name, self.path = "", str(path)
        self.session, self.engine = opened(self.path, threads)
        given, answers = self.session.get_inputs(), self.session.get_outputs()
        shapes = [each.shape for each in given + answers]
        if len(given) != 1 or len(answers) != 1 or len(shapes[1]) != 2 or not _whole(shapes[0][1:] + shapes[1][1:]):
            raise ValueError("%s is no network from images to classes: its shapes are %s" % (self.path, shapes))
        self.given, self.shape, self.n_classes = given[0].name, tuple(shapes[0][1:]), shapes[1][1]
        self.batch = shapes[0][0] if isinstance(shapes[0][0], int) else BATCH

    def scores(self, x):
        """float32 (n, k), rows sum to 1, from what a Pipeline makes: float32 (n, 28, 28) or (n, d).

        Raises ValueError for images of another shape than those it was trained on.
        """
        x = shaped(x, self.shape)
        if len(x) <= self.batch:
            return self._run(x) if len(x) else np.zeros((0, self.n_classes), np.float32)
        return np.concatenate([self._run(x[at : at + self.batch]) for at in range(0, len(x), self.batch)])

    def _run(self, x):
        return self.session.run(None, {self.given: x})[0]


def opened(path, threads=None):
    """(onnxruntime.InferenceSession on the processor, the engine's name and version) of a file.

    threads: that one call computes with; None for one a core. MissingError, or ValueError for a file that is damaged.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: they are raised, and worded here
    if threads:
        options.intra_op_num_threads = threads
    if not os.path.isfile(path):
        raise MissingError("there is no %s" % path)
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of kinds that ONNX Runtime does not publish
        raise ValueError("%s is no network that ONNX Runtime can load: %s" % (path, error))
    return session, "onnxruntime " + onnxruntime.__version__


def shaped(x, shape):
    """float32 (n, *shape), contiguous; the last of the shape may be a channel that x lacks. ValueError for any other."""
    x = np.ascontiguousarray(x, dtype=np.float32)
    if x.shape[1:] not in (shape, shape[:-1]):
        raise ValueError("expected images of shape %s, got %s" % (shape, x.shape[1:]))
    return x.reshape((len(x),) + shape)


def _whole(shape):
    return len(shape) > 1 and all(isinstance(size, int) for size in shape)
