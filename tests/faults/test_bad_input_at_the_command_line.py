"""Bad input at the command line ends in one paragraph and exit status 1, and leaves nothing half-written."""

import errno
import gzip

import numpy as np
import pytest
from PIL import Image

from hcrlib import records
from hcrlib.cli import main
from hcrlib.datasets.idx import to_idx
from hcrlib.tasks import base

rng = np.random.default_rng(0)
IMAGES, LABELS = rng.integers(0, 256, (40, 28, 28), np.uint8), np.arange(40, dtype=np.uint8) % 2


@pytest.fixture
def idx(tmp_path):
    """A function that writes a custom dataset as a pair of IDX files and returns its folder."""

    def make(images=IMAGES, labels=LABELS, less=0):
        packed = gzip.compress(to_idx(images))
        (tmp_path / "images.gz").write_bytes(packed[: len(packed) - less])
        (tmp_path / "labels.gz").write_bytes(gzip.compress(to_idx(labels)))
        text = "{name: own, format: idx, images: [images.gz, labels.gz], classes: ['0', '1']}"
        (tmp_path / "dataset.yml").write_text(text)
        return str(tmp_path)

    return make


@pytest.fixture
def folders(tmp_path):
    """A custom dataset with two class folders of ten images each."""
    for n in range(20):
        path = tmp_path / f"images/{'ab'[n % 2]}/{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.pad(IMAGES[n], 9)).save(path)
    (tmp_path / "dataset.yml").write_text("{name: own, format: folders, images: images}")
    return tmp_path


@pytest.fixture
def refused(capsys, results):
    """A function that checks that a command exits with 1 and one paragraph that contains these words, and leaves no run."""

    def check(argv, *words):
        assert main.main([*map(str, argv)]) == 1
        message = capsys.readouterr().err.splitlines()[-1]
        assert message.startswith("hcr: ")
        assert [word for word in words if word not in message] == []
        assert "Traceback" not in message
        left = {path.name for path in results.rglob("*") if path.is_file()}
        assert left <= {".lock", "attempt.json", "record.json"}  # the last one says "failed", if it is there
        assert [record for record in records.read_all() if record.status != "failed"] == []

    return check


def test_a_truncated_gz(idx, refused):
    refused(["train", "dummy", "--data", idx(less=50)], "truncated", "images.gz")


def test_labels_out_of_range(idx, refused):
    refused(["train", "dummy", "--data", idx(labels=LABELS + 1)], "20 of 40 labels are out of range", "0 to 1", "got 2")


def test_images_and_labels_of_different_counts(idx, refused):
    words = "numbers of labels and images differ", "Expected 40", "got 39"
    refused(["train", "dummy", "--data", idx(labels=LABELS[1:])], *words)


def test_an_empty_class_folder(folders, refused):
    (folders / "images/c").mkdir()
    refused(["train", "dummy", "--data", folders], "empty", str(folders / "images/c"))


def test_an_unreadable_image_among_good_ones_is_listed_and_counted(folders, capsys):
    (folders / "images/a/broken.png").write_bytes(b"\x89PNG, and no more")
    assert main.main(["train", "dummy", "--data", str(folders)]) == 0
    assert "left out, because they cannot be read or used: 1\n  images/a/broken.png: " in capsys.readouterr().out
    [record] = records.read_all()
    assert [file for file, _ in record.data["damaged"]] == ["images/a/broken.png"]


def test_an_unknown_parameter_in_a_sweep(tmp_path, refused):
    (tmp_path / "x.yml").write_text("runs: [{classifier: dummy}, {classifier: knn, neighbours: 3}]")
    refused(["sweep", tmp_path / "x.yml"], "'neighbours' is not a parameter of knn", "x.yml, run 2")


def test_no_room_for_the_results(refused, monkeypatch):
    def full(folder, **_):
        (folder / "predictions.npz").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", "predictions.npz")

    monkeypatch.setattr(base, "save_predictions", full)
    refused(["train", "dummy"], "No space left on device", "Free some space")
