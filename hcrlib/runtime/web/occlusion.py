"""Pixel importance by occlusion: the loss of probability when a part of the glyph is erased (Zeiler and Fergus 2014, 5)."""

import numpy as np

from ..character_model import best_shapes

PATCH = 5  # pixels on a side
STEP = 2


def occlusion(model, glyph, alphabet=None):
    """Return float32 (28, 28) in -1..1: each pixel's contribution to the probability of the answered class.

    It is the mean loss of probability over the erased square patches that cover the pixel; 0 where there was no ink to
    erase. glyph: uint8 (28, 28). alphabet: as for `model.read`.
    """
    side = len(glyph)
    corners = [
        (row, column)
        for row in range(1 - PATCH, side, STEP)
        for column in range(1 - PATCH, side, STEP)
        if glyph[_patch(row, column)].any()
    ]
    erased = np.repeat(glyph[None], 1 + len(corners), axis=0)
    for image, corner in zip(erased[1:], corners):
        image[_patch(*corner)] = 0
    scores = model.probabilities(erased, alphabet)
    answered = best_shapes(scores[:1], model.alike)[0][0]
    losses = scores[0, answered] - scores[1:, answered]
    total, covered = np.zeros(glyph.shape, np.float32), np.zeros(glyph.shape, np.float32)
    for loss, corner in zip(losses, corners):
        total[_patch(*corner)] += loss
        covered[_patch(*corner)] += 1
    return total / np.maximum(covered, 1)


def _patch(row, column):
    return slice(max(row, 0), row + PATCH), slice(max(column, 0), column + PATCH)
