"""Whole pages: the routes that read a photo, a scan or a PDF, and that search the library of pages.

The page reader is passed to `blueprint`; a board has none, and its server says so. It is an object with

    models               names of models: the first one that is available is the default for pages
    library              whether there is a library
    recognizers()        the recognizers of whole words or lines: objects with a `name` and a `unit`, "words" or "lines"
    read(data, name, loaded, format, keep, recognizer)
                         the page or PDF `data`, called `name`, as bytes of one of FORMATS; loaded: the LoadedModel to read
                         it with; keep: whether to add it to the library; recognizer: one of `recognizers()`, or None
    search(query, limit)
                         matches in the library, best first: the dicts that static/openapi.json calls Hit

`read` and `search` raise Problem if they fail. Reading takes seconds, so each process reads one page at a time and refuses
further ones at once: pages occupy at most one of its threads.
"""

import contextlib
import threading

import flask

from . import images
from .characters import is_true
from .problems import Problem

ROUTE = "/api/read"
MAX_BODY = 30 * 1024 * 1024  # bytes: a scanned PDF, the photo of a page
MAX_QUERY = 200  # characters of a search
MAX_NAME = 120  # characters of the name of a document in the library
MAX_HITS = 50
RETRY_AFTER_S = 2  # roughly the time that one page takes
FORMATS = {  # name -> (media type, file extension)
    "json": ("application/json", "json"),
    "text": ("text/plain; charset=utf-8", "txt"),
    "hocr": ("text/html; charset=utf-8", "hocr"),
    "alto": ("application/xml", "xml"),
    "pdf": ("application/pdf", "pdf"),
    "png": ("image/png", "png"),
}


def blueprint(models, page_reader, metrics):
    """Return the routes. page_reader: see above; None if this server does not read pages."""
    routes = flask.Blueprint("pages", __name__)
    lock = threading.Lock()

    @routes.route(ROUTE, methods=["POST"])
    def read():
        if page_reader is None:
            raise Problem("not-here", "This server reads single characters, not pages.")
        options = flask.request.args
        output, keep = options.get("format", "json"), is_true(options.get("keep"))
        if output not in FORMATS:
            raise Problem("no-such-format", "Unknown format. Available: %s." % ", ".join(FORMATS))
        if keep and not page_reader.library:
            raise Problem("not-here", "This server has no library.")
        loaded = models.get(options.get("model") or _default(models, page_reader))
        recognizer = _recognizer(page_reader, options.get("recognizer"))
        with _exclusive(lock):
            data, name = _parse_request()
            body = page_reader.read(data, name, loaded, output, keep, recognizer)
        metrics.count_page((recognizer or loaded).name)
        return _response(body, output)

    @routes.route("/api/library")
    def search():
        if page_reader is None or not page_reader.library:
            raise Problem("not-here", "This server has no library.")
        query = flask.request.args.get("q", "").strip()
        if not query or len(query) > MAX_QUERY:
            raise Problem("bad-request", "`q` must have 1 to %d characters." % MAX_QUERY)
        return flask.jsonify(hits=page_reader.search(query, MAX_HITS))

    return routes


def describe(models, page_reader):
    """Return what `GET /api/models` reports about pages: a dict, or None if this server does not read any."""
    if page_reader is None:
        return None
    recognizers = [dict(name=each.name, unit=each.unit) for each in page_reader.recognizers()]
    return dict(model=_default(models, page_reader), recognizers=recognizers, library=page_reader.library)


def _recognizer(page_reader, name):
    """Return the recognizer of this name; None for no name."""
    if not name:
        return None
    recognizers = {each.name: each for each in page_reader.recognizers()}
    if name not in recognizers:
        detail = "There is no recognizer '%s'. Available: %s."
        raise Problem("no-such-recognizer", detail % (name, ", ".join(recognizers) or "none"))
    return recognizers[name]


def _default(models, page_reader):
    available = [each.name for each in models.all()]
    return next((name for name in page_reader.models if name in available), available[0])


@contextlib.contextmanager
def _exclusive(lock):
    """Hold the lock, or raise Problem at once: no thread waits for it."""
    if not lock.acquire(False):
        detail = "Another page is being read. Try again in %d seconds." % RETRY_AFTER_S
        raise Problem("busy", detail, [("Retry-After", str(RETRY_AFTER_S))])
    try:
        yield
    finally:
        lock.release()


def _parse_request():
    """Return (bytes of an image or a PDF, name of the document). Problem for anything else; nothing is decoded yet."""
    request, kind = flask.request, flask.request.mimetype
    name = request.args.get("name")
    if kind == "multipart/form-data":
        part = request.files.get("page")
        if part is None:
            raise Problem("bad-request", "The form has no part named page.")
        data, name = part.read(), name or part.filename
    elif kind.startswith("image/") or kind in ("", "application/pdf", "application/octet-stream"):
        data = request.get_data()
    else:
        detail = "%s is not supported. Supported: image/*, application/pdf, multipart/form-data with a part named page."
        raise Problem("wrong-type", detail % kind[:80])
    if not data[:1024].lstrip().startswith(b"%PDF"):
        images.open_image(data, max_pixels=images.MAX_PIXELS, also=["PDF"])
    return data, _base_name(name)


def _base_name(name):
    """Return a name without folders and unprintable characters, or `page`."""
    name = (name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in name if letter.isprintable()).strip()[:MAX_NAME] or "page"


def _response(body, output):
    media_type, extension = FORMATS[output]
    response = flask.Response(body, content_type=media_type)
    if output != "json":  # as an attachment: hOCR is HTML, and must not be shown as a page of this site
        response.headers["Content-Disposition"] = 'attachment; filename="page.%s"' % extension
    return response
