"""What reads pages for the page of `hcr serve`, and searches its library: see hcrlib.runtime.web.pages."""

import base64
import contextlib
import io
import json
import re
import sys
import time

from PIL import Image

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.documents import formats, loading
from hcrlib.documents.reader import Reader
from hcrlib.documents.store import Library
from hcrlib.runtime import bundle
from hcrlib.runtime.web.problems import Problem

MOST_PAGES = 40  # of a PDF
MOST_S = 120.0  # of reading: three seconds for each of them
SHOWN = 1600  # pixels of the longer side of a picture that boxes are drawn over
QUALITY = 80  # of its JPEG: half a megabyte, in base64
MOST_READERS = 4  # that are kept: one for each model and recogniser
MARKS = "\x02", "\x03"  # around what was found: no text holds them


class Service:
    """library: the path of one, or None for this user's own; it is opened when it is first asked for."""

    def __init__(self, library=None):
        self._library, self._readers = library, {}

    def read(self, data, name, served, form, keep=False, recognizer=None):
        """bytes of `form`, one of output.FORMATS, of an image's or a PDF's bytes; `name` is what they are called.

        served: a LoadedModel. keep: whether to add what is read to the library. recognizer: None, or the `name`, `folder`
        and `digest` of a bundle that reads whole words or lines. Problem for what cannot be read, is more than MOST_PAGES or
        takes longer than MOST_S, for a recogniser that is damaged, and for a library that cannot be written.
        """
        stream = io.BytesIO()
        by = {"model": served.name, "recognizer": recognizer and recognizer.name}
        writer = _json(by, keep, stream) if form == "json" else formats.FORMATS[form].writer(name, stream)
        with _told("no-library", DataError), _told("not-valid", ConfigError), contextlib.ExitStack() as stack:
            adds = [stack.enter_context(writer)]
            if keep:
                adding = Library(self._library).adding(data, model=(recognizer or served).name, name=name)
                adds.append(stack.enter_context(adding))
            for page in self._pages(data, served, recognizer):
                for add in adds:
                    add(page)
        return stream.getvalue()

    def search(self, text, limit):
        """[{document, page, snippet, boxes}], the best first: pages of the library with all the words of `text`."""
        with _told("no-library", DataError), _told("bad-request", ConfigError):
            return [_hit(hit) for hit in Library(self._library).search(text, limit, marks=MARKS)]

    def _pages(self, data, served, recognizer):
        until = time.monotonic() + MOST_S
        with _told("unreadable", DataError):
            if (count := loading.count(data)) > MOST_PAGES:
                raise Problem("too-large", f"This file has {count} pages; at most {MOST_PAGES} are read.")
            for page in self._reader(served, recognizer).read(data):
                if time.monotonic() > until:
                    raise Problem("too-large", f"It took over {MOST_S:.0f} s: send fewer pages at once.")
                yield page

    def _reader(self, served, recognizer):
        key = served.digest, recognizer and recognizer.digest
        if key not in self._readers:
            whole = _loaded(recognizer) if recognizer else None
            if len(self._readers) >= MOST_READERS:
                self._readers.clear()  # some are of models that were replaced
            self._readers[key] = Reader(served.model, recognizer=whole)
        return self._readers[key]


def _loaded(recognizer):
    """The LineModel of its bundle. Problem where that is not whole: stderr alone is told where and why."""
    try:
        return bundle.load(recognizer.folder, threads=1)
    except (OSError, ValueError) as error:
        print(f"hcr serve: {recognizer.name} is not used: {error}", file=sys.stderr)
        told = f"The recogniser '{recognizer.name}' is damaged or incomplete. Choose another one."
        raise Problem("not-whole", told) from error


@contextlib.contextmanager
def _told(problem, kind):
    """Tells an error of this kind as a Problem, without saying where on this computer it was met."""
    try:
        yield
    except kind as error:
        raise Problem(problem, str(kind(error.what, hint=error.hint))) from error


@contextlib.contextmanager
def _json(by, kept, stream):
    pages = []
    yield lambda page: pages.append({**formats.as_dict(page), **_picture(page.image)})
    stream.write(json.dumps({"pages": pages, **by, "kept": kept}).encode())


def _picture(pixels):
    """{picture, scale} of uint8 (h, w, 3): a JPEG as a data URL, and how many of its pixels one of the page's has become."""
    image, stream = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((SHOWN, SHOWN))
    image.save(stream, "JPEG", quality=QUALITY)
    url = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
    return {"picture": url, "scale": image.width / pixels.shape[1]}


def _hit(hit):
    parts = enumerate(re.split("[" + "".join(MARKS) + "]", hit.snippet))
    snippet = [{"text": text, "hit": at % 2 == 1} for at, text in parts if text]
    return {"document": hit.name, "page": hit.page, "snippet": snippet, "boxes": [list(box) for box in hit.boxes]}
