"""Support vector machine with an RBF kernel, one-vs-one.

Source: Cortes and Vapnik 1995; C and gamma were chosen on MNIST's 6,000 validation images after fitting on 10,000. 99.0 % on
MNIST after fitting for half a minute on 2 cores. Fitting uses scikit-learn-intelex if it is installed, else scikit-learn
(libsvm), which takes about four times as long. Scores are computed here, by two matrix products over the support vectors, so
that a stored model consists of plain arrays.
"""

import dataclasses
import math

import numpy as np

from hcrlib.models._base import Classifier, class_weight, fitted_temperature, flat, number, softmax


@dataclasses.dataclass(kw_only=True)
class Svm(Classifier):
    """RBF support vector machine."""

    name = "svm"
    colour, marker = "#e69f00", "^"
    deterministic = True
    space = {"c": "0.3..300 log", "gamma": "0.003..0.3 log", "preprocess": [["scale"], ["scale", "deskew"]]}
    preprocess = ["scale", "deskew"]  # 116 misses; 178 without deskewing

    c: float = number(10.0, above=0)  # penalty of errors, others' C: 116 misses; 136 with 1, 117 with 100
    gamma: float = number(0.025, above=0)  # of the kernel: 116 misses; 128 with half of it, 117 with twice as much
    max_train: int = 100_000  # time grows with its square; a larger training set is subsampled, and the record says so
    class_weight: str | None = class_weight("balanced")  # each class counts alike, however many images it has
    # Probabilities by temperature scaling on the validation part (Guo et al. 2017): ECE 0.6 % instead of 30 % on mnist-5k, with
    # the same answers. False until version 0.2.0: being written out in every run's id, it keeps their records apart.
    calibrated: bool = True

    def prepare(self):
        _svc()

    def fit(self, x, y, x_val, y_val, context):
        from hcrlib.datasets import stratified_take

        if len(x) > self.max_train:
            kept = stratified_take(y, self.max_train, 0, "svm/max_train")  # a budget draws other images for each seed
            self.notes.append(f"fitted on {self.max_train:,} of {len(x):,} training images (max_train)")
            x, y, self.n_train_used = x[kept], y[kept], len(kept)
        svc, self.engine = _svc(C=self.c, gamma=self.gamma, class_weight=self.class_weight, cache_size=2000)
        svc.fit(flat(x), y)
        self.n_classes, self.classes = context.n_classes, np.asarray(svc.classes_, np.int64)
        self.support_labels = y[svc.support_]  # in the order of the vectors, which is not always that of the classes
        self.vectors = np.ascontiguousarray(svc.support_vectors_, np.float32)
        self.coefficients = np.asarray(svc.dual_coef_, np.float32)  # libsvm's: (classes - 1, vectors)
        self.intercept, self.counts = np.asarray(svc.intercept_, np.float32), np.asarray(svc.n_support_, np.int64)
        self._square()
        self.temperature = 1.0
        if self.calibrated:
            self.temperature = fitted_temperature(self.logits(x_val), y_val)
            self.notes.append("its temperature was fitted on the validation part: val_loss flatters it")
        else:
            self.notes.append("not calibrated: its scores order the classes, but are no probabilities")

    def logits(self, x):
        """Return float32 (n, n_classes): pairwise votes, plus less than 0.5 from the margins; -1 for classes without images."""
        out = np.full((len(x), self.n_classes), -1.0, np.float32)
        for start in range(0, len(x), 1024):
            part = flat(x[start : start + 1024])
            distance = (part**2).sum(axis=1)[:, None] + self.squares - 2 * (part @ self.vectors.T)
            kernel = np.exp(-self.gamma * np.maximum(distance, 0))
            margins = _margins(kernel, self.coefficients, self.intercept, self.counts)
            out[start : start + len(part), self.classes] = _votes(margins)
        return out

    def scores(self, x):
        return softmax(self.logits(x) / np.float32(self.temperature))

    def onnx(self, graph, x):
        kernel = graph.rbf(x, self.vectors, self.gamma)
        k = len(self.classes)
        parts = graph("Split", kernel, self.counts, outputs=k, axis=1)
        ends = np.cumsum(self.counts)
        against = [  # of each class' vectors: their part in its k - 1 pairs
            graph("MatMul", part, self.coefficients[:, end - n : end].T)
            for part, end, n in zip(parts, ends, self.counts, strict=True)
        ]
        first, second = np.triu_indices(k, 1)
        against = graph("Concat", *against, axis=1)  # (n, k (k - 1))
        places = first * (k - 1) + second - 1, second * (k - 1) + first
        mine, theirs = (graph("Gather", against, at, axis=1) for at in places)
        margins = graph("Add", graph("Add", mine, theirs), self.intercept)
        logits = _voted(graph, margins, k)
        if k < self.n_classes:  # classes without an image: -1
            spread = np.eye(self.n_classes, dtype=np.float32)[self.classes]
            logits = graph("Sub", graph("MatMul", logits, spread), 1 - spread.sum(axis=0))
        return graph("Softmax", graph("Div", logits, np.float32(self.temperature)), axis=1)

    @property
    def n_parameters(self):
        return self.vectors.size + self.coefficients.size + self.intercept.size

    def save(self, folder):
        np.savez_compressed(folder / "svm.npz", **{name: getattr(self, name) for name in _STORED})

    def load(self, folder):
        with np.load(folder / "svm.npz", allow_pickle=False) as stored:
            for name in _STORED:
                setattr(self, name, stored[name] if stored[name].ndim else stored[name].item())
        self._square()

    def _square(self):
        """Compute the vectors' squared lengths, which every distance needs."""
        self.squares = (self.vectors**2).sum(axis=1)


_STORED = ("n_classes", "classes", "vectors", "coefficients", "intercept", "counts", "temperature")


def _svc(**options):
    """Return an unfitted machine and the name of the library it comes from."""
    from importlib.metadata import version

    try:
        from sklearnex.svm import SVC

        engine = "scikit-learn-intelex"
    except ImportError:
        from sklearn.svm import SVC

        engine = "scikit-learn"
    return SVC(**options), f"{engine} {version(engine)}"


def _margins(kernel, coefficients, intercept, counts):
    """Return float32 (m, pairs): the decision value of each pair of classes (0, 1), (0, 2), ...; positive: the first one wins.

    kernel: (m, vectors), the vectors in the order of their classes. libsvm keeps, for a vector of class i, its weight against
    class j in row j - 1 of the coefficients where j > i, else in row j.
    """
    k, ends = len(counts), np.cumsum(counts)
    sums = np.zeros((k, k, len(kernel)), np.float32)  # of class i's vectors against class j
    for i, (end, n) in enumerate(zip(ends, counts, strict=True)):
        sums[i, np.arange(k) != i] = coefficients[:, end - n : end] @ kernel[:, end - n : end].T
    first, second = np.triu_indices(k, 1)
    return (sums[first, second] + sums[second, first]).T + intercept


def _signs(k):
    """Return (pairs, k): 1 for the first class of a pair, -1 for the second one."""
    first, second = np.triu_indices(k, 1)
    signs = np.zeros((len(first), k), np.float32)
    signs[np.arange(len(first)), first], signs[np.arange(len(first)), second] = 1, -1
    return -signs if k == 2 else signs  # scikit-learn flips the sign if there is only one pair


def _votes(margins):
    """Return (m, classes): pairwise votes, settled by the summed margins squashed into (-1/3, 1/3), as scikit-learn does it."""
    k = round((1 + math.sqrt(1 + 8 * margins.shape[1])) / 2)
    signs = _signs(k)
    won = (margins > 0).astype(np.float32)
    votes = won @ np.maximum(signs, 0) + (1 - won) @ np.maximum(-signs, 0)
    sums = margins @ signs
    return votes + sums / (3 * (np.abs(sums) + 1))


def _voted(graph, margins, k):
    """Add the computation of `_votes` to an ONNX graph."""
    signs = _signs(k)
    won = graph("Cast", graph("Greater", margins, np.float32(0)), to=1)
    lost = graph("Sub", np.float32(1), won)
    votes = graph("Add", graph("MatMul", won, np.maximum(signs, 0)), graph("MatMul", lost, np.maximum(-signs, 0)))
    sums = graph("MatMul", margins, signs)
    squashed = graph("Div", sums, graph("Mul", graph("Add", graph("Abs", sums), np.float32(1)), np.float32(3)))
    return graph("Add", votes, squashed)
