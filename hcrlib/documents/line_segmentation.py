"""Group the strokes of a page into lines.

The center of a line is a ridge of ink blurred along the writing (after Likforman-Sulem et al. 2007, "Text line segmentation of
historical documents: a survey", section 3.2), followed from column to column, so that lines may be skewed, curved or drift.
Ridges that continue one another are joined across gaps between words (after Papavassiliou et al. 2010, "Handwritten document
image segmentation into text lines and words"). A stroke belongs to the line whose center it crosses, and is cut if it crosses
several.
"""

from typing import NamedTuple

import cv2
import numpy as np

from hcrlib.documents.containers import box_of_pixels
from hcrlib.documents.flattening import flattened
from hcrlib.documents.strokes import Stroke

COARSE = 10  # pixels: the page is scaled to this height of writing to find lines
STRIP = 6  # writing heights: width of the vertical strips in which the pitch of the lines is measured
TYPICAL_PITCH = 2.2  # writing heights, on pages too short to measure it
ALONG = 1.8  # writing heights: deviation of the blur along the lines
ACROSS = 0.14  # of the pitch: deviation of the blur across them ...
LEAST_ACROSS = (
    0.28  # ... or, if more, in writing heights: the middle of a letter may have less ink than its top and bottom ...
)
MOST_ACROSS = 0.2  # ... but not more than this share of the pitch
FAINT = 0.12  # of a strong ridge: weaker ones are not lines
APART = 0.62  # of the pitch: of two ridges closer than this, the weaker one is made of ascenders or descenders
LEVEL = 0.42  # of the pitch: how far a ridge may be off the continuation of another
WIDEST = 3.0  # the widest gap within a line, beyond the blur of its ends: in writing heights, or thirds of the pitch if larger
OVERLAP = 2.0  # writing heights by which the blurred ends of two ridges of one line may overlap
TREND = 12  # writing heights of a ridge of which the slope is continued
BODY = 0.35  # writing heights: half of the height of small letters
LITTLE = (
    0.1  # of the ink of a typical line: lines with less are false if most of it is cut from other lines' strokes ...
)
WHOLE = 0.7  # ... so that less than this share belongs to strokes of their own, ...
CLOSE = 0.75  # ... or if they are closer than this share of the pitch to another line
TALLEST = 8  # writing heights: taller strokes are not letters; that of broken writing is measured too small


class Ridge(NamedTuple):
    """The center of a line, or of a part of it, in coarse pixels: increasing x, int (n,), y and strength, float (n,)."""

    x: np.ndarray
    y: np.ndarray
    strength: np.ndarray


def find_lines(strokes, shape, height):
    """Return the strokes of each line, in no particular order; a stroke across two lines is split between them.

    height: that of the writing, above 0.
    """
    share = COARSE / height
    coarse = tuple(max(1, int(np.ceil(n * share))) for n in shape)
    letters = [s for s in strokes if s.box.height < TALLEST * height and not _is_dash(s.box, height)]
    if not letters:
        return []
    y, x = (np.concatenate([getattr(s, axis) for s in letters]) for axis in "yx")
    places = (y * share).astype(np.int64) * coarse[1] + (x * share).astype(np.int64)
    ink = np.bincount(places, minlength=coarse[0] * coarse[1]).reshape(coarse).astype(np.float32) * (share * share)
    level, rows = flattened(ink, COARSE)
    pitch = line_pitch(level)
    ridges = _joined(_without_weak(_ridges(level, pitch), pitch), pitch)
    ridges = _without_weak(ridges, pitch)
    if not ridges:
        return []
    return _assigned(strokes, ridges, rows, coarse, pitch, height)


def within_regions(strokes, regions):
    """Return the strokes of each region, the lowest in height of those that contain the center of the stroke."""
    lines = [[] for _ in regions]
    for s in strokes:
        x, y = (s.box.left + s.box.right) / 2, (s.box.top + s.box.bottom) / 2
        held = [index for index, r in enumerate(regions) if r.left <= x < r.right and r.top <= y < r.bottom]
        if held:
            lines[min(held, key=lambda index: regions[index].height)].append(s)
    return [line for line in lines if line]


def _is_dash(box, height):
    """Return whether a stroke is flat, such as a hyphen or what is left of a ruled line: it does not show where a line is."""
    return box.height < 0.3 * height and box.width > 3 * box.height


def line_pitch(ink):
    """Return the distance between lines in coarse pixels: the first strong peak of the autocorrelation of ink profiles.

    ink: float32 (h, w), scaled to writing COARSE pixels high. The profiles are those of strips, in which lines are about level.
    """
    width = STRIP * COARSE
    lags = np.arange(1, min(len(ink) - 1, 8 * COARSE))
    typical = TYPICAL_PITCH * COARSE
    if len(lags) < 3 * COARSE:
        return typical
    total = np.zeros(len(lags) + 1)
    for left in range(0, max(1, ink.shape[1] - width // 2), width // 2):
        profile = cv2.GaussianBlur(ink[:, left : left + width].sum(axis=1)[:, None], (1, 0), 0.15 * COARSE).ravel()
        wide = cv2.GaussianBlur(profile[:, None], (1, 0), 2.5 * COARSE).ravel()
        profile = profile - wide
        spectrum = np.abs(np.fft.rfft(profile, 2 * len(profile))) ** 2
        total += np.fft.irfft(spectrum)[: len(lags) + 1]
    if total[0] <= 0:
        return typical
    total /= total[0]
    peaks = [lag for lag in lags[:-1] if lag >= 1.05 * COARSE and total[lag - 1] <= total[lag] >= total[lag + 1]]
    best = max((total[lag] for lag in peaks), default=0)
    if best < 0.08:
        return typical
    return float(next(lag for lag in peaks if total[lag] >= 0.25 * best))


def _ridges(ink, pitch):
    """Return the Ridges of ink blurred along the writing: local maxima of its columns, followed from column to column."""
    across = max(ACROSS * pitch, min(LEAST_ACROSS * COARSE, MOST_ACROSS * pitch))
    blurred = cv2.GaussianBlur(ink, (0, 0), sigmaX=ALONG * max(COARSE, pitch / 3), sigmaY=across)
    inked = blurred[blurred > 1e-4]
    if not len(inked):
        return []
    padded = np.pad(blurred, ((1, 1), (0, 0)))
    peaks = (blurred >= padded[:-2]) & (blurred > padded[2:]) & (blurred > FAINT * np.percentile(inked, 95))
    active, done = [], []  # each a list of (x, y)
    for x in range(peaks.shape[1]):
        rows = np.flatnonzero(peaks[:, x])
        away = np.abs(rows[:, None] - np.array([track[-1][1] for track in active], np.int64))
        near = sorted((away[k, n], n, int(rows[k])) for k, n in zip(*np.nonzero(away < 3), strict=True))
        followed, used = {}, set()
        for _, n, y in near:
            if n not in followed and y not in used:
                followed[n] = y
                used.add(y)
        for n, track in enumerate(active):
            if n in followed:
                track.append((x, followed[n]))
            else:
                done.append(track)
        active = [active[n] for n in followed] + [[(x, y)] for y in rows.tolist() if y not in used]
    ridges = []
    for track in done + active:
        x, y = np.array(track).T
        ridges.append(Ridge(x, _smooth(y.astype(np.float64)), blurred[y, x]))
    return ridges


def _smooth(values):
    """Return values, float (n,), smoothed by a Gaussian that is half a writing height wide."""
    return cv2.GaussianBlur(values[None], (0, 0), COARSE / 2, borderType=cv2.BORDER_REPLICATE).ravel()


def _without_weak(ridges, pitch):
    """Leave out ridges that for most of their length run along a stronger one, closer than lines are."""
    kept = []
    for ridge in sorted(ridges, key=lambda r: -float(r.strength.sum())):
        beside = np.zeros(len(ridge.x), bool)
        for other in kept:
            y, strength = (np.interp(ridge.x, other.x, values, np.nan, np.nan) for values in (other.y, other.strength))
            beside |= (np.abs(y - ridge.y) < APART * pitch) & (strength > 1.1 * ridge.strength)
        if beside.mean() < 0.5:
            kept.append(ridge)
    return kept


def _joined(ridges, pitch):
    """Join ridges that continue one another across gaps up to WIDEST, the closest and most level first."""
    long = [r for r in ridges if len(r.x) >= 6 * COARSE]
    common = float(np.median([_slope(r) for r in long])) if long else 0.0
    unit = max(COARSE, pitch / 3)
    pairs = []
    for a, before in enumerate(ridges):
        for b, after in enumerate(ridges):
            gap = after.x[0] - before.x[-1]
            if a == b or not -OVERLAP * unit <= gap <= WIDEST * unit or after.x[0] <= before.x[0]:
                continue
            off = abs(_continued(before, -1, gap / 2, common) - _continued(after, 0, -gap / 2, common))
            if off <= LEVEL * pitch:
                pairs.append((off / pitch + 0.05 * max(gap, 0) / COARSE, a, b))
    following, preceded = {}, set()
    for _, a, b in sorted(pairs):
        if a not in following and b not in preceded:
            following[a] = b
            preceded.add(b)
    out = []
    for first in range(len(ridges)):
        if first in preceded:
            continue
        parts, n = [ridges[first]], first
        while (n := following.get(n)) is not None:
            parts.append(ridges[n])
        x, order = np.unique(np.concatenate([r.x for r in parts]), return_index=True)
        out.append(
            Ridge(x, *(np.concatenate([getattr(r, field) for r in parts])[order] for field in ("y", "strength")))
        )
    return out


def _slope(ridge):
    return float(np.polyfit(ridge.x, ridge.y, 1)[0]) if len(ridge.x) > 1 else 0.0


def _continued(ridge, end, step, common):
    """Return y of a ridge `step` coarse pixels beyond its end, 0 or -1. common: the slope assumed for short ridges."""
    part, tip = (slice(-n * COARSE, None) if end else slice(n * COARSE) for n in (TREND, 3))
    near = Ridge(ridge.x[part], ridge.y[part], ridge.strength[part])
    trust = min(1.0, len(near.x) / (TREND * COARSE)) ** 2
    slope = trust * _slope(near) + (1 - trust) * common
    return float(ridge.y[tip].mean()) + slope * (ridge.x[end] + step - float(ridge.x[tip].mean()))


class Centers:
    """The centers of all lines in coarse pixels, given their Ridges on the flat page and its `rows`, see `flattened`.

    Attributes:
        y: float (lines, w), the row of each line in each column, also beyond its ends.
        there: bool (lines, w), whether the line reaches the column, or nearly.
        crossed: int32 (h, w), 1 + the line whose center is there, 0 elsewhere.
        bodies: the same for the height of small letters.
    """

    def __init__(self, ridges, rows, shape):
        columns = np.arange(shape[1])
        reach = 2.5 * COARSE
        level = np.array([np.interp(columns, r.x, r.y) for r in ridges])
        self.y = rows[np.rint(level).astype(np.int64), columns]
        self.there = np.array([(columns >= r.x[0] - reach) & (columns <= r.x[-1] + reach) for r in ridges])
        self.crossed, self.bodies = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        page = np.arange(shape[0])[:, None]
        for n, r in enumerate(ridges):
            others = np.where(self.there, np.abs(self.y - self.y[n]), np.inf)
            others[n] = np.inf
            half = np.minimum(BODY * COARSE, 0.3 * others.min(axis=0))
            own = np.abs(page - self.y[n]) <= half
            own[:, : max(0, r.x[0] - COARSE)] = own[:, r.x[-1] + COARSE :] = False
            self.bodies[own] = n + 1
            self.crossed[own & (np.abs(page - self.y[n]) <= 1)] = n + 1


def _assigned(strokes, ridges, rows, shape, pitch, height):
    """Return the strokes of each line that has some, once ridges that are no lines are left out."""
    centers = Centers(ridges, rows, shape)
    placed = _placed(strokes, centers, COARSE / height)
    false = _false(placed, ridges, centers, pitch)
    if false:
        ridges = [ridge for n, ridge in enumerate(ridges) if n not in false]
        placed = _placed(strokes, Centers(ridges, rows, shape), COARSE / height)
    lines = [[] for _ in ridges]
    for parts in placed:
        for part, line in parts:
            lines[line].append(part)
    return [line for line in lines if line]


def _false(placed, ridges, centers, pitch):
    """Return the lines with little ink that is mostly cut from strokes of other lines, or too close to another line."""
    mass, own = np.zeros(len(ridges)), np.zeros(len(ridges))
    for parts in placed:
        for part, line in parts:
            mass[line] += len(part.y)
            own[line] += len(part.y) * (len(parts) == 1)
    few = np.flatnonzero(mass < LITTLE * np.median(mass[mass > 0])) if mass.any() else ()
    false = set()
    for line in few:
        away = np.abs(centers.y - centers.y[line])[:, ridges[line].x].mean(axis=1)
        away[line] = np.inf
        away[~centers.there[:, ridges[line].x].any(axis=1)] = np.inf
        if own[line] < WHOLE * mass[line] or away.min() < CLOSE * pitch:
            false.add(int(line))
    return false


def _placed(strokes, centers, share):
    """Return a list of (stroke, line) for each stroke: the stroke itself, its parts, or () if no line is near."""
    held = np.zeros(centers.bodies.shape, np.int32)  # 1 + the line of the ink there
    placed, left_over = [()] * len(strokes), []
    for n, s in enumerate(strokes):
        y, x = (s.y * share).astype(np.int64), (s.x * share).astype(np.int64)
        crossed = _counts(centers.crossed[y, x])
        if len(crossed) > 1:
            placed[n] = tuple(_cut(s, list(crossed), centers, y, x))
        elif near := crossed or _counts(centers.bodies[y, x]):
            placed[n] = ((s, max(near, key=near.get)),)
        else:
            left_over.append((n, y, x))
        for part, line in placed[n]:
            held[(part.y * share).astype(np.int64), (part.x * share).astype(np.int64)] = line + 1
    for n, y, x in left_over:
        line = _closest(y, x, centers, held)
        if line is not None:
            placed[n] = ((strokes[n], line),)
    return placed


def _counts(labels):
    """Return {line: number of pixels} of labels of a map of Centers."""
    counts = np.bincount(labels)
    return {line - 1: int(counts[line]) for line in np.flatnonzero(counts).tolist() if line}


def _closest(y, x, centers, held):
    """Return the line of a small stroke in coarse pixels, such as a dot, an accent or a comma; None if none is near."""
    middle, column = (y.min() + y.max()) / 2, int(x.min() + x.max()) // 2
    columns = slice(max(0, x.min() - 2), x.max() + 3)
    best, least = None, np.inf
    for line in np.flatnonzero(centers.there[:, column]).tolist():
        below = centers.y[line, column] - middle  # of the line, seen from the stroke
        if abs(below) > 3 * COARSE:
            continue
        rows = np.flatnonzero((held[:, columns] == line + 1).any(axis=1))
        gap = min(np.abs(rows - middle).min(), 2 * COARSE) if len(rows) else 2 * COARSE
        cost = max(0.0, abs(below) - BODY * COARSE) * (1.0 if below > 0 else 1.3) + gap
        if cost < least:  # a dot more likely belongs to the letter below it than to the one above
            best, least = line, cost
    return best


def _cut(stroke, crossed, centers, y, x):
    """Yield (stroke, line) of the parts of a stroke that crosses the centers of several lines. y, x: in coarse pixels."""
    box = stroke.box
    owner = np.zeros((box.height, box.width), np.int32)  # 1 + line, -1: not yet known
    body = centers.bodies[y, x]
    owner[stroke.y - box.top, stroke.x - box.left] = np.where(np.isin(body - 1, crossed), body, -1)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((owner < 0).astype(np.uint8), connectivity=8)
    padded = np.pad(owner, 1)
    for n, (left, top, w, h) in enumerate(stats[1:, :4].tolist(), start=1):
        part = labels[top : top + h, left : left + w] == n
        rim = cv2.dilate(np.pad(part, 1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        window = padded[top : top + h + 2, left : left + w + 2]
        touched = _counts(np.maximum(window[rim], 0))
        if len(touched) == 1:
            owner[top : top + h, left : left + w][part] = next(iter(touched)) + 1
            continue
        lines = sorted(touched or crossed, key=lambda line: centers.y[line, x[0]])
        counts = part.sum(axis=1)
        edges = []
        for k in range(1, len(lines)):
            low, high = int(h * (k - 0.7) / (len(lines) - 1)), int(np.ceil(h * (k - 0.3) / (len(lines) - 1)))
            edges.append(low + int(np.argmin(counts[low : max(high, low + 1)])))
        ys, xs = np.nonzero(part)
        owner[ys + top, xs + left] = np.array(lines)[np.searchsorted(edges, ys, side="right")] + 1
    for line in crossed:
        ys, xs = np.nonzero(owner == line + 1)
        if len(ys):
            ys, xs = (ys + box.top).astype(np.int32), (xs + box.left).astype(np.int32)
            yield Stroke(ys, xs, box_of_pixels(ys, xs)), line
