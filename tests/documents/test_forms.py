"""Forms: registration of a drawn form at other sizes and angles, its CSV table, and invalid templates."""

import csv
import io
import json
import os
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hcrlib.cli.main import main
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.documents import cleaning, forms
from hcrlib.documents.containers import Box
from hcrlib.documents.forms import Field, Template
from hcrlib.documents.reader import Reader

SHAPES = [
    (100, 100, 500, 190),
    (600, 100, 900, 190),
    (100, 260, 300, 350),
    (400, 260, 1100, 350),
    (100, 420, 1100, 510),
]
FIELDS = [Field(f"f{n}", Box(*shape), None) for n, shape in enumerate(SHAPES)]
TEMPLATE = Template("drawn", tuple(FIELDS))


class Model:
    """A stand-in for a model: wide characters are a 0, narrow ones a 1."""

    reads = "characters"
    classes, frame, unsure_below = ("0", "1"), "mnist", 0.0

    def scores(self, images):
        wide = (images > 60).any(axis=1).sum(axis=1) > 8
        return np.stack([np.where(wide, 0.9, 0.1), np.where(wide, 0.1, 0.9)], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def reader():
    return Reader(Model(), characters="01")


def drawn(*written, shapes=SHAPES, size=(1600, 1200)):
    """uint8 (h, w, 3): the form's boxes; (number of the box, text of 0 and 1) written in some."""
    image = np.full((*size, 3), 250, np.uint8)
    for left, top, right, bottom in shapes:
        cv2.rectangle(image, (left - 2, top - 2), (right + 1, bottom + 1), (60, 60, 60), 3)
    for index, text in written:
        write(image, text, shapes[index][0] + 30, shapes[index][3] - 20)
    return image


def write(image, text, x, y):
    for digit in text:
        if digit == "0":
            cv2.ellipse(image, (x + 18, y - 24), (15, 22), 0, 0, 360, (40, 30, 90), 5)
        else:
            cv2.line(image, (x + 14, y), (x + 22, y - 46), (40, 30, 90), 5)
        x += 48


def askew(image, scale=1.0, shift=(0, 0), degrees=0.0):
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    matrix[:, 2] += np.add(shift, [width * (scale - 1) / 2, height * (scale - 1) / 2])
    size = round(width * scale), round(height * scale)
    return cv2.warpAffine(image, matrix, size, borderValue=(250, 250, 250), flags=cv2.INTER_AREA)


def texts(image, reader, template=TEMPLATE):
    return {name: word and word.text for name, word in forms.read(template, image, reader).items()}


@pytest.mark.parametrize(("scale", "shift"), [(1.0, (0, 0)), (1.4, (0, 0)), (0.95, (40, -25)), (1.0, (-60, 80))])
def test_registered_at_another_size_and_place(scale, shift):
    ink = cleaning.ink(cleaning.evened(askew(drawn((0, "01")), scale, shift)))
    matrix = forms.registered(TEMPLATE, ink)
    for left, top, _, _ in SHAPES:
        assert matrix @ (left, top, 1) == pytest.approx(np.array([left, top]) * scale + shift, abs=4)


@pytest.mark.parametrize(
    ("scale", "shift", "degrees"),
    [(1, (0, 0), 0), (1.3, (30, -20), 0), (1, (0, 0), 1.5), (1, (20, 30), -1), (2, (0, 0), 0.5)],
)
def test_each_box_is_read(reader, scale, shift, degrees):
    page = askew(drawn((0, "0110"), (2, "10"), (4, "00100101")), scale, shift, degrees)
    assert texts(page, reader) == {"f0": "0110", "f1": None, "f2": "10", "f3": None, "f4": "00100101"}


def test_an_empty_form(reader):
    assert set(texts(drawn(), reader).values()) == {None}


def test_writing_over_a_boxs_edge_belongs_to_it(reader):
    page = drawn((1, "11"))
    cv2.line(page, (225, 205), (240, 125), (40, 30, 90), 5)  # crosses the lower side
    write(page, "0", 140, 172)
    assert texts(page, reader)["f0"] == "01"


def test_a_box_that_was_not_detected_is_read(reader):
    page = drawn((0, "01"), (3, "1"))
    page[418:430, 300:360] = 250  # a gap in its side: no box is found there
    write(page, "10", 130, 490)
    assert texts(page, reader) == {"f0": "01", "f1": None, "f2": None, "f3": "1", "f4": "10"}


def test_only_the_characters_of_a_field_are_read(reader):
    fields = [field._replace(characters="1") if field.name == "f0" else field for field in FIELDS]
    read = texts(drawn((0, "00"), (1, "00")), reader, Template("t", tuple(fields)))
    assert read == {"f0": "11", "f1": "00", "f2": None, "f3": None, "f4": None}


@pytest.mark.parametrize(
    "shapes",
    [[], [(100, 100, 500, 190)], [(80, 80, 200, 700), (300, 80, 420, 700), (520, 80, 640, 700), (80, 900, 1000, 1400)]],
)
def test_another_form_is_refused(reader, shapes):
    with pytest.raises(DataError, match=r"does not match the template.*at least half of the 5 boxes of 'drawn'"):
        forms.read(TEMPLATE, drawn(shapes=shapes), reader)


def template(path, text):
    path.write_text(text)
    return path


def test_a_template_is_loaded(tmp_path):
    text = """
        name: a form
        fields:
          zip: {box: [1, 2, 30, 40], characters: digits}
          name: {box: [1.4, 50, 30, 60], characters: letters}
          sign: {box: [1, 70, 30, 80], characters: "+-"}
          note: {box: [1, 90, 30, 99]}
    """
    loaded = Template.load(template(tmp_path / "form.yml", text))
    assert loaded.name == "a form"
    assert loaded.columns == ["file", "page", "zip", "name", "sign", "note", "unsure"]
    assert loaded.fields[0] == Field("zip", Box(1, 2, 30, 40), "0123456789")
    assert loaded.fields[1].box == Box(1, 50, 30, 60)
    assert [len(field.characters) for field in loaded.fields[1:3]] == [52, 2]
    assert loaded.fields[3].characters is None
    assert Template.load(template(tmp_path / "b.yml", "fields: {a: {box: [0, 0, 9, 9]}}")).name == "b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fields: [", "Invalid YAML"),
        ("", "The file is empty"),
        ("- a", "a mapping"),
        ("name: x", "Missing key 'fields'"),
        ("fields: {}", "'fields' is not valid.*at least one item"),
        ("fields: [a, b]", "'fields' is not valid.*a mapping"),
        ("fields: {a: 3}", "'a' is not valid.*a mapping, got 3"),
        ("fields: {a: {box: [1, 2, 3]}}", "'box' is not valid"),
        ("fields: {a: {box: [1, 2, x, 4]}}", "'box' is not valid"),
        ("fields: {a: {box: [9, 2, 3, 4]}}", r"\[left, top, right, bottom\]"),
        ("fields: {a: {box: [1, 2, 3, 2]}}", "'box' is not valid"),
        ("fields: {a: {box: [1, 2, .inf, 4]}}", "'box' is not valid"),
        ("fields: {a: {box: [1, 2, 3, .nan]}}", "'box' is not valid"),
        ("fields: {a: {box: [1, 2, 1.2, 4]}}", "'box' is not valid"),
        ("fields: {a: {box: [1, 2, 3, 4], charaters: digits}}", "Unknown key 'charaters'.*Did you mean 'characters'"),
        ("fields: {a: {box: [1, 2, 3, 4], 7: digits, x: y}}", "Unknown key '7'"),
        ("fields: {a: {box: [1, 2, 3, 4], characters: ''}}", "'characters' is not valid"),
        ("fields: {a: {box: [1, 2, 3, 4], characters: 12}}", "'characters' is not valid"),
        ("fields: {page: {box: [1, 2, 3, 4]}}", "cannot be called 'page'"),
    ],
)
def test_a_bad_template_is_a_config_error(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        Template.load(template(tmp_path / "form.yml", text))
    assert "form.yml" in str(caught.value)


def test_a_template_that_is_missing_or_binary(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Template.load(tmp_path / "none.yml")
    (tmp_path / "binary.yml").write_bytes(b"\x00\x81\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        Template.load(tmp_path / "binary.yml")


@pytest.fixture
def folder(tmp_path, monkeypatch, reader):
    """A folder with form.yml, two filled-in forms, another form, and a damaged file; `hcr read` there has the stand-in."""
    monkeypatch.chdir(tmp_path)
    fields = {f"f{n}": {"box": shape, "characters": "01"} for n, shape in enumerate(SHAPES)}
    Path("form.yml").write_text(json.dumps({"name": "drawn", "fields": fields}))
    pages = [Image.fromarray(drawn((0, "01"))), Image.fromarray(drawn(shapes=[])), Image.fromarray(drawn((4, "110")))]
    pages[0].save("three.tif", save_all=True, append_images=pages[1:])
    Image.fromarray(drawn((0, "1"), (1, "0"))).save("é,1.png")
    Path("damaged.png").write_text("no picture")
    made = []
    stand_in = types.SimpleNamespace(MODEL="page-62", Reader=lambda *a, **k: made.append((a, k)) or reader)
    monkeypatch.setitem(sys.modules, "hcrlib.documents.reader", stand_in)
    return made


def test_the_table_continues_after_a_page_that_cannot_be_read(folder, reader):
    template = Template.load("form.yml")
    rows = list(forms.table(template, ["damaged.png", "three.tif", "none.png"], reader))
    assert [(source, page) for source, page, _ in rows] == [
        ("damaged.png", 1),
        *(("three.tif", page) for page in (1, 2, 3)),
        ("none.png", 1),
    ]
    assert [isinstance(found, DataError) for *_, found in rows] == [True, False, True, False, True]


def test_a_fault_in_one_page_stops_no_other(folder, reader, monkeypatch):
    def odd(*_):
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(forms, "read", odd)
    rows = list(forms.table(Template.load("form.yml"), ["three.tif", "é,1.png"], reader))
    assert [type(found) for *_, found in rows] == [ZeroDivisionError] * 4


@pytest.mark.parametrize("out", [None, "new/out.csv"])
def test_hcr_read_writes_a_row_per_page(folder, capsys, out):
    files = ["é,1.png", "damaged.png", "three.tif"]
    options = ["--template", "form.yml", "--model", "mine", "--lexicon", "en", *(["--out", out] if out else [])]
    status = main(["read", *files, *options])
    printed = capsys.readouterr()
    assert status == 1
    written = Path(out).read_bytes().decode("utf-8") if out else printed.out
    assert list(csv.reader(io.StringIO(written))) == [
        ["file", "page", "f0", "f1", "f2", "f3", "f4", "unsure"],
        ["é,1.png", "1", "1", "0", "", "", "", "0"],
        ["three.tif", "1", "01", "", "", "", "", "0"],
        ["three.tif", "3", "", "", "", "", "110", "0"],
    ]
    damaged, other = printed.err.splitlines()
    assert damaged.startswith("hcr: damaged.png, page 1: The file is not a readable image")
    assert other.startswith("hcr: three.tif, page 2: The page does not match the template.")
    assert folder == [(("mine",), {"lexicon": "en", "min_confidence": None})]


def test_hcr_read_counts_unsure_characters(folder, capsys, reader, monkeypatch):
    monkeypatch.setattr(reader.characters, "min_confidence", 1.1)
    assert main(["read", "é,1.png", "--template", "form.yml", "--unsure-below", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == '"é,1.png",1,?,?,,,,2'
    assert folder[0][1]["min_confidence"] == 1


def test_rows_are_written_at_once_and_ctrl_c_reports_their_number(folder, capsys, monkeypatch):
    def table(*_):
        yield "a.png", 1, {"f0": None}
        assert Path("out.csv").read_text().splitlines()[1] == "a.png,1,,0"
        raise KeyboardInterrupt

    monkeypatch.setattr(forms, "table", table)
    assert main(["read", "a.png", "--template", "form.yml", "--out", "out.csv"]) == 130
    assert "stopped; 1 pages were read" in capsys.readouterr().err


def test_an_existing_table_stays_if_the_template_is_invalid(folder, capsys):
    Path("out.csv").write_text("earlier")
    Path("bad.yml").write_text("fields: 3")
    assert main(["read", "é,1.png", "--template", "bad.yml", "--out", "out.csv"]) == 1
    assert Path("out.csv").read_text() == "earlier"
    assert main(["read", "é,1.png", "--template", "form.yml", "--out", "."]) == 1
    assert "Is a directory" in capsys.readouterr().err


@pytest.fixture
def nist():
    """uint8 (h, w, 3): the form that NIST's characters were collected with, filled in."""
    path = Path(os.environ.get("HCR_DATA", "none"), "pages", "nist_hsf.png")
    if not path.exists():
        pytest.skip("HCR_DATA has no pages/nist_hsf.png")
    return np.array(Image.open(path).convert("RGB"))


def test_nist_s_form_is_registered(nist):
    template = Template.load(Path(__file__).parents[2] / "params" / "forms" / "nist_hsf.yml")
    page = cleaning.cleaned(nist, borders=True)
    matrix = forms.registered(template, page.ink)
    scale = page.ink.shape[1] / 2560
    assert matrix[0, 0] == pytest.approx(scale, rel=0.02)
    assert matrix[1, 1] == pytest.approx(scale, rel=0.02)
