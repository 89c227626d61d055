"""Read pages and search the library for the web app of `hcr serve`: see hcrlib.runtime.web.pages."""

import base64
import contextlib
import functools
import io
import itertools
import json
import re
import sys
import time
from dataclasses import replace

from PIL import Image

from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.datasets.text import reduced
from hcrlib.documents import formats, loading
from hcrlib.documents.choice import Choice
from hcrlib.documents.containers import Box, Word
from hcrlib.documents.line_recognition import MARGIN, cut_out, whole_recognizer
from hcrlib.documents.progress import reporting, silent
from hcrlib.documents.reader import Reader
from hcrlib.documents.store import Library
from hcrlib.models import load_bundle
from hcrlib.runtime.web import AUTO, CHARACTERS, images
from hcrlib.runtime.web.problems import Problem

MOST_PAGES = 40  # per PDF
MOST_S = 120.0  # seconds per file: three per page
SHOWN = 1600  # pixels of the longer side of the image that boxes are drawn over
QUALITY = 80  # of that JPEG: about half a megabyte in base64
MOST_READERS = 4  # cached, one for each pair of model and recognizer
COMMANDS = re.compile(r"(^|[\s'`])--\w|\b(hcr|pip) [a-z]")  # of the command line, in advice
MARKS = "\x02", "\x03"  # enclose matches in snippets: these characters do not occur in text


class Service:
    """Read uploaded pages and search a library, opened on first use: at the path `library`, or the user's if None."""

    def __init__(self, library=None):
        self._library, self._readers = library, {}

    def read(
        self,
        data,
        name,
        served,
        form,
        keep=False,
        recognizer=None,
        line_images=False,
        characters=None,
        report=silent,
        corrected=(),
    ):
        """Read an image or a PDF and return the result as bytes in the format `form`.

        Args:
            data: the bytes of the file.
            name: its file name.
            served: a LoadedModel.
            form: a key of formats.FORMATS.
            keep: whether to add the result to the library.
            recognizer: `name`, `folder` and `digest` of a bundle that reads whole words or lines, or of RapidOCR, whose folder
                is None; with `lines` and `other`, two of these, to choose for each page; or None.
            line_images: whether JSON holds the image of each line, to correct its text.
            characters: a string of those that may be read, without a recognizer; None for all.
            report: is called with the page, the number of pages, and what progress.reporting reports, with boxes in pixels of
                the file.
            corrected: the CorrectedLines, see hcrlib.runtime.web.pages, to write instead of what is read.

        Raises:
            Problem: if the file is unreadable, has over MOST_PAGES pages or takes longer than MOST_S, if the recognizer is
                damaged, if the library cannot be written, or if a corrected line is now read otherwise than it was.
        """
        stream = io.BytesIO()
        by = {"model": served.name, "recognizer": recognizer and recognizer.name}
        writer = (
            _json(by, keep, stream, line_images) if form == "json" else formats.FORMATS[form].writer(name, stream, data)
        )
        with (
            _as_problem("no-library", DataError),
            _as_problem("not-valid", ConfigError),
            _as_problem("not-whole", RunError),
            contextlib.ExitStack() as stack,
        ):
            adds = [stack.enter_context(writer)]
            if keep:
                adding = Library(self._library).adding(data, model=served.name, name=name)
                adds.append(stack.enter_context(adding))
            for page in self._pages(data, report, served, recognizer, characters):
                page = _with(page, [line for line in corrected if line.page == page.number])
                for add in adds:
                    add(page)
            for line in corrected:
                if line.page > page.number:
                    raise _stale(line)
        return stream.getvalue()

    def search(self, text, limit):
        """Return the library's pages with all words of `text`, best first: [{document, page, snippet, boxes}]."""
        with _as_problem("no-library", DataError), _as_problem("bad-request", ConfigError):
            return [_hit(hit) for hit in Library(self._library).search(text, limit, marks=MARKS)]

    def _pages(self, data, report, *how):
        until = time.monotonic() + MOST_S
        with _as_problem("unreadable", DataError):
            if (count := loading.count(data)) > MOST_PAGES:
                raise Problem("too-large", f"The file has {count} pages; the limit is {MOST_PAGES}.")
            pages = self._reader(*how).read(data)
            for number in itertools.count(1):
                with reporting(functools.partial(report, number, count)):
                    page = next(pages, None)
                if page is None:
                    return
                if time.monotonic() > until:
                    raise Problem("too-large", f"Reading took over {MOST_S:.0f} s: send fewer pages at once.")
                yield page

    def _reader(self, served, recognizer, characters):
        if characters:
            return Reader(served.model, recognizer=CHARACTERS, characters=characters)
        key = served.digest, recognizer and (recognizer.name, recognizer.digest)
        if key not in self._readers:
            reader = _reader(served.model, recognizer)
            if len(self._readers) >= MOST_READERS:
                self._readers.clear()  # some belong to models that have been replaced
            self._readers[key] = reader
        return self._readers[key]


def _reader(model, recognizer):
    if recognizer is None or recognizer.name != AUTO:
        return Reader(model, recognizer=_loaded(recognizer) if recognizer else CHARACTERS)
    lines, other = recognizer.lines, recognizer.other
    return Reader(model, recognizer=Choice((lines.name, lambda: _loaded(lines)), other and (lambda: _loaded(other))))


def _loaded(recognizer):
    """Return a recognizer of words or lines; raise RunError if its bundle is damaged, with details on stderr only."""
    try:
        whole = whole_recognizer(load_bundle(recognizer.folder, threads=1) if recognizer.folder else recognizer.name)
        whole.name = recognizer.name
        return whole
    except (OSError, ValueError) as error:
        print(f"hcr serve: {recognizer.name} is not used: {error}", file=sys.stderr)
        what = f"The recognizer '{recognizer.name}' is damaged or incomplete"
        raise RunError(what, hint="Choose another one") from error


@contextlib.contextmanager
def _as_problem(problem, kind):
    """Raise errors of this kind as a Problem, without paths on this computer and advice on commands, which stderr gets."""
    try:
        yield
    except kind as error:
        hint = error.hint
        if hint and COMMANDS.search(hint):
            print(f"hcr serve: {error}", file=sys.stderr)
            hint = None
        raise Problem(problem, str(kind(error.what, hint=hint))) from error


def _with(page, corrected):
    """Return a Page with corrected lines. Problem where they are those of another page, or of one that was read otherwise."""
    lines = list(page.lines)
    for each in corrected:
        now = lines[each.line].text if 0 <= each.line < len(lines) else None
        if now != each.was:
            raise _stale(each, now)
        read = {(word.text, word.box): word for word in lines[each.line].words}
        words = [read.get((text, Box(*box))) or Word(text, Box(*box), 1.0) for text, box in each.words]
        if not all(_is_inside(Box(*box), page) for text, box in each.words if (text, Box(*box)) not in read):
            raise Problem("not-valid", f"Line {each.line + 1} of page {page.number} has a word outside the page.")
        lines[each.line] = replace(lines[each.line], words=tuple(words))
    return replace(page, lines=tuple(lines))


def _stale(line, now=None):
    """Return the Problem of a CorrectedLine that is not the one that was read; now: what that is, or None."""
    now = "is not there" if now is None else f"is now {now!r}"
    return Problem(
        "not-valid", f"Line {line.line + 1} of page {line.page} was {line.was!r} and {now}. Read the page again."
    )


def _is_inside(box, page):
    return 0 <= box.left <= box.right <= page.width and 0 <= box.top <= box.bottom <= page.height


@contextlib.contextmanager
def _json(by, kept, stream, line_images):
    pages = []

    def add(page):
        pages.append({**formats.as_dict(page), **_picture(page.image)})
        if line_images:
            for line, entry in zip(page.lines, pages[-1]["lines"], strict=True):
                entry["image"] = _line_image(page.ruled, line)

    yield add
    if by["recognizer"] == AUTO:
        read_by = {page["recognizer"] for page in pages if page["lines"]} or {None}
        by = {**by, "recognizer": read_by.pop() if len(read_by) == 1 else AUTO}
    stream.write(json.dumps({"pages": pages, **by, "kept": kept}).encode())


def _line_image(ruled, line):
    """Return a Line as recognizers see and are trained on it, a PNG as a data URL; None if it is no line of writing."""
    try:
        return images.data_url(reduced(cut_out(ruled, line, MARGIN * line.box.height)))
    except ValueError:  # too wide for its height
        return None


def _picture(pixels):
    """Return {picture, scale} of `pixels`, uint8 (h, w, 3): a JPEG as a data URL, and its size relative to the page's."""
    image, stream = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((SHOWN, SHOWN))
    image.save(stream, "JPEG", quality=QUALITY)
    url = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
    return {"picture": url, "scale": image.width / pixels.shape[1]}


def _hit(hit):
    parts = enumerate(re.split("[" + "".join(MARKS) + "]", hit.snippet))
    snippet = [{"text": text, "hit": index % 2 == 1} for index, text in parts if text]
    return {"document": hit.name, "page": hit.page, "snippet": snippet, "boxes": [list(box) for box in hit.boxes]}
