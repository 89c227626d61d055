"""Every form that people have the sets in, written small: the catalog is given tiny releases for it."""

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
            known = {"sha256": hashlib.sha256(packed).hexdigest(), "size": len(packed)}
            files.append(dataclasses.replace(file, content=digest if pinned else None, **known))
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


@pytest.mark.parametrize(("pinned", "how"), [(True, "official"), (False, "import")])
def test_a_mat_file_is_official_only_if_its_content_is_known(monkeypatch, tmp_path, pinned, how):
    parts = tiny(monkeypatch, "emnist-balanced", pinned=pinned)
    path = write_mat(tmp_path / "emnist-balanced.mat", parts)
    assert [one.how for one in import_file(path)] == [how, how]
    source = "cache" if pinned else "imported from emnist-balanced.mat"
    assert assert_loads("emnist-balanced", parts).source == source
    assert [one.how for one in import_file(path)] == ["already imported", "already imported"]
    assert pinned or [finding.path for finding in verify("emnist-balanced")][-1] == source


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


def test_kaggles_mnist_csvs_and_keras_npz_are_official(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "mnist")
    import_file(write_csv(tmp_path / "mnist_train.csv", *parts["train"], header=True))
    assert missing_parts("mnist") == ["test"]
    done = import_file(write_csv(tmp_path / "mnist_test.csv", *parts["test"], header=True))
    assert (done[0].what, done[0].how) == ("test part, 10 images", "official")
    assert_loads("mnist", parts)
    monkeypatch.setenv("HCR_CACHE", str(tmp_path / "another cache"))
    arrays = {f"{axis}_{part}": array for part in parts for axis, array in zip("xy", parts[part], strict=True)}
    np.savez(tmp_path / "mnist.npz", **arrays)
    assert [one.how for one in import_file(tmp_path / "mnist.npz")] == ["official", "official"]
    assert_loads("mnist", parts)


@pytest.mark.parametrize("releases", [((78, 52), (52, 26)), ((52, 78), (78, 26))])
def test_parts_of_another_release_are_noted_and_of_two_refused(monkeypatch, tmp_path, releases):
    parts = tiny(monkeypatch, "emnist-letters", pinned=False)
    entry = dataclasses.replace(DATASETS.get("emnist-letters"), releases=releases)
    monkeypatch.setitem(DATASETS._items, entry.name, entry)
    for part in ("train", "test"):
        import_file(write_csv(tmp_path / f"emnist-letters-{part}.csv", *parts[part]))
    if (52, 26) in releases:
        data = assert_loads("emnist-letters", parts)
        assert not data.comparable
        assert "This is the release of 52 + 26." in data.notes
    else:
        with pytest.raises(DataError, match="do not match .* Expected 52 \\+ 78 or 78 \\+ 26, got 52 \\+ 26"):
            load_dataset("emnist-letters")


def test_the_command_takes_a_name_and_says_what_is_still_missing(monkeypatch, tmp_path, capsys):
    parts = tiny(monkeypatch, "emnist-digits", pinned=False)
    parser = argparse.ArgumentParser()
    commands.add_parser(parser.add_subparsers())
    said = {"train": "emnist-digits still lacks its test part", "test": "emnist-digits is complete"}
    for part in parts:
        path = write_csv(tmp_path / f"my-{part}.csv", *parts[part])
        if part == "test":  # an archive is unpacked
            with zipfile.ZipFile(tmp_path / "archive.zip", "w") as packed:
                packed.write(path, f"inner/{path.name}")
            path = tmp_path / "archive.zip"
        args = parser.parse_args(["data", "import", str(path), "--name", "emnist-digits"])
        assert args.func(args) == 0
        assert said[part] in capsys.readouterr().out
    assert_loads("emnist-digits", parts)


def test_another_import_does_not_replace_the_first(monkeypatch, tmp_path):
    images, labels = tiny(monkeypatch, "emnist-digits", pinned=False)["train"]
    path = write_csv(tmp_path / "emnist-digits-train.csv", images, labels)
    import_file(path)
    write_csv(path, 255 - images, labels)
    with pytest.raises(DataError, match="already exists"):
        import_file(path)


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("mnist", lambda images, labels: (255 - images, labels), "This is not mnist .*sha256"),
        (
            "emnist-digits",
            lambda images, labels: (images[1:], labels[1:]),
            "not the train .* Expected 20 images, got 19",
        ),
        ("emnist-digits", lambda images, labels: (images, labels + 1), "out of range .* 0 to 9"),
        ("emnist-digits", lambda images, labels: (images, np.maximum(labels, 1)), "No image of class '0'"),
    ],
)
def test_another_content_is_refused_and_not_kept(monkeypatch, tmp_path, name, spoil, says):
    parts = tiny(monkeypatch, name, pinned=name == "mnist")
    path = write_csv(tmp_path / f"{name}-train.csv", *spoil(*parts["train"]))
    with pytest.raises(DataError, match=says):
        import_file(path)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("emnist-letters.mat", b"MATLAB 5.0 nonsense", "not a .mat file"),
        ("mnist.npz", b"PK nonsense", "Keras' mnist.npz contains"),
        ("gzip.zip", b"PK nonsense", "zip is damaged"),
        ("emnist-digits-train.csv", b"1,2,3\n", "do not have 784 pixels"),
        ("emnist-digits-train.csv", b"", "not a data file .*an empty file"),
        ("emnist-digits-train.csv", b"1" + b",0" * 783 + b",256\n", "got 0 to 256"),
        ("emnist-digits.csv", b"1" + b",0" * 784, "does not say which part"),
        ("train.csv", b"1" + b",0" * 784, "does not say which dataset"),
        ("holiday.jpg", b"\xff\xd8\xff", "Neither the hash nor the name"),
    ],
)
def test_a_file_of_another_format_is_refused(tmp_path, file, content, says):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=says):
        import_file(tmp_path / file)


def test_no_such_file_and_a_set_that_is_not_imported(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        import_file(tmp_path / "gzip.zip")
    (tmp_path / "train.csv").write_bytes(b"1" + b",0" * 784)
    with pytest.raises(ConfigError, match="mnist-5k cannot be imported from files"):
        import_file(tmp_path / "train.csv", "mnist-5k")
