"""Whole pages: the routes that read a photo, a scan or a PDF, that store corrected lines, and that search the library.

The page reader is passed to `blueprint`; a board has none, and its server says so. It is an object with

    models               names of models: the first one that is available is the default for pages
    library              whether there is a library
    recognizers()        the recognizers of whole words or lines: objects with a `name`, a `digest` and a `unit`, "words" or
                         "lines"
    auto()               the recognizer that chooses for each page, an object whose `name` is AUTO; None without one of lines
    read(data, name, loaded, format, keep, recognizer, line_images, characters, report, corrected)
                         the page or PDF `data`, called `name`, as bytes of one of FORMATS; loaded: the LoadedModel to read
                         it with; keep: whether to add it to the library; recognizer: one of `recognizers()`, `auto()` or
                         None; line_images: whether JSON holds the image of each line; characters: a string of those that may
                         be read, None for all, only without a recognizer; report: is called with page, pages, stage, line and
                         lines, see Waiting.find, and with (number, text, box in pixels of the file) of a line once it
                         has been read, else None; corrected: the CorrectedLines to write instead of what is read
    search(query, limit)
                         matches in the library, best first: the dicts that static/openapi.json calls Hit

`read` and `search` raise Problem if they fail. Reading takes seconds, so each process reads one page at a time; a few more wait
in line, see the `waiting` module, and further ones are refused at once. The server keeps no page: whoever corrects a line sends
the image of the line that came with the page, so any process can store it, at any time.
"""

import json
import unicodedata
from typing import NamedTuple

import flask

from ..image import INK_THRESHOLD
from . import AUTO, CHARACTERS, images
from .characters import check_kept, consented, parse_alphabet, storage_errors
from .problems import QUERIES, Problem, check_names, flag
from .waiting import MAX_TICKET, Waiting

ROUTE = "/api/read"
MAX_BODY = 30 * 1024 * 1024  # bytes: a scanned PDF, the photo of a page
MAX_FORM = MAX_BODY + 2 * 1024 * 1024  # bytes: the same with its corrected lines
TOO_LARGE = "A request to this address may have up to %d MB."
MAX_QUERY = 200  # characters of a search
MAX_NAME = 120  # characters of the name of a document in the library
MAX_HITS = 50
MAX_TEXT = 500  # characters of a line
LINE_HEIGHT = 64  # pixels: recognizers are trained on lines of at most this height
FORMATS = {  # name -> (media type, file extension)
    "json": ("application/json", "json"),
    "text": ("text/plain; charset=utf-8", "txt"),
    "hocr": ("text/html; charset=utf-8", "hocr"),
    "alto": ("application/xml", "xml"),
    "pdf": ("application/pdf", "pdf"),
    "png": ("image/png", "png"),
}


class CorrectedLine(NamedTuple):
    """A line of a page whose words a user has corrected.

    page: its number, from 1. line: its index on the page, from 0. was: its text as it was read. words: of each its text and
    (left, top, right, bottom).
    """

    page: int
    line: int
    was: str
    words: tuple


def blueprint(models, page_reader, metrics, corrections=None, waiting=None):
    """Return the routes. page_reader: see above; None if this server reads no pages. The others are those of `create_app`."""
    routes = flask.Blueprint("pages", __name__)
    waiting = waiting or Waiting()

    @routes.route(ROUTE, methods=["POST"])
    def read():
        if page_reader is None:
            raise Problem("not-here", "This server reads single characters, not pages.")
        options = flask.request.args
        output, keep, line_images = options.get("format", "json"), flag(options, "keep"), flag(options, "line_images")
        if output not in FORMATS:
            raise Problem("no-such-format", "Unknown format. Available: %s." % ", ".join(FORMATS))
        if keep and not page_reader.library:
            raise Problem("not-here", "This server has no library.")
        name = options.get("model")
        loaded = models.get(name or _default(models, page_reader))
        characters = parse_alphabet(loaded, options) if options.get("alphabet") else None
        # who names a model of characters alone, or the characters, wants them to be read
        wanted = options.get("recognizer") or (CHARACTERS if name else AUTO)
        recognizer = _recognizer(page_reader, CHARACTERS if characters and wanted == AUTO else wanted)
        if characters and recognizer:
            raise Problem("bad-request", "%s reads whole %s: `alphabet` works without it." % (wanted, recognizer.unit))
        is_gone = flask.request.environ.get("waitress.client_disconnected", bool)
        with waiting.turn(options.get("ticket", "")[:MAX_TICKET], is_gone) as report:
            data, document, corrected = _parse_request()
            how = recognizer, line_images, characters, report, corrected
            body = page_reader.read(data, document, loaded, output, keep, *how)
        metrics.count_page((recognizer or loaded).name)
        return _response(body, output)

    @routes.route(ROUTE + "/place")
    def place():
        if page_reader is None:
            raise Problem("not-here", "This server reads single characters, not pages.")
        ticket = flask.request.args.get("ticket", "")[:MAX_TICKET]
        if not ticket:
            raise Problem("bad-request", "`ticket` must be the one that was sent with the page.")
        return flask.jsonify(waiting.find(ticket))

    @routes.route("/api/corrections/lines", methods=["POST"])
    def add_line():
        if page_reader is None:
            raise Problem("not-here", "This server reads single characters, not pages.")
        check_kept(corrections)
        text, document, model, pixels, replaces = _parse_line(models, page_reader)
        with storage_errors("stored"):
            return flask.jsonify(id=corrections.add_line(text, document, model, images.png(pixels), replaces)), 201

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
    chosen = AUTO if page_reader.auto() else CHARACTERS
    about = dict(model=_default(models, page_reader), recognizer=chosen, recognizers=recognizers)
    return dict(about, library=page_reader.library)


def _recognizer(page_reader, name):
    """Return the recognizer of this name, or the one that chooses for AUTO; None to read characters."""
    if name in (AUTO, CHARACTERS):
        return page_reader.auto() if name == AUTO else None
    recognizers = {each.name: each for each in page_reader.recognizers()}
    if name not in recognizers:
        detail = "There is no recognizer '%s'. Available: %s."
        raise Problem("no-such-recognizer", detail % (name, ", ".join(recognizers) or "none"))
    return recognizers[name]


def _default(models, page_reader):
    available = [each.name for each in models.all()]
    return next((name for name in page_reader.models if name in available), available[0])


def _parse_request():
    """Return (bytes of an image or a PDF, name of the document, [CorrectedLine]). Problem for others; nothing is decoded."""
    request, kind, corrected = flask.request, flask.request.mimetype, []
    name = request.args.get("name")
    if kind == "multipart/form-data":
        for option in QUERIES[ROUTE]:
            if option in request.form:
                detail = "`%s` belongs in the address: %s?%s=..." % (option, ROUTE, option)
                raise Problem("bad-request", detail)
        check_names(list(request.form) + list(request.files), ("page", "lines"), "part")
        part = request.files.get("page")
        if part is None:
            raise Problem("bad-request", "The form has no part named page.")
        data, name = part.read(), name or part.filename
        if len(data) > MAX_BODY:
            raise Problem("too-large", TOO_LARGE % (MAX_BODY >> 20))
        corrected = _corrected(request.form["lines"]) if "lines" in request.form else []
    elif kind.startswith("image/") or kind in ("", "application/pdf", "application/octet-stream"):
        data = request.get_data()
    else:
        detail = "%s is not supported. Supported: image/*, application/pdf, multipart/form-data with a part named page."
        raise Problem("wrong-type", detail % kind[:80])
    if not data[:1024].lstrip().startswith(b"%PDF"):
        images.open_image(data, max_pixels=images.MAX_PIXELS, also=["PDF"])
    return data, _base_name(name), corrected


def _corrected(text):
    """Return the CorrectedLines of the form's part named lines. Problem if it is not what static/openapi.json describes."""
    try:
        lines = [
            CorrectedLine(
                _whole(line["page"], 1),
                _whole(line["line"]),
                _text(line["was"]),
                tuple((_normal(_text(word["text"])), tuple(map(_whole, word["box"]))) for word in line["words"]),
            )
            for line in json.loads(text)
        ]
    except (KeyError, TypeError, ValueError, RecursionError):
        raise Problem("bad-request", "`lines` must be a JSON list of objects with page, line, was and words.")
    for line in lines:
        if not line.words or len(line.was) > MAX_TEXT:
            raise Problem("not-valid", "A line of `lines` has no word, or `was` has over %d characters." % MAX_TEXT)
        for word, box in line.words:
            if " " in word or len(box) != 4:
                raise Problem("not-valid", "A word of `lines` has a space, or a box without four numbers: %r." % word)
    return lines


def _whole(value, least=0):
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 1 << 31:
        raise ValueError("not a whole number from %d" % least)
    return value


def _text(value):
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _parse_line(models, page_reader):
    """Return (text, document, name and digest of the model, uint8 pixels, ID that it replaces or None) of a corrected line."""
    body = consented("text", "document", "model", "image", "page", "replaces")
    text, document, name, image = (body.get(key) for key in ("text", "document", "model", "image"))
    page, replaces = body.get("page", 1), body.get("replaces")
    if not all(isinstance(each, str) for each in (text, document, name, image)):
        raise Problem("bad-request", "`text`, `document`, `model` and `image` must be strings.")
    if not isinstance(replaces, (str, type(None))):
        raise Problem("bad-request", "`replaces` must be the ID of an earlier correction of this line.")
    if not name:
        raise Problem("bad-request", "`model` must be the name of the recognizer or model that read the line.")
    if not isinstance(page, int) or isinstance(page, bool) or not 1 <= page < 1 << 31:
        raise Problem("bad-request", "`page` must be the number of a page, from 1.")
    text = _normal(text)
    loaded = next((each for each in page_reader.recognizers() if each.name == name), None) or models.get(name)
    pixels = images.grey(images.from_data_url(image), images.MAX_SIDE)
    if len(pixels) > LINE_HEIGHT:
        detail = "`image` is %d pixels high; the limit is %d. Send the image of the line that came with the page."
        raise Problem("not-valid", detail % (len(pixels), LINE_HEIGHT))
    if int(pixels.max()) - int(pixels.min()) <= INK_THRESHOLD:
        raise Problem("blank", "The image contains no ink.")
    return text, "%s, page %d" % (_base_name(document), page), "%s %s" % (loaded.name, loaded.digest), pixels, replaces


def _normal(text):
    """Return a text as recognizers are trained on it: NFC, single spaces. Problem if it is empty, too long or invisible."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(text) <= MAX_TEXT:
        raise Problem("not-valid", "`text` has %d characters; 1 to %d are expected." % (len(text), MAX_TEXT))
    hidden = [letter for letter in text if not letter.isprintable()]
    if hidden:
        raise Problem("not-valid", "`text` has a character that cannot be seen: U+%04X." % ord(hidden[0]))
    return text


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
