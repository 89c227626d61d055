"""Support vector machine with an RBF kernel, one against one.

Source: Cortes and Vapnik 1995; C and gamma after Decoste and Schoelkopf's MNIST work, checked on the validation part.
Fitting is scikit-learn-intelex' where it has a wheel, else scikit-learn's (libsvm): the same machine, ten times slower.
Scoring is ours: two matrix products over the support vectors, so that a stored model is plain arrays and needs neither.
"""

import dataclasses

import numpy as np

from hcrlib.models.base import Classifier, flat, softmax


@dataclasses.dataclass(kw_only=True)
class Svm(Classifier):
    """RBF support vector machine."""

    name = "svm"
    preprocess = ["scale", "deskew"]

    c: float = 10.0  # 1 misses a third more on MNIST's validation part, 100 gains nothing
    gamma: float = 0.025  # on pixels in [0, 1]; scikit-learn's "scale" comes to 0.013 there
    max_train: int = 60000  # time grows with the square of it; a larger training set is thinned, and the record says so
    calibrated: bool = False  # probabilities by temperature scaling on the validation part (Guo et al. 2017)

    def fit(self, x, y, x_val, y_val, task):
        from hcrlib.datasets import stratified_take

        if len(x) > self.max_train:
            kept = stratified_take(y, self.max_train, task.seed, "svm/max_train")
            self.notes.append(f"fitted on {self.max_train:,} of {len(x):,} training images (max_train)")
            x, y = x[kept], y[kept]
        svc, self.engine = _svc(C=self.c, gamma=self.gamma, cache_size=2000)
        svc.fit(flat(x), y)
        self.n_classes, self.classes = task.n_classes, np.asarray(svc.classes_, np.int64)
        self.vectors = np.ascontiguousarray(svc.support_vectors_, np.float32)
        self.coefficients, self.intercept = _one_against_one(svc)
        self.temperature = 1.0
        if self.calibrated:
            self.temperature = _temperature(self.logits(x_val), y_val)

    def logits(self, x):
        """float32 (n, n_classes): votes won, settled by the summed margins within (-1/3, 1/3), as scikit-learn does it."""
        out = np.full((len(x), self.n_classes), -1.0, np.float32)
        squares = (self.vectors**2).sum(axis=1)
        for start in range(0, len(x), 1024):
            part = flat(x[start : start + 1024])
            distance = (part**2).sum(axis=1)[:, None] + squares - 2 * (part @ self.vectors.T)
            margins = np.exp(-self.gamma * np.maximum(distance, 0)) @ self.coefficients + self.intercept
            out[start : start + len(part), self.classes] = _votes(margins, len(self.classes))
        return out

    def scores(self, x):
        return softmax(self.logits(x) / np.float32(self.temperature))

    @property
    def n_parameters(self):
        return self.vectors.size + self.coefficients.size + self.intercept.size

    def save(self, folder):
        np.savez_compressed(folder / "svm.npz", **{name: getattr(self, name) for name in _STORED})

    def load(self, folder):
        with np.load(folder / "svm.npz", allow_pickle=False) as stored:
            for name in _STORED:
                setattr(self, name, stored[name] if stored[name].ndim else stored[name].item())


_STORED = ("n_classes", "classes", "vectors", "coefficients", "intercept", "temperature")


def _svc(**options):
    try:
        import sklearnex
        from sklearnex.svm import SVC
    except ImportError:
        import sklearn
        from sklearn.svm import SVC

        return SVC(**options), f"scikit-learn {sklearn.__version__}"
    return SVC(**options), f"scikit-learn-intelex {sklearnex.__version__}"


def _one_against_one(svc):
    """Weights (vectors, pairs) and intercepts (pairs,) of every pair of classes, from libsvm's packed layout.

    libsvm keeps, for a vector of class i, its weight against class j in row j - 1 where j > i, else in row j.
    """
    n, counts = len(svc.classes_), svc.n_support_
    ends = np.cumsum(counts)
    starts = ends - counts
    packed = np.asarray(svc.dual_coef_, np.float32)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    weights = np.zeros((packed.shape[1], len(pairs)), np.float32)
    for p, (i, j) in enumerate(pairs):
        weights[starts[i] : ends[i], p] = packed[j - 1, starts[i] : ends[i]]
        weights[starts[j] : ends[j], p] = packed[i, starts[j] : ends[j]]
    return weights, np.asarray(svc.intercept_, np.float32)


def _votes(margins, n):
    """(m, pairs) margins, positive for the first class of the pair, to (m, n) votes plus squashed sums of margins."""
    if n == 2:  # scikit-learn turns the sign of a lone pair round
        margins = -margins
    votes, sums = np.zeros((len(margins), n), np.float32), np.zeros((len(margins), n), np.float32)
    p = 0
    for i in range(n):
        for j in range(i + 1, n):
            margin = margins[:, p]
            votes[:, i] += margin > 0
            votes[:, j] += margin <= 0
            sums[:, i] += margin
            sums[:, j] -= margin
            p += 1
    return votes + sums / (3 * (np.abs(sums) + 1))


def _temperature(logits, labels):
    """The divisor of the logits that makes the labels most likely."""
    from scipy.optimize import minimize_scalar

    def loss(log_t):
        picked = softmax(logits / np.exp(log_t))[np.arange(len(labels)), labels]
        return -np.log(np.maximum(picked, 1e-12)).mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))
