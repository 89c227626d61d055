"""Sets of words and lines: folders with a TSV, IAM in miniature, words composed from characters."""

import argparse
import csv

import numpy as np
import pytest
from PIL import Image

from hcrlib.cli import data as commands
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import Split, load_text, synthetic
from hcrlib.datasets import text as words
from hcrlib.runtime.image import to_grey


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder of data files that is empty."""
    monkeypatch.setenv("HCR_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def draw(path, width=60, height=40, dark=30):
    """A picture of a bar on paper."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((height, width), 230, np.uint8)
    image[height // 3 : height // 2, 8 : width - 8] = dark
    Image.fromarray(image).save(path)
    return path


def folder_of(place, rows, columns=("file", "text", "document")):
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lines.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
        table.writerows([columns, *rows])
    for number, row in enumerate(rows):
        draw(place / row[0], 50 + number)
    return place


def parts_of(data):
    return data.train, data.val, data.test


def test_a_folder_is_cut_by_document_and_shown(tmp_path, capsys):
    rows = [(f"{d}/{n}.png", f"{n} $ de ${d}", d) for d in "abcde" for n in range(4)]
    place = folder_of(tmp_path / "mine", rows)
    (place / "b/3.png").write_bytes(b"no picture")  # another of that name stays
    data = load_text(place)
    assert sum(map(len, parts_of(data))) == 19
    writers = [set(part.writers) for part in parts_of(data)]
    assert set().union(*writers) == set("abcde")
    assert sum(map(len, writers)) == 5, "each is in one part"
    assert all(
        text[-1] == writer for part in parts_of(data) for text, writer in zip(part.texts, part.writers, strict=True)
    )
    assert data.classes == tuple(sorted(set("".join(data.train.texts))))
    assert data.corpus == data.train.texts
    again = load_text(place)
    assert (again.sha256, again.test_sha256) == (data.sha256, data.test_sha256)
    assert load_text(place, val_seed=1).test_sha256 == data.test_sha256  # another validation, the same test
    assert run("show", place, "--out", tmp_path / "sheet.png", "--per-class", 3) == 0
    printed = capsys.readouterr().out
    for text in (
        "mine: 11 to train on, 4 to validate, 4 to test; ",
        "writers: 3 to train on, 1 to validate, 1 to test",
        "longest text, 9 characters: ",
        f"sha256 {data.sha256}, of the test split {data.test_sha256}",
        "left out, because they cannot be read or used: 1\n  3.png: ",
    ):
        assert text in printed
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert np.asarray(sheet.convert("L")).std() > 10


def test_a_test_folder_is_what_is_tested_on(tmp_path):
    folder_of(tmp_path / "mine/train", [(f"{n}.png", f"mot {n}", f"d{n}") for n in range(9)])
    folder_of(tmp_path / "mine/val", [("x.png", "autre  mot", "e")])
    data = load_text(tmp_path / "mine")
    assert data.test.texts == ("autre mot",)  # white space is one space
    assert len(data.train) + len(data.val) == 9
    assert data.test.images[0].dtype == np.uint8


def test_characters_of_the_corpus_alone_are_not_learned():
    parts = [words.Lines((np.zeros((9, 9), np.uint8),), (text,)) for text in ("ab", "ab", "abc")]
    data = words.made("mine", *parts, corpus=("abc",), source="", val_fraction=0.1, val_seed=0)
    assert data.classes == ("a", "b", "c")
    said = "in no training line, but in 1 to validate or test, where they cannot be read: c"
    assert said in data.summary()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cremma-wills", "by document, and so by writer; "),
        ("lines-hooker", "by document, a letter each, but mostly of one hand; "),
        ("lines-peraire", "by document, but of one hand; "),
        ("lines-celestine", "by document, but of one hand; "),
        ("names-capitals", "by document; whether by writer is not known; "),
    ],
)
def test_notes_say_whether_writers_are_kept_apart(root, name, said):
    folder_of(root / words.TEXTS.get(name).folder, [(f"{d}.png", "mot", d) for d in "abcde"])
    assert f"train and test are disjoint {said}validation is cut by document" in load_text(name).notes


def test_accents_are_composed_and_large_pictures_made_smaller(tmp_path):
    draw(tmp_path / "a.png", 400, 200)
    lines, damaged = words.read_lines([(tmp_path / "a.png", "e\u0301te\u0301\u00a0!", "me")])
    assert lines.texts == ("été !",)
    assert lines.images[0].shape == (64, 128)
    assert damaged == ()


def test_pictures_are_seen_as_they_are_when_they_are_read(tmp_path):
    """Transparency is paper, and 16 bits are none too many."""
    ink = np.zeros((20, 40), bool)
    ink[5:15, 5:35] = True
    clear = np.zeros((20, 40, 4), np.uint8)
    clear[..., 3] = 255 * ink
    Image.fromarray(clear).save(tmp_path / "clear.png")
    Image.fromarray(np.where(ink, 5000, 60000).astype(np.uint16)).save(tmp_path / "deep.png")
    for name in ("clear", "deep"):
        grey = words.grey(tmp_path / f"{name}.png")
        assert grey[ink].max() < 50 < 200 < grey[~ink].min()
        assert (grey == to_grey(str(tmp_path / f"{name}.png"))).all()


def test_a_document_in_train_and_test_is_noted(tmp_path):
    for part, documents in (("train", "abc"), ("test", "cd")):
        folder_of(tmp_path / "mine" / part, [(f"{d}.png", f"mot {d}", d) for d in documents])
    assert load_text(tmp_path / "mine").notes == ("1 documents are in both train and test: c",)


def test_damaged_pictures_are_listed_and_left_out(tmp_path):
    place = folder_of(tmp_path / "mine", [(f"{n}.png", f"mot {n}", f"d{n % 5}") for n in range(20)])
    (place / "3.png").write_bytes(b"")
    (place / "4.png").write_bytes((place / "5.png").read_bytes()[:60])
    (place / "6.png").unlink()
    draw(place / "7.png", 30_000, 64)
    data = load_text(place)
    assert [name for name, _ in data.damaged] == ["3.png", "4.png", "6.png", "7.png"]
    assert sum(map(len, (data.train, data.val, data.test))) == 16
    assert "not a line of writing" in dict(data.damaged)["7.png"]


def test_a_table_may_be_of_another_computer(tmp_path):
    folder_of(tmp_path, [(f"scans/{n}.png", f"é {n}", "abc"[n % 3]) for n in range(6)])
    expected = load_text(tmp_path)
    text = (tmp_path / "lines.tsv").read_text(encoding="utf-8").replace("scans/", "D:\\data\\scans\\")
    (tmp_path / "lines.tsv").write_bytes(text.replace("\n", "\r\n").encode("utf-16"))
    data = load_text(tmp_path)
    assert [part.texts for part in parts_of(data)] == [part.texts for part in parts_of(expected)]
    assert "'D:/data/scans/0.png' was found as 'scans/0.png'" in " ".join(data.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "an empty file"),
        ("picture\ttext\na.png\tx\n", "got picture, text"),
        ("file\ttext\na.png\n", "line 2"),
        ("file\ttext\na.png\tx\ty\n", "line 2.*2 columns: file, text"),
        ("file\ttext\n", "the table is empty"),
        ("file\ttext\nnone.png\tx\n", "none.png"),
        (b"\xff\xfe\x00file", "UTF-8"),
        ("file\ttext\né.png\tx\n".encode("cp1252"), "UTF-8"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path, content, message):
    (tmp_path / "lines.tsv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        load_text(tmp_path)


def run(*arguments):
    """The exit code of `hcr data ...`."""
    parser = argparse.ArgumentParser()
    commands.add_parser(parser.add_subparsers())
    args = parser.parse_args(["data", *map(str, arguments)])
    return args.func(args)


def test_list_says_where_words_and_lines_come_from(root, capsys):
    assert run("list") == 0
    printed = capsys.readouterr().out
    assert "composed from mnist-5k" in printed
    (root / "lines-cremma-wills").mkdir()
    assert run("list") == 0
    assert capsys.readouterr().out.count("HCR_DATA") == printed.count("HCR_DATA") + 1
    assert run("list", "iam-words") == 0
    assert "unpack ascii.tgz" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="Did you mean 'iam-words'"):
        run("list", "iam-word")


def test_fetch_says_how_words_and_lines_are_obtained(root, capsys, monkeypatch):
    for name in ("cremma-wills", "iam-words", "iam-lines"):
        with pytest.raises(DataError, match=rf"{name} is not on this machine .*{root}.*got no such folder"):
            load_text(name)
    with pytest.raises(DataError, match=r"iam-lines is not on this machine \(.*iam\).*Register .* lines\.tgz"):
        run("fetch", "iam-lines")
    assert run("fetch", "mnist-numbers") == 0
    assert "composed from mnist-5k during training: there is nothing else" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="hcr data show iam-lines"):
        run("verify", "iam-lines")
    with pytest.raises(ConfigError, match="mnist-numbers"):
        load_text("mnist-number")
    monkeypatch.delenv("HCR_DATA")
    with pytest.raises(DataError, match="got HCR_DATA is not set"):
        run("fetch", "cremma-wills")


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"not a dataset .*Expected a dataset\.yml, or .*got an empty folder"):
        run("show", tmp_path / "empty")
    with pytest.raises(ConfigError, match="no dataset"):
        run("show", tmp_path / "none")


def test_writers_that_are_added_leave_the_test_part_as_it_is():
    writers = [f"w{n}" for n in range(40)]
    before, after = ({group[at] for at in words.cut_by_writer(group, 0.2)[1]} for group in (writers, ["new", *writers]))
    assert len(before - after) <= 1


def test_too_few_writers_cannot_be_cut(tmp_path):
    with pytest.raises(DataError, match=r"too few documents.*at least three.*got 2"):
        load_text(folder_of(tmp_path / "mine", [(f"{n}.png", "x", "ab"[n % 2]) for n in range(6)]))
    with pytest.raises(DataError, match="one writer"):
        words.cut_by_writer(["a", "a"], 0.5)
    with pytest.raises(ConfigError, match="share"):
        words.cut_by_writer(["a", "b"], 1.5)


def test_the_lines_of_the_wills(real_data):
    data = load_text("cremma-wills")
    assert (len(data.train) + len(data.val), len(data.test), data.damaged) == (2501, 294, ())
    assert {"é", "’", " "} <= set(data.classes)
    assert data.test.texts[0] == "Tres precieux"


IAM_LINES = """#--- lines.txt ---#
a01-000u-00 ok 154 19 408 746 1661 89 A|MOVE|to|stop|.
a01-000u-01 err 156 19 395 932 1850 105 "nominating|any|more"
b02-001-00 ok 154 1 1 1 1 1 Labour|life
c03-002-00 ok 154 1 1 1 1 1 Peers
d04-003-00 ok 154 1 1 1 1 1 in|no|part
"""
IAM_WORDS = """#--- words.txt ---#
a01-000u-00-00 ok 154 408 768 27 51 AT A
a01-000u-00-01 ok 154 507 766 213 48 NN MOVE
a01-000u-01-00 err 156 395 932 441 100 VBG nominating
b02-001-00-00 ok 154 1 1 1 1 NN Labour
c03-002-00-00 ok 154 1 1 1 1 NN Peers
"""


@pytest.fixture
def iam(root):
    """IAM's layout with four forms of three writers."""
    place = root / "iam"
    (place / "ascii").mkdir(parents=True)
    (place / "ascii/lines.txt").write_text(IAM_LINES)
    (place / "ascii/words.txt").write_text(IAM_WORDS)
    (place / "ascii/forms.txt").write_text("#\na01-000u 000 2 prt 7 5 52 36\nb02-001 001 2 all\nc03-002 002 2 all\n")
    parts = {"trainset": "a01-000u-00\na01-000u-01\n", "validationset1": "b02-001-00\n", "testset": "c03-002-00\n"}
    for name, ids in {**parts, "validationset2": ""}.items():
        (place / f"{name}.txt").write_text(ids)
    for kind, text in (("lines", IAM_LINES), ("words", IAM_WORDS)):
        for row in text.splitlines()[1:]:
            key = row.split()[0]
            form = key.rsplit("-", 1 if kind == "lines" else 2)[0]
            draw(place / kind / form.split("-")[0] / form / f"{key}.png")
    return place


def test_lines_and_words_of_iam(iam):
    lines = load_text("iam-lines")
    assert lines.train.texts == ("A MOVE to stop .", '"nominating any more"')
    assert lines.train.writers == ("000", "000")
    assert (lines.val.texts, lines.test.texts, lines.damaged) == (("Labour life",), ("Peers",), ())
    assert "1 lines outside the partition are left out" in " ".join(lines.notes)
    assert "more than one part" not in " ".join(lines.notes)
    (iam / "words/a01/a01-000u/a01-000u-00-01.png").write_bytes(b"no picture")
    words = load_text("iam-words")
    assert (words.train.texts, words.val.texts, words.test.texts) == (("A",), ("Labour",), ("Peers",))
    assert [name for name, _ in words.damaged] == ["a01-000u-00-01.png"]
    assert "1 words marked as wrongly segmented are left out" in words.notes


def test_a_writer_of_iam_in_two_parts_is_noted(iam):
    (iam / "ascii/forms.txt").unlink()
    assert any("not known" in note for note in load_text("iam-lines").notes)
    (iam / "xml").mkdir()
    for form in ("a01-000u", "c03-002"):
        (iam / f"xml/{form}.xml").write_text(f'<?xml version="1.0"?><form id="{form}" writer-id="007"/>')
    assert "1 writers are in more than one part: 007" in load_text("iam-lines").notes


def test_missing_or_damaged_files_of_iam_are_reported(iam):
    (iam / "lines/c03/c03-002/c03-002-00.png").unlink()
    with pytest.raises(DataError, match=r"None of IAM's 1 lines of testset.txt can be read .*Unpack lines\.tgz"):
        load_text("iam-lines")
    (iam / "ascii/lines.txt").write_text("a01-000u-00 maybe 1\n")
    with pytest.raises(DataError, match="line 1"):
        load_text("iam-lines")
    (iam / "testset.txt").unlink()
    with pytest.raises(DataError, match=r"testset\.txt is missing.*Unpack largeWriter"):
        load_text("iam-words")


def test_numbers_are_composed_from_digits_of_each_split_apart(monkeypatch):
    monkeypatch.setitem(synthetic.SIZES, "mnist-numbers", {"train": 300, "val": 50, "test": 100})
    numbers = load_text("mnist-numbers")
    assert "".join(numbers.classes) == "0123456789"
    parts = [set(part.texts) for part in (numbers.train, numbers.val, numbers.test)]
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]
    assert (len(numbers.val), len(numbers.test)) == (50, 100)
    assert numbers.train.epoch(0) is numbers.train
    first, second = numbers.train.epoch(1), numbers.train.epoch(1)
    assert first.texts == second.texts != numbers.train.texts
    assert all((a == b).all() for a, b in zip(first.images, second.images, strict=True))
    assert repr(numbers.train) == "Lines(300 images)"
    assert numbers.unit == "words"
    other = load_text("mnist-numbers", val_seed=1)
    assert other.val.texts != numbers.val.texts
    assert other.test_sha256 == numbers.test_sha256, "another validation, the same test"


def test_words_are_of_one_part_each():
    rng = np.random.default_rng(0)
    train, val, test = ({word.lower() for word in synthetic._words(p, 3000, rng)} for p in ("train", "val", "test"))
    assert not train & val
    assert not (train | val) & test
    assert all(synthetic.is_suitable(word) for word in train | val | test)


def test_names_are_made_up_in_capitals():
    rng = np.random.default_rng(0)
    train, val, test = (synthetic._capitals(part, 2000, rng) for part in ("train", "val", "test"))
    assert {len(train), len(val), len(test)} == {2000}
    assert all(text.isupper() and synthetic.is_suitable(text.lower()) for text in train + val + test)
    assert not set(train) & set(val + test)
    assert not set(val) & set(test)
    assert len(set(train)) > 1800, "halves of two words each"


def test_capitals_are_written_apart_and_some_small():
    """With their own labels."""
    capitals, small = np.zeros((2, 28, 28), np.uint8)
    capitals[4:24, 4:24], small[14:24, 4:14] = 255, 255
    characters = Split(np.stack([capitals, small]), np.arange(2))
    widths, texts = [], []
    for separate in (False, True):
        images, shown = synthetic.composed(characters, "Aa", 20 * ["AAAA"], np.random.default_rng(1), separate)
        widths.append(np.mean([image.shape[1] / image.shape[0] for image in images]))
        texts += shown
    assert widths[1] > widths[0]
    assert set(texts) == {"AAAA"}
