"""Which pixels mattered: how much less probable an answer is with a part of the glyph wiped (Zeiler and Fergus 2014, 5)."""

import numpy as np

PATCH = 5  # pixels on a side
STEP = 2


def occlusion(model, glyph):
    """float32 (28, 28) in -1..1: what each pixel adds to the probability of the answer to a uint8 (28, 28) glyph.

    The mean, over the square patches that cover a pixel, of what the probability loses where the patch is without ink; 0
    where there is no ink to wipe.
    """
    side = len(glyph)
    corners = [
        (row, column)
        for row in range(1 - PATCH, side, STEP)
        for column in range(1 - PATCH, side, STEP)
        if glyph[max(row, 0) : row + PATCH, max(column, 0) : column + PATCH].any()
    ]
    wiped = np.repeat(glyph[None], 1 + len(corners), axis=0)
    for image, (row, column) in zip(wiped[1:], corners):
        image[max(row, 0) : row + PATCH, max(column, 0) : column + PATCH] = 0
    scores = model.scores(wiped)
    lost = scores[0].max() - scores[1:, scores[0].argmax()]
    total, covered = np.zeros(glyph.shape, np.float32), np.zeros(glyph.shape, np.float32)
    for part, (row, column) in zip(lost, corners):
        at = slice(max(row, 0), row + PATCH), slice(max(column, 0), column + PATCH)
        total[at] += part
        covered[at] += 1
    return total / np.maximum(covered, 1)
