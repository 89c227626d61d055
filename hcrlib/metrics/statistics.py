"""Compute statistics of predictions: significance, per-class scores, calibration.

Predictions are what `records.load_predictions` returns: labels int64 (n,), predicted int64 (n,), scores (n, k), rows sum to 1.
Sources: Dietterich 1998 (McNemar's test for classifiers), Holm 1979, Guo et al. 2017 (expected calibration error), Chow 1970
(rejection). The tests are statsmodels', precision and recall scikit-learn's.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

Predictions = Mapping[str, np.ndarray]
ALPHA = 0.05
BINS = 15  # confidence bins, as in Guo et al. 2017


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The pairwise comparison of classifiers on the same images.

    names: of the k classifiers. only: int (k, k), images that the row's classifier gets right and the column's does not.
    p: float (k, k), exact McNemar, Holm-corrected for all k (k - 1) / 2 pairs; 1 on the diagonal.
    """

    names: tuple
    only: np.ndarray
    p: np.ndarray

    def verdict(self, row: str, column: str) -> str:
        """Return one sentence that compares two of the names."""
        i, j = self.names.index(row), self.names.index(column)
        counts = f"{self.only[i, j]:,} images against {self.only[j, i]:,}, {p_value(self.p[i, j])}"
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


def p_value(p: float) -> str:
    """Return a p-value as text: 'p = 0.031', 'p < 0.001'."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def compare(predictions: dict[str, Predictions]) -> Comparison:
    """Return the Comparison of name -> predictions. Raises ValueError unless all have the same labels."""
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    names = tuple(predictions)
    labels = [predictions[name]["labels"] for name in names]
    if any(not np.array_equal(other, labels[0]) for other in labels[1:]):
        raise ValueError("predictions on different labels cannot be compared")
    right = np.array([predictions[name]["predicted"] == labels[0] for name in names], dtype=np.int64)
    only = right @ (1 - right).T
    p, pairs = np.ones((len(names), len(names))), list(itertools.combinations(range(len(names)), 2))
    if pairs:
        tables = [[[0, only[i, j]], [only[j, i], 0]] for i, j in pairs]  # the exact test uses only these two cells
        raw = [1.0 if not np.any(table) else mcnemar(table, exact=True).pvalue for table in tables]
        for (i, j), value in zip(pairs, multipletests(raw, method="holm")[1], strict=True):
            p[i, j] = p[j, i] = value
    return Comparison(names, only, p)


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
