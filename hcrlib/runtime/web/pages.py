"""Whole pages: the routes that read a photo, a scan or a PDF, and that search the pages which were kept.

What reads them is handed to `blueprint`; a board has nothing that does, and its answers say so. It is an object with

    models               names of models: the first of them that is served reads where none is asked for
    library              whether there is one
    recognizers()        what may read whole words or lines in a model's place: a list of objects with a `name` and a `unit`,
                         "words" or "lines"
    read(data, name, served, form, keep, recognizer)
                         bytes of one of FORMATS, of those of an image or a PDF that is called so, read with a Served; keep:
                         whether to add it to the library; recognizer: one of `recognizers()`, or None
    search(text, limit)  [dict] of the library, best first: see openapi_pages

the last two of which raise Problem for what cannot be done. Reading takes seconds. Each process reads one page at a time and
refuses a second one at once: of its threads at most one is busy with pages, and one more than elsewhere answers everything
else.
"""

import contextlib
import threading

import flask

from . import images
from .problems import Problem

ADDRESS = "/api/read"
MAX_BODY = 30 * 1024 * 1024  # bytes: a scanned PDF, the photo of a page
MAX_QUERY = 200  # characters that are searched for
MAX_NAME = 120  # characters of a kept document's name
MOST_HITS = 50
RETRY_AFTER_S = 2  # what one page takes, about
FORMATS = {  # name -> (media type, ending)
    "json": ("application/json", "json"),
    "text": ("text/plain; charset=utf-8", "txt"),
    "hocr": ("text/html; charset=utf-8", "hocr"),
    "alto": ("application/xml", "xml"),
    "pdf": ("application/pdf", "pdf"),
    "png": ("image/png", "png"),
}


def blueprint(models, pages, metrics):
    """The routes. pages: what reads, or None where nothing does."""
    routes = flask.Blueprint("reading", __name__)
    reading = threading.Lock()

    @routes.route(ADDRESS, methods=["POST"])
    def read():
        if pages is None:
            raise Problem("not-here", "This server reads single characters, not pages.")
        form, keep = _form(), _keep(pages)
        served = models.get(flask.request.args.get("model") or _default(models, pages))
        recognizer = _recognizer(pages)
        with _alone(reading):
            data, name = _sent()
            body = pages.read(data, name, served, form, keep, recognizer)
        metrics.read((recognizer or served).name)
        return _answer(body, form)

    @routes.route("/api/library")
    def search():
        if pages is None or not pages.library:
            raise Problem("not-here", "This server has no library.")
        text = flask.request.args.get("q", "").strip()
        if not text or len(text) > MAX_QUERY:
            raise Problem("bad-request", "`q` is what to look for: 1 to %d characters." % MAX_QUERY)
        return flask.jsonify(dict(hits=pages.search(text, MOST_HITS)))

    return routes


def about(models, pages):
    """What `GET /api/models` tells of it: a dict, or None where no pages are read."""
    if pages is None:
        return None
    recognizers = [dict(name=one.name, unit=one.unit) for one in pages.recognizers()]
    return dict(model=_default(models, pages), recognizers=recognizers, library=pages.library)


def _form():
    form = flask.request.args.get("format", "json")
    if form not in FORMATS:
        raise Problem("no-such-format", "There is no such format; there are: %s." % ", ".join(FORMATS))
    return form


def _keep(pages):
    keep = flask.request.args.get("keep") in ("1", "true")
    if keep and not pages.library:
        raise Problem("not-here", "This server has no library to keep a page in.")
    return keep


def _recognizer(pages):
    """The one that is asked for, None where none is. Problem for a name that there is not."""
    name = flask.request.args.get("recognizer")
    if not name:
        return None
    found = {one.name: one for one in pages.recognizers()}
    if name not in found:
        told = "There is no recogniser '%s'; there are: %s."
        raise Problem("no-such-recognizer", told % (name, ", ".join(found) or "none"))
    return found[name]


def _default(models, pages):
    served = [one.name for one in models.all()]
    return next((name for name in pages.models if name in served), served[0])


@contextlib.contextmanager
def _alone(lock):
    """Problem, at once, while another page is read: no thread waits for it."""
    if not lock.acquire(False):
        told = "Another page is being read. Ask again in %d seconds." % RETRY_AFTER_S
        raise Problem("busy", told, [("Retry-After", str(RETRY_AFTER_S))])
    try:
        yield
    finally:
        lock.release()


def _sent():
    """(bytes of an image or a PDF, name of the document) of a request."""
    request, kind = flask.request, flask.request.mimetype
    name = request.args.get("name")
    if kind == "multipart/form-data":
        part = request.files.get("page")
        if part is None:
            raise Problem("bad-request", "There is no part named page in the form.")
        data, name = part.read(), name or part.filename
    elif kind.startswith("image/") or kind in ("", "application/pdf", "application/octet-stream"):
        data = request.get_data()
    else:
        told = "%s is not read. What is: image/*, application/pdf, multipart/form-data with a part named page."
        raise Problem("wrong-type", told % kind[:80])
    _check(data)
    return data, _base(name)


def _check(data):
    """Problem for what is neither an image that is read nor a PDF; nothing is decoded yet."""
    if not data[:1024].lstrip().startswith(b"%PDF"):
        images.opened(data, most=images.MAX_PIXELS, also=["PDF"])


def _base(name):
    """A name without folders and what cannot be printed, or `page`."""
    name = (name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in name if letter.isprintable()).strip()[:MAX_NAME] or "page"


def _answer(body, form):
    kind, ending = FORMATS[form]
    answer = flask.Response(body, content_type=kind)
    if form != "json":
        answer.headers["Content-Disposition"] = (
            'attachment; filename="page.%s"' % ending
        )  # hOCR is HTML: never a page here
    return answer
