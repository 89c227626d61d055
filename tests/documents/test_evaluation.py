"""Measures of reading, on cases computed by hand."""

import random

import numpy as np
import pytest

from hcrlib.documents import evaluation
from hcrlib.documents.containers import Box, Page
from hcrlib.documents.evaluation import Errors, Found

from .made import line, page


def test_overlap_by_hand():
    a = Box(0, 0, 10, 10)
    others = {Box(0, 0, 10, 10): 1.0, Box(5, 0, 15, 10): 1 / 3, Box(5, 5, 15, 15): 1 / 7, Box(2, 2, 6, 7): 0.2}
    others |= {Box(10, 0, 20, 10): 0.0, Box(30, 30, 40, 40): 0.0}
    for other, expected in others.items():
        assert a.iou(other) == other.iou(a) == pytest.approx(expected)
    table = evaluation.overlaps(np.array([a, a], float), np.array(list(others), float))
    assert table.shape == (2, len(others))
    assert table[1] == pytest.approx(list(others.values()))


def test_precision_recall_and_f1_by_hand():
    found = Found(3, 4, 6)
    assert (found.precision, found.recall, found.f1) == (0.75, 0.5, pytest.approx(0.6))
    assert Found(0, 0, 0)[:] == (0, 0, 0)
    assert (Found(0, 0, 0).f1, Found(0, 0, 0).precision, Found(0, 0, 0).recall) == (1, 1, 1)
    assert (Found(0, 0, 5).f1, Found(0, 0, 5).recall, Found(0, 5, 0).f1, Found(0, 5, 0).precision) == (0, 0, 0, 0)
    assert found + Found(1, 1, 1) == Found(4, 5, 7)


def test_each_box_is_matched_once_and_in_as_many_pairs_as_possible():
    there = [Box(0, 0, 10, 10), Box(20, 0, 30, 10)]
    assert evaluation.matched([Box(0, 0, 10, 10), Box(1, 0, 10, 10)], there) == Found(1, 2, 2)
    assert evaluation.matched([], there) == Found(0, 0, 2)
    assert evaluation.matched(there, []) == Found(0, 2, 0)
    there = [Box(0, 0, 10, 10), Box(0, 3, 10, 13)]
    found = [
        Box(0, 1, 10, 11),
        Box(0, 0, 10, 9),
    ]  # the first overlaps both, the second only the one closest to the first
    assert evaluation.matched(found, there) == Found(2, 2, 2)


def test_an_overlap_of_exactly_the_least_counts():
    assert evaluation.matched([Box(0, 0, 10, 5)], [Box(0, 0, 10, 10)]) == Found(1, 1, 1)
    assert evaluation.matched([Box(0, 0, 10, 4)], [Box(0, 0, 10, 10)]) == Found(0, 1, 1)
    assert evaluation.matched([Box(0, 0, 10, 5)], [Box(0, 0, 10, 10)], iou=0.75) == Found(0, 1, 1)


def test_boxes_of_a_page_are_compared_in_pixels_of_its_file():
    truth = page("ab cd", "ef")
    doubled = Page(1, truth.lines, truth.image)
    counts = {"lines": Found(2, 2, 2), "words": Found(3, 3, 3), "characters": Found(6, 6, 6)}
    assert evaluation.boxes_found(doubled, truth) == counts
    moved = Page(1, truth.lines, truth.image, to_source=np.array([[1, 0, 500], [0, 1, 0], [0, 0, 1.0]]))
    assert {found.right for found in evaluation.boxes_found(moved, truth).values()} == {0}
    back = Page(1, page(line("ab", left=-500), size=(10, 10)).lines, truth.image, moved.to_source)
    assert evaluation.boxes_found(back, truth)["words"] == Found(1, 1, 3)
    assert set(evaluation.boxes_found(page(), page()).values()) == {Found(0, 0, 0)}


def plain(text, truth):
    """The dynamic program of Wagner & Fischer (1974)."""
    table = [[max(i, j) if 0 in (i, j) else 0 for j in range(len(truth) + 1)] for i in range(len(text) + 1)]
    for i, a in enumerate(text, start=1):
        for j, b in enumerate(truth, start=1):
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (a != b))
    return table[-1][-1]


def test_edits_of_characters_and_of_words():
    rng = random.Random(0)
    for _ in range(300):
        text, truth = ("".join(rng.choices("ab c", k=rng.randrange(12))) for _ in range(2))
        assert evaluation.edits(text, truth) == plain(text, truth), (text, truth)
    assert evaluation.edits(["the", "cat", "sat"], ["the", "hat", "sat", "down"]) == 2


def test_the_character_error_rate():
    assert evaluation.character_errors("a  b\n\nc ", " a b c") == Errors(0, 5)
    assert evaluation.character_errors("ab", "a b") == Errors(1, 3)
    assert evaluation.character_errors("Word", "word") == Errors(1, 4)
    assert evaluation.character_errors("Word", "wORD", fold_case=True) == Errors(0, 4)
    assert evaluation.character_errors("abc", "") == Errors(3, 0)
    assert (Errors(1, 4).rate, Errors(3, 0).rate) == (0.25, 0.0)
    assert Errors(1, 4) + Errors(2, 6) == Errors(3, 10)
