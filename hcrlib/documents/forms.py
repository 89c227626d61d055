"""Read forms into a table: the named boxes of a template are located on each page by registration.

A template is a YAML file:

    name: NIST handwriting sample form
    fields:                       # in the order of the table's columns; boxes in pixels of any one scan of the form
      zip: {box: [120, 300, 420, 380], characters: digits}
      name: {box: [120, 420, 900, 500], characters: letters}

characters: digits, lower, upper, letters, any, or a string of the allowed ones ("01X"). A page is registered by its printed
boxes: of all ways to match the template with the detected boxes, the one with the most matches wins. So one template reads
scans at another size, off-center or skewed, and photos of the sheet.
"""

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Annotated, NamedTuple

import cv2
import numpy as np
import pydantic
from pydantic import BeforeValidator, WrapValidator

from hcrlib.core import yaml_file
from hcrlib.core.errors import DataError
from hcrlib.documents import cleaning, layout
from hcrlib.documents import loading as load
from hcrlib.documents.containers import Box, around
from hcrlib.documents.evaluation import overlaps
from hcrlib.documents.rules import frames, without_borders
from hcrlib.documents.strokes import Row, components, slant, writing_height

SETS = {
    "digits": digits,
    "lower": ascii_lowercase,
    "upper": ascii_uppercase,
    "letters": ascii_uppercase + ascii_lowercase,
    "any": None,
}
TAKEN = "file", "page", "unsure"  # columns of the table that are not fields
FITS = 0.6  # least IoU of a template's box with a detected one
LEAST = 0.5  # least share of a template's boxes that must be detected


class Field(NamedTuple):
    """A field: its name, its box in pixels of the template's scan, and the allowed characters or None for any."""

    name: str
    box: Box
    characters: str | None


def _box(corners):
    try:
        box = Box(*map(round, corners))
    except (TypeError, ValueError, OverflowError):
        box = None
    if box is None or not box.area or box.width <= 0:
        raise yaml_file.FieldError("'box' is not valid", expected="[left, top, right, bottom] in pixels")
    return box


def _field_name(name):
    if name in TAKEN:
        raise yaml_file.FieldError(f"A field cannot be called '{name}'", hint="The table has a column of that name")
    return str(name)


class FormField(yaml_file.Section):
    """A box of a form."""

    box: Annotated[tuple[float, float, float, float], WrapValidator(lambda corners, _: _box(corners))]
    characters: str = pydantic.Field("any", min_length=1, description=f"{', '.join(SETS)}, or the possible ones")


class FormFile(yaml_file.Section):
    """A form: a name and its boxes, in the order of the table's columns."""

    name: yaml_file.Text | None = None
    fields: dict[Annotated[str, BeforeValidator(_field_name)], FormField] = pydantic.Field(min_length=1)


@dataclass(frozen=True)
class Template:
    """A form: its name and its Fields."""

    name: str
    fields: tuple

    @classmethod
    def load(cls, path):
        """Load a template from a YAML file; raise ConfigError if it is not valid."""
        form = yaml_file.read(path, FormFile)
        fields = [Field(name, f.box, SETS.get(f.characters, f.characters)) for name, f in form.fields.items()]
        return cls(form.name or Path(path).stem, tuple(fields))

    @property
    def columns(self):
        """The names of the table's columns: file, page, the fields, unsure."""
        file, page, unsure = TAKEN
        return [file, page, *(field.name for field in self.fields), unsure]


def registered(template, ink):
    """Return the affine map from the template's pixels to those of a page's ink with its boxes, float64 (2, 3).

    Raises:
        DataError: if fewer than half of the boxes are found.
    """
    boxes = np.array([field.box for field in template.fields], float)
    found = np.array(list(frames(ink)), float).reshape(-1, 4)
    best, most = None, 0
    for matrix in _guesses(boxes, found):
        fits = overlaps(_moved(boxes, matrix), found).max(axis=1) >= FITS
        if fits.sum() > most:
            best, most = matrix, int(fits.sum())
    if most < max(1, LEAST * len(boxes)):
        expected = f"at least half of the {len(boxes)} boxes of '{template.name}'"
        hint = "Is the page complete and upright?"
        raise DataError("The page does not match the template", expected=expected, got=f"{most} of them", hint=hint)
    for _ in range(3):  # all matching boxes give a better fit than the pair of the first guess
        shares = overlaps(_moved(boxes, best), found)
        fits = np.flatnonzero(shares.max(axis=1) >= FITS)
        points, targets = (_corners(part).reshape(-1, 2) for part in (boxes[fits], found[shares[fits].argmax(axis=1)]))
        refined, _ = cv2.estimateAffine2D(points, targets, method=cv2.LMEDS)
        if refined is None:
            break
        best = refined
    return best


def _guesses(boxes, found):
    """Yield the scale and shift, float (2, 3), of each pair of a template's and a detected box of the same shape."""
    shapes = [(group[:, 2] - group[:, 0]) / (group[:, 3] - group[:, 1]) for group in (boxes, found)]
    for i, j in np.argwhere(np.abs(np.log(shapes[0][:, None] / shapes[1][None])) < 0.12):
        x, y = ((found[j, axis + 2] - found[j, axis]) / (boxes[i, axis + 2] - boxes[i, axis]) for axis in (0, 1))
        yield np.array([[x, 0, found[j, 0] - x * boxes[i, 0]], [0, y, found[j, 1] - y * boxes[i, 1]]])


def _moved(boxes, matrix):
    """Return boxes (n, 4) around `boxes` after an affine map."""
    corners = _corners(boxes) @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def _corners(boxes):
    """Return the corners (x, y) of boxes (n, 4), float (n, 4, 2)."""
    return np.stack([boxes[:, [0, 2, 0, 2]], boxes[:, [1, 1, 3, 3]]], axis=2)


def read(template, image, reader):
    """Return {field: Word, or None if empty} of a page, uint8 (h, w, 3), RGB; raise DataError if it is not this form."""
    page = cleaning.cleaned(image, borders=True)
    places = _moved(np.array([field.box for field in template.fields], float), registered(template, page.ink))
    ink = without_borders(page.ink)
    strokes = components(ink)
    within = [_inside(strokes, _widened(place, places)) for place in places]
    height = writing_height([s for field_strokes in within for s in field_strokes])
    lean = slant(ink, height)
    out = {}
    for field, field_strokes in zip(template.fields, within, strict=True):
        written = [s for s in field_strokes if len(s.y) >= max(4, layout.SPECK * height**2)]
        if not any(s.box.height > 0.4 * height for s in written):
            out[field.name] = None
            continue
        row = Row((tuple(written),), around(s.box for s in written))
        (line,) = reader.characters.read(page.grey, ink, layout.Layout((row,), height, lean), field.characters)
        out[field.name] = line.words[0]
    return out


def table(template, sources, reader):
    """Yield (source, page number, {field: Word or None}) for each page of the files, one at a time.

    If a page is not the form or cannot be read, the exception takes the place of the fields and reading continues.
    """
    for source in sources:
        pages = load.pages(source)
        for number in count(1):
            try:
                image = next(pages, None)
                found = None if image is None else read(template, image, reader)
            except Exception as error:  # of any kind: one bad page in a thousand must not stop the others
                found = error
            if found is None:
                break
            yield source, number, found


def _widened(place, places):
    """Extend a box by about a character into free space on both sides: people write past the edge."""
    left, top, right, bottom = place
    beside = places[(places[:, 1] < bottom) & (places[:, 3] > top)]
    room = 0.9 * (bottom - top)
    left = max([left - room, *beside[beside[:, 2] <= left, 2]])
    return np.array([left, top, min([right + room, *beside[beside[:, 0] >= right, 0]]), bottom])


def _inside(strokes, place):
    """Return the strokes that lie mostly within a box, including any that cross its edge."""
    left, top, right, bottom = place
    near = [
        s for s in strokes if s.box.left < right and s.box.right > left and s.box.top < bottom and s.box.bottom > top
    ]
    return [s for s in near if ((s.x > left) & (s.x < right) & (s.y > top) & (s.y < bottom)).mean() > 0.5]
