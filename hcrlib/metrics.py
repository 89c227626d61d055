"""Numbers about predictions: counts first, rates in 0..1."""

import numpy as np


def misses(labels, predicted):
    """How many of the predictions, int (n,), differ from the labels, int (n,)."""
    return int(np.count_nonzero(labels != predicted))


def wilson(hits, n, level=0.95):
    """(low, high): the Wilson score interval of a rate, hits of n (Wilson 1927), in 0..1."""
    from scipy.stats import binomtest

    interval = binomtest(int(hits), int(n)).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def confusion(labels, predicted, n_classes):
    """int64 (n_classes, n_classes): rows are true classes, columns the answers."""
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts
