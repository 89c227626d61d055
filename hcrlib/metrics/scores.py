"""Numbers about predictions: counts first, rates in 0..1."""

from collections import Counter
from math import sqrt
from statistics import NormalDist

import numpy as np
from rapidfuzz.distance import Levenshtein


def misses(labels, predicted):
    """How many of the predictions, int (n,), differ from the labels, int (n,)."""
    return int(np.count_nonzero(labels != predicted))


def wilson(hits, n, level=0.95):
    """(low, high): the Wilson score interval of a rate, hits of n (Wilson 1927), in 0..1."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    wide, rate = 2 * (n + z * z), hits / n
    middle, half = (2 * n * rate + z * z) / wide, z / wide * sqrt(4 * n * rate * (1 - rate) + z * z)
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == n else middle + half)


def confusion(labels, predicted, n_classes):
    """int64 (n_classes, n_classes): rows are true classes, columns the answers."""
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def edits(said, truth):
    """The least number of insertions, deletions and substitutions between two sequences (Levenshtein 1966)."""
    return Levenshtein.distance(said, truth)


def mistaken(said, truth):
    """Counter of (true character, what was read instead): "" where one was added or left out; of aligned texts."""
    found = Counter()
    for a, b in zip(truth, said, strict=True):
        for kind, at, there in Levenshtein.editops(a, b):
            found["" if kind == "insert" else a[at], "" if kind == "delete" else b[there]] += 1
    return found


def error_rate(said, truth, unit="characters", resamples=2000):
    """(rate, low, high): edits of texts against the true ones by the characters or words that there are, all lines together.

    CER and WER; the interval is of 95 %, from lines drawn anew (percentile bootstrap, Efron 1979). A rate may be above 1.
    """
    wrong, there = _counted(said, truth, unit)
    rng, rates = np.random.default_rng(0), []
    for _ in range(resamples):
        drawn = rng.integers(len(wrong), size=len(wrong))
        rates.append(wrong[drawn].sum() / max(there[drawn].sum(), 1))
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(wrong.sum() / max(there.sum(), 1)), float(low), float(high)


def rate(said, truth, unit="characters"):
    """The rate of `error_rate` alone."""
    wrong, there = _counted(said, truth, unit)
    return float(wrong.sum() / max(there.sum(), 1))


def _counted(said, truth, unit):
    """(edits, how many there are), int (n,), of each text."""
    part = list if unit == "characters" else str.split
    pairs = [(part(a), part(b)) for a, b in zip(said, truth, strict=True)]
    return np.array([edits(a, b) for a, b in pairs]), np.array([len(b) for _, b in pairs])
