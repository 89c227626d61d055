"""Write recognized pages in each output format, one page at a time, to limit memory.

FORMATS["pdf"].write(pages, "letter.pdf", "out/letter.pdf")

with FORMATS["text"].writer("letter.pdf", sys.stdout.buffer) as add:  # to write the same pages in several formats
    for page in pages:
        add(page)
"""

import contextlib
import csv
import io
import json
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from hcrlib.core.errors import ConfigError
from hcrlib.core.fileio import atomic
from hcrlib.documents import hocr_alto, page_xml, pdf, tables
from hcrlib.documents.annotate import annotated
from hcrlib.documents.plain_text import as_printed

VERSION = "hcr-pages 1"
PAGE_SUFFIX = ".page.xml"  # next to the .xml of ALTO
COMPRESSION = 3  # of a PNG: a sixth of the time of level 6 for the same size


class Format(NamedTuple):
    """An output format.

    Attributes:
        suffix: with its dot.
        writer: (source, destination, original=None) -> a context manager that yields add(page), which may return a sentence on
            what was done. source: the name of the file that was read. destination: a path, written atomically when the block
            succeeds, or a binary stream. original: the path or bytes of the file, which a PDF shows. Raises OSError if it
            cannot be written.
        by_page: whether each page has its own file.
    """

    suffix: str
    writer: Callable
    by_page: bool = False

    def files(self, destination, pages):
        """Return the paths to which this many pages are written if the destination is a path."""
        return _numbered(destination, pages) if self.by_page and pages > 1 else [Path(destination)]

    def write(self, pages, source, destination, original=None):
        """Write an iterable of Pages, consuming it one page at a time; the other arguments are those of `writer`."""
        with self.writer(source, destination, original) as add:
            for page in pages:
                add(page)


def as_dict(page):
    """Return the page as in JSON: boxes are [left, top, right, bottom] in pixels, confidences 0..1."""
    return {
        "number": page.number,
        "width": page.width,
        "height": page.height,
        "notes": list(page.notes),
        "recognizer": page.recognizer or None,
        "unsure": page.unsure,
        "seconds": round(page.seconds, 3),
        "text": page.text,
        "to_source": page.to_source.tolist(),
        "lines": [_line(line) for line in page.lines],
    }


def _box(box):
    return [int(side) for side in box]


def _rounded(confidence):
    return round(float(confidence), 4)


def _line(line):
    words = [{**_read(word), "characters": list(map(_character, word.characters))} for word in line.words]
    place = {"column": line.column, "table_row": line.table_row}
    return {"text": line.text, "box": _box(line.box), **place, "words": words}


def _read(read):
    return {"text": read.text, "box": _box(read.box), "confidence": _rounded(read.confidence)}


def _character(character):
    others = [{"text": text, "confidence": _rounded(confidence)} for text, confidence in character.alternatives]
    return {**_read(character), "alternatives": others}


@contextlib.contextmanager
def _one_file(into, source, destination, original=None, **options):
    with _opened(destination) as file, into(source, file, original, **options) as add:
        yield add


@contextlib.contextmanager
def _opened(destination):
    """Yield the stream itself, or one to a new file that replaces the destination at the end."""
    if hasattr(destination, "write"):
        yield destination
        return
    with atomic(destination) as part, part.open("wb") as file:
        yield file


@contextlib.contextmanager
def _pieces(head, render, between, tail, source, file, original):
    """Write text in UTF-8: head(source), render(page, source) for each page, tail."""
    first = True

    def put(text):
        file.write(text.encode("utf-8", "replace"))

    def add(page):
        nonlocal first
        put(render(page, source) if first else between + render(page, source))
        first = False

    put(head(source))
    yield add
    put(tail)


def _document(head, render, between, tail):
    return partial(_one_file, partial(_pieces, head, render, between, tail))


def _text(render):
    """Return a writer of pages that end with a line feed and are separated by a form feed, as pdftotext's are."""
    return _document(lambda source: "", lambda page, source: render(page) + "\n", "\f", "")


def _json_head(source):
    return f'{{"format": "{VERSION}", "source": {json.dumps(source)}, "pages": [\n'


def _json_page(page, source):
    return json.dumps(as_dict(page), ensure_ascii=False)


def _page_files(save, source_of, source, destination, original=None):
    """Write NAME.png, say, for one page, or NAME-1.png, NAME-2.png, ... for several, all or none.

    save(page, source, stream): writes a page. source_of(path): returns the source of a file that `save` wrote, None for others.

    Raises:
        ConfigError: for a second page to a stream, or if a numbered file exists and is not of this source.
    """
    if hasattr(destination, "write"):
        return _one_page(save, source, destination)
    return _numbered_files(save, source_of, source, Path(destination))


@contextlib.contextmanager
def _one_page(save, source, stream):
    written = []

    def add(page):
        if written:
            hint = "Name a file: its pages are numbered"
            raise ConfigError("A file of this format can contain only one page", where=source, hint=hint)
        save(page, source, stream)
        written.append(page.number)

    yield add


@contextlib.contextmanager
def _numbered_files(save, source_of, source, destination):
    """Collect pages in a hidden folder, as their file names depend on how many there are."""
    parts = []
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=f".{destination.stem}.", suffix=".part") as folder:

        def add(page):
            parts.append(Path(folder) / str(len(parts)))
            with _opened(parts[-1]) as file:
                save(page, source, file)

        yield add
        if len(parts) == 1:
            os.replace(parts[0], destination)
        else:
            _move(parts, _numbered(destination, len(parts)), source, source_of)


def _save_image(page, source, file):
    about = PngInfo()
    about.add_itxt("Title", _title(source))
    annotated(page).save(file, "PNG", compress_level=COMPRESSION, pnginfo=about)


def _source_of_image(path):
    try:
        with Image.open(path) as image:
            return image.info.get("Title")
    except OSError:
        return None


def _title(source):
    """Return the source's name without lone surrogates."""
    return source.encode("utf-8", "replace").decode()


def _move(parts, places, source, source_of):
    """Move the parts into place unless a file of another source would be replaced: the user chose only the stem."""
    for place in places:
        if place.exists() and source_of(place) not in (_title(source), hocr_alto.clean(source)):
            hint = "Name another file or folder: --out"
            raise ConfigError("A page would replace another file", where=place, hint=hint)
    for part, place in zip(parts, places, strict=True):
        os.replace(part, place)


def _numbered(path, pages):
    path = Path(path)
    suffix = PAGE_SUFFIX if path.name.endswith(PAGE_SUFFIX) else path.suffix
    return [path.with_name(f"{path.name.removesuffix(suffix)}-{number}{suffix}") for number in range(1, pages + 1)]


def _table(delimiter):
    """Return a writer of the cells of tables, each line elsewhere being the only cell of its row."""

    def render(page, source):
        stream = io.StringIO()
        csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows(tables.cells(page.lines))
        return stream.getvalue()

    return _document(lambda source: "", render, "", "")


READING_ORDER = Format(".txt", _text(lambda page: page.text))  # column by column
FORMATS = {
    "text": Format(".txt", _text(as_printed)),
    "json": Format(".json", _document(_json_head, _json_page, ",\n", "\n]}\n")),
    "csv": Format(".csv", _table(",")),
    "tsv": Format(".tsv", _table("\t")),
    "hocr": Format(".hocr", _document(hocr_alto.hocr_head, hocr_alto.hocr_page, "", hocr_alto.HOCR_TAIL)),
    "alto": Format(".xml", _document(hocr_alto.alto_head, hocr_alto.alto_page, "", hocr_alto.ALTO_TAIL)),
    "pdf": Format(".pdf", partial(_one_file, pdf.into)),
    "page": Format(PAGE_SUFFIX, partial(_page_files, page_xml.save, page_xml.source_of), by_page=True),
    "png": Format(".png", partial(_page_files, _save_image, _source_of_image), by_page=True),
}
