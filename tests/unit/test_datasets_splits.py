import numpy as np
import pytest

from hcrlib.core.errors import ConfigError
from hcrlib.datasets import cut_validation, stratified_take
from hcrlib.datasets.splits import take_per_class

LABELS = np.repeat([0, 1, 2], [60, 30, 10])


def counts(labels, indices):
    return np.bincount(labels[indices], minlength=3).tolist()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (100, [60, 30, 10]),
        (10, [6, 3, 1]),
        (11, [7, 3, 1]),  # quotas 6.6, 3.3, 1.1: the one left over goes to the largest remainder
        (5, [2, 2, 1]),  # quotas 3, 1.5, 0.5: the tie goes to class 1; class 2 gets one from the largest
        (3, [1, 1, 1]),
        (2, [1, 1, 0]),  # quotas 1.2, 0.6, 0.2
        (0, [0, 0, 0]),
    ],
)
def test_shares_by_largest_remainder(size, expected):
    taken = stratified_take(LABELS, size, 0, "test")
    assert sum(expected) == size == len(taken)
    assert counts(LABELS, taken) == expected


def test_a_selection_is_pinned_sorted_and_without_repeats():
    taken = stratified_take(LABELS, 7, seed=3, purpose="budget")
    assert taken.dtype == np.int64
    assert taken.tolist() == [2, 8, 22, 34, 77, 78, 95]
    assert not np.array_equal(stratified_take(LABELS, 7, 4, "budget"), taken)
    assert not np.array_equal(stratified_take(LABELS, 7, 3, "validation"), taken)


@pytest.mark.parametrize("size", [-1, 101])
def test_a_size_that_does_not_fit(size):
    with pytest.raises(ConfigError, match="0 to 100"):
        stratified_take(LABELS, size, 0, "test")


def test_validation_and_train_are_everything_once():
    train, val = cut_validation(LABELS, 0.1, 0)
    assert np.array_equal(np.sort(np.concatenate([train, val])), np.arange(100))
    assert counts(LABELS, val) == [6, 3, 1]
    assert len(cut_validation(LABELS, 0, 0)[1]) == 0
    train, val = cut_validation(np.array([0] * 50 + [1]), 0.5, 0)
    assert (50 in train, len(val)) == (True, 26), "a class of one image stays in train"
    with pytest.raises(ConfigError, match="validation"):
        cut_validation(LABELS, 1, 0)


def test_take_per_class_needs_enough_of_each():
    assert counts(LABELS, take_per_class(LABELS, 10, 3, 0, "test")) == [10, 10, 10]
    with pytest.raises(ConfigError, match="Class 2 .* at least 11, got 10"):
        take_per_class(LABELS, 11, 3, 0, "test")
