"""Every form that people have the sets in, written small: the catalogue is given tiny releases for it."""

import argparse
import dataclasses
import gzip
import hashlib
import zipfile

import numpy as np
import pytest

from hcrlib.cli import data as commands
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import import_file, load_dataset, verify
from hcrlib.datasets.catalog import DATASETS
from hcrlib.datasets.idx import to_idx
from hcrlib.datasets.importers import missing_parts


@pytest.fixture(autouse=True)
def empty_places(monkeypatch, tmp_path):
    monkeypatch.setenv("HCR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HCR_DATA", raising=False)


def tiny(monkeypatch, name, pinned=True, per_class=(2, 1)):
    """Gives an official set a tiny release. Returns {"train": (images, labels), "test": ...} as its files store them.

    pinned: the content of the files is known, not only their gzip form.
    """
    entry, rng = DATASETS.get(name), np.random.default_rng(0)
    parts, files = {}, []
    for part, count in zip(("train", "test"), per_class, strict=True):
        labels = np.tile(np.arange(len(entry.classes)) + entry.first_label, count).astype(np.uint8)
        parts[part] = rng.integers(0, 256, (len(labels), 28, 28), np.uint8), labels
        for file, array in zip(entry.pair(part), parts[part], strict=True):
            content = to_idx(array)
            packed, digest = gzip.compress(content, mtime=0), hashlib.sha256(content).hexdigest()
            files.append(
                dataclasses.replace(
                    file,
                    sha256=hashlib.sha256(packed).hexdigest(),
                    size=len(packed),
                    content=digest if pinned else None,
                )
            )
    release = tuple(len(parts[part][1]) for part in parts)
    entry = dataclasses.replace(entry, files=tuple(files), releases=(release, *entry.releases[1:]))
    monkeypatch.setitem(DATASETS._items, name, entry)
    return parts


def write_idx(folder, name, parts, packed=True):
    """The four files of a tiny set under their official names; returns their paths."""
    paths = []
    for part in parts:
        for file, array in zip(DATASETS.get(name).pair(part), parts[part], strict=True):
            content = to_idx(array)
            path = folder / (file.name if packed else file.name.removesuffix(".gz"))
            path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
            paths.append(path)
    return paths


def write_csv(path, images, labels, header=False):
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    head = ",".join(["label", *(f"{r}x{c}" for r in range(1, 29) for c in range(1, 29))]) if header else ""
    np.savetxt(path, rows, "%d", delimiter=",", header=head, comments="")
    return path


def assert_loads(name, parts):
    """The loaded set holds these arrays, upright and 0-based."""
    data, entry = load_dataset(name, val_fraction=0), DATASETS.get(name)
    for part in ("train", "test"):
        images, labels = parts[part]
        expected = images.transpose(0, 2, 1) if entry.transposed else images
        assert np.array_equal(getattr(data, part).images, expected)
        assert np.array_equal(getattr(data, part).labels, labels.astype(int) - entry.first_label)
    return data


def test_nists_zip_is_taken_member_by_member(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "emnist-letters", pinned=False)
    with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as packed:
        for path in write_idx(tmp_path, "emnist-letters", parts):
            packed.write(path, f"gzip/{path.name}")
    done = import_file(tmp_path / "gzip.zip")
    assert [one.how for one in done] == ["official"] * 4
    data = assert_loads("emnist-letters", parts)
    assert data.source == "cache"
    assert data.classes[data.train.labels[0]] == "A"
    assert all(finding.path and not finding.problem for finding in verify("emnist-letters"))


def test_a_mat_file_of_known_content_counts_as_official(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "emnist-balanced")
    path = write_mat(tmp_path / "emnist-balanced.mat", parts)
    assert [one.how for one in import_file(path)] == ["official", "official"]
    assert assert_loads("emnist-balanced", parts).source == "cache"
    assert [one.how for one in import_file(path)] == ["already imported", "already imported"]


def test_a_mat_file_of_unknown_content_is_an_import_that_says_so(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "emnist-balanced", pinned=False)
    path = write_mat(tmp_path / "emnist-balanced.mat", parts)
    assert [one.how for one in import_file(path)] == ["import", "import"]
    assert assert_loads("emnist-balanced", parts).source == "imported from emnist-balanced.mat"
    assert [one.how for one in import_file(path)] == ["already imported", "already imported"]
    assert [finding.path for finding in verify("emnist-balanced")][-1] == "imported from emnist-balanced.mat"


def write_mat(path, parts):
    """As MATLAB holds them: each upright image flattened by columns, labels in a column."""
    from scipy.io import savemat

    held = {}
    for part, (stored, labels) in parts.items():
        upright = stored.transpose(0, 2, 1)
        flat = np.stack([image.flatten(order="F") for image in upright])
        held[part] = {"images": flat, "labels": labels[:, None].astype(float)}
    savemat(path, {"dataset": held})
    return path


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_are_known_by_their_hash_under_any_name(monkeypatch, tmp_path, packed):
    parts = tiny(monkeypatch, "mnist")
    for number, path in enumerate(write_idx(tmp_path, "mnist", parts, packed)):
        done = import_file(path.rename(tmp_path / f"download ({number})"))
        assert done[0].dataset == "mnist"
        assert done[0].how == "official"
    assert_loads("mnist", parts)


def test_unpacked_idx_of_unknown_content_needs_both_files(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "emnist-digits", pinned=False)
    images, labels, *test = write_idx(tmp_path, "emnist-digits", parts, packed=False)
    hidden = labels.rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=f"imported together .*{labels.name} beside it"):
        import_file(images)
    hidden.rename(labels)
    import_file(images)
    assert missing_parts("emnist-digits") == ["test"]
    import_file(test[1])
    assert_loads("emnist-digits", parts)


def test_kaggles_mnist_csvs_have_a_header_and_are_official(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "mnist")
    import_file(write_csv(tmp_path / "mnist_train.csv", *parts["train"], header=True))
    assert missing_parts("mnist") == ["test"]
    done = import_file(write_csv(tmp_path / "mnist_test.csv", *parts["test"], header=True))
    assert (done[0].what, done[0].how) == ("test part, 10 images", "official")
    assert_loads("mnist", parts)


def test_kaggles_letters_are_the_other_release(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "emnist-letters", pinned=False)
    entry = DATASETS.get("emnist-letters")
    official = dataclasses.replace(entry, releases=((78, 52), entry.releases[0]))
    monkeypatch.setitem(DATASETS._items, "emnist-letters", official)
    for part in ("train", "test"):
        import_file(write_csv(tmp_path / f"emnist-letters-{part}.csv", *parts[part]))
    data = assert_loads("emnist-letters", parts)
    assert not data.comparable
    assert "This is the release of 52 + 26." in data.notes


def test_parts_of_two_releases_do_not_go_together(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "emnist-letters", pinned=False)
    entry = DATASETS.get("emnist-letters")
    monkeypatch.setitem(DATASETS._items, entry.name, dataclasses.replace(entry, releases=((52, 78), (78, 26))))
    for part in ("train", "test"):
        import_file(write_csv(tmp_path / f"emnist-letters-{part}.csv", *parts[part]))
    with pytest.raises(DataError, match="do not match .* Expected 52 \\+ 78 or 78 \\+ 26, got 52 \\+ 26"):
        load_dataset("emnist-letters")


def test_keras_npz(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "mnist")
    arrays = {f"{axis}_{part}": array for part in parts for axis, array in zip("xy", parts[part], strict=True)}
    np.savez(tmp_path / "mnist.npz", **arrays)
    assert [one.how for one in import_file(tmp_path / "mnist.npz")] == ["official", "official"]
    assert_loads("mnist", parts)


def test_a_zip_of_csvs_and_a_name_that_is_given(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "emnist-digits", pinned=False)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as packed:
        for part in parts:
            packed.write(write_csv(tmp_path / f"my-{part}.csv", *parts[part]), f"inner/my-{part}.csv")
    import_file(tmp_path / "archive.zip", "emnist-digits")
    assert_loads("emnist-digits", parts)


def test_another_import_does_not_replace_the_first(monkeypatch, tmp_path):
    images, labels = tiny(monkeypatch, "emnist-digits", pinned=False)["train"]
    path = write_csv(tmp_path / "emnist-digits-train.csv", images, labels)
    import_file(path)
    write_csv(path, 255 - images, labels)
    with pytest.raises(DataError, match="already exists"):
        import_file(path)


def test_the_command_says_what_is_still_missing(monkeypatch, tmp_path, capsys):
    parts = tiny(monkeypatch, "emnist-digits", pinned=False)
    parser = argparse.ArgumentParser()
    commands.add_parser(parser.add_subparsers())
    said = {"train": "emnist-digits still lacks its test part", "test": "emnist-digits is complete"}
    for part in parts:
        path = write_csv(tmp_path / f"{part}.csv", *parts[part])
        args = parser.parse_args(["data", "import", str(path), "--name", "emnist-digits"])
        assert args.func(args) == 0
        assert said[part] in capsys.readouterr().out


def fashion(images, labels):
    return 255 - images, labels


def one_less(images, labels):
    return images[1:], labels[1:]


def out_of_range(images, labels):
    return images, labels + 1


def without_zero(images, labels):
    return images, np.where(labels == 0, 1, labels)


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("mnist", fashion, "This is not mnist .*sha256"),
        ("emnist-digits", one_less, "not the train part of emnist-digits .* Expected 20 images, got 19"),
        ("emnist-digits", out_of_range, "out of range .* 0 to 9"),
        ("emnist-digits", without_zero, "No image of class '0'"),
    ],
)
def test_what_is_not_the_set_is_refused_and_not_kept(monkeypatch, tmp_path, name, spoil, says):
    parts = tiny(monkeypatch, name, pinned=name == "mnist")
    path = write_csv(tmp_path / f"{name}-train.csv", *spoil(*parts["train"]))
    with pytest.raises(DataError, match=says):
        import_file(path)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("emnist-letters.mat", b"MATLAB 5.0 nonsense", "Not an EMNIST .mat file"),
        ("mnist.npz", b"PK nonsense", "Keras' mnist.npz contains"),
        ("gzip.zip", b"PK nonsense", "zip is damaged"),
        ("emnist-digits-train.csv", b"1,2,3\n", "do not have 784 pixels"),
        ("emnist-digits-train.csv", b"", "Invalid CSV of images: it contains no images"),
        ("emnist-digits-train.csv", b"1" + b",0" * 783 + b",256\n", "Invalid CSV of images"),
        ("emnist-digits.csv", b"1" + b",0" * 784, "does not say which part"),
        ("train.csv", b"1" + b",0" * 784, "does not say which dataset"),
        ("holiday.jpg", b"\xff\xd8\xff", "Neither the hash nor the name"),
    ],
)
def test_what_is_no_such_file_is_named(tmp_path, file, content, says):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=says):
        import_file(tmp_path / file)


def test_no_such_file_and_a_set_that_is_not_imported(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        import_file(tmp_path / "gzip.zip")
    path = tmp_path / "train.csv"
    path.write_bytes(b"1" + b",0" * 784)
    with pytest.raises(ConfigError, match="mnist-5k cannot be imported from files"):
        import_file(path, "mnist-5k")
