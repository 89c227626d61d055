"""Parse the lines of a page, with their texts, polygons and baselines, from ALTO or PAGE XML.

ALTO 2 to 4 (https://www.loc.gov/standards/alto/) and PAGE 2010 to 2019 (https://www.primaresearch.org/schema/PAGE/gts/), as
eScriptorium, kraken, Transkribus and HTR-United publish them. Elements are known by their local names, whatever the version of
the schema. A file with a DOCTYPE, which neither has and entities need, is refused; nothing outside of a file is loaded.
"""

import math
import re
import unicodedata
from typing import NamedTuple
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from hcrlib.datasets.text import normal

ROOTS = "alto", "PcGts"
HEAD = 4096  # bytes that contain the root element: a declaration and comments come before it
LARGEST = 64 << 20  # bytes of a file: pages with a box for every character take 10 MB
DEEPEST = 100  # elements in each other: a glyph of a nested region is at 15
FARTHEST = 1e6  # pixels: no page is as large
HYPHENS = dict.fromkeys(
    map(ord, "\u00ac\u2010\u2011"), "-"
)  # the mark of a divided word and two more, all drawn as a hyphen
SOFT_HYPHEN = "\u00ad"  # drawn at the end of a line only
JOINERS = "\u200c\u200d"  # of the invisible characters, those that change the shape of their neighbors
# what transcribers write around or for something struck out or unreadable: double brackets, angle brackets, [...], [?], [gap]
MARKS = re.compile(
    r"[\u27e6\u27e7\u2591\ufffd]|\[\[|\]\]|<[^<>]*>|>[^<>]*<"
    r"|\[\s*(\.\.\.|\u2026|\?+|gap|unclear|illegible|illisible|unleserlich)\s*\]",
    re.IGNORECASE,
)
CUSTOM_MARKS = re.compile(r"\b(unclear|gap|supplied)\s*\{|strikethrough\s*:\s*true")  # Transkribus, in PAGE's `custom`
MARKED = "marked as struck out or unreadable"


class PageLine(NamedTuple):
    """A line of a page.

    Attributes:
        name: its id, or #n for the n-th line of the file.
        text: as `clean` makes it.
        polygon: float64 (n, 2), n >= 3, points (x, y) in the units of the page; None if there is a problem.
        baseline: float64 (n, 2), in the direction of writing; empty if there is none.
        problem: why it cannot be trained on, "" if it can.
    """

    name: str
    text: str
    polygon: np.ndarray | None
    baseline: np.ndarray
    problem: str = ""


class PageText(NamedTuple):
    """A page. image: the name of its image as written in the file. size: (width, height), None if not given."""

    image: str
    size: tuple[float, float] | None
    lines: list[PageLine]


def is_page(path):
    """Return whether a file starts like ALTO or PAGE XML."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD).replace(b"\0", b"")  # UTF-16
    except OSError:
        return False
    return bool(re.search(rb"<([\w.-]+:)?(" + "|".join(ROOTS).encode() + rb")[\s/>]", head))


def read(path):
    """Parse a file as a PageText; None if it is XML of another kind.

    ValueError, with the reason: not well-formed, a DOCTYPE, too large, several pages, no page.
    """
    root = parsed(path)
    if root.tag not in ROOTS:
        return None
    pages = root.findall("Page") if root.tag == "PcGts" else root.findall("Layout/Page")
    if len(pages) != 1:
        raise ValueError(f"it has {len(pages)} pages: expected one page in a file, and its image beside it")
    return (_alto if root.tag == "alto" else _page)(root, pages[0])


def parsed(path):
    """Return the root Element of an XML file, tags and attributes without namespaces.

    ValueError, with the reason: not well-formed, a DOCTYPE, too large, nested too deeply. OSError: it cannot be read.
    """
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has {path.stat().st_size:,} bytes; at most {LARGEST:,} are read")
    builder, parser, open_ = ElementTree.TreeBuilder(), expat.ParserCreate(namespace_separator=" "), []

    def start(tag, attributes):
        open_.append(tag)
        if len(open_) > DEEPEST:
            raise ValueError(f"its elements are nested more than {DEEPEST} deep")
        builder.start(_local(tag), {_local(key): value for key, value in attributes.items()})

    def end(tag):
        builder.end(_local(open_.pop()))

    def refuse(*_):
        raise ValueError("it has a DOCTYPE: entities are not expanded, and nothing is loaded from elsewhere")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(path.read_bytes(), True)
    except (expat.ExpatError, LookupError) as error:  # LookupError: an unknown encoding
        raise ValueError(f"it is not well-formed XML: {error}") from error
    return builder.close()


def clean(text):
    """Return the text as it is written on the page: one spelling of the hyphen, no invisible characters, normal white space."""
    text = normal(text)
    text = text.removesuffix(SOFT_HYPHEN) + "-" if text.endswith(SOFT_HYPHEN) else text
    return normal("".join(c for c in text if unicodedata.category(c) != "Cf" or c in JOINERS).translate(HYPHENS))


def _local(name):
    return name.rpartition(" ")[2]


def _alto(root, page):
    name = root.findtext("Description/sourceImageInformation/fileName") or ""
    unit, size = (root.findtext("Description/MeasurementUnit") or "pixel").strip(), _size(page, "WIDTH", "HEIGHT")
    if unit != "pixel" and not size:
        raise ValueError(f"its coordinates are in {unit}, and the size of the page is not given")
    labels = {tag.get("ID"): tag.get("LABEL", "") for tag in root.iterfind("Tags/*")}
    lines = []
    for number, line in enumerate(page.iter("TextLine"), start=1):
        tags = [labels.get(tag, "") for part in (line, *line) for tag in part.get("TAGREFS", "").split()]
        marked = any(re.search("str(ike|uck)|unclear|illegible", tag, re.IGNORECASE) for tag in tags)
        shape, baseline = line.find("Shape/Polygon"), line.get("BASELINE", "")
        points = _box_of(line) if shape is None else shape.get("POINTS", "")
        name_of = line.get("ID") or f"#{number}"
        lines.append(_line(name_of, _alto_text(line), points, baseline, marked, only_box=shape is None))
    return PageText(name.strip(), size, lines)


def _alto_text(line):
    """Return the text of a TextLine: its Strings and spaces, or its Strings with spaces where none are given."""
    between = "" if line.find("SP") is not None else " "
    text = ""
    for part in line:
        if part.tag == "String":
            text += (between if text else "") + part.get("CONTENT", "")
        elif part.tag == "SP":
            text += " "
        elif part.tag == "HYP" and not clean(text).endswith("-"):
            text += part.get("CONTENT") or "-"
    return text


def _box_of(line):
    """Return the points of an element's box; "" if it has none."""
    try:
        left, top, width, height = (float(line.get(key, "")) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    except ValueError:
        return ""
    right, bottom = left + width, top + height
    return f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"


def _page(root, page):
    lines = []
    for number, line in enumerate(page.iter("TextLine"), start=1):
        style = [each.get("strikethrough") for each in line.iter("TextStyle")]
        custom = " ".join(part.get("custom", "") for part in line.iter())
        marked = "true" in style or bool(CUSTOM_MARKS.search(custom))
        points, baseline = _page_points(line.find("Coords")), _page_points(line.find("Baseline"))
        lines.append(_line(line.get("id") or f"#{number}", _page_text(line), points, baseline, marked))
    return PageText(page.get("imageFilename", "").strip(), _size(page, "imageWidth", "imageHeight"), lines)


def _page_points(element):
    """Return the points of a Coords or Baseline, which PAGE 2010 writes as elements."""
    if element is None:
        return ""
    points = (f"{point.get('x')},{point.get('y')}" for point in element.iterfind("Point"))
    return element.get("points") or " ".join(points)


def _page_text(element):
    """Return the text of a line, word or glyph: of its readings the one with the least index, or its parts'."""
    readings = [
        (_index(each), each.findtext("Unicode") or each.findtext("PlainText")) for each in element.iterfind("TextEquiv")
    ]
    if readings := [reading for reading in readings if (reading[1] or "").strip()]:
        return min(readings, key=lambda reading: reading[0])[1]
    parts = [(part.tag, _page_text(part)) for part in element if part.tag in ("Word", "Glyph")]
    return (" " if any(tag == "Word" for tag, _ in parts) else "").join(text for _, text in parts)


def _index(reading):
    index = reading.get("index", "0")
    return int(index) if index.isdecimal() else 0


def _size(page, width, height):
    try:
        size = float(page.get(width, "")), float(page.get(height, ""))
    except ValueError:
        return None
    return size if all(math.isfinite(side) and side > 0 for side in size) else None


def _line(name, text, points, baseline, marked, only_box=False):
    """Return a PageLine with the first of its problems. points, baseline: coordinates separated by spaces or commas."""
    text = clean(text)
    try:
        polygon = _points(points)
        problem = _problem(text) or (MARKED if marked or MARKS.search(text) else "")
        if not problem and len(polygon) < 3:
            problem = "fewer than three points around it"
    except ValueError as error:
        polygon, problem = None, _problem(text) or str(error)
    try:
        base = _points(baseline)
    except ValueError:
        base = np.empty((0, 2))  # only needed to turn the line
    if not problem and only_box and len(base) and np.ptp(polygon[:, 1]) <= np.ptp(base[:, 1]) + 1:
        problem = "a baseline, but no polygon"  # eScriptorium writes the baseline's box
    return PageLine(name, text, None if problem else polygon, base, problem)


def _problem(text):
    """Return why a recognizer cannot learn the text, "" if it can."""
    if not text:
        return "no text"
    for character in text:
        if unicodedata.category(character) == "Cc":
            return f"a control character in its text, U+{ord(character):04X}"
        if unicodedata.bidirectional(character) in ("R", "AL"):
            return "written from right to left; recognizers read from left to right"
    return ""


def _points(text):
    """Return float64 (n, 2) of coordinates; ValueError unless they are pairs of finite numbers."""
    try:
        numbers = np.array([float(number) for number in re.split(r"[\s,]+", text) if number])
    except ValueError:
        raise ValueError("coordinates that are not numbers") from None
    if len(numbers) % 2:
        raise ValueError("coordinates that are not pairs")
    if not np.all(np.abs(numbers) <= FARTHEST):  # false for NaN
        raise ValueError("coordinates that are not those of a page")
    return numbers.reshape(-1, 2)
