"""Path prefixes, origins and hosts, as people and browsers write them."""

import re

PREFIX = re.compile(r"(/[\w.~-]+)+", re.ASCII)
DEFAULT_PORTS = {"http": "80", "https": "443"}


def parse_prefix(text):
    """Return a path prefix such as "/hcr", or "" for none; ValueError for what is not a path."""
    prefix = "/" + text.strip("/") if text.strip("/") else ""
    if prefix and (not PREFIX.fullmatch(prefix) or {".", ".."}.intersection(prefix.split("/"))):
        raise ValueError("expected a path such as /hcr, got '%s'" % text)
    return prefix


def parse_origin(text):
    """Return an origin as browsers send it, "https://read.example.org"; ValueError for anything else."""
    match = re.fullmatch(r"(https?)://([^/\s@]+)/?", text.strip().lower())
    if not match:
        raise ValueError("expected an origin such as https://read.example.org, got '%s'" % text)
    return "%s://%s" % (match[1], _join(*split_host(match[2], match[1])))


def split_host(host, scheme=None):
    """Return (name, port) of a Host header in lower case, without a final dot; "" for no port, and for the scheme's own."""
    name, port = (
        re.fullmatch(r"(\[.*\]|[^:]*)(?::(.*))?", host.strip().lower(), re.DOTALL).groups() if host else ("", "")
    )
    return name.strip("[]").rstrip("."), "" if port == DEFAULT_PORTS.get(scheme) else port or ""


def _join(name, port):
    name = "[%s]" % name if ":" in name else name
    return "%s:%s" % (name, port) if port else name
