"""Find the ink of the one character on a picture, and tell it from frames, rules, shadows, specks, texture and neighbors.

1. Ink is what differs from the ground around it: from the picture closed (dark ink) or opened (light ink) by a window wider
   than any stroke. Of the two, ink is what covers less, meets the border less and leaves an evener ground.
2. Connected components: frames, ruled lines, dark sides, specks and cut-off neighbors are dropped, a character's parts kept.
"""

import numpy as np
from PIL import Image

from .components import Pieces

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
ALIKE_AREA, ALIKE_HEIGHT = 0.25, 0.5  # of the character's: what is dropped and exceeds these is another one


def inked(values, ink):
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
        wider = _continued(_continued(coarse, half).T, half).T  # light that falls off goes on beyond the border
    else:  # in which every window would hold what is beyond
        inner = np.s_[:, :]
    closed = -_spread(-_spread(wider, half), half)[inner]
    opened = _spread(-_spread(-wider, half), half)[inner]
    ranges = np.ptp(closed), np.ptp(opened)
    even = 2 if max(ranges) < 2 else 0
    return coarse, (closed if ranges[0] > even else closed.max(), opened if ranges[1] > even else opened.min())


def _continued(values, n):
    """Return (n + h + n, w): float32 (h, w), h > n + 1, with n rows reflected through the first row, and n through the last."""
    return np.concatenate([2 * values[0] - values[n:0:-1], values, 2 * values[-1] - values[-2 : -n - 2 : -1]])


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
    if not len(dropped):
        return 0
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
        if left == 0 or top == 0 or right == width or bottom == height:
            rim = pieces.mask(kept)
            if (rim[0].sum() + rim[-1].sum() + rim[:, 0].sum() + rim[:, -1].sum()) > RIM * 2 * (height + width):
                return False
            if 2 * LAG * float(crop.sum()) > SOLID * max(right - left, bottom - top) * total:
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
    levels = np.maximum(values * np.float32(scale), 0).astype(np.uint8)
    counts = np.array(Image.fromarray(levels).histogram(), np.float64)
    below, mass = np.cumsum(counts), np.cumsum(counts * np.arange(len(counts)))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return (int(np.where(apart >= 0, apart, -1).argmax()) + 1) / scale  # nan where a group is empty


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
