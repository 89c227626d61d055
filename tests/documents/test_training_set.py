"""Training images of page reading: segmented characters and non-characters."""

import numpy as np
import pytest

import hcrlib
from hcrlib import datasets
from hcrlib.documents import synthesis, training_set


@pytest.fixture(scope="module")
def digits():
    return hcrlib.load_dataset("mnist-5k")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Pages of a sixth of the size."""
    looks = {name: synthesis.replace(look, size=(700, 500)) for name, look in training_set.DEGRADATIONS.items()}
    monkeypatch.setattr(training_set, "DEGRADATIONS", looks)


def test_images_of_characters_and_non_characters(digits):
    images, labels = training_set.examples(digits.train, digits.classes, 3, "train")
    assert (images.shape[1:], images.dtype, labels.dtype) == ((28, 28), np.uint8, np.uint8)
    assert len(images) == len(labels)
    nothing = labels == len(digits.classes)
    assert 0 < nothing.sum() <= (~nothing).sum()
    assert len(set(labels[~nothing].tolist())) >= 5
    assert (images.reshape(len(images), -1).max(axis=1) > 200).all()


def test_seed_and_split_determine_the_images(digits):
    first, again, other, val = (
        training_set.examples(digits.train, digits.classes, seed, purpose)[0]
        for seed, purpose in ((3, "train"), (3, "train"), (4, "train"), (3, "val"))
    )
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)
    assert first.shape != val.shape or not np.array_equal(first, val)


def test_a_page_on_which_nothing_is_found_has_no_images(digits, monkeypatch):
    monkeypatch.setattr(training_set, "_texts", lambda *_: iter(()))
    images, labels = training_set.examples(digits.train, digits.classes, 0, "train")
    assert (images.shape, images.dtype, labels.shape) == ((0, 28, 28), np.uint8, (0,))


def test_images_look_like_their_labels(digits):
    """The nearest mean of the data set's own images names them far oftener than one in ten, though those are smaller."""
    pairs = [training_set.examples(digits.train, digits.classes, seed, "train") for seed in range(4)]
    images, labels = (np.concatenate(some) for some in zip(*pairs, strict=True))
    means = np.stack([digits.train.images[digits.train.labels == c].mean(axis=0) for c in range(10)]).reshape(10, -1)
    flat = images[labels < 10].reshape(-1, 28 * 28).astype(float)
    means, flat = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (means, flat))
    assert (np.argmax(flat @ means.T, axis=1) == labels[labels < 10]).mean() > 0.35


def test_the_data_set_is_loaded_by_hcrlib(digits, tmp_path):
    said = []
    training_set.write(tmp_path, digits, pages=2, test_pages=1, name="tiny-pages", say=said.append)
    whole = hcrlib.load_dataset(str(tmp_path))
    assert whole.name == tmp_path.name
    assert whole.classes == (*digits.classes, training_set.NOTHING)
    for split in (whole.train, whole.val, whole.test):
        assert split.images.shape[1:] == (28, 28)
        assert split.labels.max() <= 10
    expected = training_set.examples(digits.val, digits.classes, 0, "val")
    assert np.array_equal(whole.test.images, expected[0])
    assert np.array_equal(whole.test.labels, expected[1])
    assert datasets.frame_of(str(tmp_path)) == "emnist"
