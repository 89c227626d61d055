"""Compose pages from real handwritten characters, with the true box of each, to measure page reading.

A page is text with irregular sizes, slant and spacing on plain, ruled or squared paper, "photographed" with shadow, stain,
perspective on a table, blur, grain and JPEG artifacts. A seed determines a page. All characters are from one split of a data
set, so that pages of test characters contain none that a model was trained on; they come from many writers, and strokes do not
join as in cursive writing.
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
    """How a page is written and photographed, in addition to its Style.

    Attributes:
        size: width and height of the sheet in pixels.
        pitch: distance of lines in x-heights.
        gap: distance of words in x-heights.
        paper: plain, ruled or squared.
        rotation: degrees.
        perspective: how far corners move, relative to the sheet.
        shadow, stain: darkness, 0..1.
        blur: sigma in pixels.
        grain: sigma of 255.
        jpeg: quality; 0 for no compression.
        ink: darkness, 0..1.
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
# Each degradation separately, and all of them in moderation.
DEGRADATIONS = {
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
    """A composed image, uint8 (h, w, 3), RGB, and its true Page with boxes in pixels of the image."""

    image: np.ndarray
    truth: Page


def compose(split, classes, look=PLAIN, seed=0, texts=None, full=0.92):
    """Compose a page.

    Args:
        split: a Split with images (n, 28, 28), ink 255, from which characters are drawn at random.
        classes: names of its classes.
        look: a Look.
        seed: determines the page.
        texts: words to write in order; None for frequent English words and numbers, or only numbers without letters.
        full: share of the sheet's height to fill.
    """
    rng = np.random.default_rng(seed_for(seed, "page/compose"))
    hand = Handwriting(split, classes, rng)
    texts = iter(texts) if texts is not None else words(rng, classes)
    lines, placed = _written(hand, texts, look, rng, full)
    ink = draw_ink(placed, *look.size)
    sheet = _paper(look, rng)
    dark = np.array([0.25, 0.2, 0.15] if rng.random() < 0.5 else [0.1, 0.15, 0.45], np.float32)
    cover = (ink * look.ink)[..., None]
    image, to_image = _taken(sheet * (1 - cover) + dark * cover, look, rng)
    return Composed(image, Page(1, _moved(lines, to_image), image))


def words(rng, classes):
    """Yield words endlessly that the classes can spell: frequent English ones and, with digits, numbers.

    Raises:
        ConfigError: if the classes can spell neither.
    """
    from wordfreq import top_n_list

    known, numbers = set(classes), set("0123456789") <= set(classes)
    likely = [word for word in top_n_list("en", VOCABULARY) if is_suitable(word)]
    frequent = [word for word in likely if set(word) <= known] or [w.upper() for w in likely if set(w.upper()) <= known]
    if not frequent and not numbers:
        raise ConfigError(
            "No page can be composed from these classes", expected="digits or letters", got=" ".join(classes)
        )
    while True:
        if not frequent or (numbers and rng.random() < 0.1):
            yield str(rng.integers(1, 10 ** rng.integers(1, 6)))
        else:
            word = frequent[rng.integers(len(frequent))]
            yield word.capitalize() if rng.random() < 0.15 and set(word.capitalize()) <= known else word


def _written(hand, texts, look, rng, full):
    """Write texts on the sheet; return (lines, [Placed])."""
    width, height = look.size
    margin, x, pitch = 0.09 * width, look.x_height, look.pitch * look.x_height
    room = (width - 2 * margin - (look.columns - 1) * 3 * x) / look.columns
    lines, placed = [], []
    for column in range(look.columns):
        left, baseline = margin + column * (room + 3 * x), 0.08 * height + 2 * x
        while baseline < full * height - x:
            start = left + max(0, rng.normal(0, 0.3 * x * look.wobble))
            words = _line(hand, texts, start, left + room, baseline, look, rng, placed)
            if not words:
                return tuple(lines), placed
            lines.append(Line(tuple(words), around(w.box for w in words), column))
            baseline += pitch
    return tuple(lines), placed


def _line(hand, texts, left, right, baseline, look, rng, everything):
    slope, phase, x = rng.normal(0, 0.006) * look.wobble, rng.uniform(0, 6.28), look.x_height
    words, start = [], left
    while start < right:
        text = next(texts, None)
        if text is None:
            break
        placed = hand.word(text, start, lambda u: baseline + slope * (u - left) + _wave(u, phase, look), look)
        end = max(character.right for character in placed)
        if end > right and words:
            break
        everything += placed
        letters = [Character(c, _ink_box(character), 1.0) for c, character in zip(text, placed, strict=True)]
        words.append(Word(text, around(c.box for c in letters), 1.0, tuple(letters)))
        start = end + x * max(0.6, look.gap + rng.normal(0, 0.15) * look.wobble)
    return words


def _wave(u, phase, look):
    return 0.12 * look.wobble * look.x_height * np.sin(u / (9 * look.x_height) + phase)


def _ink_box(placed):
    dark = placed.glyph > INK / 255
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    left, top = placed.left + int(columns[0]), placed.top + int(rows[0])
    return Box(left, top, placed.left + int(columns[-1]) + 1, placed.top + int(rows[-1]) + 1)


def _paper(look, rng):
    """Return an empty sheet, float32 (h, w, 3), 0..1."""
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
    """Photograph the sheet; return (uint8 image, 3x3 homography from the sheet to it)."""
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
    image = np.clip(noisy, 0, 255).astype(np.uint8)
    if look.jpeg:
        _, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, look.jpeg])
        image = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
    return image, matrix


def _stain(width, height, look, rng):
    """Return the transmission, float32 (h, w, 3), of a cup's ring and a pale spill."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    cx, cy, radius = rng.uniform(0.3, 0.7) * width, rng.uniform(0.2, 0.6) * height, rng.uniform(0.12, 0.2) * width
    distance = np.hypot(x - cx, y - cy)
    ring = np.exp(-(((distance - radius) / (0.04 * radius)) ** 2)) + 0.35 * (distance < radius)
    return 1 - look.stain * np.minimum(ring, 1)[..., None] * np.array([0.45, 0.65, 0.9], np.float32)


def _shade(width, height, dark, rng):
    """Return the transmission, float32 (h, w, 1), of a soft shadow over one side."""
    angle, offset = rng.uniform(0, 6.28), rng.uniform(-0.2, 0.2)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    along = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle) - offset
    return (1 - dark / (1 + np.exp(-along * 14)))[..., None].astype(np.float32)


def _on_a_table(sheet, look, rng):
    """Place the sheet on a dark table, rotated and in perspective; with perspective, the table adds 8 % on each side."""
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
    if not look.perspective:  # a rotated sheet under a scanner's white lid
        return cv2.warpPerspective(sheet, matrix, size, borderValue=(0.97, 0.97, 0.97)), matrix
    grain = cv2.resize(rng.normal(0, 0.04, (size[1] // 3, size[0] // 40)).astype(np.float32), size)
    table = np.array([0.36, 0.25, 0.16], np.float32) + grain[..., None]
    inside = cv2.warpPerspective(np.ones((height, width), np.float32), matrix, size)[..., None]
    return cv2.warpPerspective(sheet, matrix, size) * inside + table * (1 - inside), matrix


def _moved(lines, matrix):
    """Return the lines with boxes transformed to the image."""
    page = Page(1, lines, np.zeros((1, 1, 3), np.uint8), to_source=matrix)
    moved = (line.with_boxes(page.source_box) for line in lines)
    return tuple(replace(line, box=around(word.box for word in line.words)) for line in moved)


def stacked(images):
    """Return a page, uint8 (h, w, 3), of images of lines, uint8 (h, w), dark on light, one below another.

    Raises ValueError without images.
    """
    if not len(images):
        raise ValueError("a page needs at least one line")
    margin = max(len(image) for image in images)
    rows = [np.pad(image, ((margin // 4,), (margin,)), constant_values=255) for image in images]
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 0), (0, width - row.shape[1])), constant_values=255) for row in rows]
    page = np.pad(np.concatenate(rows), ((margin,), (0,)), constant_values=255)
    return np.repeat(page[..., None], 3, axis=2)
