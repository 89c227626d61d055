"""The page and its API as a Flask application: `create_app(models)`. docs: openapi.py.

No answer tells of the inside; nothing that is sent is written anywhere, corrections with consent apart.
"""

import base64
import hashlib
import io
import json
import os
import sqlite3
import time

import flask
import numpy as np
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from . import images as pictures
from . import openapi
from . import pages as reading
from .metrics import Metrics
from .occlusion import occlusion
from .problems import MEDIA_TYPE, Problem

MAX_BODY = 8 * 1024 * 1024  # bytes
MAX_BATCH = 64  # images in one request
STORED = 280  # pixels of a correction's longer side: ten for one of the glyph
# What a browser may keep, if it asks whether it is fresh.
KEPT = "static", "pages.index", "pages.read", "pages.docs", "pages.manifest", "pages.icon"
STATIC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "static")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(self), geolocation=(), microphone=()"),
]


def create_app(models, corrections=None, hosts=(), metrics=None, pages=None):
    """The Flask application.

    models: a Models. corrections: a Corrections, or None where none are kept. hosts: names, without ports, that requests may
    be addressed to, any where it is empty: it keeps other sites from reaching a page on this computer (DNS rebinding).
    pages: what reads whole pages, as `reading` describes it, or None where nothing does.
    """
    app = flask.Flask(__name__, static_folder=STATIC, static_url_path="/static", template_folder=STATIC)
    app.request_class = _Request
    app.config.update(MAX_FORM_MEMORY_SIZE=MAX_BODY, JSON_SORT_KEYS=False)
    if hasattr(app, "json"):  # Flask 2.2 and later, which has no such setting
        app.json.sort_keys = False
    metrics = metrics or Metrics()
    app.register_blueprint(_pages(_version(), pages is not None))
    app.register_blueprint(_api(models, corrections, metrics, pages))
    app.register_blueprint(reading.blueprint(models, pages, metrics))
    _guard(app, hosts, metrics)
    _explain(app)
    app.wsgi_app = _with_headers(app.wsgi_app)
    return app


class _Request(flask.Request):
    @property
    def max_content_length(self):
        return reading.MAX_BODY if self.path == reading.ADDRESS else MAX_BODY

    def _get_file_stream(self, *about, **more):
        return io.BytesIO()  # nothing that comes is written to a disk; the body's limit bounds it


def _with_headers(application):
    """The WSGI application with HEADERS on every answer."""

    def answer(environ, start_response):
        def start(status, headers, *more):
            return start_response(status, headers + HEADERS, *more)

        return application(environ, start)

    return answer


def _pages(version, reads):
    """What is looked at: the page, its parts at addresses of their own, and the API's description."""
    pages = flask.Blueprint("pages", __name__)
    with io.open(os.path.join(STATIC, "strings.json"), encoding="utf-8") as file:
        words = json.load(file)
    shown = dict(t=words, words=json.dumps(words).replace("<", "\\u003c"), reads=reads, heif="HEIF" in pictures.FORMATS)
    parts = sorted(name for name in os.listdir(STATIC) if name.endswith((".js", ".css", ".svg")) and name != "sw.js")

    @pages.route("/")
    def index():
        return flask.render_template("index.html", **shown)

    if reads:

        @pages.route("/read")
        def read():
            return flask.render_template("read.html", **shown)

    @pages.route("/api/docs")
    def docs():
        return flask.render_template("docs.html", **shown)

    @pages.route("/sw.js")  # it answers for the whole site, so it has to lie at its root
    def service_worker():
        text = flask.render_template("sw.js", version=version, parts=parts, reads=reads)
        return flask.Response(text, mimetype="text/javascript", headers={"Cache-Control": "no-cache"})

    @pages.route("/manifest.webmanifest")
    def manifest():
        return flask.send_from_directory(STATIC, "manifest.webmanifest", mimetype="application/manifest+json")

    @pages.route("/favicon.ico")
    def icon():
        return flask.send_from_directory(STATIC, "icon-192.png", mimetype="image/png")

    return pages


def _api(models, corrections, metrics, pages):
    api = flask.Blueprint("api", __name__)
    document = openapi.document(MAX_BATCH, MAX_BODY)

    @api.route("/api/predict", methods=["POST"])
    def predict():
        images, several, asked = _sent()
        served = models.get(asked.get("model"))
        explain = asked.get("explain") in ("1", "true", True)
        if explain and several:
            raise Problem("bad-request", "Which pixels mattered is told of one image, not of several.")
        answers = _answers(served, images, several, explain)
        metrics.predicted(served.name, len(answers))
        return flask.jsonify(dict(answers=answers) if several else answers[0])

    @api.route("/api/models")
    def all_models():
        return flask.jsonify(
            dict(
                models=[served.about for served in models.all()],
                corrections=corrections is not None,
                pages=reading.about(models, pages),
            )
        )

    @api.route("/api/corrections", methods=["POST"])
    def correct():
        if corrections is None:
            raise Problem("not-kept", "This server was started with --no-corrections.")
        label, served, pixels = _correction(models)
        answer = served.model.readings(_glyphs(served, [pixels]))[0]
        name, probability = answer.alternatives[0]
        try:
            told = "%s %s" % (served.name, served.digest)
            number = corrections.add(label, name, probability, told, pictures.png(pixels))
        except (OSError, sqlite3.Error, ValueError) as error:
            flask.current_app.logger.error("a correction was not kept: %s", error)
            raise Problem("not-kept", "The correction could not be written.")
        return flask.jsonify(dict(id=number)), 201

    @api.route("/api/corrections/<number>", methods=["DELETE"])
    def take_back(number):
        try:
            if corrections is None or not corrections.remove(number):
                raise Problem("not-found", "There is no such correction.")
        except (OSError, sqlite3.Error) as error:
            flask.current_app.logger.error("a correction was not deleted: %s", error)
            raise Problem("not-kept", "The correction could not be deleted.")
        return "", 204

    @api.route("/api/openapi.json")
    def described():
        return flask.jsonify(document)

    @api.route("/healthz")
    def health():
        return flask.jsonify(dict(status="ok", models=len(models.all())))

    @api.route("/metrics")
    def measured():
        return flask.Response(metrics.text(), mimetype="text/plain; version=0.0.4")

    return api


def _sent():
    """([bytes of an image], whether they came as a list, {option: value}) of a request to predict."""
    request, kind = flask.request, flask.request.mimetype
    options = {key: request.args[key] for key in ("model", "explain") if key in request.args}
    if kind == "multipart/form-data":
        parts = request.files.getlist("image") + request.files.getlist("images")
        images = [part.read() for part in parts]
        images += [pictures.of_data_url(text) for text in request.form.getlist("image")]
        options.update({key: request.form[key] for key in ("model", "explain") if key in request.form})
        several = len(images) != 1
    elif kind == "application/x-www-form-urlencoded":
        images, several = [pictures.of_data_url(text) for text in request.form.getlist("image")], False
        options.update({key: request.form[key] for key in ("model", "explain") if key in request.form})
    elif kind == "application/json":
        body = _json()
        several = "images" in body
        texts = body.get("images") if several else [body.get("image")]
        if not isinstance(texts, list) or not all(isinstance(text, type("")) for text in texts):
            raise Problem("bad-request", "`image` is a text in base64, or `images` a list of them.")
        options.update({key: body[key] for key in ("model", "explain") if key in body})
        images = [pictures.of_data_url(text) for text in texts]
    elif kind == "text/plain":
        images, several = [pictures.of_data_url(request.get_data(as_text=True))], False
    elif kind.startswith("image/") or kind in ("", "application/octet-stream"):
        images, several = [request.get_data()], False
    else:
        told = "multipart/form-data, application/json, application/x-www-form-urlencoded, text/plain with a data URL, image/*"
        raise Problem("wrong-type", "%s is not read. What is: %s." % (kind[:80], told))
    if not isinstance(options.get("model", ""), type("")):
        raise Problem("bad-request", "`model` is the name of a model.")
    if not images:
        raise Problem(
            "bad-request",
            "There is no image in the request. A file's bytes go with Content-Type: image/png, or as a part named image.",
        )
    if len(images) > MAX_BATCH:
        raise Problem("too-large", "%d images at once; at most %d are read." % (len(images), MAX_BATCH))
    return images, several, options


def _json():
    try:
        body = flask.request.get_json(silent=True)
    except RecursionError:
        body = None
    if not isinstance(body, dict):
        raise Problem("bad-request", "The body is not a JSON object.")
    return body


def _glyphs(served, greys, several=False):
    """uint8 (n, 28, 28). Problem where one is blank."""
    glyphs = []
    for at, pixels in enumerate(greys):
        try:
            glyphs.append(served.model.glyph(pixels))
        except ValueError:
            raise Problem("blank", "There is no ink in the image.", **(dict(image=at) if several else {}))
    return np.stack(glyphs)


def _answers(served, images, several, explain):
    greys = []
    for at, data in enumerate(images):
        try:
            greys.append(pictures.grey(data))
        except Problem as problem:
            raise Problem(problem.name, str(problem), image=at) if several else problem
    readings = served.model.readings(_glyphs(served, greys, several))
    return [_answer(served, reading, explain) for reading in readings]


def _answer(served, reading, explain):
    answer = {
        "label": reading.label,
        "probability": reading.probability,
        "unsure": reading.unsure,
        "alternatives": [dict(label=name, probability=share) for name, share in reading.alternatives],
        "seen": pictures.data_url(reading.seen),
        "model": served.name,
    }
    if explain:
        importance = np.rint(127 * occlusion(served.model, reading.seen)).astype(np.int8)
        answer["importance"] = base64.b64encode(importance.tobytes()).decode("ascii")
    return answer


def _correction(models):
    """(label, Served, uint8 pixels) of a request to keep one."""
    if flask.request.mimetype != "application/json":
        raise Problem("wrong-type", "A correction is sent as application/json.")
    body = _json()
    if body.get("consent") is not True:
        raise Problem("no-consent", "`consent` has to be true.")
    label, name, image = body.get("label"), body.get("model"), body.get("image")
    if not all(isinstance(text, type("")) for text in (label, name or "", image)):
        raise Problem("bad-request", "`label` and `image` are texts; so is `model`.")
    served = models.get(name)
    if label not in served.model.classes:
        raise Problem("not-valid", "`label` is none of the classes of %s." % served.name)
    return label, served, pictures.grey(pictures.of_data_url(image), STORED)


def _guard(app, hosts, metrics):
    @app.before_request
    def same_origin():
        flask.g.begun = time.perf_counter()
        request = flask.request
        if hosts and _host_of(request.host) not in hosts:
            raise Problem("other-origin", "This server does not answer for the name it was called by.")
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
        if site not in (None, "same-origin", "none") or (origin and origin.partition("://")[2] != request.host):
            raise Problem("other-origin", "Only this server's own page, and programs, may send to it.")

    @app.after_request
    def noted(response):
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-cache" if flask.request.endpoint in KEPT else "no-store"
        rule, begun = flask.request.url_rule, flask.g.get("begun")
        metrics.answered(
            rule.rule if rule else "none", response.status_code, time.perf_counter() - begun if begun else 0
        )
        return response


def _explain(app):
    """Every error as problem details."""

    def answer(problem):
        return flask.Response(problem.body, problem.status, list(problem.headers), content_type=MEDIA_TYPE)

    @app.errorhandler(Problem)
    def told(problem):
        return answer(problem)

    @app.errorhandler(HTTPException)
    def refused(error):
        if isinstance(error, RequestEntityTooLarge):
            return answer(Problem("too-large", "At most %d MB are read." % (flask.request.max_content_length >> 20)))
        if isinstance(error, MethodNotAllowed):
            allowed = ", ".join(sorted(error.valid_methods or ()))
            return answer(Problem("wrong-method", "This address takes %s." % allowed, [("Allow", allowed)]))
        if error.code == 404:
            return answer(Problem("not-found", "The page is at /, the API is described at /api/docs."))
        if error.code and 400 <= error.code < 500:
            return answer(Problem("bad-request", "The request cannot be understood."))
        return error if error.code and error.code < 400 else answer(Problem("fault", "It was noted."))

    @app.errorhandler(Exception)
    def fault(error):
        app.logger.error("%s %s", flask.request.method, flask.request.path, exc_info=error)
        return answer(Problem("fault", "It was noted."))


def _host_of(host):
    """The name of `name:port`, `[::1]:port` included."""
    return host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]


def _version():
    """Changes when a file of the page does: what a browser has kept is then fetched anew."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(STATIC)):
        with io.open(os.path.join(STATIC, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:12]
