"""Kernel ridge regression with Nystroem's approximation: the accuracy of an RBF kernel for hundreds of thousands of images.

Sources: Williams and Seeger 2001 (Nystroem), Rudi, Carratino and Rosasco 2017 (FALKON; its normal equations, solved directly).
Every image is represented by its kernel values with random training images, the landmarks; one linear system gives the weights
of all classes. The time is linear in the number of images, while that of an SVM is quadratic; memory besides the images is
constant.
"""

import dataclasses

import numpy as np

from hcrlib.core.errors import RunError
from hcrlib.models._base import Classifier, balanced, class_weight, fitted_temperature, flat, number, softmax

CHUNK = 4096  # images at a time


@dataclasses.dataclass(kw_only=True)
class Nystroem(Classifier):
    """Ridge regression on an RBF kernel with random training images."""

    name = "nystroem"
    colour, marker = "#3969ac", "d"
    preprocess = ["scale", "deskew"]

    landmarks: int = 4000  # training images that stand for all; time and memory grow with their square
    gamma: float = number(0.025, above=0)  # of the kernel, as svm's
    ridge: float = number(1e-6, above=0)  # added to the kernel matrix, times the number of images
    class_weight: str | None = class_weight("balanced")  # each class counts alike, however many images it has

    def prepare(self):
        import scipy.linalg
        import scipy.optimize  # noqa: F401

    def fit(self, x, y, x_val, y_val, context):
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        from hcrlib.datasets import stratified_take

        x, self.n_classes = flat(x), context.n_classes
        kept = stratified_take(y, min(self.landmarks, len(x)), context.seed, "nystroem/landmarks")
        self.images, self.temperature = np.ascontiguousarray(x[kept]), 1.0
        m, exact = len(self.images), self.images.astype(np.float64)
        products = self.ridge * len(x) * _kernel(exact, exact, self.gamma)
        targets = np.zeros((m, self.n_classes))
        weights = balanced(y) if self.class_weight else np.ones(len(x), np.float32)
        for start in range(0, len(x), CHUNK):
            kernel = _kernel(x[start : start + CHUNK], self.images, self.gamma).astype(np.float64)
            wanted = np.eye(self.n_classes)[y[start : start + CHUNK]]
            weighted = kernel.T * weights[start : start + CHUNK]
            products += weighted @ kernel  # in float32 it would not be positive definite
            targets += weighted @ wanted
        products[np.diag_indices(m)] += 1e-9 * np.trace(products) / m  # two landmarks may be equal
        try:
            self.weights = cho_solve(cho_factor(products), targets).astype(np.float32)
        except LinAlgError as error:
            raise RunError(f"The linear system cannot be solved: {error}", hint="Raise the ridge") from error
        self.engine = f"numpy {np.__version__}"
        self.temperature = fitted_temperature(self._outputs(flat(x_val)), y_val)
        self.notes.append("its temperature was fitted on the validation part: val_loss flatters it")

    def scores(self, x):
        return softmax(self._outputs(flat(x)) / np.float32(self.temperature))

    def onnx(self, graph, x):
        outputs = graph("MatMul", graph.rbf(x, self.images, self.gamma), self.weights)
        return graph("Softmax", graph("Div", outputs, np.float32(self.temperature)), axis=1)

    @property
    def n_parameters(self):
        return self.images.size + self.weights.size

    def save(self, folder):
        arrays = {name: getattr(self, name) for name in ("images", "weights", "temperature")}
        np.savez_compressed(folder / "nystroem.npz", **arrays)

    def load(self, folder):
        with np.load(folder / "nystroem.npz", allow_pickle=False) as stored:
            self.images, self.weights = stored["images"], stored["weights"]
            self.temperature = stored["temperature"].item()
        self.n_classes = self.weights.shape[1]

    def _outputs(self, x):
        """Return float32 (n, n_classes): near 1 for the class, near 0 for the others."""
        out = np.zeros((len(x), self.n_classes), np.float32)
        for start in range(0, len(x), CHUNK):
            out[start : start + CHUNK] = _kernel(x[start : start + CHUNK], self.images, self.gamma) @ self.weights
        return out


def _kernel(x, images, gamma):
    """Return exp(-gamma |x - image|^2), (n, m), of vectors (n, d) and (m, d)."""
    distance = (x**2).sum(axis=1)[:, None] + (images**2).sum(axis=1) - 2 * (x @ images.T)
    return np.exp(-gamma * np.maximum(distance, 0))
