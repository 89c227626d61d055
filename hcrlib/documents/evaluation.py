"""How well a page was read, against its truth: boxes found (precision, recall, F1) and the rate of wrong characters (CER)."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from hcrlib.documents.containers import around
from hcrlib.metrics.scores import edits

IOU = 0.5  # boxes that share so much of what they cover together are the same


class Found(NamedTuple):
    """Counts of boxes: right ones, those that were found, those that there are."""

    right: int
    found: int
    there: int

    @property
    def precision(self):
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self):
        return self.right / self.there if self.there else 1.0

    @property
    def f1(self):
        return 2 * self.right / (self.found + self.there) if self.found + self.there else 1.0

    def __add__(self, other):
        return Found(*(a + b for a, b in zip(self, other, strict=True)))


def matched(found, truth, iou=IOU):
    """A Found of boxes against boxes: pairs, each box in one at most, so that as many as can be overlap by `iou`."""
    if not found or not truth:
        return Found(0, len(found), len(truth))
    overlap = overlaps(np.array(found, float), np.array(truth, float))
    rows, columns = linear_sum_assignment(-(overlap >= iou).astype(float))
    return Found(int((overlap[rows, columns] >= iou).sum()), len(found), len(truth))


def overlaps(a, b):
    """float (n, m): IoU of boxes (n, 4) with boxes (m, 4)."""
    a, b = a.reshape(-1, 1, 4), b.reshape(1, -1, 4)
    size = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    shared = size[..., 0] * size[..., 1]
    areas = ((c[..., 2] - c[..., 0]) * (c[..., 3] - c[..., 1]) for c in (a, b))
    return shared / np.maximum(sum(areas) - shared, 1e-9)


def boxes_found(page, truth):
    """{"lines", "words", "characters": Found} of a Page that was read, in pixels of its file, against the true Page."""

    def of(one, level):
        boxes = {
            "lines": lambda: [around(w.box for w in line.words) for line in one.lines],
            "words": lambda: [word.box for word in one.words],
            "characters": lambda: [c.box for word in one.words for c in word.characters],
        }[level]()
        return [one.source_box(box) for box in boxes] if one is page else boxes

    return {level: matched(of(page, level), of(truth, level)) for level in ("lines", "words", "characters")}


class Errors(NamedTuple):
    """Characters: edits between what was read and the truth, and how many the truth has."""

    edits: int
    there: int

    @property
    def rate(self):
        return self.edits / self.there if self.there else 0.0

    def __add__(self, other):
        return Errors(self.edits + other.edits, self.there + other.there)


def character_errors(said, truth, *, fold_case=False):
    """Errors of a text, white space counted as one space each (the character error rate, CER, is their rate)."""
    said, truth = (" ".join(text.split()) for text in (said, truth))
    if fold_case:
        said, truth = said.lower(), truth.lower()
    return Errors(edits(said, truth), len(truth))
