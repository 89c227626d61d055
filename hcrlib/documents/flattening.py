"""Make the lines of a page level where they are curved, drift apart, or rise: the local slope is measured and followed.

The slope of a place is that along which blurred ink forms the sharpest lines (anisotropic filters, as by Bukhari et al. 2009,
"Script-independent handwritten textlines segmentation using active contours").
"""

import cv2
import numpy as np

SLOPES = np.linspace(-0.24, 0.24, 13)  # rise per pixel, within the 13 degrees by which photographed pages curve
ALONG = 2.5  # writing heights: deviation of the blur along the slope
ACROSS = 0.2  # and across it
WINDOW = 5.0, 4.0  # writing heights: deviation of the window in which slopes compete, along and across lines
REDUCED = 4  # by what factor the image of sharpness is smaller
SHARPER = 24  # power of the sharpness by which slopes are weighted: the sharpest one counts, and those beside it
LEVEL = 0.015  # smaller slopes are level


def flattened(ink, height):
    """Return (flat, rows): the page with level lines, and the row of each of its pixels on the page, float32 (n, w) both.

    ink: float32 (h, w). height: that of the writing in pixels. Columns stay as they are; n is h if all lines are level already.
    """
    rows = np.repeat(np.arange(len(ink), dtype=np.float32)[:, None], ink.shape[1], axis=1)
    share = min(1.0, 5 / height)
    small = cv2.resize(ink, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    if min(small.shape) < 10:
        return ink, rows
    slope = _slopes(small, height * share)
    if np.abs(slope).max() < LEVEL:
        return ink, rows
    slope = cv2.resize(slope, ink.shape[::-1], interpolation=cv2.INTER_LINEAR)
    width, further = ink.shape[1], int(np.abs(slope).max() * ink.shape[1] / 2) + 1
    rows = np.zeros((len(ink) + 2 * further, width), np.float32)
    rows[:, width // 2] = np.arange(len(rows)) - further
    for columns in (range(width // 2 + 1, width), range(width // 2 - 1, -1, -1)):
        for x in columns:
            before = rows[:, x - columns.step]
            rows[:, x] = before + columns.step * slope[np.clip(np.rint(before), 0, len(ink) - 1).astype(np.int64), x]
    columns = np.repeat(np.arange(width, dtype=np.float32)[None], len(rows), axis=0)
    return cv2.remap(ink, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), rows


def _slopes(ink, height):
    """Return the local slope of lines, float32, for a reduced image: the windows are wide."""
    middle, coarse = ink.shape[1] / 2, tuple(max(1, n // REDUCED) for n in ink.shape[::-1])
    window = {"sigmaX": WINDOW[0] * height / REDUCED, "sigmaY": WINDOW[1] * height / REDUCED}
    sharpness = []
    for slope in SLOPES:
        shear = np.array([[1, 0, 0], [-slope, 1, slope * middle]])
        level = cv2.warpAffine(ink, shear, ink.shape[::-1], flags=cv2.INTER_LINEAR)
        lines = cv2.GaussianBlur(level, (0, 0), sigmaX=ALONG * height, sigmaY=max(0.8, ACROSS * height))
        lines -= cv2.GaussianBlur(lines, (0, 0), sigmaX=0.5, sigmaY=1.5 * height)
        lines = cv2.warpAffine(lines, shear, ink.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        energy = cv2.resize(lines * lines, coarse, interpolation=cv2.INTER_AREA)
        sharpness.append(cv2.GaussianBlur(energy, (0, 0), **window))
    sharpness = np.array(sharpness)
    most = sharpness.max(axis=0)
    weights = (sharpness / np.maximum(most, 1e-12)) ** SHARPER
    slope = np.tensordot(SLOPES, weights, 1) / np.maximum(weights.sum(axis=0), 1e-12)
    trust = most.astype(np.float32) + np.float32(1e-12)
    return cv2.GaussianBlur((slope * trust).astype(np.float32), (0, 0), **window) / cv2.GaussianBlur(
        trust, (0, 0), **window
    )
