"""Score a page against its ground truth: boxes (precision, recall, F1) and the character error rate (CER)."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from hcrlib.documents.containers import around
from hcrlib.metrics.scores import edits

IOU = 0.5  # boxes with at least this intersection over union match


class Found(NamedTuple):
    """Counts of boxes: correct ones, those found, and those in the ground truth."""

    right: int
    found: int
    there: int

    @property
    def precision(self):
        """The share of the found boxes that are correct, 0..1; 1 if none was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self):
        """The share of the true boxes that were found, 0..1; 1 if there are none."""
        return self.right / self.there if self.there else 1.0

    @property
    def f1(self):
        """The harmonic mean of precision and recall, 0..1."""
        return 2 * self.right / (self.found + self.there) if self.found + self.there else 1.0

    def __add__(self, other):
        return Found(*(a + b for a, b in zip(self, other, strict=True)))


def matched(found, truth, iou=IOU):
    """Match boxes one to one, as many pairs with an IoU of at least `iou` as possible, and return the counts as Found."""
    if not found or not truth:
        return Found(0, len(found), len(truth))
    overlap = overlaps(np.array(found, float), np.array(truth, float))
    rows, columns = linear_sum_assignment(-(overlap >= iou).astype(float))
    return Found(int((overlap[rows, columns] >= iou).sum()), len(found), len(truth))


def overlaps(a, b):
    """Return the IoU of boxes (n, 4) with boxes (m, 4), float (n, m)."""
    a, b = a.reshape(-1, 1, 4), b.reshape(1, -1, 4)
    size = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    shared = size[..., 0] * size[..., 1]
    areas = ((c[..., 2] - c[..., 0]) * (c[..., 3] - c[..., 1]) for c in (a, b))
    return shared / np.maximum(sum(areas) - shared, 1e-9)


def boxes_found(page, truth):
    """Return {"lines", "words", "characters": Found} of a recognized Page against the true Page, in pixels of the file."""

    def boxes_of(source, level):
        boxes = {
            "lines": lambda: [around(w.box for w in line.words) for line in source.lines],
            "words": lambda: [word.box for word in source.words],
            "characters": lambda: [c.box for word in source.words for c in word.characters],
        }[level]()
        return [source.source_box(box) for box in boxes] if source is page else boxes

    return {level: matched(boxes_of(page, level), boxes_of(truth, level)) for level in ("lines", "words", "characters")}


class Errors(NamedTuple):
    """Edits between recognized and true text, and the number of true characters."""

    edits: int
    there: int

    @property
    def rate(self):
        """Edits per true character; 0 if there are none."""
        return self.edits / self.there if self.there else 0.0

    def __add__(self, other):
        return Errors(self.edits + other.edits, self.there + other.there)


def character_errors(recognized, truth, *, fold_case=False):
    """Return the Errors of recognized text; runs of white space count as one space. Errors.rate is the CER."""
    recognized, truth = (" ".join(text.split()) for text in (recognized, truth))
    if fold_case:
        recognized, truth = recognized.lower(), truth.lower()
    return Errors(edits(recognized, truth), len(truth))
