"""The output formats: positions, valid markup, unusual text, atomic files."""

import errno
import io
import json
import re
import weakref
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from hcrlib.core.errors import ConfigError
from hcrlib.datasets.pages import read_pages
from hcrlib.documents import page_xml
from hcrlib.documents.containers import Box
from hcrlib.documents.formats import FORMATS, READING_ORDER, as_dict
from hcrlib.documents.plain_text import as_printed

from .made import line, page

ODD = page("a<b>&\"c' ]]>", "Élève ?", "naïve façade œuvre")
EMPTY = page()
XHTML = "{http://www.w3.org/1999/xhtml}"
ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
PAGE = "{http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15}"


def written(name, *pages, source="scan.png"):
    """The bytes of a format."""
    stream = io.BytesIO()
    FORMATS[name].write(iter(pages), source, stream)
    return stream.getvalue()


def test_columns_stand_side_by_side():
    left, right = ["one two", "three"], ["four", "five six"]
    lines = [line(text, 100, 30 * n) for n, text in enumerate(left)]
    lines += [line(text, 300, 30 * n + 4, 1) for n, text in enumerate(right)]
    assert as_printed(page(*lines)) == "one two             four\nthree               five six"
    assert page(*lines).text == "one two\nthree\n\nfour\nfive six"


def test_a_column_that_needs_more_room_moves_the_next_in_every_row():
    small = [line("tiny" * 6, step=5), line("x", top=30)]
    large = [line("aaaa", 200, 0, 1, step=30), line("bbbb", 200, 30, 1, step=30), line("cccc", 230, 60, 1, step=30)]
    rows = as_printed(page(*small, *large)).splitlines()  # 200 pixels are 15 of its characters, the left column has 24
    assert rows == ["tiny" * 6 + "  aaaa", "x".ljust(26) + "bbbb", " " * 28 + "cccc"]


def test_columns_that_touch_are_kept_apart():
    lines = [line("aaaa", 0, 0, 1), line("bbbb", 40, 0, 0), line("cccc", 0, 30, 0), line("dddd", 40, 30, 1)]
    for row in as_printed(page(*lines)).splitlines():
        assert re.search(r"[ac]{4} {2,}[bd]{4}$", row)


def test_indents_gaps_and_blank_lines_are_kept_within_bounds():
    spread = [line("Title", 50), line("a      b", top=30), line("c d", top=60), line("e", top=590), line("f", top=620)]
    assert as_printed(page(*spread)) == "     Title\na      b\nc d\n\n\ne\nf"


def test_lines_at_different_heights_are_different_rows():
    lines = [line("a", 0, 0), line("b", 0, 40), line("c", 100, 20, 1), line("d", 100, 60, 1)]
    assert [row.strip() for row in as_printed(page(*lines)).splitlines() if row] == ["a", "c", "b", "d"]


def test_boxes_without_width():
    word = replace(line("abc").words[0], box=Box(5, 5, 5, 5), characters=())
    flat = replace(line("abc"), words=(word, word), box=Box(5, 5, 5, 5))
    odd = page(flat, flat)
    assert as_printed(odd).split() == ["abc"] * 4
    for name in FORMATS:
        assert written(name, odd)


def test_text_has_a_form_feed_between_pages():
    assert written("text", page("one"), page("two", number=2)) == b"one\n\ftwo\n"
    stream = io.BytesIO()
    READING_ORDER.write([page(line("b", 90), line("a", column=1))], "x", stream)
    assert stream.getvalue() == b"b\n\na\n"


def test_json_has_every_word_and_character():
    document = json.loads(written("json", ODD, replace(EMPTY, number=2), source="näme.png"))
    assert (document["format"], document["source"]) == ("hcr-pages 1", "näme.png")
    first, second = document["pages"]
    assert first == as_dict(ODD)
    assert (second["number"], second["lines"], second["text"]) == (2, [], "")
    assert (first["width"], first["height"], first["seconds"], first["notes"]) == (800, 600, 1.235, ["Turned by 90°."])
    word = first["lines"][1]["words"][0]
    assert (word["text"], word["box"], word["confidence"]) == ("Élève", [0, 30, 50, 50], 0.9)
    assert word["characters"][0]["alternatives"] == [
        {"text": "É", "confidence": 0.9},
        {"text": "o", "confidence": 0.05},
    ]
    assert first["to_source"] == np.eye(3).tolist()


def test_json_takes_the_numbers_of_numpy():
    word = line("a").words[0]
    read = replace(word, confidence=np.float32(0.5), box=Box(*np.arange(4)))
    [found] = as_dict(page(replace(line("a"), words=(read,))))["lines"][0]["words"]
    assert json.loads(json.dumps(found))["box"] == [0, 1, 2, 3]


def test_hocr_has_the_page_columns_lines_words_and_characters():
    side = page(line("one two"), line("x", 300, column=1))
    root = ElementTree.fromstring(written("hocr", side, page("y", number=2), source="a<b>.png"))
    assert root.find(f"{XHTML}head/{XHTML}title").text == "a<b>.png"
    kinds = {kind: found(root, kind) for kind in ("ocr_page", "ocr_carea", "ocr_line", "ocrx_word", "ocrx_cinfo")}
    assert [len(elements) for elements in kinds.values()] == [2, 3, 3, 4, 8]
    assert kinds["ocr_page"][1].get("title") == 'image "a<b>.png"; bbox 0 0 800 600; ppageno 1'
    assert kinds["ocrx_word"][1].get("title") == "bbox 40 0 70 20; x_wconf 90"
    assert "".join(kinds["ocrx_word"][1].itertext()) == "two"
    assert kinds["ocrx_cinfo"][0].get("title") == "x_bboxes 0 0 10 20; x_confs 90"
    names = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(names) == len(set(names)) == 12


def found(root, kind):
    return [element for element in root.iter() if element.get("class") == kind]


def test_hocr_of_a_word_that_a_lexicon_changed_is_its_text():
    read = line("tnis")
    changed = page(replace(read, words=(replace(read.words[0], text="this"),)))
    root = ElementTree.fromstring(written("hocr", changed))
    assert ["".join(word.itertext()) for word in found(root, "ocrx_word")] == ["this"]
    assert not found(root, "ocrx_cinfo")


def test_alto_has_blocks_lines_strings_and_glyphs_with_variants():
    side = page(line("one two"), line("x", 300, column=1))
    root = ElementTree.fromstring(written("alto", side, replace(EMPTY, number=2)))
    assert [child.tag.removeprefix(ALTO) for child in root] == ["Description", "Layout"]
    assert root.findtext(f"{ALTO}Description/{ALTO}MeasurementUnit") == "pixel"
    first, second = root.iter(f"{ALTO}Page")
    assert (first.get("PHYSICAL_IMG_NR"), second.get("WIDTH"), len(second[0])) == ("1", "800", 0)
    assert [len(block) for block in first.iter(f"{ALTO}TextBlock")] == [1, 1]
    top = next(first.iter(f"{ALTO}TextLine"))
    assert [child.tag.removeprefix(ALTO) for child in top] == ["Shape", "String", "SP", "String"]
    two = top[3]
    assert {key: two.get(key) for key in ("CONTENT", "WC", "HPOS", "VPOS", "WIDTH", "HEIGHT")} == dict(
        CONTENT="two", WC="0.9000", HPOS="40", VPOS="0", WIDTH="30", HEIGHT="20"
    )
    assert [glyph.get("CONTENT") for glyph in two] == list("two")
    assert [variant.attrib for variant in two[0]] == [{"CONTENT": "o", "VC": "0.0500"}]
    names = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(names) == len(set(names))


TURNED = np.array([[0, 2, 0], [-2, 0, 300], [0, 0, 1.0]])  # (x, y) of the image is (2 y, 300 - 2 x) of the file


def test_markup_has_the_boxes_of_the_file():
    turned = replace(page(line("ab", 100, 30), line("c", 140, 60)), to_source=TURNED, source_size=(150, 310))
    root = ElementTree.fromstring(written("hocr", turned))
    titles = {
        kind: [re.search("bbox [0-9 ]+", each.get("title"))[0] for each in found(root, kind)]
        for kind in ("ocr_page", "ocr_line")
    }
    assert titles == {"ocr_page": ["bbox 0 0 150 310"], "ocr_line": ["bbox 60 60 100 100", "bbox 120 0 150 20"]}
    assert found(root, "ocr_carea")[0].get("title") == "bbox 60 0 150 100"
    assert found(root, "ocrx_word")[0].get("title") == "bbox 60 60 100 100; x_wconf 90"
    assert found(root, "ocrx_cinfo")[1].get("title") == "x_bboxes 60 60 100 80; x_confs 90"
    root = ElementTree.fromstring(written("alto", turned))
    boxes = {tag: [place(each) for each in root.iter(f"{ALTO}{tag}")] for tag in ("PrintSpace", "TextBlock", "String")}
    assert boxes == {
        "PrintSpace": [(0, 0, 150, 310)],
        "TextBlock": [(60, 0, 90, 100)],
        "String": [(60, 60, 40, 40), (120, 0, 30, 20)],
    }
    assert place(list(root.iter(f"{ALTO}Glyph"))[1]) == (60, 60, 40, 20)
    assert next(root.iter(f"{ALTO}Page")).get("HEIGHT") == "310"


def place(element):
    return tuple(int(element.get(key)) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))


@pytest.mark.parametrize("traced", [True, False])
def test_markup_has_the_polygons_and_baselines_of_the_file(traced):
    """Without them, the box and its bottom."""
    polygon, baseline = ((100, 30), (120, 28), (120, 52), (100, 50)), ((100, 45), (110, 46), (120, 45))
    read = line("ab", 100, 30)
    read = replace(read, polygon=polygon, baseline=baseline) if traced else read
    turned = replace(page(read), to_source=TURNED, source_size=(150, 310))
    outline = "60 100 56 60 104 60 100 100" if traced else "60 100 60 60 100 60 100 100"
    base = "90 100 92 80 90 60" if traced else "100 100 100 60"
    [found] = ElementTree.fromstring(written("alto", turned)).iter(f"{ALTO}TextLine")
    assert (found.find(f"{ALTO}Shape/{ALTO}Polygon").get("POINTS"), found.get("BASELINE")) == (outline, base)
    [found] = ElementTree.fromstring(written("page", turned)).iter(f"{PAGE}TextLine")
    places = [found.find(f"{PAGE}{tag}").get("points").replace(",", " ") for tag in ("Coords", "Baseline")]
    assert places == [outline, base]


def test_a_page_names_its_source_and_xml_with_a_doctype_is_no_page_of_ours(tmp_path):
    file = tmp_path / "a.page.xml"
    file.write_bytes(written("page", page("one"), source="<é>.png"))
    assert page_xml.source_of(file) == "<é>.png"
    for doctype in (b"<!DOCTYPE a>", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>'):
        file.write_bytes(written("page", page("one")).replace(b"<PcGts", doctype + b"<PcGts", 1))
        assert page_xml.source_of(file) is None
    file.write_bytes(b"<PcGts>")
    assert page_xml.source_of(file) is None


def test_page_xml_has_regions_lines_words_and_glyphs():
    side = page(line("one two"), line("x", 300, column=1))
    root = ElementTree.fromstring(written("page", side, source="a<b>.png"))
    assert [child.tag.removeprefix(PAGE) for child in root] == ["Metadata", "Page"]
    whole = root.find(f"{PAGE}Page")
    assert whole.attrib == {"imageFilename": "a<b>.png", "imageWidth": "800", "imageHeight": "600"}
    assert [region[0].get("points") for region in whole] == ["0,0 70,0 70,20 0,20", "300,0 310,0 310,20 300,20"]
    top = next(root.iter(f"{PAGE}TextLine"))
    assert [child.tag.removeprefix(PAGE) for child in top] == ["Coords", "Baseline", "Word", "Word", "TextEquiv"]
    assert [child.tag.removeprefix(PAGE) for child in top[3]] == ["Coords", *["Glyph"] * 3, "TextEquiv"]
    assert (top[4][0].text, top[4].get("conf"), top[3][4][0].text) == ("one two", "0.9000", "two")
    assert [(reading.get("index"), reading[0].text) for reading in top[3][1][1:]] == [("0", "t"), ("1", "o")]
    names = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(names) == len(set(names)) == 2 + 2 + 3 + 7
    changed = replace(line("tnis").words[0], text="this")
    root = ElementTree.fromstring(written("page", page(replace(line("tnis"), words=(changed,)))))
    assert not list(root.iter(f"{PAGE}Glyph"))


def page_of_ink():
    """A page with two lines of bars, the second one traced by a polygon and a baseline."""
    first, second = line("élan vital", 40, 30), line("deux", 40, 90)
    traced = replace(second, polygon=((40, 90), (80, 90), (80, 110), (40, 110)), baseline=((40, 104), (80, 104)))
    made = page(first, traced, size=(200, 160))
    for box in (first.box, second.box):
        made.image[box.top + 5 : box.bottom - 5, box.left + 3 : box.right - 3] = 0
    return made


@pytest.mark.parametrize("name", ["alto", "page"])
@pytest.mark.parametrize("quarters", [0, 1])
def test_what_is_written_is_read_as_lines_to_train_on(name, quarters, tmp_path):
    """So can a person correct it in eScriptorium or Transkribus; a sheet that lies on its side is no obstacle."""
    made = page_of_ink()
    if quarters:
        turn = np.array([[0, 1, 0], [-1, 0, 200], [0, 0, 1.0]])  # (x, y) of the image is (y, 200 - x) of the file
        made = replace(made, to_source=turn, source_size=(160, 200))
    Image.fromarray(np.rot90(made.image, quarters)).save(tmp_path / "a.png")
    FORMATS[name].write([made], "a.png", tmp_path / f"a{FORMATS[name].suffix}")
    lines, damaged, _ = read_pages(tmp_path)
    assert (lines.texts, damaged) == (("élan vital", "deux"), ())
    assert [image.shape for image in lines.images] == [(20, 100), (20, 40)]
    for image, read in zip(lines.images, made.lines, strict=True):
        left, top, right, bottom = read.box
        expected = made.image[top:bottom, left:right, 0].astype(int)
        assert np.abs(image - expected)[1:-1, 1:-1].mean() < 3


def test_markup_clips_boxes_to_the_file():
    beyond = replace(page(line("ab", 100, 30)), source_size=(90, 20))
    root = ElementTree.fromstring(written("alto", beyond))
    assert {place(each) for each in root.iter(f"{ALTO}String")} == {(90, 20, 0, 0)}


@pytest.mark.parametrize("name", ["hocr", "alto", "page"])
def test_markup_takes_any_text(name):
    odd = page('<&>"', "a\x00\x0bb\ud800c", "Élève")
    root = ElementTree.fromstring(written(name, odd, source='<&>"\x01\udcff.png'))
    text = "".join(root.itertext()) + "".join(value for element in root.iter() for value in element.attrib.values())
    for expected in ('<&>"', "a\ufffd\ufffdb\ufffdc", "Élève"):
        assert expected in text


def pdf_text(document, index=0):
    return document[index].get_textpage()


def test_pdf_text_lies_where_the_words_are():
    document = pypdfium2.PdfDocument(written("pdf", ODD, page("second", number=2)))
    text = pdf_text(document)
    width, height = document[0].get_size()
    assert (round(width), round(height)) == (842, round(842 * 600 / 800))
    assert text.get_text_bounded().split() == ODD.text.split()
    scale = 842 / 800
    for word in ODD.words:
        start, length = text.search(word.text, match_case=True).get_next()
        boxes = [text.get_charbox(at, loose=True) for at in range(start, start + length)]
        around = *np.min(boxes, axis=0)[:2], *np.max(boxes, axis=0)[2:]
        expected = word.box.left, 600 - word.box.bottom, word.box.right, 600 - word.box.top
        assert np.all(np.abs(around - np.multiply(expected, scale)) < (1, 1, 1, 4))  # accents reach higher
    assert pdf_text(document, 1).get_text_bounded().split() == ["second"]


def test_pdf_finds_a_phrase_and_shows_the_picture_alone():
    dark = replace(ODD, image=np.full((600, 800, 3), (10, 90, 200), np.uint8))
    document = pypdfium2.PdfDocument(written("pdf", dark))
    assert pdf_text(document).search("naïve façade").get_next()
    shown = np.asarray(document[0].render(scale=1).to_pil().convert("RGB"), int)
    assert np.abs(shown - (10, 90, 200)).max() <= 3


def test_pdf_of_characters_without_glyphs():
    document = pypdfium2.PdfDocument(written("pdf", page("before 漢字 😀x after", "Ωmega жук łódź"), EMPTY))
    text = pdf_text(document).get_text_bounded()
    for word in ("before", "after", "Ωmega", "жук", "łódź"):
        assert word in text
    assert len(document) == 2


@pytest.mark.parametrize("name", FORMATS)
def test_equal_pages_are_equal_bytes_and_an_empty_page_is_written(name):
    assert written(name, ODD) == written(name, ODD)
    assert written(name, EMPTY) or name in ("csv", "tsv")


def test_an_image_shows_the_confidence_of_every_word():
    sure, unsure = line("sure", 10, 100), line("unsure", 10, 200, confidence=0.3)
    picture = Image.open(io.BytesIO(written("png", page(sure, unsure))))
    assert picture.size == (800, 600)
    assert picture.getpixel((10, 110)) == (0, 114, 178)
    assert picture.getpixel((12, 210)) == (213, 94, 0)  # a thicker frame
    assert picture.getpixel((12, 110)) == (255, 255, 255)
    assert np.asarray(picture)[75:99, 10:50].min() < 50  # the text above it
    assert not np.array_equal(picture, Image.open(io.BytesIO(written("png", EMPTY))))


@pytest.mark.parametrize(("name", "end"), [("png", ".png"), ("page", ".page.xml")])
def test_several_pages_are_numbered(name, end, tmp_path):
    FORMATS[name].write([page("one")], "x", tmp_path / f"one{end}")
    FORMATS[name].write((page("p", number=n) for n in (1, 2)), "x", tmp_path / f"more{end}")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"more-1{end}", f"more-2{end}", f"one{end}"]
    with pytest.raises(ConfigError, match="one page"):
        written(name, ODD, ODD)


@pytest.mark.parametrize(("name", "end"), [("png", ".png"), ("page", ".page.xml")])
def test_several_pages_do_not_replace_other_files(name, end, tmp_path):
    def write(source):
        FORMATS[name].write((page("p", number=n) for n in (1, 2)), source, tmp_path / f"two{end}")

    (tmp_path / f"two{end}").write_bytes(b"mine")
    (tmp_path / f"two-2{end}").write_bytes(b"mine too")
    with pytest.raises(ConfigError, match=rf"another file.*two-2\{end}"):
        write("two.pdf")
    there = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert there == {f"two{end}": b"mine", f"two-2{end}": b"mine too"}
    (tmp_path / f"two-2{end}").unlink()
    write("tw\udcff.pdf")
    write("tw\udcff.pdf")  # what it made before is replaced
    assert (tmp_path / f"two{end}").read_bytes() == b"mine"
    with pytest.raises(ConfigError, match=rf"two-1\{end}"):
        write("two.tif")
    assert len(list(tmp_path.iterdir())) == 3


def test_written_pages_are_released(tmp_path):
    """No writer requests a page before the previous one is done, and none keeps the images."""
    alive = []

    def pages():
        for number in range(1, 5):
            assert sum(ref() is not None for ref in alive) <= 1
            made = page("text", number=number)
            alive.append(weakref.ref(made.image))
            yield made
            del made

    for name, each in FORMATS.items():
        alive.clear()
        each.write(pages(), "x", tmp_path / f"out{each.suffix}"), name


@pytest.mark.parametrize("name", FORMATS)
def test_files_are_written_completely_or_not_at_all(name, tmp_path):
    def fails():
        yield from (page("one"), page("two", number=2))
        raise OSError(errno.ENOSPC, "No space left on device")

    place = tmp_path / "folder" / f"out{FORMATS[name].suffix}"
    FORMATS[name].write([ODD], "x", place)
    before = place.read_bytes()
    with pytest.raises(OSError, match="No space"):
        FORMATS[name].write(fails(), "x", place)
    assert [path.name for path in place.parent.iterdir()] == [place.name]
    assert place.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_an_error(name):
    with pytest.raises(OSError, match="No space left"), Path("/dev/full").open("wb") as full:
        FORMATS[name].write([ODD], "x", full)


def test_a_huge_page_is_written():
    dense = [line(" ".join(["word"] * 12), 2700 * column, 60 * row, column) for column in range(2) for row in range(40)]
    huge = page(*dense, size=(6000, 4000))
    assert written("text", huge).count(b"word") == 960
    assert pypdfium2.PdfDocument(written("pdf", huge))[0].get_size()[0] == 842


def test_a_table_is_read_row_by_row_in_every_format():
    cells = [("1", "apples", 0), ("12", "pears, ripe", 30), ("", "and plums", 60)]
    lines = [line("Accounts of May")]
    for row, (label, entry, top) in enumerate(cells, start=1):
        lines += [replace(line(label, 0, top + 40), table_row=row)] if label else []
        lines += [replace(line(entry, 200, top + 40, column=1), table_row=row)]
    made = page(*lines)
    assert made.text == "Accounts of May\n1\tapples\n12\tpears, ripe\nand plums"
    assert written("csv", made) == b'Accounts of May,\n1,apples\n12,"pears, ripe"\n,and plums\n'
    assert written("tsv", made).splitlines()[2] == b"12\tpears, ripe"
    assert [each["table_row"] for each in as_dict(made)["lines"]] == [None, 1, 1, 2, 2, 3]
    words = ["Accounts", "of", "May", "1", "apples", "12", "pears,", "ripe", "and", "plums"]
    root = ElementTree.fromstring(written("hocr", made))
    assert ["".join(each.itertext()) for each in found(root, "ocrx_word")] == words
    assert len(found(root, "ocr_carea")) == 2, "the heading and the table"
    root = ElementTree.fromstring(written("alto", made))
    assert [each.get("CONTENT") for each in root.iter(f"{ALTO}String")] == words
    assert pdf_text(pypdfium2.PdfDocument(written("pdf", made))).get_text_bounded().split() == words
    assert as_printed(made).split() == words


def test_hocr_check_accepts_hocr(tmp_path, capsys):
    from hocr_tools_lib.tools.hocr_check import Checker

    side = page(line("one two"), line("below", top=40), line("x", 300, column=1))
    file = tmp_path / "page.hocr"
    file.write_bytes(written("hocr", side, source='a;"b.png'))
    checker = Checker(file)
    checker.check()
    assert checker.test_counter == 11  # 3 of the head, 3 lines and 2 columns in their page, 3 that they do not overlap
    assert "not ok" not in capsys.readouterr().err
    file.write_bytes(written("hocr", page(line("one"), line("two", top=1))))
    Checker(file).check()
    assert "not ok 7 - mostly_nonoverlapping/line" in capsys.readouterr().err, "it finds faults"


def test_hocr_keeps_the_rules_that_its_checkers_know():
    """Those of hocr-spec 0.2, profile "standard", which accepts it but is no longer maintained; and the capabilities."""
    side = page(line("one two"), line("x", 300, column=1))
    root = ElementTree.fromstring(written("hocr", side, page("y", number=2), source='a;"b.png'))
    metas = {meta.get("name"): meta.get("content") for meta in root.iter(f"{XHTML}meta")}
    assert metas["ocr-system"] == "hcrlib"
    used = {element.get("class") for element in root.iter() if element.get("class")}
    assert used == set(metas["ocr-capabilities"].split())
    for element in root.iter():
        pages = [each for each in found(root, "ocr_page") if element in each.iter()]
        if (element.get("class") or "ocr_page") != "ocr_page":
            assert len(pages) == 1
        for part in filter(None, (element.get("title") or "").split("; ")):
            name, values = part.split(None, 1)
            numbers = values.split()
            assert name in ("image", "bbox", "ppageno", "x_wconf", "x_bboxes", "x_confs")
            assert name == "image" or all(number.isdigit() for number in numbers)
            assert name not in ("bbox", "x_bboxes") or len(numbers) == 4
    assert [re.match('image "([^;"]+)"; ', each.get("title"))[1] for each in found(root, "ocr_page")] == [
        "a%3B%22b.png"
    ] * 2
