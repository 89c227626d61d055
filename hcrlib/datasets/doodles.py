"""Draw what is not a character: scribbles, crosses, stars, faces, leaves, arrows, hatching, spirals, blots."""

import cv2
import numpy as np

SIZES = 40, 110  # pixels of the longer side
PENS = 0.02, 0.1  # of that: widths of strokes
STARS = (3, 1), (5, 2), (6, 1), (7, 2), (7, 3), (8, 3)  # corners, and how many of them each side goes on


def doodle(kind, rng):
    """Return float32 (h, w), 0..1, the ink of one of KINDS. rng: numpy.random.Generator."""
    size = round(float(np.exp(rng.uniform(*np.log(SIZES)))))
    if kind == "blots":
        noise = rng.random((rng.integers(4, 14),) * 2).astype(np.float32)
        noise = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
        return (noise > np.quantile(noise, rng.uniform(0.5, 0.85))).astype(np.float32)
    ink, pen = np.zeros((size, size), np.uint8), max(1, round(float(rng.uniform(*PENS)) * size))
    lines = _LINES[kind](rng)
    low, high = (
        np.min([line.min(axis=0) for line in lines], axis=0),
        np.max([line.max(axis=0) for line in lines], axis=0),
    )
    scale = (size - 2 * pen) / max(high - low)
    for line in lines:
        points = (line - low) * scale + pen
        cv2.polylines(ink, [np.round(points * 16).astype(np.int32)], False, 255, pen, cv2.LINE_AA, 4)
    return ink.astype(np.float32) / 255


def _curve(corners):
    """Return float (n, 2), a smooth curve near the corners (Chaikin 1974)."""
    for _ in range(3):
        first, second = corners[:-1], corners[1:]
        cut = np.stack([0.75 * first + 0.25 * second, 0.25 * first + 0.75 * second], axis=1).reshape(-1, 2)
        corners = np.concatenate([corners[:1], cut, corners[-1:]])
    return corners


def _round(middle, radii, start=0.0, end=2 * np.pi):
    """Return float (n, 2), an arc of an ellipse."""
    turns = np.linspace(start, end, 40)
    return np.asarray(middle) + np.asarray(radii) * np.stack([np.cos(turns), np.sin(turns)], axis=1)


def _scribble(rng):
    corners = rng.uniform(0, 1, (rng.integers(7, 30), 2))
    return [_curve(corners) if rng.random() < 0.6 else corners]


def _strokes(rng):
    return [_curve(rng.uniform(0, 1, (rng.integers(2, 5), 2))) for _ in range(rng.integers(4, 10))]


def _cross(rng):
    turn, lines = rng.choice([0, np.pi / 4]) + rng.normal(0, 0.12), []
    for angle in (turn, turn + np.pi / 2 + rng.normal(0, 0.1)):
        way = rng.uniform(0.3, 0.5) * np.array([np.cos(angle), np.sin(angle)])
        lines.append(np.array([-way, way]) + rng.normal(0, 0.03, 2))
    return lines


def _star(rng):
    corners, step = STARS[rng.integers(len(STARS))]
    turns = rng.uniform(0, 2 * np.pi) + 2 * np.pi * step * np.arange(corners + 1) / corners
    return [np.stack([np.cos(turns), np.sin(turns)], axis=1) * rng.uniform(0.7, 1, 2)]


def _face(rng):
    eyes = [_round((side * rng.uniform(0.3, 0.4), rng.uniform(-0.4, -0.2)), (0.06, 0.06)) for side in (-1, 1)]
    smile = _round((0, 0.1), (0.5, rng.choice([-0.25, 0.4])), 0.15 * np.pi, 0.85 * np.pi)
    return [_round((0, 0), rng.uniform(0.8, 1, 2)), *eyes, smile]


def _hatching(rng):
    lines = []
    for at in np.linspace(0, 1, rng.integers(3, 8)):
        lines.append(np.array([[at, 0], [at + rng.normal(0, 0.05), 1]]))
        if rng.random() < 0.8:
            lines.append(np.array([[0, at], [1, at + rng.normal(0, 0.05)]]))
    return lines


def _spiral(rng):
    turns = np.linspace(0, rng.uniform(3, 9) * np.pi, 150)
    return [turns[:, None] * np.stack([np.cos(turns), rng.choice([-1, 1]) * np.sin(turns)], axis=1)]


def _zigzag(rng):
    n = int(rng.integers(7, 16))
    corners = np.stack(
        [np.arange(n) * rng.uniform(0.1, 0.4), (-1.0) ** np.arange(n) * rng.uniform(0.2, 0.6, n)], axis=1
    )
    corners = _curve(corners) if rng.random() < 0.4 else corners
    return [corners if rng.random() < 0.7 else corners[:, ::-1]]


def _outline(rng):
    """Return a closed curve with lobes and dents, such as a cloud."""
    turns, radius = np.linspace(0, 2 * np.pi, 80), 1.0
    for lobes in range(3, int(rng.integers(5, 9))):
        radius = radius + rng.normal(0, 1.2 / lobes) * np.cos(lobes * turns + rng.uniform(0, 2 * np.pi))
    return [np.abs(radius)[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)]


def _leaf(rng):
    """Return a closed curve of lobes between sharp dents, such as a clover; of one lobe with a tip: a heart."""
    turns, lobes = np.linspace(0, 2 * np.pi, 120), rng.choice([1, 3, 4, 5])  # of two, it may be an 8
    radius = 1 - rng.uniform(0.4, 0.9) * (1 - np.abs(np.sin(lobes * turns / 2)) ** rng.uniform(0.2, 0.5))
    if lobes == 1 or rng.random() < 0.5:
        radius = radius + rng.uniform(0.4, 0.9) * np.exp(-(((turns - np.pi) / rng.uniform(0.3, 0.9)) ** 2))
    curve = radius[:, None] * np.stack([np.sin(turns), -np.cos(turns)], axis=1) * rng.uniform(0.7, 1, 2)
    turn = rng.normal(0, 0.5)
    return [curve @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])]


def _arrow(rng):
    length, head = rng.uniform(0.5, 1.5), rng.uniform(0.15, 0.4, 2)
    tip = np.array([[length - head[0], -head[1]], [length, 0], [length - head[0], head[1]]])
    tail = np.array([[0, 0], [length / 2, rng.normal(0, 0.1)], [length, 0]])
    turn = rng.uniform(0, 2 * np.pi)
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return [_curve(tail) @ turned, tip @ turned]


def _drawing(rng):
    """Return several figures together, such as a house or a car."""
    lines = []
    for _ in range(rng.integers(2, 6)):
        middle, radii = rng.uniform(0.15, 0.85, 2), rng.uniform(0.08, 0.5, 2)
        if rng.random() < 0.4:
            lines.append(_round(middle, radii))
        else:
            corners = rng.choice(
                [[[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]], [[-1, 1], [0, -1], [1, 1], [-1, 1], [-1, 1]]]
            )
            lines.append(middle + radii * corners)
    return lines


_LINES = {
    "scribble": _scribble,
    "strokes": _strokes,
    "star": _star,
    "face": _face,
    "hatching": _hatching,
    "spiral": _spiral,
    "zigzag": _zigzag,
    "outline": _outline,
    "leaf": _leaf,
    "drawing": _drawing,
    "arrow": _arrow,
    "cross": _cross,  # a letter, where there are letters
}
KINDS = (*_LINES, "blots")
