"""Composed pages: determined by the seed, with a ground truth that covers their ink."""

from dataclasses import replace

import numpy as np
import pytest

import hcrlib
from hcrlib.datasets.synthetic import VULGAR
from hcrlib.documents import cleaning
from hcrlib.documents.synthesis import DEGRADATIONS, PLAIN, compose, stacked, words

SMALL = replace(PLAIN, size=(420, 360), x_height=18)


@pytest.fixture(scope="module")
def digits():
    return hcrlib.load_dataset("mnist-5k")


def page(digits, look=SMALL, seed=0, **options):
    return compose(digits.val, digits.classes, look, seed, **options)


def test_a_seed_determines_the_page(digits):
    a, b, other = page(digits), page(digits), page(digits, seed=1)
    assert np.array_equal(a.image, b.image)
    assert a.truth.lines == b.truth.lines
    assert not np.array_equal(a.image, other.image)
    assert a.truth.text != other.truth.text


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_each_degradation_at_a_small_size(digits, name):
    look = replace(DEGRADATIONS[name], size=(420, 360), x_height=DEGRADATIONS[name].x_height * 0.7)
    image, truth = page(digits, look)
    assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
    assert min(image.shape[:2]) >= 360
    assert len(truth.lines) >= 2
    height, width = image.shape[:2]
    for word in truth.words:
        assert word.text == "".join(c.text for c in word.characters)
        for c in word.characters:
            assert -2 <= c.box.left < c.box.right <= width + 2
            assert -2 <= c.box.top < c.box.bottom <= height + 2


def test_all_ink_is_in_boxes(digits):
    image, truth = page(digits, replace(SMALL, grain=0))
    ink, pale = image.max(axis=2) < 150, image.max(axis=2) < 215
    for word in truth.words:
        for c in word.characters:
            box = c.box
            inside = pale[box.top : box.bottom, box.left : box.right]
            assert inside.any(axis=1).mean() > 0.9
            assert inside.any(axis=0).mean() > 0.9
        left, top, right, bottom = word.box
        ink[top - 1 : bottom + 1, left - 1 : right + 1] = False
    assert not ink.any()


def test_boxes_follow_the_perspective(digits):
    look = replace(SMALL, perspective=0.06, rotation=3, grain=0)
    image, truth = page(digits, look)
    assert image.shape[:2] > (360, 420)
    for word in truth.words:
        left, top, right, bottom = word.box
        near = image[top:bottom, left:right].max(axis=2)
        assert near.min() < 140
        assert np.median(near) > 150  # paper, not the table


def test_a_pages_words_are_those_given_in_their_order(digits):
    truth = page(digits, texts=["314", "1", "59265", "35"]).truth
    assert truth.text.split() == ["314", "1", "59265", "35"]
    assert page(digits, texts=[]).truth.lines == ()


def test_columns_are_numbered_from_the_left(digits):
    truth = page(digits, replace(SMALL, size=(700, 360), columns=2)).truth
    assert sorted({line.column for line in truth.lines}) == [0, 1]
    assert max(line.box.right for line in truth.lines if line.column == 0) < min(
        line.box.left for line in truth.lines if line.column == 1
    )


def test_characters_touch_only_if_requested(digits):
    def strokes(look):
        image, truth = page(digits, replace(look, grain=0, size=(600, 400)))
        _, labels = cleaning.cv2.connectedComponents((image.max(axis=2) < 200).astype(np.uint8))
        written = sum(len(word.characters) for word in truth.words)
        return labels.max() / written

    assert strokes(replace(SMALL, spacing=0.3)) > 0.97
    assert strokes(replace(SMALL, touching=1.0)) < 0.7


def test_words_and_numbers():
    rng = np.random.default_rng(0)
    numbers = words(rng, "0123456789")
    assert all(next(numbers).isdigit() for _ in range(200))
    letters = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    english = words(rng, letters)
    said = [next(english) for _ in range(2000)]
    assert {len(word) > 0 and word.isascii() and word.isalnum() for word in said} == {True}
    assert not any(part in word.lower() for word in said for part in VULGAR)
    assert 0.05 < np.mean([word.isdigit() for word in said]) < 0.15


def test_lines_are_stacked_on_a_page():
    image = stacked([np.full((20, 100), 7, np.uint8), np.full((40, 60), 9, np.uint8)])
    assert image.shape == (2 * 40 + 40 + 60, 180, 3)
    assert [((image[..., 0] == ink).sum(axis=0) > 0).sum() for ink in (7, 9)] == [100, 60]
    assert (np.delete(image, np.s_[40:140], axis=1) == 255).all()
    with pytest.raises(ValueError, match="at least one line"):
        stacked([])
