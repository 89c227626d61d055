"""Draw characters anew on paper of all kinds, and find them there as `read` does: training images of what people bring.

A character is an image of a dataset or a glyph of a handwriting font. It is stretched, slanted and bent, and drawn with a pen
of any width on a picture with margins, rules, neighbors, specks, grain and light of its own. runtime.glyph, which frames the
pictures that models read, then makes a 28 x 28 image of it. Scribbles, shapes and short words are drawn and framed likewise,
as examples of what is not a character.
"""

import functools
import io
import os
import string
from typing import NamedTuple

import cv2
import joblib
import numpy as np
from PIL import Image

from hcrlib.core.rng import seed_for
from hcrlib.datasets import doodles, font_lines, fonts
from hcrlib.runtime.character_model import are_alike
from hcrlib.runtime.glyph import steps_of
from hcrlib.runtime.image import SIDE

CHUNK = 500  # sketches that are drawn with one generator: what is drawn does not depend on the number of processes
SIZES = 18, 110  # pixels: the longer side of a character as drawn
PENS = 0.025, 0.2  # of that: widths of strokes
SAME = 0.5  # of the union of both boxes: what shares less is something else on the picture
SHADED = 0.1  # of the pictures: there is a shadow on them
BLANK = "blank"  # a sheet with nothing but shadow and grain, on which ink was found
TRIES = 12  # most blank sheets are found to be blank
INKED = 0.25  # of full ink: a pixel at least this dark is ink
SIGNS = "&@#%$€?=*§"
# Strokes that some writers add: how often here, which row of the ink they cross, and their ends (x, y) from there, in heights
BAR, SLASH, FOOT = (0.5, (-0.3, 0), (0.3, 0)), (0.5, (-0.35, 0.5), (0.35, -0.5)), (1, (-0.25, 0), (0.25, 0))
HABITS = {"7": (0.35, BAR), "z": (0.25, BAR), "Z": (0.25, BAR), "0": (0.08, SLASH), "1": (0.25, FOOT)}
LIKE_DIGITS = "bDGgqQT"  # letters that some write as others write digits


class Source(NamedTuple):
    """Images to draw from, uint8 of any size, ink 255 on 0, and the class of each."""

    images: tuple
    labels: np.ndarray


def of_fonts(names, more=False):
    """Return the Source of handwriting fonts, those for validation and test left out. DataError if they cannot be fetched.

    names: of the classes; one whose other case is no class stands for both. more: whether to take fonts.MORE_FONTS, too.
    """
    added = fonts.MORE_FONTS if more else ()
    fonts.fetch((*fonts.FONTS, *added))
    faces = [*font_lines.faces_of("train"), *map(font_lines.face_of, added)]
    faces = [face for face in faces if face.name not in font_lines.CAPITALS]
    cases = [{name, name.swapcase() if name.swapcase() not in names else name} for name in names]
    found = [
        (face.glyphs[character].ink, at)
        for face in faces
        for at, either in enumerate(cases)
        for character in sorted(either & face.characters)
    ]
    return Source(tuple(ink for ink, _ in found), np.array([at for _, at in found]))


def foreign(classes):
    """Return letters, digits and signs that are none of the classes and look like none of them."""
    names = set(string.ascii_letters + string.digits + SIGNS).difference(classes)
    if names.issuperset(string.ascii_letters):
        names -= set(LIKE_DIGITS)
    return sorted(
        name
        for name in names
        if name.swapcase() not in classes and not any(are_alike(name, other) for other in classes)
    )


def characters(source, labels, names, frame, seed, purpose, bend=1.0):
    """Return (uint8 (m, 28, 28), int64 (m,)): images of drawn characters and their classes.

    labels: int (n,), the classes to draw, each an image of the Source chosen at random; m <= n, as what is not found again on
    its picture is left out. names: of the classes, by which some strokes are added (HABITS). frame: "mnist" or "emnist".
    bend: a factor of how far shapes vary, see `drawn`.
    """
    of = {label: np.flatnonzero(source.labels == label) for label in np.unique(labels)}
    rng = np.random.default_rng(seed_for(seed, f"{purpose}/choice"))
    chosen = [int(rng.choice(of[label])) for label in labels]
    with_habits = [_with_habit(source.images[at], names[label], rng) for at, label in zip(chosen, labels, strict=True)]
    parts = [with_habits[start : start + CHUNK] for start in range(0, len(chosen), CHUNK)]
    drawn = _parallel(functools.partial(_found, bend=bend), parts, frame, seed, purpose)
    kept = np.flatnonzero([image is not None for image in drawn])
    return _stacked(drawn), np.asarray(labels)[kept]


def others(own, signs, n, frame, seed, purpose, kinds=doodles.KINDS):
    """Return uint8 (m, 28, 28), m <= n: images of what is none of the classes: doodles, words and other signs.

    own: a Source of the classes, which words are composed of. signs: images of other characters, or (). kinds: of doodles.
    """
    rng, subjects = np.random.default_rng(seed_for(seed, f"{purpose}/choice")), []
    for kind in rng.random(n):
        if kind < 0.12:
            subjects.append(BLANK)
        elif kind < 0.6:
            subjects.append(str(rng.choice(kinds)))
        elif kind < 0.8 or not len(signs):
            subjects.append(tuple(own.images[at] for at in rng.integers(len(own.images), size=rng.integers(2, 6))))
        else:
            subjects.append(signs[rng.integers(len(signs))])
    parts = [subjects[start : start + CHUNK] for start in range(0, n, CHUNK)]
    return _stacked(_parallel(_found, parts, frame, seed, purpose))


def _with_habit(image, name, rng):
    """Return uint8 (h, w), the image, with a stroke of HABITS in some cases."""
    share, stroke = HABITS.get(name, (0, None))
    if rng.random() >= share:
        return image
    ink = _cropped(image.astype(np.float32) / 255)
    height, (row, *ends) = len(ink), stroke
    crossed = np.flatnonzero(ink[min(int(row * height), height - 1)] > INKED)
    if not len(crossed):
        return image
    middle = crossed.mean(), row * (height - 1)
    pen = max(1, round(_pen(np.pad(ink, 1))))
    margin = height // 2
    ends = margin + np.array(middle) + height * (np.array(ends) + rng.normal(0, 0.05, (2, 2)))
    first, second = np.round(16 * ends).astype(int).tolist()
    wider = np.pad(np.rint(255 * ink).astype(np.uint8), margin)
    return cv2.line(wider, first, second, 255, pen, cv2.LINE_AA, 4)


def _stacked(drawn):
    return np.array([image for image in drawn if image is not None], np.uint8).reshape(-1, SIDE, SIDE)


def _parallel(function, parts, *options):
    calls = (joblib.delayed(function)(part, *options, number) for number, part in enumerate(parts))
    threads = os.environ.get("OMP_NUM_THREADS", "")  # what a sweep allows each of its runs
    jobs = int(threads) if threads.isdigit() and int(threads) else -1
    return [image for part in joblib.Parallel(n_jobs=jobs)(calls) for image in part]


def _found(subjects, frame, seed, purpose, number, bend=1.0):
    """Return uint8 (28, 28), or None, found of each subject: an image, a tuple of those of a word, or a kind of doodle."""
    rng = np.random.default_rng(seed_for(seed, f"{purpose}/{number}"))
    return [_framed(subject, frame, rng, bend) for subject in subjects]


def _framed(subject, frame, rng, bend):
    if isinstance(subject, tuple):
        return _seen(*on_paper(_word([drawn(image, rng) for image in subject], rng), rng), frame)
    if not isinstance(subject, str):
        return _seen(*on_paper(drawn(subject, rng, bend), rng, subject), frame)
    for _ in range(TRIES if subject == BLANK else 1):
        ink = np.zeros(rng.integers(10, SIZES[1], 2)) if subject == BLANK else _cropped(doodles.doodle(subject, rng))
        glyph = _seen(*on_paper(ink, rng), frame, 0)
        if glyph is not None:
            break
    return glyph


def _seen(picture, box, frame, least=SAME):
    """Return the glyph of a picture; None if it is blank, or if what was found shares too little with the box."""
    try:
        steps = steps_of(picture, frame=frame)
    except ValueError:
        return None
    return steps.glyph if _shared(steps.box, box) >= least else None


def _shared(one, other):
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[2], other[2]), min(one[3], other[3])
    inside = max(0, right - left) * max(0, bottom - top)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return inside / max(1, areas - inside)


def drawn(image, rng, bend=1.0):
    """Return float32 (h, w), 0..1, without margins: the character of uint8 (h, w), bent, and drawn with another pen.

    bend: factor of the standard deviations of proportions, slant, rotation and displacements.
    """
    crop = np.pad(_cropped(image.astype(np.float32) / 255), 1)
    longer = float(np.exp(rng.uniform(*np.log(SIZES))))
    scale, pen = longer / max(crop.shape), float(np.exp(rng.uniform(*np.log(PENS)))) * longer
    bent = _bent(crop, scale, rng, bend)
    own = _pen(bent)
    if not own:
        return np.ones((1, 1), np.float32)
    if pen < 0.7 * own and rng.random() < 0.8:  # a thinner pen: its way is along the middle of the strokes
        from skimage.morphology import skeletonize

        line = cv2.GaussianBlur(bent, (0, 0), max(0.1, 0.12 * own)) > 0.5
        ink = np.clip(max(1.0, pen) / 2 - _depth(~skeletonize(line)) + 0.5, 0, 1)
    else:
        reach = float(np.clip((pen - own) / 2, -0.2 * own, 0.5 * own))
        ink = np.clip(_depth(bent > 0.5) - _depth(bent <= 0.5) + reach + 0.5, 0, 1)
    return _cropped(ink.astype(np.float32))


def _depth(mask):
    """Return float32 (h, w), how many pixels each one is inside the mask, bool (h, w)."""
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)


def _pen(ink):
    """Return the width of the strokes of float32 (h, w), which has margins, in pixels; 0 without ink."""
    inside = _depth(ink > 0.5)
    return 2 * float(np.percentile(inside[inside > 0], 90)) if inside.any() else 0.0


def _bent(crop, scale, rng, bend):
    """Return float32 (h, w), enlarged, stretched, slanted, turned and bent by smooth displacements."""
    stretch = np.exp(rng.normal(0, bend * 0.12, 2))
    lean, turn = np.tan(np.radians(rng.normal(0, bend * 8))), np.radians(rng.normal(0, bend * 5))
    height, width = (n * scale * s for n, s in zip(crop.shape, stretch, strict=True))
    margin = 0.35 * max(height, width)
    size = int(height + 2 * margin), int(width + 2 * margin)
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    y, x = y - size[0] / 2, x - size[1] / 2
    field = rng.normal(0, bend * 0.022 * max(height, width), (2, 4, 4)).astype(np.float32)
    across, down = (cv2.resize(one, size[::-1], interpolation=cv2.INTER_CUBIC) for one in field)
    high, wide = crop.shape
    rows = (np.cos(turn) * y - np.sin(turn) * x + down) * (high / height) + (high - 1) / 2
    columns = (np.cos(turn) * x + np.sin(turn) * y + lean * y + across) * (wide / width) + (wide - 1) / 2
    return cv2.remap(crop, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_CUBIC)


def _cropped(ink):
    """Return float32 (h, w) without margins; one pixel of ink, if there is none."""
    rows, columns = np.flatnonzero((ink > INKED).any(axis=1)), np.flatnonzero((ink > INKED).any(axis=0))
    if not len(rows):
        return np.ones((1, 1), np.float32)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _word(parts, rng):
    """Return the ink of characters side by side, of about the same height, some of them touching."""
    tall = float(np.median([part.shape[0] for part in parts]))
    sized = [cv2.resize(part, (max(1, round(part.shape[1] * tall / part.shape[0])), round(tall))) for part in parts]
    gap, x = int(rng.uniform(-0.12, 0.2) * tall), 0
    ink = np.zeros((round(tall), sum(part.shape[1] + abs(gap) for part in sized)), np.float32)
    for part in sized:
        room = ink[:, x : x + part.shape[1]]
        np.maximum(room, part[:, : room.shape[1]], out=room)
        x += max(1, part.shape[1] + gap)
    return _cropped(ink)


def on_paper(ink, rng, neighbor=None):
    """Return (uint8 (h, w), box): a picture with the ink, float32 (h, w), and the box of it: left, top, right, bottom.

    neighbor: image of a character that may be seen in part at a side.
    """
    longer = max(ink.shape)
    room = np.maximum(rng.uniform(0.04, 0.6 if rng.random() < 0.8 else 1.5, 4) * longer, 2).astype(int)
    top, left, bottom, right = room
    height, width = ink.shape
    sheet = np.zeros((top + height + bottom, left + width + right), np.float32)
    sheet[top : top + height, left : left + width] = ink
    box = (left, top, left + width, top + height)
    if rng.random() < 0.35:  # a pencil, whose strokes are uneven
        grain = cv2.resize(rng.normal(0.8, 0.25, (sheet.shape[0] // 3 + 1, sheet.shape[1] // 3 + 1)), sheet.shape[::-1])
        sheet *= np.clip(grain, 0.3, 1).astype(np.float32)
    if neighbor is not None and rng.random() < 0.12:
        _beside(sheet, drawn(neighbor, rng), box, rng)
    if rng.random() < 0.12:
        _ruled(sheet, rng)
    for _ in range(rng.poisson(0.4) if rng.random() < 0.3 else 0):
        y, x, side = rng.integers(sheet.shape[0]), rng.integers(sheet.shape[1]), rng.integers(1, 4)
        sheet[y : y + side, x : x + side] = 1
    if rng.random() < 0.7:
        sheet = cv2.GaussianBlur(sheet, (0, 0), rng.uniform(0.2, max(0.7, 0.03 * longer)))
    paper = _light(sheet.shape, rng)
    if rng.random() < 0.75:
        picture = paper * (1 - sheet * rng.uniform(0.25, 0.95))
    else:
        paper *= rng.uniform(0.1, 0.5)
        picture = paper + sheet * rng.uniform(0.4, 1) * (255 - paper)
    if rng.random() < 0.6:
        picture = picture + rng.normal(0, rng.uniform(0.5, 8), sheet.shape)
    picture = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "JPEG", quality=int(rng.integers(15, 80)))
        picture = np.asarray(Image.open(stream))
    return picture, box


def _beside(sheet, other, box, rng):
    """Lay a part of another character onto the sheet's left or right edge, clear of the box."""
    left, _, right, _ = box
    free = left if rng.random() < 0.5 else sheet.shape[1] - right
    seen = min(int(free * rng.uniform(0.2, 0.7)), other.shape[1])
    rows = min(other.shape[0], sheet.shape[0])
    if seen < 2:
        return
    top = rng.integers(0, sheet.shape[0] - rows + 1)
    part, column = (other[:rows, -seen:], 0) if free == left else (other[:rows, :seen], sheet.shape[1] - seen)
    room = sheet[top : top + rows, column : column + seen]
    np.maximum(room, part, out=room)


def _ruled(sheet, rng):
    """Draw rules across the sheet, fainter than the ink."""
    strength, width = rng.uniform(0.2, 0.8), max(1, round(0.01 * max(sheet.shape)))
    step = int(rng.uniform(0.4, 1.2) * max(sheet.shape))
    for row in range(int(rng.integers(0, step + 1)), sheet.shape[0], max(8, step)):
        room = sheet[row : row + width]
        np.maximum(room, strength, out=room)


def _light(shape, rng):
    """Return float32 (h, w), paper of some brightness, lit from somewhere, sometimes in the shadow of something."""
    y, x = np.ogrid[-0.5 : 0.5 : shape[0] * 1j, -0.5 : 0.5 : shape[1] * 1j]
    way, fall = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5) if rng.random() < 0.4 else 0.0
    paper = rng.uniform(110, 255) * (1 - fall * (0.5 + np.cos(way) * x + np.sin(way) * y) / 1.5)
    if rng.random() < SHADED:
        way, softness = rng.uniform(0, 2 * np.pi), rng.uniform(0.002, 0.1)
        across = np.clip((np.cos(way) * x + np.sin(way) * y + rng.uniform(-0.3, 0.3)) / softness, -20, 20)
        paper = paper * (1 - rng.uniform(0.2, 0.6) / (1 + np.exp(across)))
    return paper.astype(np.float32)
