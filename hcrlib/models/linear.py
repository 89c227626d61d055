"""Multinomial logistic regression on pixels: the reference for linear classifiers.

Source: scikit-learn's LogisticRegression (L-BFGS). About 92.6 % on MNIST, in 15 seconds on 2 cores.
"""

import dataclasses
import warnings

import numpy as np

from hcrlib.models._base import Classifier, class_weight, flat, number, softmax


@dataclasses.dataclass(kw_only=True)
class Linear(Classifier):
    """Logistic regression on the pixels."""

    name = "linear"
    colour, marker = "#56b4e9", "s"
    deterministic = True
    space = {"inverse_l2": "0.001..100 log", "preprocess": [["scale"], ["scale", "deskew"]]}

    # scikit-learn's C; after fitting on 10,000 images of MNIST: 518 validation errors of 6,000; 576 with 1
    inverse_l2: float = number(0.1, above=0)
    class_weight: str | None = class_weight("balanced")  # each class counts alike, however many images it has
    max_iter: int = 100  # L-BFGS steps; it has not formally converged by then, which the notes say

    def prepare(self):
        import sklearn.linear_model  # noqa: F401

    def fit(self, x, y, x_val, y_val, context):
        import sklearn
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=self.inverse_l2, class_weight=self.class_weight, max_iter=self.max_iter)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # reported in the notes instead
            model.fit(flat(x), y)
        self.engine = f"scikit-learn {sklearn.__version__}"
        if model.n_iter_.max() >= self.max_iter:
            self.notes.append(f"L-BFGS was stopped after {self.max_iter} steps, before it converged")
        # Two classes are stored by scikit-learn as one row of weights; classes without an image get no row.
        two = len(model.classes_) == 2
        self.weights = np.zeros((context.n_classes, model.coef_.shape[1]), np.float32)
        self.bias = np.full(context.n_classes, -1e9, np.float32)
        self.weights[model.classes_] = np.vstack([0 * model.coef_, model.coef_]) if two else model.coef_
        self.bias[model.classes_] = np.r_[0, model.intercept_] if two else model.intercept_

    def scores(self, x):
        return softmax(flat(x) @ self.weights.T + self.bias)

    def onnx(self, graph, x):
        return graph("Softmax", graph("Add", graph("MatMul", x, self.weights.T), self.bias), axis=1)

    @property
    def n_parameters(self):
        return self.weights.size + self.bias.size

    def save(self, folder):
        np.savez(folder / "linear.npz", weights=self.weights, bias=self.bias)

    def load(self, folder):
        with np.load(folder / "linear.npz", allow_pickle=False) as stored:
            self.weights, self.bias = stored["weights"], stored["bias"]
