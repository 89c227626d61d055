"""Compute scores of predictions: error counts and rates, the latter in 0..1."""

from collections import Counter
from collections.abc import Callable, Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np
from rapidfuzz.distance import Levenshtein


def count_errors(labels: np.ndarray, predicted: np.ndarray) -> int:
    """Return how many of the predictions, int (n,), differ from the labels, int (n,)."""
    return int(np.count_nonzero(labels != predicted))


def wilson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return (low, high), the Wilson score interval of a rate, hits of n (Wilson 1927), in 0..1."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    wide, rate = 2 * (n + z * z), hits / n
    middle, half = (2 * n * rate + z * z) / wide, z / wide * sqrt(4 * n * rate * (1 - rate) + z * z)
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == n else middle + half)


def confusion(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return int64 (n_classes, n_classes): rows are true classes, columns predicted ones."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(labels, predicted, labels=range(n_classes))


def edits(hypothesis: Sequence, reference: Sequence) -> int:
    """Return the least number of insertions, deletions and substitutions between two sequences (Levenshtein 1966)."""
    return Levenshtein.distance(hypothesis, reference)


def confusion_counts(hypotheses: Sequence[str], references: Sequence[str]) -> Counter[tuple[str, str]]:
    """Count pairs (true character, predicted character); "" marks an insertion or a deletion."""
    counts: Counter[tuple[str, str]] = Counter()
    for a, b in zip(references, hypotheses, strict=True):
        for edit in Levenshtein.editops(a, b):
            true, read = a[edit.src_pos : edit.src_pos + 1], b[edit.dest_pos : edit.dest_pos + 1]
            counts["" if edit.tag == "insert" else true, "" if edit.tag == "delete" else read] += 1
    return counts


def error_rate(
    hypotheses: Sequence[str], references: Sequence[str], unit: str = "characters", resamples: int = 2000
) -> tuple[float, float, float]:
    """Return (rate, low, high): edits divided by the number of true characters or words, over all lines.

    This is the CER or WER, with a 95 % interval from resampled lines (percentile bootstrap, Efron 1979). A rate may
    exceed 1.
    """
    wrong, total = _counted(hypotheses, references, unit)
    drawn = np.random.default_rng(0).integers(len(wrong), size=(resamples, len(wrong)))
    rates = wrong[drawn].sum(axis=1) / np.maximum(total[drawn].sum(axis=1), 1)
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(wrong.sum() / max(total.sum(), 1)), float(low), float(high)


def rate(hypotheses: Sequence[str], references: Sequence[str], unit: str = "characters") -> float:
    """Return the rate that `error_rate` computes, without its interval."""
    wrong, total = _counted(hypotheses, references, unit)
    return float(wrong.sum() / max(total.sum(), 1))


def _counted(hypotheses: Sequence[str], references: Sequence[str], unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (edits, number of true units) per text, each int (n,)."""
    part: Callable[[str], list[str]] = list if unit == "characters" else str.split
    pairs = [(part(a), part(b)) for a, b in zip(hypotheses, references, strict=True)]
    return np.array([edits(a, b) for a, b in pairs]), np.array([len(b) for _, b in pairs])
