"""A trained network in ONNX, run by ONNX Runtime on the processor: no training library is loaded."""

import os

import numpy as np

BATCH = 1024  # images at a time: bounds the memory of what the layers make in between


class Network:
    """Probabilities from a model.onnx. name: of the classifier that was trained; threads: None for all cores.

    Raises ValueError for a file that is missing, damaged or not a network from images to classes.
    """

    def __init__(self, path, name="", threads=None):
        import onnxruntime

        self.name, self.path = name, str(path)
        self.engine = "onnxruntime " + onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only: they are raised, and worded here
        if threads:
            options.intra_op_num_threads = threads
        if not os.path.isfile(self.path):
            raise ValueError("there is no %s" % self.path)
        try:
            self.session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of kinds that ONNX Runtime does not publish
            raise ValueError("%s is no network that ONNX Runtime can load: %s" % (self.path, error))
        [given], [answer] = self.session.get_inputs(), self.session.get_outputs()
        self.given, self.shape, self.n_classes = given.name, tuple(given.shape[1:]), answer.shape[-1]

    def scores(self, x):
        """float32 (n, k), rows sum to 1, from what a Pipeline makes: float32 (n, 28, 28) or (n, d)."""
        x = np.ascontiguousarray(x, dtype=np.float32).reshape((len(x),) + self.shape)
        if len(x) <= BATCH:
            return self._run(x) if len(x) else np.zeros((0, self.n_classes), np.float32)
        return np.concatenate([self._run(x[at : at + BATCH]) for at in range(0, len(x), BATCH)])

    def _run(self, x):
        return self.session.run(None, {self.given: x})[0]
