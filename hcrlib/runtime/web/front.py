"""Behind other servers: the path prefix under which a front server offers the app, and who may send requests to it."""

import flask

from .addresses import parse_origin, parse_prefix, split_host
from .problems import Problem

SAFE = "GET", "HEAD", "OPTIONS"
PREFLIGHT = [  # what pages of --allow-origin may send, for browsers that ask first
    ("Access-Control-Allow-Methods", "GET, POST, DELETE"),
    ("Access-Control-Allow-Headers", "Content-Type"),
    ("Access-Control-Max-Age", "600"),
]


def with_prefix(application, prefix):
    """Wrap a WSGI application so that it works below `prefix`, or else below X-Forwarded-Prefix.

    It does not matter whether the front server strips the prefix from the path.
    """

    def respond(environ, start_response):
        root, path = prefix or _forwarded(environ), environ.get("PATH_INFO", "")
        if not root:
            return application(environ, start_response)
        if path == root:  # relative addresses of the page need the slash
            query = environ.get("QUERY_STRING")
            location = root + "/" + ("?" + query if query else "")
            start_response("308 Permanent Redirect", [("Location", location), ("Content-Length", "0")])
            return [b""]
        path = path[len(root) :] if path.startswith(root + "/") else path
        return application(dict(environ, SCRIPT_NAME=root, PATH_INFO=path), start_response)

    return respond


def _forwarded(environ):
    """Return X-Forwarded-Prefix, whose parts several front servers may have added; "" if it is not a path."""
    try:
        return "".join(parse_prefix(part.strip()) for part in environ.get("HTTP_X_FORWARDED_PREFIX", "").split(","))
    except ValueError:
        return ""


def guard(app, hosts, origins):
    """Refuse requests to other hosts' names, and from other sites' pages.

    hosts: names that requests may be addressed to; empty for any. origins: of other pages that may use the API.
    """

    @app.before_request
    def check():
        request = flask.request
        name, _ = split_host(request.host)
        if hosts and name not in hosts:
            detail = "This server does not accept requests under the host name '%s'. If it is its own, start it with "
            detail += "--allow-host %s, or have the front server pass on the Host header of the request."
            raise Problem("other-origin", detail % (name[:100], name[:100]))
        origin = request.headers.get("Origin")
        if request.method in SAFE or _is_allowed(origin, origins) or _is_own(request, origin):
            return
        detail = (
            "Only this server's own pages, and programs, may send requests to it. This one is from a page of %s, and "
        )
        detail += "addressed to %s. If that page is yours, start the server with --allow-origin %s."
        shown = (origin or "another site")[:100]
        raise Problem("other-origin", detail % (shown, request.host[:100], shown if origin else "ORIGIN"))

    @app.after_request
    def allow(response):
        origin = flask.request.headers.get("Origin")
        if origins:
            response.headers.add("Vary", "Origin")
        if _is_allowed(origin, origins):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "Retry-After, Content-Disposition"
            if flask.request.method == "OPTIONS":
                response.headers.extend(PREFLIGHT)
        return response


def _is_allowed(origin, origins):
    try:
        return bool(origin) and parse_origin(origin) in origins
    except ValueError:
        return False


def _is_own(request, origin):
    """Return whether a request is from this server's own page, or a program's.

    Browsers say so in Sec-Fetch-Site, whatever a front server makes of Host; not if the page came over plain HTTP. Then the
    Origin must be the Host, whose port front servers may drop.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site or not origin:
        return site in (None, "", "same-origin", "none")
    scheme, _, host = origin.partition("://")
    (name, port), (own_name, own_port) = split_host(host, scheme), split_host(request.host, scheme)
    return name == own_name and own_port in ("", port)
