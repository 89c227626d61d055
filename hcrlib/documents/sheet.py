"""Find the sheet of paper in a photo and rectify it."""

from typing import NamedTuple

import cv2
import numpy as np

LINE = 3  # aspect ratio: longer images are lines cut from a page, not photos of a page
SMALL = 480  # pixels of the longer side of the reduced image in which the sheet is found
FLAT = 7  # most change of lightness between neighboring pixels of a sheet
QUAD = 0.85  # least share of a quadrilateral covered by the sheet for perspective to be corrected
APART = 20  # least color difference (CIELAB) between a sheet and its background


class Sheet(NamedTuple):
    """Corners of a sheet, float32 (4, 2), clockwise from the top left, or None; its mask, uint8 (h, w), 255 on the sheet."""

    corners: np.ndarray
    mask: np.ndarray


def sheet(image):
    """Return the Sheet in a photo, or None if the image shows a sheet from edge to edge.

    A sheet is the largest bright region whose lightness changes slowly, bounded by edges, wood or print; the holes that writing
    leaves in it are filled.
    """
    if max(image.shape[:2]) > LINE * min(image.shape[:2]):
        return None
    share = SMALL / max(image.shape[:2])
    small = scaled(image, share) if share < 1 else image
    lab = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), (0, 0), 1.2)
    change = cv2.morphologyEx(lab, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    even = (change < FLAT).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(even, connectivity=4)
    light = np.bincount(labels.ravel(), lab[..., 0].ravel(), len(stats)) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    score = stats[:, cv2.CC_STAT_AREA] * np.clip(light - 40, 0, None) ** 2
    score[0] = 0
    if not score.any():
        return None
    region = _filled(cv2.dilate((labels == score.argmax()).astype(np.uint8), np.ones((3, 3), np.uint8)))
    covered, edges = region.mean(), np.concatenate([region[2], region[-3], region[:, 2], region[:, -3]]).mean()
    if covered < 0.15 or covered > 0.97 or edges > 0.9:
        return None
    inside, outside = (np.median(lab[region == value], axis=0) for value in (1, 0))
    if np.hypot(*(inside - outside)[1:]) + abs(inside[0] - outside[0]) < APART:  # the same paper on both sides
        return None
    mask = cv2.resize(region * 255, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    corners = _corners(region)
    return Sheet(None if corners is None else corners / min(share, 1), mask)


def flat(image, found):
    """Rectify the sheet `found`: return (its image, its mask, the 3x3 homography back to `image`)."""
    if found.corners is None:
        return image, found.mask, np.eye(3)
    a, b, c, d = found.corners
    width = round(float(max(np.hypot(*(b - a)), np.hypot(*(c - d)))))
    height = round(float(max(np.hypot(*(d - a)), np.hypot(*(c - b)))))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(found.corners.astype(np.float32), target)
    mask = cv2.warpPerspective(found.mask, matrix, (width, height), flags=cv2.INTER_NEAREST)
    mask = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=max(1, min(width, height) // 200), borderValue=0)
    return cv2.warpPerspective(image, matrix, (width, height)), mask, np.linalg.inv(matrix)


def _filled(region):
    """Return the region, uint8 (h, w), filled within its outermost contour."""
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    out = np.zeros_like(region)
    cv2.drawContours(out, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return out


def _corners(region):
    """Return the corners of a quadrilateral region, float32 (4, 2), clockwise from the top left; None for other shapes."""
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(outlines[0])
    for tolerance in np.arange(0.01, 0.1, 0.005):
        points = cv2.approxPolyDP(hull, tolerance * cv2.arcLength(hull, True), True).reshape(-1, 2).astype(np.float32)
        if len(points) <= 4:
            break
    area = float(region.sum())
    if len(points) != 4 or not QUAD < area / cv2.contourArea(points) < 1 / QUAD:
        return None
    start = points.sum(axis=1).argmin()
    points = np.roll(points, -start, axis=0)
    across, down = points[1] - points[0], points[3] - points[0]
    return points if across[0] * down[1] - across[1] * down[0] > 0 else points[[0, 3, 2, 1]]


def scaled(image, share):
    """Scale an image, uint8, by `share`, to at least one pixel each way."""
    size = tuple(max(1, round(n * share)) for n in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC)
