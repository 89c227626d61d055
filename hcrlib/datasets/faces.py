"""Write lines with a handwriting font: glyphs set word by word, each line with a pen, a slant, a size and a paper of its own.

Glyphs are drawn once for each font, at LARGE pixels of x-height, without kerning and ligatures; a line is set from these and
scaled down to HEIGHT, so that about 400 lines are written a second. Letters of a font that joins its letters stay joined.
"""

import functools
import io
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hcrlib.datasets.text import HEIGHT

LARGE = 36  # pixels: height of an x as drawn
TALLEST = 1.65  # x-heights above and below the baseline that a line holds at least, as pages' lines do
DEEPEST = 0.35
PENS = 0.05, 0.15  # widths of strokes, in x-heights
OVERLAP = 1.5  # pixels that neighboring letters share, from which on they are taken for joined
INK = 64  # of 255: a pixel of a glyph at least this dark is ink
ABSENT = "\uffff"  # no font has it: drawn as what the font shows for any missing character
LONG = 8192  # columns of noise that are reused


class Glyph(NamedTuple):
    """ink: uint8 (h, w). left, top: pixels from the pen's position on the baseline. advance: pixels to the next glyph."""

    ink: np.ndarray
    left: int
    top: int
    advance: float


class Face:
    """The glyphs of a font's files, for those of the characters that it has.

    files: bytes of TTF, OTF or WOFF files, in turn. characters: what may be written. ValueError: it has no x.
    """

    def __init__(self, name, files, characters):
        self.name, self.glyphs = name, {}
        fonts = [ImageFont.truetype(io.BytesIO(file), 100, layout_engine=ImageFont.Layout.BASIC) for file in files]
        size = 100 * LARGE / max(1, -fonts[0].getbbox("x", anchor="ls")[1])
        for font in (font.font_variant(size=size) for font in fonts):
            absent = _drawn(font, ABSENT)
            for character in characters:
                glyph = _drawn(font, character)
                blank = glyph.ink.max() < INK  # some fonts list characters that they leave blank
                if not blank and not np.array_equal(glyph.ink, absent.ink):
                    self.glyphs.setdefault(character, glyph)
        if "x" not in self.glyphs:
            raise ValueError(f"the font {name} has no x")
        self.characters = frozenset(self.glyphs)
        letters = [self.glyphs[letter] for letter in "aeinmux" if letter in self.glyphs]
        self.joined = bool(np.median([one.ink.shape[1] - one.advance for one in letters]) >= OVERLAP)
        self.stroke = float(np.median([_stroke(one.ink) for one in letters]))

    def writes(self, text):
        """Return whether it has all characters of a text; letters that join are not set in capitals only."""
        return self.characters.issuperset(text.replace(" ", "")) and not (
            self.joined and len(text) > 4 and text.isupper()
        )


def _drawn(font, character):
    left, top, right, bottom = map(int, font.getbbox(character, anchor="ls"))
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), character, font=font, fill=255, anchor="ls")
    a, b, c, d = image.getbbox() or (0, 0, 1, 1)  # of the ink: that of the font has the space around it
    return Glyph(np.asarray(image)[b:d, a:c], left + a, top + b, font.getlength(character))


def written(face, text, rng):
    """Return a text written with a Face: uint8 (HEIGHT, w), dark on light. rng: numpy.random.Generator."""
    words = [_set(face, word, rng) for word in text.split()]
    top = min(-TALLEST * LARGE, *(top for _, _, top in words))
    bottom = max(DEEPEST * LARGE, *(top + ink.shape[0] for ink, _, top in words))
    above, below = rng.uniform(-0.05, 0.35, 2) * LARGE
    scale = HEIGHT / (bottom - top + above + below)
    if rng.random() < 0.35:  # smaller than the line is high
        smaller = rng.uniform(0.65, 1)
        scale, above = scale * smaller, above + rng.random() * (1 / smaller - 1) * HEIGHT / scale
    base, size = (above - top) * scale, scale * LARGE
    wide, lean = rng.normal(1.08, 0.15), np.tan(np.radians(np.clip(rng.normal(2, 8), -20, 25)))
    slope, gap = rng.normal(0, 0.004), rng.uniform(0.45, 1.5) * size
    reach = np.clip(rng.normal(0.095, 0.025), *PENS) * LARGE - face.stroke
    changes = rng.normal(0, 1, (len(words), 4)) * (0.03, 0.03, 0.04, 0.15)
    x, placed = rng.uniform(2, 0.6 * size), []
    for (ink, left, top), (larger, leaning, lower, wider) in zip(words, changes, strict=True):
        at = (x, base + slope * x + lower * size)
        sized = scale * np.clip(wide, 0.75, 1.5), scale * (1 + larger)
        patch, start, end = _scaled(_inked(ink, reach), (left, top), at, sized, lean + leaning)
        placed.append((start, patch))
        x = end + gap * np.clip(1 + wider, 0.5, 1.6)
    line = np.zeros((HEIGHT, int(x - gap / 2 + rng.uniform(0, size))), np.uint8)
    line = _laid(line, placed)
    return _on_paper(line, base + 0.05 * size, slope, rng)


def _set(face, word, rng):
    """Return (ink uint8 (h, w), left, top) of a word, at LARGE: the place of its upper left corner, from the pen's."""
    glyphs = [face.glyphs[character] for character in word]
    loose = 0.1 if face.joined else 1
    spacing = rng.uniform(-0.03, 0.02) if face.joined else rng.uniform(-0.06, 0.16)
    moves = rng.normal(0, 1, (len(word), 2)) * (0.03 * loose * LARGE, 0.03 * loose * LARGE)
    x, places = 0.0, []
    for glyph, (right, down) in zip(glyphs, moves.tolist(), strict=True):
        places.append((round(x + right) + glyph.left, round(down) + glyph.top))
        x += max(glyph.advance + spacing * LARGE, 2)
    left, top = min(place[0] for place in places), min(place[1] for place in places)
    right = max(at + glyph.ink.shape[1] for (at, _), glyph in zip(places, glyphs, strict=True))
    bottom = max(at + glyph.ink.shape[0] for (_, at), glyph in zip(places, glyphs, strict=True))
    ink = np.zeros((bottom - top, right - left), np.uint8)
    _laid(ink, [((a - left, b - top), glyph.ink) for (a, b), glyph in zip(places, glyphs, strict=True)])
    return ink, left, top


def _laid(ink, patches):
    """Lay patches, ((column, row) or column, uint8 (h, w)), onto the ink, in place; return it."""
    for at, patch in patches:
        column, row = at if isinstance(at, tuple) else (at, 0)
        skip = max(0, -column)
        region = ink[row : row + patch.shape[0], column + skip : column + patch.shape[1]]
        np.maximum(region, patch[:, skip : skip + region.shape[1]], out=region)
    return ink


def _inked(ink, reach):
    """Return the ink with strokes wider by `reach` pixels, or narrower by a pixel or two."""
    if reach >= 0.5:
        size = round(reach) + 1
        edge = size // 2 + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)) if size > 2 else np.ones((2, 2), np.uint8)
        return cv2.dilate(cv2.copyMakeBorder(ink, edge, edge, edge, edge, cv2.BORDER_CONSTANT), kernel)
    return cv2.erode(ink, np.ones((2, 2) if reach > -3.5 else (3, 3), np.uint8)) if reach <= -1.5 else ink


def _scaled(ink, place, at, scale, lean):
    """Return (uint8 (HEIGHT, w), its first column, where the word ends): ink scaled, slanted and moved to its pixels.

    place: of the ink's corner from the pen's position, before. at: pixels of the pen's position. scale: of width, of height.
    """
    (left, top), (x, y), (across, down), (height, width) = place, at, scale, ink.shape
    rises = -top * down * lean, -(top + height) * down * lean  # where the slant moves the upper and the lower edge
    start = int(np.floor(x + left * across + min(rises))) - 1
    columns = int(np.ceil(width * across + abs(rises[0] - rises[1]))) + 3
    matrix = np.array(
        [[across, -lean * down, x + left * across - top * down * lean - start], [0, down, y + top * down]], np.float32
    )
    patch = cv2.warpAffine(ink, matrix, (columns, HEIGHT), flags=cv2.INTER_LINEAR)
    return patch, start, x + (left + width) * across


def _stroke(ink):
    """Return the width of the strokes in pixels: twice the area over the length of the outline."""
    outlines, _ = cv2.findContours((ink > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    length = sum(cv2.arcLength(outline, True) for outline in outlines)
    return 2 * np.count_nonzero(ink > 127) / max(length, 1) + 1  # outlines run through the outermost pixels


def _on_paper(ink, ruled, slope, rng):
    """Return uint8 (h, w): ink of a pen or pencil on white, grey or ruled paper. ruled: the row of the rule on the left."""
    width = ink.shape[1]
    if (sigma := rng.uniform(0, 0.9)) > 0.3:
        ink = cv2.GaussianBlur(ink, (0, 0), sigma)
    ink = ink * np.float32(rng.uniform(0.9, 1.6) / 255)
    ink *= 1 + np.float32(rng.uniform(0, 0.2)) * _slow(width, rng, 30)
    if pencil := rng.random() < 0.3:
        ink *= 1 - np.float32(rng.uniform(0, 0.35)) * np.abs(_noise(width, rng))
    ink = np.clip(ink, 0, 1) * np.float32(rng.uniform(0.3, 0.7) if pencil else rng.uniform(0.55, 1))
    if rng.random() < 0.35:
        ink = np.maximum(ink, _rule(ink.shape, ruled + rng.normal(0, 2), slope + rng.normal(0, 0.002), rng))
    white = rng.random() < 0.65
    paper = np.float32(rng.uniform(238, 255) if white else rng.uniform(175, 245))
    paper = paper + np.float32(rng.uniform(0, 3 if white else 12)) * _slow(width, rng, 200)
    grain = np.float32(rng.uniform(0, 2.5 if white else 6)) * _noise(width, rng)
    return np.clip(paper * (1 - ink) + grain, 0, 255).astype(np.uint8)


def _rule(shape, row, slope, rng):
    """Return the ink of a printed rule, solid or dotted, float32."""
    height, width = shape
    rows = (
        np.arange(height, dtype=np.float32)[:, None]
        - np.float32(row)
        - np.float32(slope) * np.arange(width, dtype=np.float32)
    )
    rule = np.clip(np.float32(rng.uniform(0.7, 1.5)) - np.abs(rows), 0, 1) * np.float32(rng.uniform(0.08, 0.6))
    if rng.random() < 0.25:
        step = rng.integers(5, 12)
        rule[:, np.arange(width) % step > step // 2] = 0
    return rule


def _slow(width, rng, step):
    """Return float32 (width,): noise of unit strength that changes over `step` columns."""
    knots = rng.standard_normal(width // step + 3)
    return np.interp(np.arange(width) / step, np.arange(len(knots)), knots).astype(np.float32)


def _noise(width, rng):
    """Return float32 (HEIGHT, width): noise of unit strength."""
    at = rng.integers(0, max(1, LONG - width))
    return (
        np.resize(_much_noise()[:, at : at + width], (HEIGHT, width))
        if width > LONG
        else _much_noise()[:, at : at + width]
    )


@functools.cache
def _much_noise():
    return np.random.default_rng(0).standard_normal((HEIGHT, LONG), dtype=np.float32)
