"""Pictures of no character, for `hcr bench inputs`.

Hearts, houses and textures are unlike anything in training (datasets.doodles); the other kinds are drawn by other rules.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 300  # pixels


def word(rng, glyphs):
    """Return a word of three to five characters side by side. glyphs: uint8 (n, 28, 28)."""
    chosen = [glyphs[at] for at in rng.integers(0, len(glyphs), rng.integers(3, 6))]
    large = [np.asarray(Image.fromarray(glyph).resize((100, 100), Image.BICUBIC))[:, 12:-12] for glyph in chosen]
    return 255 - np.pad(np.concatenate(large, axis=1), 40)


def lines(rng, *paths):
    """Return lines through points, float (n, 2) in 0..1, drawn with a pen of any width."""
    image = Image.new("L", (SIDE, SIDE), 255)
    pen = int(rng.integers(3, 16))
    for path in paths:
        ImageDraw.Draw(image).line([tuple(point) for point in SIDE * np.asarray(path)], 0, pen, joint="curve")
    return np.asarray(image)


def scribble(rng, glyphs):
    return lines(rng, rng.uniform(0.13, 0.87, (rng.integers(12, 25), 2)))


def heart(rng, glyphs):
    t = np.linspace(0, 2 * np.pi, 60)
    down = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return lines(rng, 0.5 + 0.02 * np.stack([16 * np.sin(t) ** 3, -down], axis=1))


def house(rng, glyphs):
    walls = [(0.27, 0.83), (0.27, 0.47), (0.5, 0.2), (0.73, 0.47), (0.73, 0.83), (0.27, 0.83)]
    door = [(0.43, 0.83), (0.43, 0.63), (0.55, 0.63), (0.55, 0.83)]
    return lines(rng, walls, [(0.27, 0.47), (0.73, 0.47)], door)


def cross(rng, glyphs):
    ends = np.array([[[0.2, 0.2], [0.8, 0.8]], [[0.8, 0.2], [0.2, 0.8]]])
    if rng.random() < 0.5:
        ends = np.array([[[0.5, 0.2], [0.5, 0.8]], [[0.2, 0.5], [0.8, 0.5]]])
    return lines(rng, *(ends + rng.normal(0, 0.03, ends.shape)))


def smiley(rng, glyphs):
    t = np.linspace(0, 2 * np.pi, 40)
    circle = np.stack([np.cos(t), np.sin(t)], axis=1)
    eyes = [np.array([0.5 + side * 0.13, 0.4]) + 0.03 * circle for side in (-1, 1)]
    return lines(rng, 0.5 + 0.35 * circle, *eyes, np.array([0.5, 0.5]) + 0.18 * circle[2:18])


def arrow(rng, glyphs):
    turn = rng.uniform(0, 2 * np.pi)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shaft, head = np.array([[-0.35, 0], [0.35, 0]]), np.array([[0.1, -0.2], [0.35, 0], [0.1, 0.2]])
    return lines(rng, 0.5 + shaft @ turned.T, 0.5 + head @ turned.T)


def noise(rng, glyphs):
    return rng.integers(0, 256, (120, 120)).astype(np.uint8)


def texture(rng, glyphs):
    """Return coarse noise, such as of wood, cloth or leaves."""
    values = Image.fromarray(rng.integers(0, 256, (SIDE, SIDE)).astype(np.uint8))
    smooth = np.asarray(values.filter(ImageFilter.GaussianBlur(float(rng.uniform(3, 15)))), float)
    low, high = smooth.min(), smooth.max()
    return np.rint(255 * (smooth - low) / (high - low)).astype(np.uint8)


def blank(rng, glyphs):
    """Return paper with grain, in uneven light, in the shadow of something."""
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]
    turn, way = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8)
    across = np.cos(turn) * (x - way) + np.sin(turn) * (y - way)
    shadow = 1 / (1 + np.exp(-np.clip(across * rng.choice([8, 30, 1000]), -50, 50)))
    paper = rng.uniform(120, 250) * (1 - rng.uniform(0, 0.5) * shadow) * (1 - rng.uniform(0, 0.3) * x)
    return np.clip(paper + rng.normal(0, rng.uniform(0, 6), paper.shape), 0, 255).astype(np.uint8)


KINDS = {each.__name__: each for each in (word, scribble, smiley, heart, house, arrow, noise, texture, blank)}
NO_DIGIT = {"cross": cross}  # a letter, where there are letters
