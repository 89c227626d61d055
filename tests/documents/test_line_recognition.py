"""Words and lines of a page, read as wholes by a recogniser that says what it is told to."""

import itertools
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hcrlib.core.errors import DataError
from hcrlib.documents import Reader
from hcrlib.documents.line_recognition import cased
from hcrlib.runtime import LineModel, LinePipeline
from hcrlib.runtime.line_model import LineNetwork


class Told:
    """In the place of a recogniser: answers the next of its texts, as sure as told, whatever it is shown."""

    name, engine = "told", "by heart"

    def __init__(self, texts, classes, confidence=0.9):
        self.texts, self.classes, self.confidence, self.seen = iter(texts), classes, confidence, []

    def log_probabilities(self, pictures):
        self.seen += [picture.shape for picture in pictures]
        return [self._sure(next(self.texts)) for _ in pictures]

    def _sure(self, text):
        labels = [label for c in text for label in (1 + self.classes.index(c), 0)]
        k = len(self.classes)
        out = np.full((max(1, len(labels)), k + 1), (1 - self.confidence) / k)
        for step, label in enumerate(labels or [0]):
            out[step, label] = self.confidence
        return np.log(out)


CLASSES = "abcdefghijklmnopqrstuvwxyz "


def model(texts, unit, confidence=0.9):
    return LineModel(Told(texts, CLASSES, confidence), LinePipeline(), CLASSES, unit)


@pytest.fixture(scope="module")
def sheet():
    """Two lines of two words of strokes."""
    image = np.full((400, 700, 3), 240, np.uint8)
    for row in (130, 260):
        for word in (100, 320):
            for at in range(6):
                cv2.line(image, (word + 30 * at, row - 40), (word + 30 * at, row), (40, 40, 40), 5)
                cv2.line(image, (word + 30 * at, row), (word + 30 * at + 16, row - 20), (40, 40, 40), 5)
    return image


def test_words_are_read_one_by_one(sheet):
    page = Reader("best-digits", recognizer=model(["one", "two", "three", "four"], "words")).page(sheet)
    assert page.text == "one two\nthree four"
    assert all(word.characters == () and 0 < page.source_box(word.box).width < 300 for word in page.words)
    assert page.words[0].confidence == pytest.approx(0.9)


def test_lines_are_read_at_once(sheet):
    page = Reader("best-digits", recognizer=model(["one two", "a bc def"], "lines")).page(sheet)
    assert page.text == "one two\na bc def"
    boxes = [page.source_box(word.box) for word in page.words]
    assert boxes[0].left < 110 < 310 < boxes[1].left  # as many words as were found: in their boxes
    assert len(boxes) == 5
    assert all(a.right <= b.left for a, b in itertools.pairwise(boxes[2:]))


def test_what_is_unsure_or_nothing_is_a_question_mark(sheet):
    words = model(["one", "", "three", "four"], "words", 0.6)
    assert Reader("best-digits", recognizer=words).page(sheet).text == "one ?\nthree four"
    words = model(["one", "two", "three", "four"], "words", 0.6)
    assert set(Reader("best-digits", recognizer=words, unsure_below=0.7).page(sheet).text.split()) == {"?"}
    lines = model(["", "a"], "lines")
    assert Reader("best-digits", recognizer=lines).page(sheet).text == "?\na"


def test_what_is_wider_than_the_network_is_told(sheet, monkeypatch):
    narrow, network = model([], "lines"), SimpleNamespace(width=64, steps=16)
    monkeypatch.setattr(narrow, "readings", lambda crops: LineNetwork.wide(network, crops[0].shape[1]))
    with pytest.raises(DataError, match="the network takes 56; it needs"):
        Reader("best-digits", recognizer=narrow).page(sheet)


def test_a_lexicon_corrects_words_by_word_beam_search(sheet):
    """The network reads "ono twa"; the dictionary knows better, in any case of its letters."""
    read = {}
    for lexicon in (None, ["one", "two"]):
        words = model(["ono", "twa", "one", "two"], "words", 0.6)
        page = Reader("best-digits", recognizer=words, lexicon=lexicon).page(sheet)
        read[lexicon is None] = page.text
        assert all(0 < word.confidence <= 1 for word in page.words)
    assert read == {True: "ono twa\none two", False: "one two\none two"}


def test_words_are_known_in_capitals_too():
    assert set(cased(["hello"])) == {"hello", "Hello", "HELLO"}
