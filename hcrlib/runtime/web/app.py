"""The web app as a Flask application: `create_app(models)`. static/openapi.json describes its API.

Responses never reveal internals, and nothing that is uploaded is written to disk, except corrections given with consent.
"""

import io
import time

import flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from . import STATIC, characters, front, pages, site
from .metrics import Metrics
from .problems import MEDIA_TYPE, QUERIES, Problem, check_names, check_once

MAX_BODY = 8 * 1024 * 1024  # bytes
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


def create_app(models, corrections=None, hosts=(), metrics=None, page_reader=None, prefix="", origins=(), waiting=None):
    """Return the Flask application.

    Args:
        models: a ModelStore.
        corrections: a Corrections, or None to store no corrections.
        hosts: host names, without ports, that requests may be addressed to; empty for any. Protects a server on this
            computer from other sites (DNS rebinding).
        metrics: a Metrics, or None for a new one.
        page_reader: reads whole pages, see the `pages` module; None if pages are not read.
        prefix: the path below which a front server offers the app, such as "/hcr"; "" for X-Forwarded-Prefix, if it sends one.
        origins: the origins of other sites whose pages may use the API, such as "https://www.example.org".
        waiting: a Waiting, the line of pages; None for a new one.
    """
    app = flask.Flask(__name__, static_folder=STATIC, static_url_path="/static", template_folder=STATIC)
    app.request_class = _Request
    app.config.update(MAX_FORM_MEMORY_SIZE=MAX_BODY, JSON_SORT_KEYS=False)
    if hasattr(app, "json"):  # Flask 2.2 and later ignore JSON_SORT_KEYS
        app.json.sort_keys = False
    metrics = metrics or Metrics()
    app.register_blueprint(site.blueprint(page_reader is not None))
    app.register_blueprint(characters.blueprint(models, corrections, metrics))
    app.register_blueprint(pages.blueprint(models, page_reader, metrics, corrections, waiting))
    _add_status(app, models, corrections, metrics, page_reader)
    _measure(app, metrics)
    front.guard(app, hosts, origins)
    _check_queries(app)
    _handle_errors(app)
    app.wsgi_app = _with_headers(front.with_prefix(app.wsgi_app, prefix))
    return app


class _Request(flask.Request):
    @property
    def most(self):
        """Bytes of the largest file."""
        return pages.MAX_BODY if self.path == pages.ROUTE else MAX_BODY

    @property
    def max_content_length(self):
        is_page = self.path == pages.ROUTE and self.mimetype == "multipart/form-data"
        return pages.MAX_FORM if is_page else self.most

    def _get_file_stream(self, *args, **kwargs):
        return io.BytesIO()  # keeps uploads off the disk; max_content_length bounds their size


def _with_headers(application):
    """Wrap a WSGI application so that every response carries HEADERS."""

    def respond(environ, start_response):
        def start(status, headers, *args):
            return start_response(status, headers + HEADERS, *args)

        return application(environ, start)

    return respond


def _add_status(app, models, corrections, metrics, page_reader):
    """Add the routes that report what the server offers and how it is doing."""

    @app.route("/api/models")
    def list_models():
        return flask.jsonify(
            models=[loaded.description for loaded in models.all()],
            corrections=corrections is not None,
            pages=pages.describe(models, page_reader),
        )

    @app.route("/healthz")
    def health():
        return flask.jsonify(status="ok", models=len(models.all()))

    @app.route("/metrics")
    def show_metrics():
        return flask.Response(metrics.text(), mimetype="text/plain; version=0.0.4")


def _measure(app, metrics):
    @app.before_request
    def begin():
        flask.g.started = time.perf_counter()

    @app.after_request
    def record(response):
        if "Cache-Control" not in response.headers:
            cacheable = flask.request.endpoint in site.CACHEABLE
            response.headers["Cache-Control"] = "no-cache" if cacheable else "no-store"
        rule, started = flask.request.url_rule, flask.g.get("started")
        seconds = time.perf_counter() - started if started else 0
        metrics.count_request(rule.rule if rule else "none", response.status_code, seconds)
        return response


def _check_queries(app):
    """Refuse parameters that the API's description does not have."""

    @app.before_request
    def check():
        if flask.request.method != "OPTIONS" and flask.request.url_rule and flask.request.path in QUERIES:
            check_names(flask.request.args, QUERIES[flask.request.path])
            for name in flask.request.args:
                check_once(name, flask.request.args)


def _handle_errors(app):
    """Turn every error into problem details."""

    @app.errorhandler(Problem)
    def respond(problem):
        body = problem.body(flask.request.script_root)
        return flask.Response(body, problem.status, list(problem.headers), content_type=MEDIA_TYPE)

    @app.errorhandler(HTTPException)
    def http_error(error):
        if isinstance(error, RequestEntityTooLarge):
            return respond(Problem("too-large", pages.TOO_LARGE % (flask.request.most >> 20)))
        if isinstance(error, MethodNotAllowed):
            allowed = ", ".join(sorted(error.valid_methods or ()))
            return respond(Problem("wrong-method", "This address accepts %s." % allowed, [("Allow", allowed)]))
        if error.code == 404:
            root, path = flask.request.script_root, flask.request.path
            if path.endswith("/") and flask.request.method in ("GET", "HEAD") and _is_page(path.rstrip("/")):
                query = flask.request.query_string.decode("latin-1")
                last = "../" + path.rstrip("/").rpartition("/")[2]  # relative: the front server's prefix may be unknown
                return flask.redirect(last + ("?" + query if query else ""), 308)
            where = "The web app is at %s/, the API is described at %s/api/docs."
            return respond(Problem("not-found", where % (root, root)))
        if error.code and 400 <= error.code < 500:
            return respond(Problem("bad-request", "The request is malformed."))
        return error if error.code and error.code < 400 else internal_error(error)

    @app.errorhandler(Exception)
    def internal_error(error):
        app.logger.error("%s %s", flask.request.method, flask.request.path, exc_info=error)
        return respond(Problem("fault", "The error was logged. Please try again."))


def _is_page(path):
    """Return whether there is a page at a path."""
    return bool(path) and flask.current_app.create_url_adapter(flask.request).test(path, "GET")
