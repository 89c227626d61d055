"""Errors as problem details (RFC 9457). Their names, statuses and titles are listed in static/openapi.json."""

import difflib
import io
import json
import os

from . import STATIC

with io.open(os.path.join(STATIC, "openapi.json"), encoding="utf-8") as _file:
    _API = json.load(_file)
TYPES = {each["name"]: (each["status"], each["title"]) for each in _API["x-problems"]}
QUERIES = {  # path: names of the parameters that its query may have
    path: [each["name"] for each in operation["parameters"]]
    for path, operations in _API["paths"].items()
    for operation in operations.values()
    if any(each["in"] == "query" for each in operation.get("parameters", ()))
}
MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """An error response. name: one of TYPES. detail: a sentence for the user. extra: further members."""

    def __init__(self, name, detail, headers=(), **extra):
        super().__init__(detail)
        self.name, self.headers = name, tuple(headers)
        self.status, self.title = TYPES[name]
        self.members = dict(type="/api/docs#" + name, title=self.title, status=self.status, detail=detail, **extra)

    def body(self, root=""):
        """Return the response body, as bytes of JSON. root: the path below which the app is."""
        return json.dumps(dict(self.members, type=root + self.members["type"])).encode("ascii")


def check_names(given, known, what="parameter"):
    """Raise a Problem, with the most similar known name, if one of the given names is not known.

    what: the kind of names, for the message.
    """
    for name in given:
        if name not in known:
            similar = difflib.get_close_matches(name[:80], known, 1)
            hint = "Did you mean `%s`?" % similar[0] if similar else "Known: %s." % ", ".join(known)
            raise Problem("bad-request", "There is no %s `%s`. %s" % (what, name[:80], hint))


def check_once(name, *given):
    """Raise a Problem if several values are given for a name. given: the MultiDicts or dicts of a request."""
    if sum(len(values.getlist(name)) if hasattr(values, "getlist") else name in values for values in given) > 1:
        raise Problem("bad-request", "`%s` is given more than once." % name)


def flag(given, name):
    """Return whether a parameter is set: True, "true" or "1". Problem for other values than these and their opposites."""
    value = given.get(name, False)
    known = {"true": True, "1": True, "false": False, "0": False}
    value = known.get(value.lower(), value) if isinstance(value, str) else value
    if not isinstance(value, bool):
        raise Problem("bad-request", "`%s` must be true or false (in a query, also 1 or 0)." % name)
    return value
