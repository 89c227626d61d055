"""What surrounds the writing in lines that are cut from pages: random additions to training images of lines."""

import numpy as np

REACH = 0.22  # of the height: how far strokes of a neighboring line reach into the image


def cluttered(line, other, chance, rng):
    """Add ruled lines, strokes of neighboring lines, blur, coarse pixels and specks, each with the given chance.

    line, other: float32 (h, w), ink 1; other: the line whose strokes reach into the image. chance: 0..1, of each addition.
    rng: numpy.random.RandomState. Returns float32 (h, w).
    """
    line = line.copy()
    for change in (_neighbor, _rule, _softer, _specks):
        if rng.uniform() < chance * SHARES[change]:
            line = change(line, other, rng)
    return np.clip(line, 0, 1)


def _neighbor(line, other, rng):
    """Let the lower strokes of another line reach in from above, or its upper ones from below."""
    height, width = line.shape
    depth = max(1, round(rng.uniform(0.05, REACH) * height))
    strip = np.tile(other, (1, -(-width // other.shape[1])))[:, :width]
    strip = np.roll(strip, rng.randint(width), axis=1)
    if rng.uniform() < 0.5:
        line[:depth] = np.maximum(line[:depth], strip[-depth - 4 : -4] if depth + 4 < len(strip) else strip[-depth:])
    else:
        line[-depth:] = np.maximum(line[-depth:], strip[4 : 4 + depth])
    return line


def _rule(line, other, rng):
    """Draw a ruled line, sloping by up to two pixels."""
    height, width = line.shape
    rows = rng.uniform(0.5, 0.95) * height + np.linspace(0, rng.uniform(-2, 2), width)
    rows = np.clip(rows.astype(int), 0, height - 2)
    strength, columns = np.float32(rng.uniform(0.1, 0.6)), np.arange(width)
    line[rows, columns] = np.maximum(line[rows, columns], strength)
    if rng.uniform() < 0.5:
        line[rows + 1, columns] = np.maximum(line[rows + 1, columns], strength * np.float32(0.6))
    return line


def _softer(line, other, rng):
    """Blur the image, or take it through a lower resolution."""
    import cv2

    if rng.uniform() < 0.5:
        return cv2.GaussianBlur(line, (0, 0), rng.uniform(0.4, 1.0))
    height, width = line.shape
    share = rng.uniform(0.45, 0.8)
    small = cv2.resize(line, (max(2, round(width * share)), round(height * share)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _specks(line, other, rng):
    """Add a few dark pixels, and a background that is not quite clean."""
    n = rng.randint(1, 12)
    rows, columns = rng.randint(0, line.shape[0] - 1, n), rng.randint(0, max(1, line.shape[1] - 1), n)
    line[rows, columns] = rng.uniform(0.3, 1.0, n)
    return line + np.float32(rng.uniform(0, 0.08))


SHARES = {_neighbor: 0.7, _rule: 0.5, _softer: 0.6, _specks: 0.3}  # of the chance
