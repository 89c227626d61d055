"""Lines of ink, three pixels thick, made level."""

import numpy as np
import pytest

from hcrlib.documents.flattening import flattened

CURVES = {
    "rising": lambda x: 0.12 * x,
    "curved": lambda x: 40 * np.sin(np.pi * x / 600),
    "waves": lambda x: 10 * np.sin(2 * np.pi * x / 600),
}


def drawn(curve):
    ink = np.zeros((260, 600), np.float32)
    for top in range(40, 180, 22):
        for x in range(20, 580):
            y = round(top + curve(x))
            ink[y : y + 3, x] = 0.5
    return ink


@pytest.mark.parametrize("name", CURVES)
def test_curved_lines_become_level(name):
    level, rows = flattened(drawn(CURVES[name]), 10)
    assert level.shape == rows.shape
    left, middle, right = (
        level[:, columns].mean(axis=1) for columns in (slice(60, 100), slice(280, 320), slice(500, 540))
    )
    tops = [np.flatnonzero(np.diff((part > 0.2).astype(int)) == 1) for part in (left, middle, right)]
    assert [len(each) for each in tops] == [7, 7, 7]
    assert np.ptp(tops, axis=0).max() <= 4
    x = 550
    inked = np.flatnonzero(level[:, x] > 0.25)
    assert (drawn(CURVES[name])[np.rint(rows[inked, x]).astype(int), x] > 0).all()


def test_level_lines_stay_as_they_are():
    ink = drawn(lambda x: 0)
    level, rows = flattened(ink, 10)
    assert level is ink
    assert (rows[:, 0] == np.arange(len(ink))).all()


@pytest.mark.parametrize("shape", [(3, 400), (300, 300)])
def test_what_has_no_lines_is_level(shape):
    assert flattened(np.zeros(shape, np.float32), 10)[0].shape == shape
