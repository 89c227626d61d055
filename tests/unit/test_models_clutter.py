"""What is added to training lines: reproducible, within range, and where the writing is not."""

import numpy as np
import pytest

from hcrlib.models import RECOGNIZERS, _clutter


@pytest.fixture
def line():
    """A bar of ink in the middle of a line, float32 (48, 120)."""
    image = np.zeros((48, 120), np.float32)
    image[20:28, 10:110] = 1
    return image


def test_a_cluttered_line_keeps_its_writing(line):
    before = line.copy()
    for seed in range(20):
        one, again = (_clutter.cluttered(line, line, 1.0, np.random.RandomState(seed)) for _ in range(2))
        assert np.array_equal(one, again)
        assert one.shape == line.shape
        assert one.dtype == np.float32
        assert one.min() >= 0
        assert one.max() <= 1
        assert one[22:26, 20:100].mean() > 0.8
    assert np.array_equal(line, before), "the image itself is unchanged"
    assert np.array_equal(_clutter.cluttered(line, line, 0.0, np.random.RandomState(0)), line)


@pytest.mark.parametrize("change", _clutter.SHARES)
def test_each_addition_changes_something_on_any_size(change, line):
    full = np.ones_like(line)
    assert any(not np.array_equal(change(line.copy(), full, np.random.RandomState(seed)), line) for seed in range(3))
    small, other = np.full((16, 4), 0.5, np.float32), np.ones((16, 3), np.float32)
    assert change(small, other, np.random.RandomState(0)).shape == small.shape


@pytest.mark.slow
def test_only_training_images_are_changed(line):
    recognizer = RECOGNIZERS.get("crnn-residual").create({"clutter": 1.0})
    images, texts = [line] * 4, ["a"] * 4
    plain = recognizer._batches(pytest.importorskip("keras"), images, texts, {"a": 1}, None)[0][0]
    assert np.array_equal(plain[0, :, 4:124, 0], line)
    changed = recognizer._batches(pytest.importorskip("keras"), images, texts, {"a": 1}, np.random.RandomState(0))[0][0]
    assert not np.array_equal(changed[0], changed[1])
