"""Export a page as PAGE XML, which Transkribus, eScriptorium and OCR-D open.

PAGE 2019-07-15: https://www.primaresearch.org/schema/PAGE/gts/pagecontent/2019-07-15/pagecontent.xsd. A file contains one page.
Each column is a region. Lines have a polygon, a baseline and a text, words a box and a text, and so have characters, with their
alternatives, if they spell the word. Coordinates are those of ALTO, see `hocr_alto`.
"""

from xml.etree import ElementTree

from hcrlib.datasets.page_xml import parsed
from hcrlib.documents.containers import around
from hcrlib.documents.hocr_alto import Names, clean, columns, size_of

PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
CREATOR = "hcrlib"
CREATED = "2000-01-01T00:00:00Z"  # required by the schema; fixed, as in our PDFs, so that equal pages are equal files


def save(page, source, file):
    """Write a page to a binary stream. source: the name of the file that was read."""
    names, (width, height) = Names(page.number), size_of(page)
    location = {"xmlns": PAGE, "xmlns:xsi": XSI, "xsi:schemaLocation": f"{PAGE} {PAGE}/pagecontent.xsd"}
    root = ElementTree.Element("PcGts", location)
    about = ElementTree.SubElement(root, "Metadata")
    for tag, text in (("Creator", CREATOR), ("Created", CREATED), ("LastChange", CREATED)):
        ElementTree.SubElement(about, tag).text = text
    size = {"imageWidth": str(width), "imageHeight": str(height)}
    space = ElementTree.SubElement(root, "Page", {"imageFilename": clean(source), **size})
    for lines in columns(page):
        region = ElementTree.SubElement(space, "TextRegion", id=names("region"))
        _coords(region, _corners(around(line.box for line in lines)))
        for line in lines:
            _line(ElementTree.SubElement(region, "TextLine", id=names("line")), line, names)
    ElementTree.indent(root, "")
    file.write(ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True))


def source_of(path):
    """Return the name of the file that was read, of a page that `save` wrote; None for other or refused XML."""
    try:
        root = parsed(path)
    except ValueError:
        return None
    page = root.find("Page")
    ours = root.findtext("Metadata/Creator") == CREATOR
    return page.get("imageFilename") if ours and page is not None else None


def _line(element, line, names):
    _coords(element, line.polygon)
    ElementTree.SubElement(element, "Baseline", points=_spaced(line.baseline))
    for word in line.words:
        part = ElementTree.SubElement(element, "Word", id=names("word"))
        _coords(part, _corners(word.box))
        for character in word.characters if word.text == "".join(c.text for c in word.characters) else ():
            glyph = ElementTree.SubElement(part, "Glyph", id=names("glyph"))
            _coords(glyph, _corners(character.box))
            others = [other for other in character.alternatives if other[0] != character.text]
            for index, (text, confidence) in enumerate([(character.text, character.confidence), *others]):
                _text(glyph, text, confidence, index)
        _text(part, word.text, word.confidence)
    _text(element, line.text, min(word.confidence for word in line.words))


def _text(element, text, confidence, index=None):
    place = {} if index is None else {"index": str(index)}
    reading = ElementTree.SubElement(element, "TextEquiv", {**place, "conf": f"{confidence:.4f}"})
    ElementTree.SubElement(reading, "Unicode").text = clean(text)


def _coords(element, points):
    ElementTree.SubElement(element, "Coords", points=_spaced(points))


def _corners(box):
    return (box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)


def _spaced(points):
    return " ".join(f"{x},{y}" for x, y in points)
