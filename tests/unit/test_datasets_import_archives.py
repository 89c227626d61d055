"""Archives and files as they are published or copied, written small: nothing of half a pair stays, nothing goes unnamed."""

import dataclasses
import gzip
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from hcrlib.core.errors import DataError
from hcrlib.datasets import import_file, load_dataset, orientation
from hcrlib.datasets.catalog import DATASETS
from hcrlib.datasets.idx import to_idx
from hcrlib.datasets.importers import missing_parts
from tests.unit.test_datasets_import import assert_loads, empty_places, tiny, write_csv, write_idx  # noqa: F401


def how(imported):
    return [item.how for item in imported]


@pytest.fixture
def emnist(monkeypatch):
    """A tiny emnist-digits of real digits, as its files store it: {"train": (images, labels), "test": ...}."""
    data = load_dataset("mnist-5k", val_fraction=0)
    split = {}
    for part, held, n in (("train", data.train, 8), ("test", data.test, 4)):
        chosen = np.concatenate([np.flatnonzero(held.labels == label)[:n] for label in range(10)])
        split[part] = held.images[chosen].transpose(0, 2, 1).copy(), held.labels[chosen].astype(np.uint8)
    entry = DATASETS.get("emnist-digits")
    entry = dataclasses.replace(entry, releases=((80, 40),))
    monkeypatch.setitem(DATASETS._items, entry.name, entry)
    return split


@pytest.mark.parametrize("way", ["upright", "transposed", "rotated-left"])
def test_an_import_is_turned_as_a_reader_sees_it(emnist, tmp_path, way):
    back = {"transposed": "transposed", "rotated-left": "rotated-right"}.get(way, way)
    arrays = {}
    for part, (images, labels) in emnist.items():
        arrays |= {f"{part}_images": orientation.WAYS[back](images.transpose(0, 2, 1)) / 255, f"{part}_labels": labels}
    np.savez(tmp_path / "emnist-digits.npz", **arrays)
    done = import_file(tmp_path / "emnist-digits.npz")
    assert how(done) == ["import", "import"]
    data = assert_loads("emnist-digits", emnist)
    assert [note for note in data.notes if "upright: a reader recognizes" in note]
    assert bool([note for note in data.notes if "and were turned" in note]) == (way != "transposed")


def test_an_older_import_that_lies_on_its_side_is_refused(emnist, tmp_path, monkeypatch):
    for part, (images, labels) in emnist.items():
        np.savez(tmp_path / f"emnist-digits-{part}.npz", x=images.transpose(0, 2, 1), y=labels)
        with monkeypatch.context() as patch:
            patch.setattr(orientation, "look", lambda *_: orientation.Seen())
            import_file(tmp_path / f"emnist-digits-{part}.npz")
    with pytest.raises(DataError, match="This import is transposed: .*import the file again"):
        load_dataset("emnist-digits")


def test_letters_may_start_at_0_and_have_names(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "emnist-letters", pinned=False)
    images, labels = parts["train"]
    import_file(write_csv(tmp_path / "emnist-letters-train.csv", images, labels - 1))
    images, labels = parts["test"]
    np.savez(tmp_path / "emnist-letters-test.npz", x=images, y=np.array([chr(64 + label) for label in labels]))
    import_file(tmp_path / "emnist-letters-test.npz")
    assert "Labels start at 0, in the official files at 1" in assert_loads("emnist-letters", parts).notes


def test_a_zip_as_kaggle_and_macs_make_it(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "mnist")
    files = write_idx(tmp_path, "mnist", parts, packed=False)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as packed:
        for path in files:
            packed.write(path, path.name.replace("-idx", ".idx"))
            packed.write(path, f"{path.name}/{path.name}")
            packed.writestr(f"__MACOSX/._{path.name}", b"\0\5\x16\7")
        packed.writestr("sample/emnist-digits-train.csv", "1,2,3\n")
        packed.writestr("read me.txt", "hello")
    done = import_file(tmp_path / "archive.zip")
    assert how(done) == ["official"] * 4 + ["left out"]
    assert "784 pixels" in done[-1].notes[0]
    assert_loads("mnist", parts)


@pytest.mark.parametrize("unpinned", [False, True])
def test_no_half_of_a_pair_stays(monkeypatch, tmp_path, unpinned):
    parts = tiny(monkeypatch, "emnist-digits", pinned=not unpinned)
    files = write_idx(tmp_path, "emnist-digits", parts, packed=not unpinned)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        for path in files:
            content = path.read_bytes()
            packed.writestr(f"in/{path.name}", content[:-9] if path == files[1] else content)
    done = import_file(tmp_path / "all.zip")
    assert how(done)[-2:] == ["left out", "left out"]
    assert {item.what for item in done[-2:]} == {f"in/{path.name}" for path in files[:2]}
    assert missing_parts("emnist-digits") == ["train"]
    assert not list((tmp_path / "cache").rglob("*train*"))


def test_a_damaged_member_is_named(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "mnist")
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for file in write_idx(tmp_path, "mnist", parts):
            packed.write(file, file.name)
    content = bytearray(path.read_bytes())
    at = content.index(b"train-labels") + 45
    content[at : at + 3] = b"\1\2\3"
    path.write_bytes(content)
    done = import_file(path)
    assert how(done) == ["official"] * 2 + ["left out"] * 2
    assert "this file of the zip is damaged" in done[-2].notes[0].lower()
    assert "imported together" in done[-1].notes[0] or "damaged" in done[-1].notes[0]


def test_a_folder_is_imported_and_found_in_any_spelling(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "mnist")
    folder = tmp_path / "raw"
    folder.mkdir()
    for path in write_idx(folder, "mnist", parts, packed=False):
        path.rename(folder / path.name.replace("-idx", ".idx"))
    (folder / "notes.pdf").write_bytes(b"%PDF")
    monkeypatch.setenv("HCR_DATA", str(tmp_path))
    assert assert_loads("mnist", parts).source == "HCR_DATA"
    monkeypatch.delenv("HCR_DATA")
    assert how(import_file(folder)) == ["official"] * 4
    assert how(import_file(folder)) == ["already imported"] * 4
    assert assert_loads("mnist", parts).source == "cache"
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="No known file in this folder .*hcr data check"):
        import_file(tmp_path / "empty")
    (tmp_path / "empty/dataset.yml").write_text("name: mine")
    with pytest.raises(DataError, match="These are your own data.*hcr data check"):
        import_file(tmp_path / "empty")


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("train-images-idx3-ubyte.gz", b"<!DOCTYPE HTML><html>404</html>", "web page"),
        ("emnist-letters.mat", b"\n  <html><head>", "web page"),
        ("gzip.zip", b"<html>log in</html>", "web page"),
        ("mnist.parquet", b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
        ("mnist.npz", b"", "empty file"),
        ("train-images-idx3-ubyte", gzip.compress(b"<html>", mtime=0), "web page"),
    ],
)
def test_a_page_saved_as_data_is_called_one(tmp_path, monkeypatch, name, content, kind):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=kind):
        import_file(tmp_path / name)
    if name.endswith("ubyte.gz"):
        monkeypatch.setenv("HCR_DATA", str(tmp_path))
        with pytest.raises(DataError, match="Not the official file, but a web page"):
            load_dataset("mnist")


def joined(parts):
    return tuple(np.concatenate(arrays) for arrays in zip(parts["train"], parts["test"], strict=True))


def test_openmls_arff_holds_both_parts(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "mnist")
    images, labels = joined(parts)
    rows = write_csv(tmp_path / "rows.csv", images, labels).read_text().splitlines()
    head = ["@RELATION mnist_784", "", *(f"@ATTRIBUTE pixel{n} INTEGER" for n in range(1, 785))]
    lines = [",".join(row.partition(",")[::-2]) for row in rows]
    path = tmp_path / "mnist_784.arff"
    path.write_text("\n".join([*head, "@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}", "", "@DATA", *lines]) + "\n")
    assert how(import_file(path)) == ["official", "official"]
    assert_loads("mnist", parts)


def parquet(path, columns):
    """Write columns, lists, as a parquet file."""
    duckdb = pytest.importorskip("duckdb")
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    first, *rest = columns
    names = ", ".join(f'unnest(${number + 1}) AS "{name}"' for number, name in enumerate([first, *rest]))
    connection.execute(f"CREATE TABLE held AS SELECT {names}", list(columns.values()))
    connection.execute(f"COPY held TO '{path}' (FORMAT parquet)")
    return path


def test_openmls_parquet_holds_both_parts(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "mnist")
    images, labels = joined(parts)
    columns = {f"pixel{n + 1}": images.reshape(len(images), -1)[:, n].tolist() for n in range(784)}
    path = parquet(tmp_path / "dataset_554_mnist_784.pq", columns | {"class": [str(label) for label in labels]})
    assert how(import_file(path)) == ["official", "official"]
    assert_loads("mnist", parts)


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": "0.png"}


def test_hugging_faces_parquet_in_pieces(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "emnist-letters", pinned=False)
    for part, (images, labels) in parts.items():
        for number, chosen in enumerate((slice(0, 13), slice(13, None))):
            columns = {"image": [png(image) for image in images[chosen]], "label": (labels[chosen] - 1).tolist()}
            parquet(tmp_path / f"emnist_letters/{part}-{number:05}-of-00002.parquet", columns)
    assert how(import_file(tmp_path / "emnist_letters", "emnist-letters")) == ["import", "import"]
    assert_loads("emnist-letters", parts)
    monkeypatch.setenv("HCR_CACHE", str(tmp_path / "again"))
    assert how(import_file(tmp_path / "emnist_letters")) == ["import", "import"], "the folder names the dataset"


def test_mat_files_of_version_7_3(monkeypatch, tmp_path):
    h5py = pytest.importorskip("h5py")
    parts = tiny(monkeypatch, "emnist-balanced", pinned=False)
    path = tmp_path / "emnist-balanced.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for part, (images, labels) in parts.items():
            file[f"dataset/{part}/images"] = images.reshape(len(images), -1).T  # MATLAB's order of axes
            file[f"dataset/{part}/labels"] = labels[None].astype(float)
            file[f"dataset/{part}/writers"] = labels[None].astype(float)
        file["dataset/mapping"] = np.zeros((2, 47))
    content = path.read_bytes()
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + content[512:])
    assert how(import_file(path)) == ["import", "import"]
    assert_loads("emnist-balanced", parts)


def test_idx_written_by_hand_needs_no_uint8(monkeypatch, tmp_path):
    parts = tiny(monkeypatch, "emnist-digits", pinned=False)
    images, labels = parts["train"]
    wide = bytes([0, 0, 0x0C, 1]) + len(labels).to_bytes(4, "big") + labels.astype(">i4").tobytes()
    (tmp_path / "emnist-digits-train-images-idx3-ubyte").write_bytes(to_idx(images))
    (tmp_path / "emnist-digits-train-labels-idx1-ubyte").write_bytes(wide)
    assert how(import_file(tmp_path / "emnist-digits-train-images-idx3-ubyte")) == ["import"]
