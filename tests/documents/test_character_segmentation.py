"""From strokes to pieces, runs of pieces and the images for the classifier."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from hcrlib.documents import character_segmentation, strokes
from hcrlib.documents.character_segmentation import Piece
from hcrlib.documents.containers import Box

HEIGHT, PEN = 40, 4


def drawn(*shapes, size=(120, 300)):
    """[Stroke] of rings, given as (x, y, radius), and lines, as ((x, y), (x, y))."""
    ink = np.zeros(size, np.uint8)
    for shape in shapes:
        if len(shape) == 3:
            cv2.circle(ink, shape[:2], shape[2], 1, PEN)
        else:
            cv2.line(ink, *shape, 1, PEN)
    return strokes.components(ink > 0)


def pieces(strokes, height=HEIGHT, slant=0.0):
    return character_segmentation.pieces(strokes, height, slant, PEN)


def n_pixels(pieces):
    return sum(len(piece.y) for piece in pieces)


def test_separate_strokes_are_pieces_from_left_to_right():
    strokes = drawn((150, 60, 16), (50, 60, 16), (100, 60, 16))
    found = pieces(strokes)
    assert [character_segmentation.box_of([piece]) for piece in found] == sorted(s.box for s in strokes)
    assert not any(piece.mark for piece in found)


def diamond(x, y, radius):
    corners = (x - radius, y), (x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)
    return list(pairwise(corners))


def test_touching_strokes_are_cut_at_the_contact():
    strokes = drawn(*diamond(50, 60, 16), *diamond(82, 60, 16), *diamond(114, 60, 16))
    assert len(strokes) == 1
    found = pieces(strokes)
    ends = [piece.box.right for piece in found]
    assert min(abs(end - 66) for end in ends) <= 3
    assert min(abs(end - 98) for end in ends) <= 3
    assert n_pixels(found) == len(strokes[0].y)  # no ink is lost
    assert all(a.start + a.end <= b.start + b.end for a, b in pairwise(found))


def test_a_cut_goes_through_a_joining_bar_but_not_through_solid_ink():
    joined = drawn((50, 60, 16), (120, 60, 16), ((66, 60), (104, 60)))
    assert len(joined) == 1
    found = pieces(joined)
    assert len(found) >= 2
    assert any(66 <= piece.box.right <= 104 for piece in found)
    ink = np.zeros((120, 300), bool)
    ink[40:80, 50:150] = True
    assert len(pieces(strokes.components(ink))) == 1


def test_cuts_follow_the_slant():
    """Two slanted strokes over a thin base: a cut between them leans as they do."""
    shapes = ((50, 80), (80, 40)), ((90, 80), (120, 40)), ((50, 80), (90, 80))
    found = character_segmentation.pieces(drawn(*shapes), 30, np.degrees(np.arctan(30 / 40)), PEN)
    first, last = found[0], found[-1]
    assert 70 in first.x[first.y < 45] or first.x[first.y < 45].max() == pytest.approx(82, abs=3)
    assert last.x[last.y < 45].min() > 100
    assert first.end <= last.start + 1


def test_a_dot_joins_the_stroke_below_and_a_mark_stays_separate():
    strokes = drawn(((50, 50), (50, 78)), ((50, 38), (50, 38)), (90, 62, 16), ((125, 78), (125, 78)))
    found = pieces(strokes)
    assert [piece.mark for piece in found] == [False, False, True]
    assert found[0].box.top < 42  # with its dot
    assert found[0].box.bottom > 75


def test_small_strokes_alone_are_pieces():
    found = pieces(drawn(((50, 78), (50, 78)), ((90, 78), (90, 78))))
    assert len(found) == 2


def piece(start, end):
    return Piece(np.array([0]), np.array([int(start)]), float(start), float(end))


def test_runs_of_pieces_that_may_be_one_character():
    near = [piece(0, 20), piece(22, 42), piece(44, 64)]
    assert character_segmentation.spans(near, 40) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    apart = [piece(0, 20), piece(20 + 0.36 * 40, 60)]
    assert character_segmentation.spans(apart, 40) == [(0, 1), (1, 2)]
    wide = [piece(0, 60), piece(61, 2.4 * 40)]
    assert character_segmentation.spans(wide, 40) == [(0, 1), (1, 2)]
    assert character_segmentation.spans([], 40) == []


def test_every_piece_is_a_run_and_runs_are_limited():
    found = character_segmentation.spans([piece(4 * n, 4 * n + 3) for n in range(12)], 40)
    assert {(n, n + 1) for n in range(12)} <= set(found)
    assert max(j - i for i, j in found) == character_segmentation.MOST_PIECES
    assert found == sorted(found)  # in the order of their first pieces, as decoding takes them


def test_the_pens_width():
    ink = np.zeros((100, 100), bool)
    assert character_segmentation.pen_width(ink) == 1
    ink[10:90, 20:25] = ink[10:90, 60:65] = True
    ink[50:53, 20:65] = True
    assert character_segmentation.pen_width(ink) == 5


def box_of_ink(glyph, least=40):
    rows, columns = np.flatnonzero((glyph > least).any(axis=1)), np.flatnonzero((glyph > least).any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


@pytest.mark.parametrize(("frame", "side"), [("emnist", 24), ("mnist", 20)])
def test_a_glyph_is_framed_like_the_training_images(frame, side):
    [stroke] = drawn(((100, 20), (100, 80)))
    dark = np.zeros((120, 300), np.uint8)
    dark[stroke.y, stroke.x] = 130  # a pencil
    glyph = character_segmentation.glyph(pieces([stroke]), dark, frame)
    box = box_of_ink(glyph)
    assert (glyph.shape, glyph.dtype, glyph.max()) == ((28, 28), np.uint8, 255)
    assert max(box.width, box.height) == side
    assert (box.left + box.right) / 2 == pytest.approx(14, abs=1)
    assert (box.top + box.bottom) / 2 == pytest.approx(14, abs=1)


def test_a_glyph_has_no_ink_of_its_neighbors():
    ring, line = sorted(
        drawn((100, 60, 16), ((108, 60), (108, 64))) + drawn(((100, 58), (100, 62))), key=lambda s: s.box
    )[-2:]
    dark = np.full((120, 300), 255, np.uint8)  # all the page is ink
    alone = character_segmentation.glyph(pieces([ring]), dark, "emnist")
    assert (alone == 0).sum() > 100
    assert line.box != ring.box


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (300, 20)])
def test_all_shapes_are_framed(shape):
    for frame in ("emnist", "mnist"):
        glyph = character_segmentation.framed(np.full(shape, 255, np.uint8), frame)
        assert glyph.shape == (28, 28)
        assert glyph.any()
