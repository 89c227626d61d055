"""Compute statistics of predictions: significance, per-class scores, calibration.

Predictions are what `records.load_predictions` returns: labels int64 (n,), predicted int64 (n,), scores (n, k), rows sum to 1.
Sources: Dietterich 1998 (McNemar's test for classifiers), Clark 1973 (min F', a test over two random factors), Holm 1979,
Guo et al. 2017 (expected calibration error), Chow 1970 (rejection). McNemar's test and Holm's correction are statsmodels',
precision and recall scikit-learn's.
"""

import dataclasses
import itertools
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

Predictions = Mapping[str, np.ndarray]
ALPHA = 0.05
BINS = 15  # confidence bins, as in Guo et al. 2017


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The pairwise comparison of classifiers on the same images.

    names: of the k classifiers. only: (k, k), images that the row's classifier gets right and the column's does not, int, or
    float for the mean over all pairs of their runs. p: float (k, k), Holm-corrected for all k (k - 1) / 2 pairs; 1 on the
    diagonal. runs: number of runs of each, one per seed.
    """

    names: tuple
    only: np.ndarray
    p: np.ndarray
    runs: tuple

    def verdict(self, row: str, column: str) -> str:
        """Return one sentence that compares two of the names."""
        i, j = self.names.index(row), self.names.index(column)
        each = " a run" if max(self.runs[i], self.runs[j]) > 1 else ""
        counts = f"{amount(self.only[i, j])} images against {amount(self.only[j, i])}{each}, {p_value(self.p[i, j])}"
        if self.p[i, j] >= ALPHA:
            return f"no evidence of a difference between {row} and {column} ({counts})"
        better, worse = (row, column) if self.only[i, j] > self.only[j, i] else (column, row)
        return f"{better} is better than {worse} ({counts})"

    def verdicts(self) -> list[str]:
        """Return a sentence for every pair, in the order of the names."""
        return [self.verdict(*pair) for pair in itertools.combinations(self.names, 2)]

    def frame(self) -> pd.DataFrame:
        """Return the corrected p-values as a DataFrame with the names as both index and columns."""
        return pd.DataFrame(self.p, self.names, self.names)


def amount(n: float) -> str:
    """Return a number of images as text: '1,234'; as the mean over runs: '12.3'."""
    return f"{n:,.1f}".removesuffix(".0")


def p_value(p: float) -> str:
    """Return a p-value as text: 'p = 0.031', 'p < 0.001'."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def compare(
    predictions: Mapping[str, Predictions | Sequence[Predictions]], deterministic: Collection[str] = ()
) -> Comparison:
    """Return the Comparison of name -> predictions, of one run or of several with other seeds.

    Two single runs are compared by McNemar's exact test, more by `over_images_and_seeds`. deterministic: the names of methods
    whose single run says what all seeds would. Raises ValueError unless all have the same labels.
    """
    from statsmodels.stats.multitest import multipletests

    names = tuple(predictions)
    runs = [[given] if isinstance(given, Mapping) else list(given) for given in predictions.values()]
    labels = runs[0][0]["labels"]
    if any(not np.array_equal(run["labels"], labels) for given in runs for run in given):
        raise ValueError("predictions on different labels cannot be compared")
    right = [np.array([run["predicted"] == labels for run in given], dtype=np.int64) for given in runs]
    rates = np.array([its.mean(axis=0) for its in right])
    only = rates @ (1 - rates).T
    np.fill_diagonal(only, 0)
    if all(len(its) == 1 for its in right):
        only = only.round().astype(np.int64)
    p, pairs = np.ones((len(names), len(names))), list(itertools.combinations(range(len(names)), 2))
    if pairs:
        raw = [
            _mcnemar(a[0], b[0])
            if len(a) == len(b) == 1
            else over_images_and_seeds(a, b, one in deterministic or other in deterministic)
            for (one, a), (other, b) in itertools.combinations(zip(names, right, strict=True), 2)
        ]
        for (i, j), value in zip(pairs, multipletests(raw, method="holm")[1], strict=True):
            p[i, j] = p[j, i] = value
    return Comparison(names, only, p, tuple(map(len, right)))


def _mcnemar(a: np.ndarray, b: np.ndarray) -> float:
    """Return the p-value of the exact test of two runs. a, b: int (n,), 1 where they are right."""
    from statsmodels.stats.contingency_tables import mcnemar

    table = [[0, a @ (1 - b)], [b @ (1 - a), 0]]  # the exact test uses only these two cells
    return 1.0 if not np.any(table) else float(mcnemar(table, exact=True).pvalue)


def over_images_and_seeds(a: np.ndarray, b: np.ndarray, deterministic: bool = False) -> float:
    """Return the two-sided p-value of a difference in accuracy that would be found again with other images and other seeds.

    a, b: int (runs, n), 1 where a run is right; one of them may be a single run, whose method is taken to vary over seeds as
    much as the other, or not at all if it is deterministic. The mean difference is compared with the sum of its variances over
    images, paired, and over the seeds of a and b: min F' (Clark 1973), with the degrees of freedom of Satterthwaite 1946.
    """
    from scipy.stats import t

    gaps = a.mean(axis=0) - b.mean(axis=0)
    alone = min(len(a), len(b)) == 1 and not deterministic
    samples = [(gaps, 1 / len(gaps))]
    samples += [(runs.mean(axis=1), 1 / len(runs) + alone) for runs in (a, b) if len(runs) > 1]
    variances = np.array([sample.var(ddof=1) * share for sample, share in samples])
    if not variances.any():
        return float(not gaps.any())
    degrees = variances.sum() ** 2 / sum(v**2 / (len(s) - 1) for v, (s, _) in zip(variances, samples, strict=True))
    return float(2 * t.sf(abs(gaps.mean()) / np.sqrt(variances.sum()), degrees))


def by_class(predictions: Predictions, classes: Sequence[str]) -> pd.DataFrame:
    """Return one row per class: its name, precision, recall, f1 (0..1, 0 if it was never predicted), and images."""
    from sklearn.metrics import precision_recall_fscore_support

    known, predicted = range(len(classes)), predictions["predicted"]
    values = precision_recall_fscore_support(predictions["labels"], predicted, labels=known, zero_division=0)
    return pd.DataFrame({"class": classes, **dict(zip(("precision", "recall", "f1", "images"), values, strict=True))})


def balanced_accuracy(predictions: Predictions) -> float:
    """Return the mean recall of the classes that have images: accuracy as if all classes were equally frequent."""
    from sklearn.metrics import recall_score

    labels = predictions["labels"]  # balanced_accuracy_score warns if a class without images was predicted
    return float(recall_score(labels, predictions["predicted"], labels=np.unique(labels), average="macro"))


def top(predictions: Predictions, most: int = 3) -> float:
    """Return the share of images whose label has one of the `most` highest scores, above 0; ties go to the lower class."""
    # top_k_accuracy_score gives ties to the higher class and counts a label whose score is 0
    order = np.argsort(-predictions["scores"].astype(np.float32), axis=1, kind="stable")[:, :most]
    labels = predictions["labels"][:, None]
    given = np.take_along_axis(predictions["scores"], labels, axis=1)[:, 0] > 0
    return float(((order == labels).any(axis=1) & given).mean())


def reliability(predictions: Predictions, bins: int = BINS) -> pd.DataFrame:
    """Return one row per non-empty confidence bin: mean confidence and accuracy in 0..1, and images."""
    confidence, hits = _confidence(predictions)
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    bins_with_images = [index == b for b in np.unique(index)]
    rows = [(confidence[its].mean(), hits[its].mean(), np.count_nonzero(its)) for its in bins_with_images]
    return pd.DataFrame(rows, columns=["confidence", "accuracy", "images"])


def calibration_error(predictions: Predictions, bins: int = BINS) -> float:
    """Return the expected calibration error, 0..1: the mean gap between confidence and accuracy per bin, weighted by images."""
    table = reliability(predictions, bins)
    return float((table.images * (table.confidence - table.accuracy).abs()).sum() / table.images.sum())


def rejection(predictions: Predictions) -> pd.DataFrame:
    """Return one row per threshold, below which images are rejected.

    threshold; rejected, the share of images below it; accuracy of the remaining ones, 0..1; misses, their errors.
    """
    confidence, hits = _confidence(predictions)
    order = np.argsort(-confidence, kind="stable")
    confidence, wrong = confidence[order], np.cumsum(~hits[order])
    last = np.flatnonzero(np.append(confidence[1:] != confidence[:-1], True))  # of each group of equal confidence
    misses, answered = wrong[last], last + 1
    rates = {"rejected": 1 - answered / len(hits), "accuracy": 1 - misses / answered}
    return pd.DataFrame({"threshold": confidence[last], **rates, "misses": misses})


def _confidence(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Return (confidence, hits): float64 (n,) in 0..1, the score of the predicted class, and bool (n,)."""
    scores, predicted = predictions["scores"], predictions["predicted"]
    confidence = scores[np.arange(len(predicted)), predicted].astype(np.float64)
    return np.clip(confidence, 0, 1), predicted == predictions["labels"]
