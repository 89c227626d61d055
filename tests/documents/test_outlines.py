"""Baselines and polygons of drawn rows."""

import cv2
import numpy as np

from hcrlib.documents import layout, outlines
from hcrlib.documents.containers import Box, Line, Page
from hcrlib.documents.strokes import Row, components


def rows():
    """Return two Rows, ink bool (h, w): rings on the baselines 100 and 140; a tail of the first reaches down to 128."""
    ink = np.zeros((220, 600), np.uint8)
    for y in (100, 140):
        for x in range(60, 540, 30):
            cv2.ellipse(ink, (x, y - 10), (8, 9), 0, 0, 360, 1, 3)
    cv2.line(ink, (75, 92), (75, 128), 1, 3)
    strokes = components(ink > 0)
    upper = tuple(s for s in strokes if s.box.top < 100)
    lower = tuple(s for s in strokes if s.box.top >= 100)
    made = [Row((part,), Box(50, part[0].box.top, 550, max(s.box.bottom for s in part))) for part in (upper, lower)]
    return outlines.outlined(made, ink.shape, 20), ink > 0


def inside(polygon, shape):
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.array(polygon, np.int32)], 1)
    return mask > 0


def test_a_polygon_holds_its_own_ink_and_not_its_neighbors():
    found, ink = rows()
    for row, other in zip(found, found[::-1], strict=True):
        mask = inside(row.polygon, ink.shape)
        own, others = (sum(mask[s.y, s.x].sum() / len(s.y) for s in r.words[0]) / len(r.words[0]) for r in (row, other))
        assert own > 0.99
        assert others < 0.05


def test_a_baseline_runs_along_the_feet_of_the_letters():
    found, _ = rows()
    for row, level in zip(found, (100, 140), strict=True):
        assert all(abs(y - level) <= 3 for _, y in row.baseline)
        assert row.baseline[0][0] < 60
        assert row.baseline[-1][0] > 530


def test_points_move_with_the_line():
    line = Line((), Box(0, 0, 4, 4), baseline=((0, 3), (4, 3)), polygon=((0, 0), (4, 0), (4, 4)))
    moved = line.with_boxes(lambda box: Box(*(2 * side + 1 for side in box)))
    assert (moved.box, moved.baseline, moved.polygon) == (Box(1, 1, 9, 9), ((1, 7), (9, 7)), ((1, 1), (9, 1), (9, 9)))


def test_the_box_of_a_line_that_is_turned_is_that_of_its_polygon():
    """A level line of 100 x 10 pixels, turned by 45 degrees: its box would become 110 pixels high, its polygon is 70."""
    turn = np.array([[0.7071, -0.7071, 100], [0.7071, 0.7071, 0], [0, 0, 1]])
    page = Page(1, (), np.zeros((9, 9, 3), np.uint8), to_source=turn)
    line = Line((), Box(0, 0, 100, 10), polygon=((0, 4), (100, 4), (100, 6), (0, 6)))
    assert line.with_boxes(page.source_box).box.height == 72


def test_a_single_dot_has_an_outline():
    ink = np.zeros((100, 100), bool)
    ink[40:60, 50:53] = True
    (row,) = layout.layout(ink).rows
    assert len(row.baseline) == 2
    assert len(row.polygon) >= 4
