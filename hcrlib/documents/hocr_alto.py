"""Export pages as hOCR and ALTO, the two formats that archives, viewers and other OCR programs accept.

hOCR 1.2: http://kba.github.io/hocr-spec/1.2/. ALTO 4.4: https://www.loc.gov/standards/alto/v4/alto-4-4.xsd. Both consist of a
head, one element per page and a tail. Boxes, polygons and baselines are in pixels of the source file, before its page was
rotated and rectified, and are clipped to it. Characters that XML does not allow become U+FFFD.
"""

import re
from dataclasses import replace
from itertools import count, groupby
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from hcrlib.documents.containers import Box, around

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2
HOCR_CLASSES = "ocr_page ocr_carea ocr_line ocrx_word ocrx_cinfo"
HOCR_TAIL = "</body>\n</html>\n"
ALTO_TAIL = "</Layout>\n</alto>\n"
ALTO = "http://www.loc.gov/standards/alto"


def hocr_head(source):
    """Return the XHTML before the first page. source: the name of the file that was read."""
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<title>{escape(clean(source))}</title>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8"/>
<meta name="ocr-system" content="hcrlib"/>
<meta name="ocr-capabilities" content="{HOCR_CLASSES}"/>
</head>
<body>
"""


def hocr_page(page, source):
    """Return a page's div. Confidences are percentages. source: the name of the file that was read.

    Words contain the boxes of their characters if those spell the word; a word changed by a lexicon contains only text.
    """
    names, box = Names(page.number), (0, 0, *size_of(page))
    image = clean(source).replace('"', "%22").replace(";", "%3B")  # which end a name and a property
    title = f'image "{image}"; bbox {_spaced(box)}; ppageno {page.number - 1}'
    root = _hocr("div", "ocr_page", title, f"page_{page.number}")
    for lines in columns(page):
        area = _hocr("div", "ocr_carea", f"bbox {_spaced(around(line.box for line in lines))}", names("block"), root)
        for line in lines:
            span = _hocr("span", "ocr_line", f"bbox {_spaced(line.box)}", names("line"), area)
            for word in line.words:
                _hocr_word(span, word, names("word"))
    return ElementTree.tostring(root, encoding="unicode")


def _hocr(tag, kind, title, name=None, parent=None):
    attributes = {"class": kind, **({"id": name} if name else {}), "title": title}
    element = ElementTree.Element(tag, attributes)
    element.tail = "\n"
    if parent is not None:
        parent.append(element)
    return element


def _hocr_word(line, word, name):
    element = _hocr("span", "ocrx_word", f"bbox {_spaced(word.box)}; x_wconf {_percent(word)}", name, line)
    if word.text != "".join(character.text for character in word.characters):
        element.text = clean(word.text)
        return
    for character in word.characters:
        title = f"x_bboxes {_spaced(character.box)}; x_confs {_percent(character)}"
        inner = _hocr("span", "ocrx_cinfo", title, parent=element)
        inner.text, inner.tail = clean(character.text), None


def alto_head(source):
    """Return the XML before the first page. source: the name of the file that was read."""
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="{ALTO}/ns-v4#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="{ALTO}/ns-v4# {ALTO}/v4/alto-4-4.xsd" SCHEMAVERSION="4.4">
<Description>
<MeasurementUnit>pixel</MeasurementUnit>
<sourceImageInformation><fileName>{escape(clean(source))}</fileName></sourceImageInformation>
<Processing ID="reading"><processingSoftware><softwareName>hcrlib</softwareName></processingSoftware></Processing>
</Description>
<Layout>
"""


def alto_page(page, source):
    """Return a page's element. Confidences are 0..1; a character's alternatives are its Variants.

    Points are written as eScriptorium and kraken write them: "x y x y".
    """
    names, size = Names(page.number), dict(zip(("WIDTH", "HEIGHT"), map(str, size_of(page)), strict=True))
    root = ElementTree.Element("Page", {"ID": f"page_{page.number}", "PHYSICAL_IMG_NR": str(page.number), **size})
    space = ElementTree.SubElement(root, "PrintSpace", {"HPOS": "0", "VPOS": "0", **size})
    for lines in columns(page):
        block = _alto(space, "TextBlock", around(line.box for line in lines), ID=names("block"))
        for line in lines:
            element = _alto(block, "TextLine", line.box, ID=names("line"), BASELINE=_flat(line.baseline))
            ElementTree.SubElement(ElementTree.SubElement(element, "Shape"), "Polygon", POINTS=_flat(line.polygon))
            _alto_line(element, line, names)
    ElementTree.indent(root, "")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _alto(parent, tag, box, **attributes):
    place = {"HPOS": box.left, "VPOS": box.top, "WIDTH": box.width, "HEIGHT": box.height}
    return ElementTree.SubElement(parent, tag, {**attributes, **{key: str(value) for key, value in place.items()}})


def _alto_line(element, line, names):
    for n, word in enumerate(line.words):
        if n:
            ElementTree.SubElement(element, "SP")
        certain = f"{word.confidence:.4f}"
        string = _alto(element, "String", word.box, ID=names("word"), CONTENT=clean(word.text), WC=certain)
        for character in word.characters:
            _alto_glyph(string, character)


def _alto_glyph(string, character):
    certain = f"{character.confidence:.4f}"
    glyph = _alto(string, "Glyph", character.box, CONTENT=clean(character.text), GC=certain)
    for text, confidence in character.alternatives:
        if text != character.text:
            ElementTree.SubElement(glyph, "Variant", {"CONTENT": clean(text), "VC": f"{confidence:.4f}"})


class Names:
    """Generate unique ids in the document: names("word") returns word_1_1, word_1_2, ..."""

    def __init__(self, number):
        self.number, self.counts = number, {}

    def __call__(self, kind):
        """Return the next id of a kind of element."""
        return f"{kind}_{self.number}_{next(self.counts.setdefault(kind, count(1)))}"


def columns(page):
    """Return the lines of each column or table in reading order, each with boxes, polygon and baseline in the file.

    Lines without words are omitted. A line without a polygon gets its box, one without a baseline the bottom of its box.
    """

    def in_file(box):
        return _clipped(page.source_box(box), *size_of(page))

    lines = [_outlined(line).with_boxes(in_file) for line in page.lines if line.words]
    return [list(column) for _, column in groupby(lines, key=_block)]


def _block(line):
    return line.column if line.table_row is None else "table"


def _outlined(line):
    left, top, right, bottom = line.box
    polygon = line.polygon or ((left, top), (right, top), (right, bottom), (left, bottom))
    return replace(line, polygon=polygon, baseline=line.baseline or ((left, bottom), (right, bottom)))


def _clipped(box, width, height):
    """Clip a Box to a page of this size; one outside becomes an empty Box at the edge."""
    return Box(*(min(max(side, 0), most) for side, most in zip(box, (width, height) * 2, strict=True)))


def size_of(page):
    """Return the width and height of the page in the file."""
    return page.source_size or (page.width, page.height)


def _spaced(box):
    return " ".join(map(str, box))


def _flat(points):
    return " ".join(f"{x} {y}" for x, y in points)


def _percent(read):
    return f"{100 * read.confidence:.0f}"


def clean(text):
    """Return the text with U+FFFD for each character that XML does not allow."""
    return FORBIDDEN.sub("\ufffd", text)
