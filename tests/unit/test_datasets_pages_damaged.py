"""Folders of pages with ALTO or PAGE XML that are damaged or incomplete."""

from pathlib import Path

import pytest
from page_files import alto, lines_of, page, picture

from hcrlib.core.errors import DataError
from hcrlib.datasets import load_text, page_xml
from hcrlib.datasets.loading import is_own

BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
SECRET = '<!DOCTYPE a [<!ENTITY a SYSTEM "file://{}">]>'
ENTITIES = "it has a DOCTYPE: entities are not expanded, and nothing is loaded from elsewhere"


def spoiled(folder):
    """Write files that cannot be used. Return {file: the reason}."""
    whole = alto(folder / "cut.xml", ["un", "deux"]).read_text()
    (folder / "cut.xml").write_text(whole[: len(whole) // 2])
    picture(folder / "cut.png")
    alto(folder / "bomb.xml", ["&b;"], head=BOMB)
    (folder / "secret.txt").write_text("secret")
    alto(folder / "leak.xml", ["&a;"], head=SECRET.format(folder / "secret.txt"))
    alto(folder / "dtd.xml", ["&a;"], head='<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">')
    alto(folder / "absent.xml", ["un"], "other/nowhere.jpg")
    alto(folder / "empty.xml", [])
    alto(folder / "scan.xml", ["un"], "scan.pdf")
    (folder / "scan.pdf").write_bytes(b"%PDF")
    (folder / "two.xml").write_text("<alto><Layout><Page/><Page/></Layout></alto>")
    (folder / "nothing.xml").write_text("")
    (folder / "coding.xml").write_text('<?xml version="1.0" encoding="klingon"?><alto/>')
    for name in ("half", "fake", "size"):
        picture(folder / f"{name}.png", size=(200, 160) if name == "half" else (200, 90))
        alto(folder / f"{name}.xml", ["un"])
    (folder / "half.png").write_bytes((folder / "half.png").read_bytes()[:150])
    (folder / "fake.png").write_bytes(b"no picture")
    picture(folder / "same.png")
    picture(folder / "same.jpg")
    alto(folder / "same.xml", ["un"], "same.tif")
    page(folder / "xml/good.xml", ["un"])
    return {
        "cut.xml": "it is not well-formed XML: ",
        "bomb.xml": ENTITIES,
        "leak.xml": ENTITIES,
        "dtd.xml": ENTITIES,
        "absent.xml": "its image other/nowhere.jpg is not in the folder",
        "empty.xml": "it has no lines",
        "scan.xml": "its image scan.pdf is a PDF: save each page as an image, with an XML of its own",
        "two.xml": "it has 2 pages: expected one page in a file, and its image beside it",
        "nothing.xml": "it is not well-formed XML: no element found",
        "coding.xml": "it is not well-formed XML: unknown encoding",
        "half.xml": "half.png: the image cannot be decoded: ",
        "fake.xml": "fake.png: cannot identify image file ",
        "size.xml": "size.png: it has 200 x 90 pixels, but in the XML the page has 200 x 160",
        "same.xml": "several images fit same.tif: same.jpg, same.png",
        "xml/good.xml": "its image good.png is that of good.xml",
    }


def test_files_that_cannot_be_used_are_listed_and_the_rest_is_read(tmp_path):
    expected = spoiled(tmp_path)
    picture(tmp_path / "good.png")
    alto(tmp_path / "good.xml", ["gut"])
    (tmp_path / "mets.xml").write_text("<mets/>")
    (tmp_path / "._good.xml").write_text("resource fork")
    texts, damaged, notes = lines_of(tmp_path)
    assert texts == ("gut",)
    assert "1 XML files are neither ALTO nor PAGE: mets.xml" in notes
    assert "3 images are named by no XML, or by one that also fits others: cut.png, same.jpg, same.png" in notes
    assert damaged.keys() == expected.keys()
    for file, reason in expected.items():
        assert damaged[file].startswith(reason), file


def test_pages_without_any_line_left_are_an_error(tmp_path):
    spoiled(tmp_path)
    with pytest.raises(DataError, match=r"no line to train on .*absent.xml: its image .*Each XML needs its image"):
        load_text(tmp_path)


def test_deep_and_large_files_are_refused_without_harm(tmp_path, monkeypatch):
    deep = tmp_path / "deep.xml"
    deep.write_text("<alto>" + "<a>" * 200_000)
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        page_xml.read(deep)
    monkeypatch.setattr(page_xml, "LARGEST", 1000)
    with pytest.raises(ValueError, match="at most 1,000 are read"):
        page_xml.read(deep)


def test_other_folders_are_no_pages(tmp_path):
    (tmp_path / "a.xml").write_text("<form><alto>no</alto></form>")
    (tmp_path / "b.xml").mkdir()
    assert not is_own(tmp_path / "nowhere")
    (tmp_path / "a.xml").write_text("<form/>")
    assert not is_own(tmp_path)
    (tmp_path / "a.xml").write_bytes('<?xml version="1.0" encoding="utf-16"?><alto/>'.encode("utf-16"))
    assert is_own(tmp_path)
    assert Path(tmp_path / "b.xml").is_dir()
