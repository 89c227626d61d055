"""Reading words and lines as a whole, with a recognizer that returns given texts."""

import itertools
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.documents import Reader, line_recognition
from hcrlib.documents.containers import Box
from hcrlib.documents.line_recognition import CtcRecognizer, cased, cut_out
from hcrlib.documents.strokes import Row
from hcrlib.runtime import LineModel, LinePipeline
from hcrlib.runtime.line_model import LineNetwork


class FixedTexts:
    """A stand-in for a recognizer: returns its texts in turn with a fixed confidence, whatever the image."""

    name, engine = "fixed", "none"

    def __init__(self, texts, classes, confidence=0.9):
        self.texts, self.classes, self.confidence = iter(texts), classes, confidence

    def log_probabilities(self, images):
        return [self._sure(next(self.texts)) for _ in images]

    def _sure(self, text):
        labels = [label for c in text for label in (1 + self.classes.index(c), 0)]
        k = len(self.classes)
        out = np.full((max(1, len(labels)), k + 1), (1 - self.confidence) / k)
        for step, label in enumerate(labels or [0]):
            out[step, label] = self.confidence
        return np.log(out)


CLASSES = "abcdefghijklmnopqrstuvwxyz "


def model(texts, unit, confidence=0.9):
    return LineModel(FixedTexts(texts, CLASSES, confidence), LinePipeline(), CLASSES, unit)


def read(image, recognizer, **options):
    return Reader("page-62", recognizer=recognizer, **options).page(image)


@pytest.fixture(scope="module")
def sheet():
    """Two lines of two words of strokes."""
    image = np.full((400, 700, 3), 240, np.uint8)
    for row in (130, 260):
        for word in (100, 320):
            for x in range(word, word + 180, 30):
                cv2.line(image, (x, row - 40), (x, row), (40, 40, 40), 5)
                cv2.line(image, (x, row), (x + 16, row - 20), (40, 40, 40), 5)
    return image


def test_words_are_read_one_by_one(sheet):
    page = read(sheet, model(["one", "two", "three", "four"], "words"))
    assert page.text == "one two\nthree four"
    assert all(word.characters == () and 0 < page.source_box(word.box).width < 300 for word in page.words)
    assert page.words[0].confidence == pytest.approx(0.9)


def test_lines_are_read_at_once(sheet):
    page = read(sheet, model(["one two", "a bc def"], "lines"))
    assert page.text == "one two\na bc def"
    boxes = [page.source_box(word.box) for word in page.words]
    assert boxes[0].left < 110 < 310 < boxes[1].left  # as many words as were found: in their boxes
    assert len(boxes) == 5
    assert all(a.right <= b.left for a, b in itertools.pairwise(boxes[2:]))


@pytest.mark.parametrize(
    ("read", "found", "expected"),
    [
        ([("world", 0, 0.8), ("!", 0.85, 0.9)], [(0, 100)], [(0, 100), (85, 90)]),
        ([("two", 0.0, 0.45), ("words", 0.5, 1.0)], [(0, 100)], [(0, 45), (50, 100)]),
        ([("joined", 0.05, 0.7), ("x", 0.8, 0.95)], [(0, 40), (45, 75), (78, 100)], [(0, 75), (78, 100)]),
        ([("a", 0.4, 0.5)], [(0, 30), (60, 100)], [(0, 100)]),
    ],
    ids=["a mark of its own", "two in one box", "one in two boxes", "one in all"],
)
def test_words_take_the_boxes_that_they_cover(read, found, expected):
    boxes = [Box(left, 10, right, 30) for left, right in found]
    words = [(text, 0.9, (start, end)) for text, start, end in read]
    placed = [(box.left, box.right) for *_, box in line_recognition._placed(words, Box(0, 8, 100, 32), boxes)]
    assert placed == expected


@pytest.mark.parametrize(
    ("texts", "unit", "least", "expected"),
    [
        (["one", "", "three", "four"], "words", None, "one ?\nthree four"),
        (["one", "two", "three", "four"], "words", 0.7, "? ?\n? ?"),
        (["", "a"], "lines", None, "?\na"),
    ],
)
def test_unsure_and_empty_texts_are_question_marks(sheet, texts, unit, least, expected):
    assert read(sheet, model(texts, unit, 0.6), min_confidence=least).text == expected


def test_a_line_too_wide_for_the_network_is_an_error(sheet, monkeypatch):
    narrow, network = model([], "lines"), SimpleNamespace(width=64, steps=16)
    monkeypatch.setattr(narrow.learner, "log_probabilities", lambda crops: LineNetwork.wide(network, crops[0].shape[1]))
    with pytest.raises(DataError, match="the network takes 56; it needs"):
        read(sheet, narrow)


def test_a_lexicon_corrects_words_by_word_beam_search(sheet):
    for lexicon, expected in ((None, "ono twa\none two"), (["one", "two"], "one two\none two")):
        page = read(sheet, reads := model(["ono", "twa", "one", "two"], "words", 0.6), lexicon=lexicon)
        assert page.text == expected
        assert CtcRecognizer(reads, lexicon).without_lexicon().search is None
        assert all(0 < word.confidence <= 1 for word in page.words)
    assert set(cased(["hello"])) == {"hello", "Hello", "HELLO"}


@pytest.mark.parametrize("lexicon", [[], ["123"]])
def test_a_lexicon_without_words_is_an_error(lexicon):
    with pytest.raises(ConfigError, match=r"no words that these classes can spell.*without a lexicon"):
        Reader("best-digits", recognizer=model([], "words"), lexicon=lexicon)


def test_a_line_is_cut_along_its_polygon():
    """The ink of a neighbor, above the right half of the polygon, is painted as paper."""
    page = np.full((60, 200), 250, np.uint8)
    page[30:40, 20:180] = page[5:25, 120:160] = 0
    row = Row((), Box(20, 5, 180, 40), polygon=((10, 10), (100, 10), (100, 28), (190, 28), (190, 45), (10, 45)))
    image = cut_out(page, row, 0)
    assert image.shape == (35, 180)
    assert image[20:30, 20:160].max() == 0
    assert image[:18].min() == 250
    assert cut_out(page, Row((), row.box), 3).shape == (41, 166), "without a polygon, its box with a margin"
    assert cut_out(page, Row((), row.box, polygon=((9, 9), (10, 9), (10, 10))), 0).shape == (35, 160), (
        "the polygon is too small"
    )
