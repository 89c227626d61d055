"""Pixel importance by occlusion: what the erasure of each part of an image changes (Zeiler and Fergus 2014, section 4.2)."""

import numpy as np

from .character_model import best_shapes

PATCH = 5  # pixels on a side
STEP = 2


def occlusion(model, glyph, alphabet=None):
    """Return float32 (28, 28) in -1..1: each pixel's contribution to the probability of the answered class.

    It is the mean loss of probability over the erased square patches that cover the pixel; 0 where there was no ink to
    erase. glyph: uint8 (28, 28). alphabet: as for `model.read`.
    """
    images, patches = erasures(glyph)
    scores = model.probabilities(images, alphabet)
    answered = best_shapes(scores[:1], model.alike)[0][0]
    return contributions(scores[0, answered] - scores[1:, answered], patches, glyph.shape)


def erasures(image, blank=0):
    """Return an image and its copies with one patch erased each, (1 + n, h, w), and the n patches, as pairs of slices.

    Only patches that hold ink are erased. blank: the value of paper, or (h, w).
    """
    side = len(image)
    corners = range(1 - PATCH, side, STEP)
    patches = [(_span(row), _span(column)) for row in corners for column in corners]
    blank = np.broadcast_to(np.asarray(blank, image.dtype), image.shape)
    patches = [patch for patch in patches if (image[patch] != blank[patch]).any()]
    images = np.repeat(image[None], 1 + len(patches), axis=0)
    for erased, patch in zip(images[1:], patches):
        erased[patch] = blank[patch]
    return images, patches


def contributions(losses, patches, shape):
    """Return float32 of that shape: for each pixel the mean loss, (n,), over the erased patches that cover it, or 0."""
    total, covered = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for loss, patch in zip(losses, patches):
        total[patch] += loss
        covered[patch] += 1
    return total / np.maximum(covered, 1)


def _span(start):
    return slice(max(start, 0), start + PATCH)
