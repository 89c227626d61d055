"""What goes wrong, as a person and a program can read it: application/problem+json (RFC 9457)."""

import json

TYPES = {  # name -> (status, title)
    "bad-request": (400, "The request cannot be understood"),
    "not-an-image": (422, "This is no image that can be read"),
    "too-many-pixels": (422, "The image has too many pixels"),
    "blank": (422, "Nothing is drawn"),
    "not-valid": (422, "The request asks for something that cannot be done"),
    "unreadable": (422, "The page cannot be read"),
    "no-such-model": (404, "There is no such model"),
    "no-such-recognizer": (404, "There is no such recogniser"),
    "no-such-format": (404, "There is no such format"),
    "not-here": (404, "This server does not do that"),
    "not-found": (404, "There is nothing at this address"),
    "wrong-method": (405, "This address takes other methods"),
    "too-large": (413, "The request is too large"),
    "wrong-type": (415, "The content type is not one that is read"),
    "other-origin": (403, "Requests of other pages are refused"),
    "no-consent": (422, "Nothing is stored without consent"),
    "not-kept": (503, "Corrections are not kept here"),
    "not-whole": (503, "A model is damaged"),
    "no-library": (503, "The library cannot be used"),
    "busy": (503, "Too many requests at once"),
    "fault": (500, "The server made a mistake"),
}
MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """An answer that is an error. name: one of TYPES. detail: a sentence for the person. more: further members."""

    def __init__(self, name, detail, headers=(), **more):
        super().__init__(detail)
        self.name, self.headers = name, tuple(headers)
        self.status, self.title = TYPES[name]
        self.members = dict(type="/api/docs#" + name, title=self.title, status=self.status, detail=detail, **more)

    @property
    def body(self):
        """bytes of JSON."""
        return json.dumps(self.members).encode("ascii")
