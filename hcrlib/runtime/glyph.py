"""Find the one character on a picture of any kind and make it look like the images that a network was trained on.

1. The picture is reduced to at most 160 pixels, its colors to the direction in which they vary most over short distances.
2. Ink is what differs from the ground around it: from the picture closed (dark ink) or opened (light ink) by a window wider
   than any stroke. Of the two, ink is what covers less, meets the border less and leaves an evener ground.
3. Connected components: frames, ruled lines, dark sides, specks and cut-off neighbors are dropped, a character's parts kept.
4. A character that is small on its picture is cut out, and found again at full detail.
5. The width of its strokes, 2 * area / perimeter, is brought to that of training images, then the frame's recipe is applied.
"""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .components import Pieces
from .image import BOX, EMNIST_BOX, FRAMES, INK_THRESHOLD, SIDE, centred, ink_boxed, to_pixels

WORK = 160  # pixels of the longer side at most, in which ink is looked for
EVEN = 32  # pixels of the longer side: the ground of smaller pictures, such as glyphs, is taken to be even
COARSE = 32  # pixels of the longer side, about: the ground is found in a picture reduced to this
WIDE = 0.42  # of the longer side: wider than any stroke
FAINT = 6.0  # levels: the least contrast of ink, after reduction
GRAIN = 4.5  # standard deviations of the grain: the least contrast of ink
SHARP = 0.05  # of the ink's contrast from pixel to pixel, in the mean of its edges: shades are smoother
LOW = 30.0  # levels: the edges of fainter ink are measured as if it had this contrast, for the sake of rounding
LAG = 3  # pixels between which slopes are measured
LEAST_AREA = 8  # pixels: less is no character
MANY = 20  # components: of so many, a character has a good share of the ink
RIM = 0.85  # of the border: what covers it is no character
SOLID = 0.45  # of its length: what is wider than this and meets the border is a shadow
STROKES = {"mnist": (1.75, 2.4, 3.4), "emnist": (2.1, 2.95, 4.2)}  # pixels in training images: thin, the median, thick
# What exceeds these is not one character; 1 of 800 images of EMNIST and 2 of 1,049 photographed characters do.
MOST_PARTS, WIDEST, MOST_COVERED = 3, 2.5, 0.5
ALIKE_AREA, ALIKE_HEIGHT = 0.25, 0.5  # of the character's: what is dropped and exceeds these is another one
INKED = INK_THRESHOLD / 255.0
FINER = 4  # times: strokes are widened at this many times the size of the glyph


class Steps(NamedTuple):
    """What was found on a picture.

    Attributes:
        glyph: uint8 (28, 28), ink 255 on 0.
        picture: uint8 (h, w) or (h, w, 3), the picture or the part of it, reduced, on which the ink was found.
        ink: uint8 (h, w), how strongly each of its pixels is inked.
        box: (left, top, right, bottom) of the ink, in pixels of the given picture.
        stroke: the width of its strokes in pixels of the glyph, before it was brought to that of training images.
        dark: whether ink is darker than its ground.
        doubt: 0..1, how close it was between dark and light.
        parts: the number of components of the ink.
        others: the number of components of the size of a character that were left out, away from the border.
    """

    glyph: np.ndarray
    picture: np.ndarray
    ink: np.ndarray
    box: tuple
    stroke: float
    dark: bool
    doubt: float
    parts: int
    others: int = 0

    @property
    def is_odd(self):
        """Whether it does not look like one character: many parts, others beside it, much wider than high, mostly covered."""
        left, top, right, bottom = self.box
        is_wide = right - left > WIDEST * (bottom - top)
        return self.parts > MOST_PARTS or self.others > 0 or is_wide or float((self.glyph > 127).mean()) > MOST_COVERED


def to_glyph(anything, ink="auto", frame="mnist"):
    """Return uint8 (28, 28), upright, ink 255 on 0: the glyph of `steps_of`, which says more."""
    return steps_of(anything, ink, frame).glyph


def steps_of(anything: Any, ink: str = "auto", frame: str = "mnist") -> Steps:
    """Return the Steps of a path, bytes, a PIL image, or an array (h, w), (h, w, 3) or (h, w, 4), uint8 or float in 0..1.

    ink: "dark" or "light" on its ground, or "auto". frame: whose recipe, "mnist" or "emnist". Raises ValueError if it is not an
    image, has over 100 million pixels, or contains no ink.
    """
    pixels = to_pixels(anything)
    if ink not in ("auto", "dark", "light"):
        raise ValueError("ink must be 'auto', 'dark' or 'light', got %r" % (ink,))
    if frame not in FRAMES:
        raise ValueError("frame must be 'mnist' or 'emnist', got %r" % (frame,))
    found = _found(pixels, ink)
    inked = found is not None and found[0] > INKED
    if not np.any(inked):
        raise ValueError("the image holds no ink: it is blank")
    strength, (parts, others), dark, doubt, picture, (left, top), factor = found
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    box = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    height, width = pixels.shape[:2]
    limits = zip(box, (left, top, left, top), (width, height, width, height))
    inside = tuple(min(int(n) * factor + offset, most) for n, offset, most in limits)
    glyph, stroke = _framed(strength, box, frame)
    shown = np.rint(255 * strength).astype(np.uint8)
    return Steps(glyph, picture, shown, inside, stroke, dark, doubt, parts, others)


def _found(pixels, ink):
    """Return (strength 0..1, (parts, others), dark, doubt, picture, (left, top), factor), or None if there is no ink."""
    factor, (left, top), most = 1, (0, 0), 0
    for attempt in range(3):
        part = pixels
        factor = -(-max(part.shape[:2]) // WORK)
        if factor > 4:  # reduced by four, then by the rest
            factor = 4 * -(-factor // 4)
        picture, values, colored = _reduced(part, factor)
        found = _inked(_scalar(values) if colored else values, ink)
        if found is None:
            return None
        strength, (parts, others), dark, doubt, box = found
        most = max(most, others)  # what is seen of them in a part of the picture is cut off
        longer = max(box[2] - box[0], box[3] - box[1])
        if attempt == 2 or factor == 1 or 2.5 * longer > max(strength.shape):
            break
        margin = max(3, longer // 3)
        x0, y0 = (max(0, (n - margin) * factor) for n in box[:2])
        x1, y1 = ((n + margin) * factor for n in box[2:])
        pixels = np.ascontiguousarray(part[y0:y1, x0:x1])
        left, top, ink = left + x0, top + y0, "dark" if dark else "light"
    return strength, (parts, most), dark, doubt, picture, (left, top), factor


def _reduced(pixels, factor):
    """Return (uint8 picture, float32 values, whether they are colors), reduced by 1 to 4 or a multiple of 4."""
    if factor == 1:
        colored = pixels.ndim == 3
        return pixels, pixels.astype(np.float32), colored
    image = Image.fromarray(pixels)
    if factor <= 4:  # rounding to whole levels does no harm yet
        picture = np.asarray(image.reduce(factor))
        return picture, picture.astype(np.float32), picture.ndim == 3
    image, rest = image.reduce(4), factor // 4
    bands = [np.asarray(band.convert("F").reduce(rest)) for band in image.split()]
    values = bands[0] if len(bands) == 1 else np.stack(bands, axis=2)
    return np.rint(values).astype(np.uint8), values, len(bands) > 1


def _scalar(colors):
    """Return float32 (h, w), colors along the direction in which float32 (h, w, 3) varies most over short distances."""
    flat = colors.reshape(-1, 3)
    across, down = colors[:, 4:] - colors[:, :-4], colors[4:] - colors[:-4]
    steps = (
        np.concatenate([across.reshape(-1, 3), down.reshape(-1, 3)])
        if min(colors.shape[:2]) > 4
        else flat - flat.mean(axis=0)
    )
    _, vectors = np.linalg.eigh(steps.T.dot(steps))
    direction = vectors[:, 2]
    if direction.sum() < 0:
        direction = -direction
    return flat.dot(direction.astype(np.float32)).reshape(colors.shape[:2])


def _inked(values, ink):
    """Return (strength 0..1, (parts, others), dark, doubt, box) of float32 (h, w), or None."""
    coarse, grounds = _grounds(values)
    candidates = []
    for dark, ground in zip((True, False), grounds):
        if ink != ("light" if dark else "dark"):
            above = ground - coarse if dark else coarse - ground
            candidates.append((dark, ground, above, float(above.max())))
    peak = max(max(each[3] for each in candidates), 1e-3)
    costs = [_cost(ground, above, peak) if top > 0.6 * peak else 9.0 for _, ground, above, top in candidates]
    order = np.argsort(costs)
    doubt = costs[order[0]] / costs[order[1]] if len(costs) == 2 else 0.0
    for index in order[: 1 if doubt < 0.8 else 2]:
        dark, ground = candidates[index][:2]
        ground = _enlarged(ground, values.shape, coarse)
        above = ground - values if dark else values - ground
        if dark and np.ndim(ground) and ground.min() > 0.1 * ground.max() > 0 and values.min() >= 0:
            above *= ground.max() / ground  # as in even light
        found = _character(above)
        if found is not None:
            strength, parts, box = found
            return strength, parts, dark, doubt, box
    return None


def _cost(ground, above, peak):
    """Return how unlike ink it is: what is covered, how uneven its ground is, and some of what is covered of the border."""
    border = np.concatenate([above[0], above[-1], above[:, 0], above[:, -1]])
    uneven = float(np.abs(ground - _middle(ground)).mean()) / peak if np.ndim(ground) else 0.0
    return float(np.maximum(above, 0).mean()) / peak + uneven + 0.3 * float((border > 0.4 * peak).mean())


def _grounds(values):
    """Return (the picture reduced, (the ground for dark ink, that for light ink) of that size, or numbers)."""
    longer = max(values.shape)
    if longer <= EVEN:
        border = np.sort(np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]]))
        ground = (border[(len(border) - 1) // 2] + border[len(border) // 2]) / np.float32(2)
        return values, (ground, ground)
    coarse = np.asarray(Image.fromarray(values).reduce(max(1, longer // COARSE)))
    half = max(1, int(WIDE * max(coarse.shape)) // 2)
    wider, inner = coarse, np.s_[half:-half, half:-half]
    if min(coarse.shape) > 2 * half + 1:
        wider = np.pad(coarse, half, "reflect", reflect_type="odd")  # light that falls off goes on beyond the border
    else:  # in which every window would hold what is beyond
        inner = np.s_[:, :]
    closed = -_spread(-_spread(wider, half), half)[inner]
    opened = _spread(-_spread(-wider, half), half)[inner]
    if float(np.ptp(closed)) < 2 and float(np.ptp(opened)) < 2:
        return coarse, (closed.max(), opened.min())
    return coarse, (closed, opened)


def _enlarged(ground, shape, coarse):
    """Return the ground, float32 of the coarse picture's size or a number, for a picture of this shape."""
    if not np.ndim(ground) or ground.shape == shape:
        return ground
    block = max(shape) // COARSE
    size = coarse.shape[1] * block, coarse.shape[0] * block
    return np.asarray(Image.fromarray(ground).resize(size, Image.BILINEAR))[: shape[0], : shape[1]]


def _spread(values, half):
    """Return the largest of float32 (h, w) within `half` rows and columns of each place."""
    for axis in (0, 1):
        values = values if axis == 0 else values.T
        shape = (values.shape[0] + 2 * half,) + values.shape[1:]
        padded = np.full(shape, -np.inf, values.dtype)
        padded[half : half + len(values)] = values
        reach, window = 1, 2 * half + 1
        while 2 * reach <= window:
            padded = np.maximum(padded[:-reach], padded[reach:])
            reach *= 2
        rest = window - reach
        values = np.maximum(padded[: len(padded) - rest], padded[rest:]) if rest else padded
        values = values if axis == 0 else values.T
    return values


def _character(above):
    """Return (strength 0..1, (parts, others), box) of float32 (h, w), how far pixels differ from the ground, or None."""
    grain = _grain(above)
    above = above - _middle(above) if grain else above
    for _ in range(3):
        top = float(above.max())
        if top < max(FAINT, GRAIN * grain):
            return None
        level = _otsu(above, top)
        peak = float(above[above > level].mean())
        if peak < max(FAINT, GRAIN * grain):
            return None
        low = max(0.5 * level, 2.5 * grain)
        pieces = Pieces(above > low, above)
        kept, dropped = _kept(pieces, level)
        if kept is not None:
            break
        above = np.where(pieces.mask(dropped, 2), 0, above)
    else:
        return None
    box = [
        int(n)
        for n in (pieces.left[kept].min(), pieces.top[kept].min(), pieces.right[kept].max(), pieces.bottom[kept].max())
    ]
    if not _is_writing(above, box, peak, grain, pieces, kept, dropped):
        return None
    if max(above.shape) <= EVEN and not (above[0].any() or above[-1].any() or above[:, 0].any() or above[:, -1].any()):
        strength = np.clip(above / top, 0, 1)  # a glyph, on perfectly even ground: its levels stay as they are
        strength = np.where(pieces.mask(dropped), 0, strength) if len(dropped) else strength
    else:
        strength = np.clip((above - 1.5 * grain) / (peak - 1.5 * grain), 0, 1)
        strength = np.where(pieces.mask(kept, 1), strength, 0)
    return strength.astype(np.float32), (len(kept), _others(pieces, kept, dropped, level)), box


def _others(pieces, kept, dropped, level):
    """Return how many of the dropped components are as large as a character beside the kept one."""
    top, left = pieces.top[kept].min(), pieces.left[kept].min()
    bottom, right = pieces.bottom[kept].max(), pieces.right[kept].max()
    rest = dropped[(pieces.most[dropped] > level) & (pieces.area[dropped] > ALIKE_AREA * pieces.area[kept].max())]
    height, width = pieces.shape
    inside = (pieces.top[rest] > 0) & (pieces.left[rest] > 0)
    inside &= (pieces.bottom[rest] < height) & (pieces.right[rest] < width)
    inside &= pieces.bottom[rest] - pieces.top[rest] > ALIKE_HEIGHT * (bottom - top)
    around = (pieces.top[rest] < top) & (pieces.bottom[rest] > bottom)  # frames
    around &= (pieces.left[rest] < left) & (pieces.right[rest] > right)
    return int((inside & ~around).sum())


def _is_writing(above, box, peak, grain, pieces, kept, dropped):
    """Return whether the ink in a box has edges as strokes have, which shades lack, and stands out of grain and texture."""
    if max(above.shape) <= EVEN:
        return True
    height, width = above.shape
    left, top, right, bottom = box
    crop = np.clip(above[max(0, top - LAG) : bottom + LAG, max(0, left - LAG) : right + LAG], 0, peak)
    if min(crop.shape) > LAG:
        across, down = crop[:-LAG, LAG:] - crop[:-LAG, :-LAG], crop[LAG:, :-LAG] - crop[:-LAG, :-LAG]
        squares = across * across + down * down
        slope, total = float(squares.sum()) - 4 * grain * grain * squares.size, float(np.sqrt(squares).sum())
        if slope < LAG * SHARP * max(peak, LOW) * total:
            return False
        rim = pieces.mask(kept)
        if (rim[0].sum() + rim[-1].sum() + rim[:, 0].sum() + rim[:, -1].sum()) > RIM * 2 * (height + width):
            return False
        is_cut = left == 0 or top == 0 or right == width or bottom == height
        if is_cut and 2 * LAG * float(crop.sum()) > SOLID * max(right - left, bottom - top) * total:
            return False
    area, clutter = float(pieces.area[kept].sum()), pieces.area[dropped]
    return area >= LEAST_AREA and (len(dropped) < MANY or area > 0.3 * clutter.sum())


def _grain(values):
    """Return the standard deviation of the noise from pixel to pixel, robustly."""
    if max(values.shape) <= EVEN or values.shape[1] == 1:
        return 0.0
    return float(_middle(np.abs(values[::2, 1:] - values[::2, :-1]))) / 0.954


def _middle(values):
    """Return about the median of float32 (h, w): of up to some 1,000 of its values."""
    flat = values.ravel()
    some = np.sort(flat[:: len(flat) // 1000 + 1])
    return some[len(some) // 2]


def _otsu(values, top):
    """Return the level that splits the values over 0 into two groups with the least variance within them (Otsu 1979)."""
    scale = 255.0 / top
    levels = np.clip(values * np.float32(scale), 0, 255).astype(np.uint8)
    counts = np.array(Image.fromarray(levels).histogram(), np.float64)
    below, mass = np.cumsum(counts), np.cumsum(counts * np.arange(len(counts)))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return (int(np.nanargmax(apart)) + 1) / scale


def _kept(pieces, level):
    """Return (components of the character or None, components that are clutter)."""
    height, width = pieces.shape
    strong = np.flatnonzero(pieces.most > level)
    if not len(strong):
        return None, np.arange(pieces.count)
    area = pieces.area[strong]
    top, left, bottom, right = (each[strong] for each in (pieces.top, pieces.left, pieces.bottom, pieces.right))
    high, wide = bottom - top, right - left
    touches = (top == 0).astype(int) + (left == 0) + (bottom == height) + (right == width)
    # ruled lines run across the picture, thinly; dark sides and corners are solid
    banned = (left == 0) & (right == width) & (high < 0.12 * height)
    in_corner = ((left == 0) | (right == width)) & ((top == 0) | (bottom == height))
    banned |= in_corner & (area > 0.75 * high * wide) & (high + wide > 0.5 * max(height, width))
    # alone, what is upright may be a 1
    banned |= (top == 0) & (bottom == height) & (wide < (0.12 if len(strong) > 1 else 0.05) * width)
    if len(strong) > 1:
        banned |= _frames(pieces, strong, high, wide)
    weight = np.where(banned, 0, area * np.where(touches > 0, 0.3, 1.0))
    if not weight.any():
        return None, strong
    main = int(weight.argmax())
    size = max(high[main], wide[main])
    # gaps between the boxes, in x and y
    gap_x = np.maximum(0, np.maximum(left[main] - right, left - right[main]))
    gap_y = np.maximum(0, np.maximum(top[main] - bottom, top - bottom[main]))
    reach = np.where(area >= 0.1 * area[main], 0.5, 0.35) * size
    above = np.where(bottom <= top[main], 0.9 * size, reach)  # dots may be far above
    kept = ~banned & (gap_x <= reach) & (gap_y <= above)
    kept &= area >= np.maximum(3.0, 0.02 * area[main]) * (max(height, width) > EVEN)
    if touches[main] < 2:
        kept &= touches == 0
    kept[main] = True
    dropped = np.ones(pieces.count, bool)
    dropped[strong[kept]] = False
    return strong[kept], np.flatnonzero(dropped)


def _frames(pieces, strong, high, wide):
    """Return bool (n,), whether a component is a frame: straight along its box on three sides, with another one inside."""
    found = np.zeros(len(strong), bool)
    for index in np.flatnonzero((high > 0.5 * pieces.shape[0]) & (wide > 0.5 * pieces.shape[1])):
        top, left, bottom, right = (
            int(each[strong[index]]) for each in (pieces.top, pieces.left, pieces.bottom, pieces.right)
        )
        inside = (pieces.top[strong] > top) & (pieces.bottom[strong] < bottom)
        inside &= (pieces.left[strong] > left) & (pieces.right[strong] < right)
        if not inside.any():
            continue
        mask = pieces.mask(strong[index])[top:bottom, left:right]
        edge = max(2, int(round(0.03 * max(mask.shape))))
        sides = (
            mask[:edge].any(axis=0),
            mask[-edge:].any(axis=0),
            mask[:, :edge].any(axis=1),
            mask[:, -edge:].any(axis=1),
        )
        found[index] = sum(side.mean() > 0.85 for side in sides) >= 3
    return found


def _framed(strength, box, frame):
    """Return (uint8 (28, 28), stroke's width in its pixels before) of float32 (h, w), 0..1, and the box of its ink."""
    left, top, right, bottom = box
    side = BOX if frame == "mnist" else EMNIST_BOX
    x0, y0 = max(0, left - 1), max(0, top - 1)
    crop = strength[y0 : bottom + 1, x0 : right + 1]
    longer = max(right - left, bottom - top)
    width = stroke_width(crop)
    stroke = width * side / longer
    least, aim, most = STROKES[frame]
    if strength.shape == (SIDE, SIDE):  # a glyph most likely: only what would hardly be seen is changed
        least, most = 0.7 * least, SIDE
    if stroke > most:
        aim = (aim + most) / 2
    is_usual = least <= stroke <= most
    picture = np.rint(255 * crop).astype(np.uint8) if is_usual else _restroked(crop, longer, width, side, aim)
    if frame == "mnist":
        return centred(ink_boxed(picture)), stroke
    return ink_boxed(picture, EMNIST_BOX, Image.BICUBIC), stroke


def stroke_width(ink):
    """Return the mean width of the strokes of float32 (h, w), 0..1, in pixels: twice their area by their perimeter."""
    padded = np.pad(ink, 1)
    down, across = padded[1:, :-1] - padded[:-1, :-1], padded[:-1, 1:] - padded[:-1, :-1]
    return float(2 * ink.sum() / max(float(np.sqrt(down * down + across * across).sum()), 1e-6))


def _restroked(ink, longer, width, side, aim):
    """Return uint8 (h, w), the ink with strokes as wide as `aim` pixels of the glyph, enlarged to FINER times its size."""
    radius = (aim * longer - side * width) / (2.0 * (side - aim))  # in pixels of `ink`; the box grows with the strokes
    scale = FINER * side / float(longer + max(0.0, 2 * radius))
    size = tuple(max(1, int(round(n * scale))) for n in ink.shape[::-1])
    large = np.asarray(Image.fromarray(np.rint(255 * ink).astype(np.uint8)).resize(size, Image.BICUBIC))
    reach = radius * scale
    margin = int(np.ceil(max(0.0, reach))) + 1
    large = np.pad(large, margin)
    if reach < 0:
        thin = _grown(255 - large, -reach)
        opened = _grown(255 - thin, -reach)
        return np.maximum(255 - thin, np.where(large > opened.astype(np.int16) + 128, large, 0))  # thin parts stay
    return _grown(large, reach)


def _grown(image, radius):
    """Return uint8 (h, w), each pixel the largest within `radius`, by octagons; a fraction of a pixel is blended."""
    whole = int(radius)
    for index in range(whole + 1):
        grown = image.copy()
        np.maximum(grown[1:], image[:-1], out=grown[1:])
        np.maximum(grown[:-1], image[1:], out=grown[:-1])
        source = grown.copy() if index % 2 else image  # squares and crosses in turn
        np.maximum(grown[:, 1:], source[:, :-1], out=grown[:, 1:])
        np.maximum(grown[:, :-1], source[:, 1:], out=grown[:, :-1])
        if index == whole:
            share = radius - whole
            return np.rint(image + share * (grown.astype(np.float32) - image)).astype(np.uint8)
        image = grown
    return image
