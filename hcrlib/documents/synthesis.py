"""Pages composed from real handwritten characters, with the truth of every box: what page reading is measured on.

A page is text in a hand's irregular sizes, slant and spacing, on paper that is plain, ruled or squared, and then photographed:
shadow, stain, perspective on a table, blur, grain, JPEG. One seed gives one page. The characters are those of one split of a
data set, so that a page of test characters holds none that a model was trained on; neither the words nor the hand are one
writer's, and strokes do not join as in cursive writing.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

from hcrlib.core.errors import ConfigError
from hcrlib.core.rng import seed_for
from hcrlib.datasets.handwriting import INK, Handwriting, Style, draw_ink
from hcrlib.datasets.synthetic import is_suitable
from hcrlib.documents.containers import Box, Character, Line, Page, Word, around

VOCABULARY = 3000  # the most frequent English words


@dataclass(frozen=True)
class Look(Style):
    """How a page is written and taken: a Style, and what follows.

    size: width, height of the sheet. In x-heights: pitch, from line to line; gap, between words. paper: plain, ruled or
    squared. rotation: degrees. perspective: how far corners move, a share of the sheet. shadow, stain: how dark, 0..1. blur:
    sigma in pixels. grain: sigma of 255. jpeg: quality, 0 for none. ink: how dark, 0..1.
    """

    size: tuple = (1240, 1754)  # A4 at 150 dpi
    pitch: float = 3.2
    gap: float = 1.1
    columns: int = 1
    paper: str = "plain"
    rotation: float = 0.0
    perspective: float = 0.0
    shadow: float = 0.0
    stain: float = 0.0
    blur: float = 0.0
    grain: float = 2.0
    jpeg: int = 0
    ink: float = 0.85


PLAIN = Look()
# Each degradation by itself, and all of them in moderation.
LOOKS = {
    "plain": PLAIN,
    "small": replace(PLAIN, x_height=15),
    "large": replace(PLAIN, x_height=44),
    "slanted": replace(PLAIN, slant=20),
    "tight spacing": replace(PLAIN, spacing=0.12, gap=0.85),
    "touching": replace(PLAIN, touching=0.25),
    "wavy": replace(PLAIN, wobble=1.0),
    "two columns": replace(PLAIN, columns=2, x_height=22),
    "ruled": replace(PLAIN, paper="ruled"),
    "squared": replace(PLAIN, paper="squared"),
    "rotated": replace(PLAIN, rotation=4),
    "perspective": replace(PLAIN, perspective=0.06),
    "shadow": replace(PLAIN, shadow=0.55),
    "coffee stain": replace(PLAIN, stain=0.45),
    "pale ink": replace(PLAIN, ink=0.35),
    "blurred": replace(PLAIN, blur=1.6),
    "grainy": replace(PLAIN, grain=14),
    "JPEG 30": replace(PLAIN, jpeg=30),
    "all at once": replace(
        PLAIN,
        slant=8,
        spacing=0.18,
        touching=0.05,
        wobble=0.5,
        paper="ruled",
        rotation=2,
        perspective=0.04,
        shadow=0.35,
        stain=0.25,
        blur=0.8,
        grain=5,
        jpeg=50,
    ),
}


class Composed(NamedTuple):
    """image: uint8 (h, w, 3), RGB. truth: a Page whose boxes are in pixels of that image."""

    image: np.ndarray
    truth: Page


def compose(split, classes, look=PLAIN, seed=0, texts=None, full=0.92):
    """One Composed page.

    split: a Split whose images (n, 28, 28), ink 255, are written with, each as often as chance has it. classes: its names.
    texts: words to write, in order; None for frequent English words and numbers, or numbers alone where there are no letters.
    """
    rng = np.random.default_rng(seed_for(seed, "page/compose"))
    hand = Handwriting(split, classes, rng)
    texts = iter(texts) if texts is not None else words(rng, classes)
    lines, placed = _written(hand, texts, look, rng, full)
    ink = draw_ink(placed, *look.size)
    sheet = _paper(look, rng)
    dark = np.array([0.25, 0.2, 0.15] if rng.random() < 0.5 else [0.1, 0.15, 0.45], np.float32)
    cover = (ink * look.ink)[..., None]
    picture, to_picture = _taken(sheet * (1 - cover) + dark * cover, look, rng)
    return Composed(picture, Page(1, _moved(lines, to_picture), picture))


def words(rng, classes):
    """Endless words that can be written with these classes: frequent English ones and, where there are digits, numbers.

    ConfigError for classes that can spell neither.
    """
    from wordfreq import top_n_list

    known, numbers = set(classes), set("0123456789") <= set(classes)
    likely = [word for word in top_n_list("en", VOCABULARY) if is_suitable(word)]
    frequent = [word for word in likely if set(word) <= known] or [w.upper() for w in likely if set(w.upper()) <= known]
    if not frequent and not numbers:
        raise ConfigError(
            "Of these classes no page can be composed", expected="digits or letters", got=" ".join(classes)
        )
    while True:
        if not frequent or (numbers and rng.random() < 0.1):
            yield str(rng.integers(1, 10 ** rng.integers(1, 6)))
        else:
            word = frequent[rng.integers(len(frequent))]
            yield word.capitalize() if rng.random() < 0.15 and set(word.capitalize()) <= known else word


def _written(hand, texts, look, rng, full):
    """(lines, [Placed]): every character's place on the sheet."""
    width, height = look.size
    margin, x, pitch = 0.09 * width, look.x_height, look.pitch * look.x_height
    room = (width - 2 * margin - (look.columns - 1) * 3 * x) / look.columns
    lines, placed = [], []
    for column in range(look.columns):
        left, baseline = margin + column * (room + 3 * x), 0.08 * height + 2 * x
        indent = 0.0
        while baseline < full * height - x:
            start = left + max(0, rng.normal(0, 0.3 * x * look.wobble)) + indent
            words = _line(hand, texts, start, left + room, baseline, look, rng, placed)
            if not words:
                return tuple(lines), placed
            lines.append(Line(tuple(words), around(w.box for w in words), column))
            baseline += pitch
    return tuple(lines), placed


def _line(hand, texts, left, right, baseline, look, rng, everything):
    slope, phase, x = rng.normal(0, 0.006) * look.wobble, rng.uniform(0, 6.28), look.x_height
    words, at = [], left
    while at < right:
        text = next(texts, None)
        if text is None:
            break
        placed = hand.word(text, at, lambda u: baseline + slope * (u - left) + _wave(u, phase, look), look)
        end = max(one.right for one in placed)
        if end > right and words:
            break
        everything += placed
        letters = [Character(c, _ink_box(one), 1.0) for c, one in zip(text, placed, strict=True)]
        words.append(Word(text, around(c.box for c in letters), 1.0, tuple(letters)))
        at = end + x * max(0.6, look.gap + rng.normal(0, 0.15) * look.wobble)
    return words


def _wave(u, phase, look):
    return 0.12 * look.wobble * look.x_height * np.sin(u / (9 * look.x_height) + phase)


def _ink_box(placed):
    dark = placed.glyph > INK / 255
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    left, top = placed.left + int(columns[0]), placed.top + int(rows[0])
    return Box(left, top, placed.left + int(columns[-1]) + 1, placed.top + int(rows[-1]) + 1)


def _paper(look, rng):
    """float32 (h, w, 3), 0..1."""
    width, height = look.size
    sheet = np.full((height, width, 3), rng.uniform(0.88, 0.97), np.float32) * np.array([1, 0.99, 0.96], np.float32)
    step = look.pitch * look.x_height / (1 if look.paper == "ruled" else 4)
    rule = np.array([0.66, 0.76, 0.88], np.float32)
    first = 0.08 * height + 2 * look.x_height + 0.15 * look.x_height
    if look.paper != "plain":
        for y in np.arange(first % step, height, step):
            sheet[round(y) : round(y) + 2] = rule
    if look.paper == "squared":
        for x in np.arange(step, width, step):
            sheet[:, round(x) : round(x) + 2] = rule
    return sheet


def _taken(sheet, look, rng):
    """(uint8 picture, 3x3 homography from the sheet to it)."""
    height, width = sheet.shape[:2]
    if look.stain:
        sheet = sheet * _stain(width, height, look, rng)
    if look.perspective or look.rotation:
        sheet, matrix = _on_a_table(sheet, look, rng)
    else:
        matrix = np.eye(3)
    if look.shadow:
        sheet = sheet * _shade(*sheet.shape[1::-1], look.shadow, rng)
    if look.blur:
        sheet = cv2.GaussianBlur(sheet, (0, 0), look.blur)
    noisy = sheet * 255 + rng.normal(0, look.grain, sheet.shape[:2])[..., None]
    picture = np.clip(noisy, 0, 255).astype(np.uint8)
    if look.jpeg:
        _, coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, look.jpeg])
        picture = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
    return picture, matrix


def _stain(width, height, look, rng):
    """A cup's ring and a pale spill."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    cx, cy, radius = rng.uniform(0.3, 0.7) * width, rng.uniform(0.2, 0.6) * height, rng.uniform(0.12, 0.2) * width
    distance = np.hypot(x - cx, y - cy)
    ring = np.exp(-(((distance - radius) / (0.04 * radius)) ** 2)) + 0.35 * (distance < radius)
    return 1 - look.stain * np.minimum(ring, 1)[..., None] * np.array([0.45, 0.65, 0.9], np.float32)


def _shade(width, height, dark, rng):
    """A soft shadow over one side."""
    angle, at = rng.uniform(0, 6.28), rng.uniform(-0.2, 0.2)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    along = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle) - at
    return (1 - dark / (1 + np.exp(-along * 14)))[..., None].astype(np.float32)


def _on_a_table(sheet, look, rng):
    """The sheet on a dark table, seen askew; 15 % of the picture's sides is table where there is perspective."""
    height, width = sheet.shape[:2]
    border = 0.08 if look.perspective else 0.0
    size = round(width * (1 + 2 * border)), round(height * (1 + 2 * border))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(-1, 1, (4, 2)) * look.perspective * min(width, height)
    angle = np.radians(look.rotation * (1 if rng.random() < 0.5 else -1))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([width, height]) / 2
    target = ((moved - middle) @ turn.T + np.array(size) / 2).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    if not look.perspective:  # a sheet askew on a scanner's white lid
        return cv2.warpPerspective(
            sheet, matrix, size, borderMode=cv2.BORDER_CONSTANT, borderValue=(0.97, 0.97, 0.97)
        ), matrix
    grain = cv2.resize(rng.normal(0, 0.04, (size[1] // 3, size[0] // 40)).astype(np.float32), size)
    table = np.array([0.36, 0.25, 0.16], np.float32) + grain[..., None]
    inside = cv2.warpPerspective(np.ones((height, width), np.float32), matrix, size)[..., None]
    return cv2.warpPerspective(sheet, matrix, size) * inside + table * (1 - inside), matrix


def _moved(lines, matrix):
    """The lines with boxes around their places in the picture."""
    page = Page(1, lines, np.zeros((1, 1, 3), np.uint8), to_source=matrix)

    def line(one):
        words = tuple(
            replace(
                w,
                box=page.source_box(w.box),
                characters=tuple(replace(c, box=page.source_box(c.box)) for c in w.characters),
            )
            for w in one.words
        )
        return Line(words, around(w.box for w in words), one.column)

    return tuple(map(line, lines))
