import gzip

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hcrlib.cli.main import main
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.core.yaml_file import read
from hcrlib.datasets import custom, load_dataset
from hcrlib.datasets.description import Description
from hcrlib.datasets.idx import to_idx
from hcrlib.datasets.splits import cut_test

RNG = np.random.default_rng(0)


def draw(path, character, size=(60, 80), paper="white", ink="black", font_size=40):
    image = Image.new("L", size, paper)
    ImageDraw.Draw(image).text((20, 20), character, fill=ink, font_size=font_size)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def describe(folder, **keys):
    (folder / "dataset.yml").write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
    return folder


@pytest.fixture
def folders(tmp_path):
    for name in ("10", "2", "a"):
        for number in range(5):
            draw(tmp_path / "images" / name / f"{number}.png", name[0], (50 + 10 * number, 90), font_size=40 + number)
    return describe(tmp_path, name="mine", format="folders", images="images", test_fraction=0.4, licence="CC0")


def test_images_that_are_added_leave_the_test_split_as_it_is(tmp_path, folders, monkeypatch):
    """Also if an added one has the first ink at the border, so that all are prepared in another way."""
    drawn = []

    def cut(keys, *more):
        rest, part = cut_test(keys, *more)
        drawn.append({keys[at] for at in part})
        return rest, part

    monkeypatch.setattr(custom, "cut_test", cut)
    images, labels = np.zeros((61, 32, 32), np.uint8), np.arange(61) % 3
    images[:, 4:-4, 4:-4] = RNG.integers(0, 256, (61, 24, 24))
    images[60, 0, 0] = 255
    for n, added in ((60, ()), (61, ("10", "2"))):
        for name in added:
            draw(folders / "images" / name / "0-new.png", name[0], (70, 90), font_size=52)
        load_dataset(folders)
        (tmp_path / "arrays").mkdir(exist_ok=True)
        np.savez(tmp_path / "arrays/all.npz", images=images[:n], labels=labels[:n])
        load_dataset(describe(tmp_path / "arrays", name="arrays", format="npz", images="all.npz", test_fraction=0.2))
    for before, after in (drawn[0::2], drawn[1::2]):
        assert len(after) - len(before) in (0, 1)
        assert len(before - after) <= 2, "few others give way to new ones"


def test_a_run_on_changed_data_is_said_not_to_compare(folders, capsys):
    train = ["train", "knn", "--data", str(folders), "--set", "k=1"]
    assert main(train) == 0
    draw(folders / "images/2/0-new.png", "2", (70, 90), font_size=52)
    capsys.readouterr()
    assert main(train) == 0
    assert "The data have changed since the earlier run" in capsys.readouterr().out


@pytest.mark.parametrize("key", ["license", "licence"])
def test_license_has_two_spellings_of_which_one_is_given(tmp_path, key):
    folder = describe(tmp_path, name="mine", format="folders", images="images", **{key: "CC0"})
    about = read(folder / "dataset.yml", Description)
    assert (about.license or about.licence) == "CC0"
    describe(tmp_path, name="mine", format="folders", images="images", license="CC0", licence="MIT")
    with pytest.raises(ConfigError, match="'licence' repeats 'license'"):
        read(folder / "dataset.yml", Description)


def test_folders_are_a_dataset_like_any_other(folders):
    data = load_dataset(folders, val_fraction=0.3)
    assert data.name == folders.name, "as in the ids of runs"
    assert "name in dataset.yml: mine" in data.notes
    assert data.classes == ("2", "10", "a")
    assert (len(data.train), len(data.val), len(data.test)) == (6, 3, 6)
    assert np.bincount(data.test.labels).tolist() == [2, 2, 2]
    assert data.train.images.dtype == np.uint8
    assert data.train.images.shape[1:] == (28, 28)
    assert np.median(data.train.images) == 0
    assert not data.comparable
    assert not data.damaged
    assert "license: CC0" in data.notes
    assert load_dataset(str(folders / "dataset.yml"), val_fraction=0.3).sha256 == data.sha256


def test_light_ink_on_dark_paper_gives_the_same_glyph(tmp_path):
    for name, paper, ink in (("train", "white", "black"), ("test", "black", "white")):
        draw(tmp_path / name / "x" / "1.png", "x", paper=paper, ink=ink)
    about = {"name": "mine", "format": "folders", "train": "train", "test": "test", "allow_duplicates": "true"}
    data = load_dataset(describe(tmp_path, **about))
    assert np.array_equal(data.train.images, data.test.images)


def test_unreadable_images_are_left_out_and_no_class_may_be_without_any(folders):
    (folders / "images/a/broken.png").write_bytes(b"\x89PNG no more")
    Image.new("L", (9, 9), "white").save(folders / "images/a/blank.png")
    (folders / "images/a/.hidden").write_bytes(b"")
    data = load_dataset(folders)
    assert [file for file, _ in data.damaged] == ["images/a/blank.png", "images/a/broken.png"]
    assert "blank" in data.damaged[0][1]
    assert len(data.train) + len(data.val) + len(data.test) == 15
    (folders / "images/b").mkdir()
    (folders / "images/b/note.txt").write_text("later")
    with pytest.raises(DataError, match="No file in this class folder is an image: note.txt"):
        load_dataset(folders)


def test_train_and_test_folders_have_the_same_classes(tmp_path):
    for number, name in enumerate(("train/a", "train/b", "test/a")):
        draw(tmp_path / name / "1.png", name[-1], font_size=40 + number)
    describe(tmp_path, name="mine", format="folders", train="train", test="test")
    assert "1 of 2 classes have no image: 'b' (test)" in load_dataset(tmp_path, val_fraction=0).notes
    draw(tmp_path / "test/c/1.png", "c")
    with pytest.raises(DataError, match="do not match the classes .*test.* Expected a, b, got a, c"):
        load_dataset(tmp_path)


def test_a_class_twice_in_the_list_or_to_the_eye(folders):
    text = (folders / "dataset.yml").read_text()
    (folders / "dataset.yml").write_text(text + "classes: [2, 10, a, a]\n")
    with pytest.raises(DataError, match="Duplicate class 'a'"):
        load_dataset(folders)
    (folders / "dataset.yml").write_text(text)
    for name in ("\u00e9", "e\u0301"):
        draw(folders / "images" / name / "1.png", "e")
    with pytest.raises(DataError, match="Duplicate class 'é'"):
        load_dataset(folders)


def csv(path, labels, value=0, first=0):
    rows = [[label, *[value] * 300, abs(value - 99 - first - n), *[value] * 483] for n, label in enumerate(labels)]
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))


@pytest.mark.parametrize("test", ["a", "c"])
def test_a_csv_pair_with_names_for_labels(tmp_path, test):
    csv(tmp_path / "train.csv", ["b", "a", "b", "a"], 255)
    csv(tmp_path / "test.csv", ["a", test], first=9)
    describe(tmp_path, name="mine", format="csv", train="train.csv", test="test.csv")
    if test == "c":
        with pytest.raises(DataError, match="out of range .*test.csv.* Expected a, b, got 'c', in 1 of 2 rows"):
            load_dataset(tmp_path)
        return
    data = load_dataset(tmp_path, val_fraction=0)
    assert data.classes == ("a", "b")
    assert data.train.labels.tolist() == [1, 0, 1, 0]
    assert data.train.images[0].ravel()[[0, 300, 783]].tolist() == [0, 99, 0]  # white paper: dark ink is turned bright


def test_an_idx_pair(tmp_path):
    (tmp_path / "images.gz").write_bytes(gzip.compress(to_idx(RNG.integers(0, 99, (10, 28, 28), np.uint8))))
    (tmp_path / "labels").write_bytes(to_idx(np.arange(10, dtype=np.uint8) % 2))
    describe(tmp_path, name="mine", format="idx", images="[images.gz, labels]", classes="[x, y]")
    data = load_dataset(tmp_path, val_fraction=0)
    assert data.classes == ("x", "y")
    assert (len(data.train), len(data.test)) == (8, 2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fromat": "csv"}, "Unknown key 'fromat' .*line 4.* Did you mean 'format'"),
        ({"name": "mnist"}, "'name' is not valid"),
        ({"format": "parquet"}, "'format' is not valid .* There are: folders, csv, idx, npz"),
        ({"ink": "blue"}, "'ink' is not valid"),
        ({"images": "{a: b}"}, "'images' is not valid .*Expected text"),
        ({"format": "idx"}, "images file, labels file"),
        ({"train": "images"}, "train and test, or images"),
        ({"classes": "[2, 10, no]"}, "classes.2.' is not valid .*Expected text, got False.* in quotes"),
        ({"test_fraction": 0.01}, "nothing to test on"),
        ({"test_fraction": 2}, "less than 1, got 2"),
    ],
)
def test_a_description_that_is_wrong(folders, change, says):
    keys = {"name": "mine", "format": "folders", "images": "images", **change}
    with pytest.raises(ConfigError, match=says):
        load_dataset(describe(folders, **keys))
