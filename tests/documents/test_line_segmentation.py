"""Lines that are curved, drift apart or touch, on drawn ink: a letter is a ring 20 pixels high."""

import cv2
import numpy as np
import pytest

from hcrlib.documents import layout
from hcrlib.documents import line_segmentation as lines

SIDE = 20


def written(baselines, shape=(600, 1000), gap=0):
    """Return ink, bool (h, w), with rings along baselines, functions of x; some have ascenders or tails."""
    ink = np.zeros(shape, np.uint8)
    for shift, base in enumerate(baselines):
        for n, x in enumerate(range(60, shape[1] - 60, 26)):
            if (n + shift) % 5 == 4 and gap:
                continue
            y = round(base(x))
            cv2.ellipse(ink, (x, y - 10), (8, 9), 0, 0, 360, 1, 3)
            if n % 6 == shift % 6:
                cv2.line(ink, (x + 8, y - 10), (x + 8, y - 30), 1, 3)
            if n % 7 == shift % 7:
                cv2.line(ink, (x + 8, y - 10), (x + 8, y + 10), 1, 3)
    return ink > 0


CURVES = {
    "level": [lambda x, y=y: y for y in range(60, 580, 60)],
    "curved": [lambda x, y=y: y + 40 * np.sin(np.pi * x / 1000) for y in range(60, 540, 60)],
    "steep": [lambda x, y=y: y + 65 * np.sin(np.pi * x / 1000) for y in range(60, 510, 50)],
    "waves": [lambda x, y=y: y + 25 * np.sin(2 * np.pi * x / 1000) for y in range(80, 540, 50)],
    "drifting": [lambda x, y=y, n=n: y + 0.02 * n * x for n, y in enumerate(range(60, 440, 50))],
    "tight": [lambda x, y=y: y for y in range(60, 580, 36)],
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("gap", [0, 1])
def test_every_line_is_found_whole(name, gap):
    ink = written(CURVES[name], gap=gap)
    rows = layout.layout(ink).rows
    assert len(rows) == len(CURVES[name])
    for row, base in zip(rows, CURVES[name], strict=True):
        assert row.box.width > 800
        for x, y in row.baseline[1:-1]:
            assert y == pytest.approx(base(x), abs=6)
    assert sum(len(s.y) for row in rows for word in row.words for s in word) == ink.sum()


@pytest.mark.parametrize("pitch", [25, 45])  # the letters are 22 pixels high, without their descenders
def test_tightly_set_letters(pitch):
    ink, baselines = np.zeros((400, 560), np.uint8), range(60, 360, pitch)
    texts = ["The quick brown fox jumps", "PACK MY BOX WITH FIVE", "jugs, said the old man"]
    for n, y in enumerate(baselines):
        cv2.putText(ink, texts[n % 3], (50, y), cv2.FONT_HERSHEY_SIMPLEX, 1, 1, 2)
    found = [row.baseline[1][1] for row in layout.layout(ink > 0).rows]
    assert found == pytest.approx(list(baselines), abs=3)


@pytest.mark.parametrize(("pitch", "height"), [(12, 400), (25, 600), (50, 800)])
def test_the_pitch_of_lines(pitch, height):
    ink = np.zeros((height, 500), np.float32)
    for y in range(20, height - 20, pitch):
        ink[y : y + 6, 40:460] = 0.5
    assert lines.line_pitch(ink) == pytest.approx(pitch, abs=1)


@pytest.mark.parametrize("shape", [(8, 50), (300, 300)])
def test_the_pitch_without_lines_is_typical(shape):
    assert lines.line_pitch(np.zeros(shape, np.float32)) == lines.TYPICAL_PITCH * lines.COARSE


def test_the_top_of_a_tall_letter_is_not_a_line():
    ink = written([lambda x: 200.0, lambda x: 270.0]).astype(np.uint8)
    cv2.line(ink, (100, 190), (100, 110), 1, 3)
    cv2.line(ink, (100, 110), (150, 110), 1, 3)
    rows = layout.layout(ink > 0).rows
    assert len(rows) == 2
    assert rows[0].box.top <= 110


@pytest.mark.parametrize("pitch", [1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7])
def test_lines_of_small_letters_are_apart_at_any_pitch(pitch):
    """In heights of a letter, from top to bottom of its ink: 22 pixels."""
    ink = np.zeros((560, 1000), np.uint8)
    tops = [round(60 + n * pitch * 22) for n in range(10)]
    for top in tops:
        for n, x in enumerate(range(60, 940, 26)):
            if n % 6 != 5:
                cv2.ellipse(ink, (x, top + 11), (8, 9), 0, 0, 360, 1, 3)
    rows = layout.layout(ink > 0).rows
    assert [row.box.top for row in rows] == pytest.approx(tops, abs=4)
    assert {row.box.width for row in rows} == {max(row.box.width for row in rows)}
