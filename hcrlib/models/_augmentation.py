"""Random changes to training images while they are fed to a network."""

import dataclasses

import numpy as np

CHUNK = 64  # images per step, so that intermediate arrays fit the processor's cache; random numbers depend on it
GRID = 5  # control points of an elastic distortion, each way


def shifted(x, most, rng):
    """Return x (n, h, w, 1), each image shifted by random whole numbers of pixels in [-most, most], padded with 0.

    Source: Simard, Steinkraus and Platt 2003 (translations); rng: numpy.random.RandomState.
    """
    n, h, w, _ = x.shape
    padded = np.pad(x, ((0, 0), (most, most), (most, most), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (h, w), axis=(1, 2))  # (n, down, right, 1, h, w)
    down, right = rng.randint(0, 2 * most + 1, (2, n))
    return windows[np.arange(n), down, right].transpose(0, 2, 3, 1)


def moved(x, down, right):
    """Return x (n, h, w), every image shifted by the same whole number of pixels, which may be negative, padded with 0."""
    h, w = x.shape[1:]
    most = max(abs(down), abs(right))
    padded = np.pad(x, ((0, 0), (most, most), (most, most)))
    return padded[:, most - down : most - down + h, most - right : most - right + w]


@dataclasses.dataclass(frozen=True)
class Distortion:
    """Limits of random distortions of an image, each drawn uniformly in both directions.

    rotation, shear: degrees. scale: of the size, independently each way (0.1: from 0.9 to 1.1). translation: pixels.
    perspective: how much larger one edge may be than the middle. elastic: standard deviation of a smooth displacement field in
    pixels. cutout: side of a square set to 0, in pixels.

    Sources: Simard, Steinkraus and Platt 2003 (affine and elastic distortions), DeVries and Taylor 2017 (cut-out).
    """

    rotation: float = 0.0
    shear: float = 0.0
    scale: float = 0.0
    translation: float = 0.0
    perspective: float = 0.0
    elastic: float = 0.0
    cutout: int = 0

    def apply(self, x, rng):
        """Return float32 (n, h, w, 1), distorted with a single resampling, padded with 0. rng: numpy.random.RandomState."""
        out = np.empty(x.shape, np.float32)
        for start in range(0, len(x), CHUNK):
            part = x[start : start + CHUNK, :, :, 0]
            out[start : start + CHUNK, :, :, 0] = _sampled(part, *self._sources(part.shape, rng))
        if self.cutout:
            _cut(out, self.cutout, rng)
        return out

    def _sources(self, shape, rng):
        """Return (rows, columns), float32 (n, h, w) each: the source coordinates of each new pixel."""
        n, h, w = shape

        def draw(limit):
            return rng.uniform(-limit, limit, (n, 1, 1)).astype(np.float32)

        angle, slant = np.radians(draw(self.rotation)), np.tan(np.radians(draw(self.shear)))
        tall, wide = 1 + draw(self.scale), 1 + draw(self.scale)
        limits = self.translation, self.translation, self.perspective, self.perspective
        down, right, tilt, turn = map(draw, limits)
        y = (np.arange(h, dtype=np.float32) - (h - 1) / 2)[None, :, None]
        x = (np.arange(w, dtype=np.float32) - (w - 1) / 2)[None, None, :]
        cos, sin = np.cos(angle), np.sin(angle)
        rows = (cos * y - sin * x) / tall - down
        columns = (sin * y + cos * x + slant * y) / wide - right
        if self.perspective:
            depth = 1 / (1 + tilt * y * (2 / h) + turn * x * (2 / w))
            rows, columns = rows * depth, columns * depth
        if self.elastic:
            field = rng.normal(0, self.elastic, (2, n, GRID, GRID)).astype(np.float32)
            down, right = _spline(h) @ field @ _spline(w).T
            rows, columns = rows + down, columns + right
        return rows + (h - 1) / 2, columns + (w - 1) / 2


def strayed(line, strength, rng):
    """Distort a prepared line by slant, scale, slope, waves and pen width.

    line: float32 (h, w), ink 1. strength: 1 for natural variation, 0 for none. rng: numpy.random.RandomState. Sources: as of
    Distortion; Wigington et al. 2017 (grids of displacements for lines).
    """
    import cv2

    if not strength:
        return line
    height, width = line.shape
    lean, slope = strength * rng.uniform(-0.25, 0.25), strength * rng.uniform(-0.015, 0.015)
    wide, tall = np.exp(strength * rng.uniform(-0.16, 0.16)), np.exp(strength * rng.uniform(-0.14, 0.06))
    down = strength * rng.uniform(-0.05, 0.05) * height
    new = max(4, round(width * wide))
    y, x = np.mgrid[:height, :new].astype(np.float32)
    about = y - height / 2
    field = rng.normal(0, 0.7 * strength, (2, 4, max(2, round(new / 14)))).astype(np.float32)
    waves = [cv2.resize(one, (new, height), interpolation=cv2.INTER_CUBIC) for one in field]
    columns = x / np.float32(wide) + np.float32(lean) * about + waves[0]
    rows = about / np.float32(tall) + np.float32(height / 2 - down) + np.float32(slope) * (x - new / 2) + waves[1]
    moved = cv2.remap(line, columns, rows.astype(np.float32), cv2.INTER_LINEAR)
    return _inked(moved, strength, rng)


def _inked(line, strength, rng):
    """Vary the pen's width, its pressure and the grain."""
    import cv2

    share, kernel = np.float32(strength * rng.uniform(-0.6, 0.6)), np.ones((2, 2), np.uint8)
    other = cv2.dilate(line, kernel) if share > 0 else cv2.erode(line, kernel)
    line = np.clip(line + abs(share) * (other - line), 0, 1)
    line = np.power(line, np.float32(np.exp(strength * rng.uniform(-0.4, 0.4))))
    grain = rng.normal(0, 0.03 * strength * rng.uniform(), line.shape).astype(np.float32)
    return np.clip(line + grain, 0, 1)


def mixed(x, targets, alpha, rng):
    """Blend images and one-hot targets with those of other images, with weights from Beta(alpha, alpha) (Zhang et al. 2018)."""
    share = rng.beta(alpha, alpha, len(x)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(len(x))
    a, b = share[:, None, None, None], share[:, None]
    return a * x + (1 - a) * x[other], b * targets + (1 - b) * targets[other]


def _spline(size):
    """Return float32 (size, GRID), the weight of each control point in each pixel, by a uniform cubic B-spline.

    Scaled so that independent control points of a standard deviation make a field of that standard deviation.
    """
    away = np.abs(np.linspace(0.5, GRID - 1.5, size)[:, None] - np.arange(GRID))
    near, far = 2 / 3 - away**2 + away**3 / 2, np.maximum(2 - away, 0) ** 3 / 6
    weights = np.where(away < 1, near, far)
    return (weights / np.sqrt((weights**2).sum(axis=1, keepdims=True))).astype(np.float32)


def _sampled(x, rows, columns):
    """Return x (n, h, w) sampled at fractional coordinates (n, h, w), 0 outside, by cubic convolution (Keys 1981).

    Linear interpolation would blur the training images but not the test images.
    """
    n, h, w = x.shape
    padded = np.pad(x, ((0, 0), (3, 3), (3, 3)))
    rows, columns = np.clip(rows, -2, h) + np.float32(3), np.clip(columns, -2, w) + np.float32(3)
    top, left = rows.astype(np.int32), columns.astype(np.int32)
    down, right = _keys(rows - top), _keys(columns - left)
    first = np.arange(n)[:, None, None] * ((h + 6) * (w + 6))  # int64: faster to index with
    indices = first + (top - 1) * (w + 6) + (left - 1)
    flat, out = padded.ravel(), np.zeros(rows.shape, np.float32)
    for i in range(4):
        line = flat.take(indices) * right[0]
        for j in range(1, 4):
            line += flat[j:].take(indices) * right[j]
        out += line * down[i]
        indices += w + 6
    return np.clip(out, x.min(), x.max(), out=out)


def _keys(t):
    """Return the weights of the neighbors at -1, 0, 1 and 2 for a position t in [0, 1); they sum to 1."""
    return (
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    )


def _cut(x, side, rng):
    """Set a square of each image, centered at a random pixel, to 0 in place."""
    n, h, w, _ = x.shape
    y, x0 = rng.randint(0, h, (n, 1)), rng.randint(0, w, (n, 1))
    offsets = np.arange(h) - y + side // 2, np.arange(w) - x0 + side // 2
    rows, columns = ((offset >= 0) & (offset < side) for offset in offsets)
    x[rows[:, :, None] & columns[:, None, :]] = 0
