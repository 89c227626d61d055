"""The real images: pinned hashes, counts per class, and the facts that the recipes rely on."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from hcrlib.datasets import load_dataset, verify
from hcrlib.datasets.catalog import BYCLASS, BYMERGE, DATASETS, LETTERS

needs_files = pytest.mark.skipif(not os.environ.get("HCR_DATA"), reason="HCR_DATA is not set: no official files")
LITE = [name for name in DATASETS.names() if DATASETS.get(name).kind == "lite"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HCR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def load():
    """load_dataset without validation; each dataset is loaded once."""
    held = {}

    def once(name):
        if name not in held:
            held[name] = load_dataset(name, val_fraction=0)
        return held[name]

    return once


def pixels(split):
    return set(map(bytes, split.images))


def test_mnist_5k_is_pinned_and_balanced():
    data = load_dataset("mnist-5k")
    assert data.sha256 == DATASETS.get("mnist-5k").sha256
    assert [len(data.train), len(data.val), len(data.test)] == [3600, 400, 1000]
    assert np.bincount(data.train.labels).tolist() == [360] * 10
    assert np.bincount(data.test.labels).tolist() == [100] * 10
    assert not pixels(data.train) & pixels(data.test)


@needs_files
def test_mnist(load):
    data = load("mnist")
    assert data.sha256 == "fc31002ea02103a95805721098073963268835523d93717653699f8cae11689a"
    assert data.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert data.source == "HCR_DATA"


@needs_files
def test_mnist_5k_comes_from_mnists_training_file(load):
    small = load("mnist-5k")
    assert pixels(small.train) | pixels(small.test) <= pixels(load("mnist").train)


@needs_files
@pytest.mark.parametrize("name", LITE)
def test_a_lite_set_has_its_pinned_content_and_counts(load, name):
    data, entry = load(name), DATASETS.get(name)
    assert data.sha256 == entry.sha256
    assert (len(data.train), len(data.test)) == entry.releases[0]
    assert data.classes == entry.classes
    assert not pixels(data.train) & pixels(data.test)


@needs_files
@pytest.mark.parametrize(
    ("name", "train", "test"),
    [("balanced", 333, 400), ("letters", 720, 800), ("digits", 4400, 4000), ("mnist", 6000, 1000)],
)
def test_a_balanced_lite_set_has_as_many_of_each_class(load, name, train, test):
    data = load(f"emnist-{name}-lite")
    assert np.bincount(data.train.labels).tolist() == [train] * data.n_classes
    assert np.bincount(data.test.labels).tolist() == [test] * data.n_classes


@needs_files
def test_no_lite_set_of_merged_classes_trains_on_an_official_bymerge_test_image(load):
    official = pixels(load("emnist-bymerge-lite").test)
    for name in ("bymerge", "balanced", "letters", "digits"):
        assert not pixels(load(f"emnist-{name}-lite").train) & official


@needs_files
def test_the_second_load_comes_from_the_cache_and_is_the_same(load):
    first, second = load("emnist-balanced-lite"), load_dataset("emnist-balanced-lite", val_fraction=0)
    assert second.source == "cache"
    assert second.sha256 == first.sha256
    assert all(not finding.problem for finding in verify("emnist-balanced-lite"))


@needs_files
def test_emnist_is_upright(load):
    """An upright 1 is taller than it is wide; a transposed one is not."""
    data = load("emnist-digits-lite")
    ones = data.test.images[data.test.labels == 1] > 127
    heights, widths = ones.any(axis=2).sum(axis=1), ones.any(axis=1).sum(axis=1)
    assert np.mean(heights > widths) > 0.95


@needs_files
@pytest.mark.parametrize(
    ("split", "classes", "first"), [("byclass", BYCLASS, 0), ("bymerge", BYMERGE, 0), ("letters", LETTERS, 1)]
)
def test_classes_are_those_of_nists_mapping_files(split, classes, first):
    found = list(Path(os.environ["HCR_DATA"]).rglob(f"emnist-{split}-mapping.txt"))
    if not found:
        pytest.skip("HCR_DATA has no mapping file")
    rows = [list(map(int, row.split())) for row in found[0].read_text().splitlines()]
    assert [row[0] for row in rows] == list(range(first, first + len(classes)))
    assert tuple(chr(row[1]) for row in rows) == classes


@needs_files
def test_images_of_the_two_files_agree_on_their_merged_labels(load):
    """The 16,478 images that are in both test files have the same merged label."""
    from hcrlib.datasets.lite import TO_BYMERGE
    from hcrlib.datasets.official import load_part

    (by_class, _), (by_merge, _) = (load_part(DATASETS.get(f"emnist-{s}"), "test") for s in ("byclass", "bymerge"))
    merged = {bytes(image): label for image, label in zip(by_merge.images, by_merge.labels, strict=True)}
    both = [
        (TO_BYMERGE[label], merged[key])
        for image, label in zip(by_class.images, by_class.labels, strict=True)
        if (key := bytes(image)) in merged
    ]
    assert len(both) == 16_478
    assert all(ours == theirs for ours, theirs in both)


def test_the_validation_cut_of_mnist_5k_is_pinned():
    val = load_dataset("mnist-5k").val
    expected = "8696dbadc43b7dd817cfcacfd9aa47fef44f660a795dd7cee381dcbd652a3ef3"
    assert hashlib.sha256(val.images).hexdigest() == expected
