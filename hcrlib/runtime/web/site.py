"""What browsers load: the HTML pages, the service worker and manifest, and the description of the API."""

import hashlib
import io
import json
import os

import flask

from . import STATIC, images

# Browsers may keep these, if they check that they are up to date.
CACHEABLE = "static", "site.index", "site.read", "site.docs", "site.manifest", "site.icon"


def blueprint(reads_pages):
    """Return the routes. reads_pages: whether there is a /read."""
    site = flask.Blueprint("site", __name__)
    strings = json.loads(_read("strings.json").decode("utf-8"))
    description = json.loads(_read("openapi.json").decode("utf-8"))
    context = dict(
        t=strings,
        strings=json.dumps(strings).replace("<", "\\u003c"),
        reads_pages=reads_pages,
        heif="HEIF" in images.FORMATS,
    )
    assets = sorted(
        name for name in os.listdir(STATIC) if name.endswith((".js", ".css", ".svg", ".webp")) and name != "sw.js"
    )
    version = _version()

    @site.route("/")
    def index():
        return flask.render_template("index.html", **context)

    if reads_pages:

        @site.route("/read")
        def read():
            return flask.render_template("read.html", **context)

    @site.route("/api/docs")
    def docs():
        return flask.render_template("docs.html", **context)

    @site.route("/api/openapi.json")
    def openapi():
        return flask.jsonify(dict(description, servers=[{"url": flask.request.script_root or "/"}]))

    @site.route("/sw.js")  # a service worker controls the addresses below its own, so it has to be at the root
    def service_worker():
        text = flask.render_template("sw.js", version=version, assets=assets, reads_pages=reads_pages)
        return flask.Response(text, mimetype="text/javascript", headers={"Cache-Control": "no-cache"})

    @site.route("/manifest.webmanifest")
    def manifest():
        return _static("manifest.webmanifest", "application/manifest+json")

    @site.route("/favicon.ico")
    def icon():
        return _static("icon-192.png", "image/png")

    return site


def _static(name, mimetype):
    return flask.send_from_directory(STATIC, name, mimetype=mimetype)


def _read(name):
    with io.open(os.path.join(STATIC, name), "rb") as file:
        return file.read()


def _version():
    """Return a digest of all static files: when it changes, browsers fetch them again."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(STATIC)):
        digest.update(_read(name))
    return digest.hexdigest()[:12]
