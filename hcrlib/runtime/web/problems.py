"""Errors as problem details (RFC 9457). Their names, statuses and titles are listed in static/openapi.json."""

import io
import json
import os

from . import STATIC

with io.open(os.path.join(STATIC, "openapi.json"), encoding="utf-8") as _file:
    TYPES = {each["name"]: (each["status"], each["title"]) for each in json.load(_file)["x-problems"]}
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
