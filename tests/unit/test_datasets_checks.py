"""What people bring, written small: each kind of fault is mended and said, or refused."""

import argparse
import gzip
import json
import re
import struct
import unicodedata

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hcrlib.cli import data as commands
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import load_dataset, orientation, resolve
from hcrlib.datasets.array_files import read_arrays
from hcrlib.datasets.csv_tables import read_table
from hcrlib.datasets.custom import examine, named
from hcrlib.datasets.idx import to_idx
from hcrlib.reporting import leaderboard
from hcrlib.runs.runner import resolve as resolved
from hcrlib.runs.runner import run_one
from hcrlib.runtime import to_glyph


@pytest.fixture(scope="module")
def digits():
    """120 images of mnist-5k, 12 of each class, and their labels."""
    data = load_dataset("mnist-5k")
    chosen = np.concatenate([np.flatnonzero(data.train.labels == label)[:12] for label in range(10)])
    return data.train.images[chosen], data.train.labels[chosen]


@pytest.fixture(scope="module")
def letters():
    """78 printed capital letters, and labels from 1."""
    images = []
    for number in range(78):
        image = Image.new("L", (80, 80), "white")
        ImageDraw.Draw(image).text(
            (20, 15), chr(ord("A") + number % 26), fill="black", font_size=30 + 5 * (number // 26)
        )
        images.append(to_glyph(image, frame="emnist"))
    return np.stack(images), np.arange(78) % 26 + 1


def describe(folder, **keys):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.yml").write_text(json.dumps({"name": "mine", **keys}))  # JSON is YAML
    return folder


def idx(folder, images, labels, **keys):
    folder.mkdir(exist_ok=True)
    (folder / "images").write_bytes(to_idx(np.ascontiguousarray(images)))
    (folder / "labels").write_bytes(to_idx(labels.astype(np.uint8)))
    return describe(folder, format="idx", images=["images", "labels"], **keys)


def csv(folder, lines, name="table.csv", **keys):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return describe(folder, format="csv", images=name, **keys)


def rows(labels, pixels):
    """Lines of a CSV, the label first."""
    flat = pixels.reshape(len(pixels), -1)
    return [f"{label},{','.join(map(str, row))}" for label, row in zip(labels, flat, strict=True)]


def label_last(lines):
    return [",".join(line.partition(",")[::-2]) for line in lines]


def picture(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(255 - np.pad(image, 6)).save(path)


def whole(data):
    """All images of a Dataset as a set of bytes."""
    return {image.tobytes() for part in (data.train, data.val, data.test) for image in part.images}


def said(data, words):
    return [note for note in data.notes if words in note]


def run(*argv):
    parser = argparse.ArgumentParser()
    commands.add_parser(parser.add_subparsers())
    args = parser.parse_args(["data", *map(str, argv)])
    return args.func(args)


STORED = {
    "transposed": lambda x: x.transpose(0, 2, 1),
    "mirrored": lambda x: x[:, :, ::-1],
    "flipped": lambda x: x[:, ::-1],
    "rotated-left": lambda x: np.rot90(x, 1, (1, 2)),
    "rotated-right": lambda x: np.rot90(x, -1, (1, 2)),
    "upside-down": lambda x: np.rot90(x, 2, (1, 2)),
    "antitransposed": lambda x: np.rot90(x, 2, (1, 2)).transpose(0, 2, 1),
}


def test_every_orientation_is_seen_and_undone(digits):
    images, labels = digits
    assert {"upright", *STORED} == set(orientation.WAYS)
    for way, store in STORED.items():
        seen = orientation.look(store(images), labels, tuple("0123456789"))
        assert (seen.way, seen.inverted) == (way, False)
        assert (orientation.turned(store(images), seen) == images).all()
    assert orientation.look(255 - images, labels, tuple("0123456789")).inverted
    assert not orientation.look(images, labels, tuple("0123456789")).is_changed


@pytest.mark.parametrize("way", ["upright", "transposed"])
def test_images_are_turned_upright_unless_the_description_decides(tmp_path, digits, way):
    images, labels = digits
    stored = images if way == "upright" else STORED[way](images)
    data = load_dataset(idx(tmp_path, stored, labels))
    assert whole(data) == {image.tobytes() for image in images}
    assert bool(said(data, "stored transposed")) == (way == "transposed")
    assert said(data, "recognizes")
    data = load_dataset(idx(tmp_path, stored, labels, orientation="mirrored"))
    assert whole(data) == {stored[:, :, ::-1][i].tobytes() for i in range(len(stored))}
    assert not said(data, "recognizes")


@pytest.mark.parametrize("turn", [lambda x: x, STORED["transposed"]])
def test_letters_from_1_are_26_classes(tmp_path, letters, turn):
    images, labels = letters
    data = load_dataset(idx(tmp_path, turn(images), labels), val_fraction=0)
    assert data.classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert whole(data) == {image.tobytes() for image in images}
    data = load_dataset(idx(tmp_path, STORED["transposed"](images), labels, orientation="transposed"), val_fraction=0)
    assert data.classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "what is confirmed has the same classes"
    data = load_dataset(idx(tmp_path, images, labels % 26 + 1), val_fraction=0)
    assert data.classes == tuple(map(str, range(1, 27))), "a reader does not take them for A to Z"
    data = load_dataset(idx(tmp_path, images, labels, classes=list("abcdefghijklmnopqrstuvwxyz")), val_fraction=0)
    assert data.n_classes == 26
    assert data.train.labels.min() == 0
    digits = load_dataset(idx(tmp_path, images, labels % 2, classes=["1", "0"]), val_fraction=0)
    assert digits.classes == ("1", "0"), "integers are positions in the list of classes"
    assert [digits.classes[label] for label in digits.train.labels[:2]] == ["0", "1"]


def test_classes_are_the_labels_that_occur(tmp_path, digits):
    images, labels = digits
    some = labels > 6
    assert load_dataset(idx(tmp_path, images[some], labels[some])).classes == ("7", "8", "9")


def test_copies_are_errors_unless_they_are_allowed(tmp_path, digits, capsys):
    images, labels = digits
    for part, chosen in (("train", slice(0, 110)), ("test", slice(100, 120))):
        np.savez(tmp_path / f"{part}.npz", x=images[chosen], y=labels[chosen])
    describe(tmp_path, format="npz", train="train.npz", test="test.npz")
    with pytest.raises(
        DataError, match=r"10 images are in more than one of train and test.*image 100 = test: image 0,.*7 more"
    ):
        load_dataset(tmp_path)
    assert run("check", tmp_path) == 1
    assert "error    10 images are in more than one" in capsys.readouterr().out
    describe(tmp_path, format="npz", train="train.npz", test="test.npz", allow_duplicates=True)
    assert said(load_dataset(tmp_path), "10 images are in more than one")
    assert run("check", tmp_path) == 0
    twice, wrong = np.concatenate([images, images[:2]]), np.concatenate([labels, [5, 6]])
    with pytest.raises(DataError, match=r"2 images are under two labels: image 0 = image 120.*'0' and '5'"):
        load_dataset(idx(tmp_path, twice, wrong))
    with pytest.raises(DataError, match="2 images are contained more than once"):
        load_dataset(idx(tmp_path, twice, np.concatenate([labels, labels[:2]])))


def test_blank_images_and_dead_pixels_are_told(tmp_path, digits):
    images, labels = digits[0].copy(), digits[1]
    images[:, :, 14] = 9
    data = load_dataset(idx(tmp_path, images, labels))
    assert said(data, "never change: column 14")
    images[:, :, 14] = digits[0][:, :, 14]
    images[[3, 50]] = 0
    assert said(load_dataset(idx(tmp_path, images, labels)), "2 images are of one gray level: image 3, image 50")
    with pytest.raises(DataError, match="All images are blank"):
        load_dataset(idx(tmp_path, images * 0, labels))


HEADER = ",".join(f"p{number}" for number in range(784))
TABLES = {  # function of the rows as labels, pixels -> lines of the file, and what is said
    "first": (lambda y, x: rows(y, x), ""),
    "last": (lambda y, x: label_last(rows(y, x)), "last of 785"),
    "named": (lambda y, x: [f"{HEADER},Label", *label_last(rows(y, x))], "'Label'"),
    "floats": (lambda y, x: rows([f"{v}.0" if i % 2 else v for i, v in enumerate(y)], x), "1 and 1.0"),
    "pandas": (lambda y, x: [",".join(map(str, range(785))), *rows(y, x)], ""),
    "index": (
        lambda y, x: ["," + HEADER + ",class", *(f"{i},{row}" for i, row in enumerate(label_last(rows(y, x))))],
        "column 'class'",
    ),
    "semicolons": (lambda y, x: [row.replace(",", ";") for row in rows(y, x)], ""),
    "spaces": (lambda y, x: [row.replace(",", " , ") for row in rows(y, x)], ""),
    "fractions": (lambda y, x: rows(y, x / 255), "0 to 1 were scaled"),
    "blank line": (lambda y, x: ["", "label," + HEADER, "", *rows(y, x)], ""),
    "names of rows": (
        lambda y, x: [f"id,{HEADER},kind", *(f"image_{i},{row}" for i, row in enumerate(label_last(rows(y, x))))],
        "last of 786",
    ),
}


@pytest.mark.parametrize("kind", TABLES)
def test_the_label_of_a_table_is_found(tmp_path, digits, kind):
    images, labels = digits
    lines, words = TABLES[kind]
    data = load_dataset(csv(tmp_path, lines(labels, images)), val_fraction=0)
    assert data.classes == tuple("0123456789")
    assert whole(data) == {image.tobytes() for image in images}
    assert not words or said(data, words)


def test_rows_without_a_label_are_counted(tmp_path, digits):
    images, labels = digits
    some = ["nan" if i % 12 == 1 else " " if i % 12 == 2 else "" if i % 12 == 3 else y for i, y in enumerate(labels)]
    data = load_dataset(csv(tmp_path, rows(some, images)))
    assert data.classes == tuple("0123456789")
    assert said(data, "30 of 120 rows have no label")
    quoted = ['""""' if label < 5 else '","' for label in labels]
    assert load_dataset(csv(tmp_path, rows(quoted, images))).classes == ('"', ",")
    with pytest.raises(DataError, match="row 3, column 785: not a number: 'x'"):
        load_dataset(csv(tmp_path, [*rows(labels, images)[:2], rows(labels, images)[2][:-1] + "x"], label=1))
    with pytest.raises(DataError, match=r"row 3, column 400: not a number: '\?'"):
        lost = [row.split(",") for row in label_last(rows(labels, images))]
        lost[2][399] = "?"
        load_dataset(csv(tmp_path, map(",".join, lost)))
    with pytest.raises(DataError, match="no column of labels"):
        load_dataset(csv(tmp_path, [row.partition(",")[2] for row in rows(labels, images)]))
    with pytest.raises(DataError, match="No row has a label"):
        load_dataset(csv(tmp_path, rows([""] * 120, images), label=1))
    with pytest.raises(DataError, match="no such column of labels"):
        load_dataset(csv(tmp_path, rows(labels, images), label="name"))
    with pytest.raises(DataError, match="not a table .*a web page"):
        load_dataset(csv(tmp_path, ["<!DOCTYPE html>", "<html><body>404</body></html>"]))


def test_labels_may_be_the_numbers_of_the_classes(tmp_path, digits):
    images, labels = digits
    data = load_dataset(csv(tmp_path, rows(labels, images), classes=list("abcdefghij")), val_fraction=0)
    assert data.classes == tuple("abcdefghij")
    assert sorted(set(data.train.labels)) == list(range(10))


def test_a_table_may_name_the_files(tmp_path, digits):
    images, labels = digits
    for number, image in enumerate(images):
        picture(tmp_path / f"scans/{number}.png", image)
    lines = [f"scans\\{n}.png;{label};w{n % 5}" for n, label in enumerate(labels)] + ["scans/gone.png;3;w1"]
    csv(tmp_path, ["file;text_of_it;writer", *lines])
    data = load_dataset(tmp_path, val_fraction=0.2)
    assert data.classes == tuple("0123456789")
    assert data.damaged == (("scans/gone.png", "no such file"),)
    assert said(data, "The split is by writer: 1 of 5 are tested on")
    assert (len(data.train), len(data.val), len(data.test)) == (72, 24, 24)
    assert "scans/7.png" in named(tmp_path)
    (tmp_path / "table.csv").write_text("a,b,c\n1.png,2,x\n2.png,3,y\n")
    with pytest.raises(DataError, match="not clear which column"):
        load_dataset(tmp_path)
    csv(tmp_path, ["a,b,c", "1.PNG,2,x", "2.png,3,y"], "scans/table.csv", label="b")
    assert named(tmp_path) == ["scans/table.csv", "scans/1.png", "scans/2.png"]


NAMED = {  # what a table writes for the image scans/page N.png
    "a path of another computer": "/home/me/data/scans/page {}.png",
    "a path of Windows": "C:\\data\\scans\\page {}.png",
    "an address": "http://localhost:8080/data/local-files/?d=scans/page%20{}.png",
    "an upload": "/data/upload/1/0a1b2c3d-page%20{}.png",
    "percent-encoded": "scans/page%20{}.png",
    "its name alone": "page {}.png",
    "no suffix": "scans/page {}",
}


@pytest.mark.parametrize("way", NAMED)
def test_images_are_found_as_tools_name_them(tmp_path, digits, way):
    images, labels = digits
    for number, image in enumerate(images):
        picture(tmp_path / f"scans/page {number}.png", image)
    csv(
        tmp_path,
        ["annotator,choice,image", *(f"1,{y},{NAMED[way].format(n)}" for n, y in enumerate(labels))],
        label="choice",
    )
    data = load_dataset(tmp_path)
    assert data.classes == tuple("0123456789")
    assert len(whole(data)) == 120
    assert not data.damaged
    assert said(data, "was found as 'scans/page 0.png'")
    assert "scans/page 7.png" in named(tmp_path)


def test_an_image_is_not_taken_for_another_one_of_its_name(tmp_path, digits):
    images, labels = digits
    for number, image in enumerate(images):
        picture(tmp_path / f"data/w{number % 3}/{number // 3}.png", image)
    lines = [f"/mnt/w{number % 3}/{number // 3}.png,{label}" for number, label in enumerate(labels)]
    data = load_dataset(csv(tmp_path, [*lines, "/mnt/w3/7.png,3"]), val_fraction=0)
    assert data.damaged == (("/mnt/w3/7.png", "no such file"),)
    assert len(whole(data)) == 120
    (tmp_path / "table.csv").write_text("data/w0/0.png,0\n/mnt/w1/1.png,1\ndata/w1/0.png,1\n")
    data = load_dataset(describe(tmp_path, format="csv", images="table.csv", test_fraction=0.5))
    assert data.damaged == (("/mnt/w1/1.png", "no such file"),), "only the whole table may have moved"


@pytest.mark.parametrize("words", [("train", "val", "test"), ("Training", "dev", "Testing")])
def test_a_table_may_name_the_parts(tmp_path, digits, words):
    images, labels = digits
    parts = [words[(0, 0, 1, 2)[n % 4]] for n in range(120)]
    lines = [f"{part},{row}" for part, row in zip(parts, rows(labels, images), strict=True)]
    data = load_dataset(csv(tmp_path, [f"split,label,{HEADER}", *lines]))
    assert (len(data.train), len(data.val), len(data.test)) == (60, 30, 30)
    assert {image.tobytes() for image in data.test.images} == {image.tobytes() for image in images[3::4]}
    assert said(data, "'split' names the parts: 60 train, 30 val, 30 test")
    lines = [f"{n % 2},{row}" for n, row in enumerate(rows(labels, images))]
    data = load_dataset(csv(tmp_path, [f"split,label,{HEADER}", *lines]))
    assert said(data, "'split' does not decide what is tested on: it holds 0, 1")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_table_may_be_utf_16(tmp_path, digits, encoding):
    images, labels = digits
    text = "\n".join(["label," + HEADER, *rows(["é" if label == 3 else label for label in labels], images)])
    csv(tmp_path, [])
    (tmp_path / "table.csv").write_bytes(text.encode(encoding))
    assert load_dataset(tmp_path).classes == (*"012456789", "é")
    (tmp_path / "table.csv").write_bytes(text.encode("cp1252"))
    with pytest.raises(DataError, match=r"cannot be read .*UTF-8, or UTF-16.* Save it as UTF-8"):
        load_dataset(tmp_path)


def test_what_labeling_tools_write_beside_images_is_no_damage(tmp_path, digits):
    for number, (image, label) in enumerate(zip(*digits, strict=True)):
        picture(tmp_path / f"images/{label}/{number}.PNG", image)
        (tmp_path / f"images/{label}/{number}.json").write_text("{}")
    (tmp_path / "images/3/broken.jpg").write_bytes(b"")
    data = load_dataset(describe(tmp_path, format="folders", images="images"))
    assert [name for name, _ in data.damaged] == ["images/3/broken.jpg"]
    assert said(data, "Files that are not named like images were left out (120): images/0/0.json")


def test_arff_is_a_table(tmp_path, digits):
    images, labels = digits
    head = ["% 120 digits", "@RELATION mnist", *(f"@ATTRIBUTE pixel{n} real" for n in range(784))]
    lines = [row.partition(",")[2] + f",'{label}'" for row, label in zip(rows(labels, images), labels, strict=True)]
    csv(tmp_path, [*head, "@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}", "@DATA", *lines], "digits.arff")
    data = load_dataset(tmp_path)
    assert data.classes == tuple("0123456789")
    assert whole(data) == {image.tobytes() for image in images}


def test_arff_may_name_the_files(tmp_path):
    path = tmp_path / "files.arff"
    head = [
        "% it's of files",
        "",
        "@relation mine",
        "",
        "@attribute file string",
        "@attribute class {a,b}",
        "",
        "@data",
    ]
    path.write_text("\n".join([*head, *(f"'no {n}.png',{'ab'[n % 2]}" for n in range(6))]))
    table = read_table(path)
    assert table.files == [f"no {n}.png" for n in range(6)]
    assert table.labels == list("ababab")


def test_tables_that_end_early_or_have_several_labels(tmp_path):
    whole = gzip.compress("".join(f"{n},{'0,' * 783}1\n" for n in range(99)).encode())
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="ended before"):
        read_table(tmp_path / "cut.csv.gz")
    csv(tmp_path, ["file,label,class", "1.png,1,one", "2.png,2,two"])
    assert "columns 'label', 'class' could be" in read_table(tmp_path / "table.csv").doubt


def test_arrays_are_told_apart(tmp_path):
    glyphs, labels = np.zeros((100, 28, 28), np.uint8), np.arange(100) % 4
    flat = {
        "x_train": glyphs.reshape(100, 784),
        "y_train": np.eye(4)[labels],
        "x_test": np.zeros((8, 784)),
        "y_test": labels[:8],
    }
    np.savez(tmp_path / "few.npz", **flat)
    found = read_arrays(tmp_path / "few.npz")
    assert found["test"][0].shape == (8, 784)
    assert found["train"][1].tolist() == labels.tolist()
    np.save(tmp_path / "x.npy", glyphs)
    np.save(tmp_path / "y.npy", np.array([b"a", b"b", "\u00e9".encode(), b"d"])[labels])
    kept = {"format": "npz", "images": ["x.npy", "y.npy"], "orientation": "upright", "allow_duplicates": True}
    with pytest.raises(DataError, match="All images are blank"):
        load_dataset(describe(tmp_path, **kept))
    np.save(tmp_path / "x.npy", glyphs + np.eye(28, dtype=np.uint8) * 255)
    assert load_dataset(tmp_path).classes == ("a", "b", "d", "\u00e9")
    np.save(tmp_path / "y.npy", np.stack([labels, labels + 50], axis=1))
    with pytest.raises(DataError, match=r"numbers of labels and images differ.*shape \(100, 2\)"):
        load_dataset(tmp_path)
    (tmp_path / "y.npy").unlink()
    (tmp_path / "y.npy").mkdir()
    with pytest.raises(DataError, match="damaged or missing"):
        load_dataset(tmp_path)


def test_folders_within_a_class_are_writers(tmp_path, digits):
    images, labels = digits
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        picture(tmp_path / f"images/{label}/writer {number % 6}/deep/{number}.png", image)
    describe(tmp_path, format="folders", images="images")
    data = load_dataset(tmp_path)
    assert said(data, "The split is by writer: 2 of 6 are tested on, 40 of 120")
    assert (len(data.train), len(data.val)) == (60, 20)
    again = load_dataset(tmp_path, val_fraction=0)
    assert len(again.train) == 80
    for image in (tmp_path / "images/9").glob("writer [1-5]/**/*.png"):
        image.unlink()
    for seed in range(4):  # whoever is drawn
        data = load_dataset(tmp_path, val_seed=seed)
        assert 9 in data.train.labels or said(data, "only these writers wrote: '9'")
    (tmp_path / "images/3/gone.png").symlink_to("/nowhere.png")
    (tmp_path / "images/3/loop").symlink_to(tmp_path / "images")
    (tmp_path / "images/readme.txt").write_text("mine")
    data = load_dataset(tmp_path)
    assert data.damaged == (("images/3/gone.png", "a broken link"),)
    assert said(data, "Images that cannot be read were left out (1)")
    assert said(data, "Files outside the folders of the classes were left out (1)")


def test_parts_in_folders(tmp_path, digits):
    images, labels = digits
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        part = ("train", "train", "val", "test")[number % 4]
        name = {0: "é", 1: "B"}.get(label, str(label))
        name = {"train": name, "val": name + " ", "test": unicodedata.normalize("NFD", name.lower())}[part]
        if part != "test" or label != 7:
            picture(tmp_path / part / name / f"{number}.png", image)
    (tmp_path / "train").rename(tmp_path / "Training")
    describe(tmp_path, format="folders", train="training", val="val", test="test")
    data = load_dataset(tmp_path)
    assert data.classes == ("2", "3", "4", "5", "6", "7", "8", "9", "B", "é")
    assert (len(data.train), len(data.val), len(data.test)) == (60, 30, 27)
    assert data.val_fraction == pytest.approx(1 / 3)
    assert said(data, "1 of 10 classes have no image: '7' (test)")
    assert said(data, "'b' was taken for the class 'B' (test)")


def typed(code, dtype):
    return lambda x: struct.pack(f">HBB{x.ndim}I", 0, code, x.ndim, *x.shape) + x.astype(dtype).tobytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: typed(0x0C, ">i4")(x), ""),
        (lambda x: typed(0x0D, ">f4")(x / np.float32(255)), "0 to 1 were scaled"),
        (lambda x: typed(8, "u1")(x.reshape(len(x), -1)), ""),
        (lambda x: typed(8, "u1")(x[..., None]), ""),
        (lambda x: typed(8, "u1")(np.repeat(x[..., None], 3, 3)), "gray"),
        (lambda x: typed(8, "u1")(np.pad(x, ((0, 0), (2, 2), (2, 2)))), "margin of 32 x 32"),
        (lambda x: typed(8, "u1")(255 - x), ""),
    ],
)
def test_any_range_and_shape_of_pixels(tmp_path, digits, change, words):
    images, labels = digits
    idx(tmp_path, images, labels)
    (tmp_path / "images").write_bytes(change(images))
    data = load_dataset(tmp_path)
    assert whole(data) == {image.tobytes() for image in images}
    assert not words or said(data, words)


def test_parts_are_scaled_alike(tmp_path, digits):
    images, labels = digits
    faint = np.minimum(images // 16, 12)
    np.savez(
        tmp_path / "all.npz", x_train=images[::2] // 16, y_train=labels[::2], x_test=faint[1::2], y_test=labels[1::2]
    )
    data = load_dataset(describe(tmp_path, format="npz", images="all.npz"))
    assert (data.train.images.max(), data.test.images.max()) == (255, 204)
    np.savez(tmp_path / "all.npz", data=np.moveaxis(images, 0, -1), target=np.eye(10)[labels])
    assert whole(load_dataset(tmp_path)) == {image.tobytes() for image in images}
    np.savez(tmp_path / "all.npz", images=images - 300.0, labels=labels)
    with pytest.raises(DataError, match="cannot be used: expected pixels of 0 to 255.* got -300 to -45"):
        load_dataset(tmp_path)


def test_the_command_checks_the_catalog(capsys):
    assert run("check", "mnist-5k") == 0
    printed = capsys.readouterr().out
    assert "mnist-5k: 10 classes, 3,600 to train on, 400 to validate, 1,000 to test" in printed
    assert "recognizes" in printed


def test_a_table_without_a_description_is_checked_as_one_with_it_would_be(tmp_path, digits, capsys, monkeypatch):
    images, labels = digits
    csv(tmp_path, rows(labels, images), "Mine x.csv").joinpath("dataset.yml").unlink()
    monkeypatch.chdir(tmp_path)
    for name in ("Mine x.csv", tmp_path / "Mine x.csv"):
        assert run("check", name) == 0
        printed = capsys.readouterr().out
        assert re.search(r"Mine x\.csv: 10 classes, \d+ to train on", printed)
        assert "Write `{name: Mine-x, format: csv, images: Mine x.csv}` into a dataset.yml" in printed
    for refused in (lambda: run("show", "Mine x.csv"), lambda: resolve("Mine x.csv")):
        with pytest.raises(ConfigError, match="Write `{name: Mine-x"):
            refused()
    (tmp_path / "dataset.yml").write_text("{name: Mine-x, format: csv, images: Mine x.csv}")
    assert len(load_dataset(tmp_path).test)
    (tmp_path / "mnist.csv").write_text("label\n")
    with pytest.raises(DataError, match="mnist.csv"):
        run("check", "mnist.csv")


def test_own_data_have_one_name(tmp_path, digits, capsys):
    """As the folder, in lists, in ids and headings of results, and in their notes."""
    folder = csv(tmp_path / "hand", rows(*digits[::-1]))
    record = run_one(resolved("dummy", dataset=folder), log=lambda line: None)
    assert run("list", folder) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^name +hand$", printed, re.MULTILINE)
    assert "name in dataset.yml: mine" in printed
    assert record.id.startswith("hand/dummy/")
    assert record.data["name"] == load_dataset(folder).name == "hand"
    table = leaderboard.render([record])
    assert table.startswith("hand: ")
    assert "- hand: no linear run" in table
    assert run("check", folder) == 0
    assert capsys.readouterr().out.startswith("hand: ")


def test_an_empty_class_folder_is_one_finding_of_all(tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        for number in range(4):
            (tmp_path / "images" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (28, 28)).astype(np.uint8)).save(
                tmp_path / f"images/{name}/{number}.png"
            )
    (tmp_path / "images/a/broken.png").write_bytes(b"no picture")
    (tmp_path / "images/c").mkdir()
    _, findings = examine(describe(tmp_path, format="folders", images="images", frame="mnist"))
    said = [str(finding) for finding in findings]
    assert any("This class folder is empty" in text for text in said), said
    assert any("cannot be read were left out (1)" in text for text in said), said
    for more in ({}, {"classes": ["a", "b", "c"]}):
        with pytest.raises(DataError, match="This class folder is empty"):
            load_dataset(describe(tmp_path, format="folders", images="images", frame="mnist", **more))
