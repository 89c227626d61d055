"""Which recognizer reads a page: the one that is expected to misread the least of a sample of its lines."""

from types import SimpleNamespace

import pytest

from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.core.names import RAPIDOCR
from hcrlib.documents import Reader, choice
from hcrlib.documents.containers import Box, Line, Word
from hcrlib.documents.layout import Layout
from hcrlib.documents.strokes import Row


class Fixed:
    """A recognizer that is equally sure of each line, and counts the lines that it reads."""

    def __init__(self, confidence):
        self.confidence, self.read = confidence, []

    def without_lexicon(self):
        return self

    def lines(self, cleaned, found):
        self.read.append(len(found.rows))
        return tuple(Line((Word("a", row.box, self.confidence),), row.box) for row in found.rows)


def page(n=20):
    return Layout(tuple(Row((), Box(0, 10 * at, 100 + at, 10 * at + 8)) for at in range(n)), 8.0, 0.0)


@pytest.fixture(autouse=True)
def others(monkeypatch):
    """RapidOCR is not installed, unless a test says otherwise."""
    found = {}
    monkeypatch.setattr(choice, "find_spec", found.get)
    return found


def chosen(characters, lines, n=20, other=None):
    separate, joined = Fixed(characters), Fixed(lines)
    lines, recognizer, note = choice.Choice(("best-lines", lambda: joined), other).read(separate, None, page(n))
    assert joined.read[0] == min(n, choice.SAMPLE)
    assert separate.read[:1] in ([], joined.read[:1])
    assert [line.box for line in lines] == [row.box for row in page(n).rows]
    assert sum(recognizer.read) == n, "no line is read twice"
    return {id(separate): "characters", id(joined): "lines"}.get(id(recognizer), recognizer), note


def test_the_one_that_is_expected_to_misread_less_reads_the_page(monkeypatch):
    assert chosen(0.9, 0.7) == ("characters", "Read as separate characters.")
    assert chosen(0.5, 0.8) == ("lines", "Read as joined writing by best-lines.")
    assert chosen(0.5, 0.8, n=1)[0] == "lines"
    monkeypatch.setitem(choice.EXPECTED, "lines", (1.0, 0.5))
    assert chosen(0.8, 0.8)[0] == "characters", "the same confidence stands for different error rates"


def test_separate_characters_are_not_tried_where_lines_are_sure_to_misread_little():
    read = []
    separate = SimpleNamespace(lines=lambda cleaned, found: read.append(found) or ())
    at_zero, slope = choice.EXPECTED["lines"]
    for expected, tried in ((choice.SURE - 0.01, 0), (choice.SURE + 0.01, 1)):
        way = choice.Choice(("best-lines", lambda c=(at_zero - expected) / slope: Fixed(c)))
        assert way.read(separate, None, page())[2] == "Read as joined writing by best-lines."
        assert len(read) == tried


def test_rapidocr_is_tried_where_ours_misread_much(others):
    other = Fixed(0.95)
    assert chosen(0.3, 0.4, other=lambda: other)[0] == "lines", "it is not installed"
    others[RAPIDOCR] = SimpleNamespace()
    assert chosen(0.3, 0.95, other=lambda: other)[0] == "lines"
    assert other.read == [], "ours is good enough"
    assert chosen(0.3, 0.4, other=lambda: other) == (other, "Read by RapidOCR, which is expected to misread less.")
    other.confidence = 0.35
    assert chosen(0.3, 0.4, other=lambda: other)[0] == "lines"
    assert chosen(0.3, 0.4)[0] == "lines", "with a lexicon, which it does not take"


def test_a_page_is_read_again_where_the_sample_was_read_in_another_way():
    class Lexical(Fixed):
        def without_lexicon(self):
            return Fixed(self.confidence)

    class Picky(Fixed):
        """Finds nothing plausible in few lines."""

        def lines(self, cleaned, found):
            return super().lines(cleaned, found) if len(found.rows) > choice.SAMPLE else ()

    joined, separate = Lexical(0.9), Picky(0.9)
    lines, recognizer, _ = choice.Choice(("best-lines", lambda: joined)).read(Fixed(0.1), None, page())
    assert (len(lines), recognizer, joined.read) == (20, joined, [20])
    lines, recognizer, _ = choice.Choice(("best-lines", lambda: Fixed(-9.0))).read(separate, None, page())
    assert (len(lines), recognizer, separate.read) == (20, separate, [20])


class Narrow(Fixed):
    """A recognizer that cannot read a line of this width."""

    def __init__(self, width):
        super().__init__(0.99)
        self.width = width

    def lines(self, cleaned, found):
        if any(row.box.width == self.width for row in found.rows):
            raise DataError("This line is too wide", hint="Use another recognizer")
        return super().lines(cleaned, found)


def damaged():
    raise RunError("It is damaged.", where="/home/me/model")


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (damaged, "It is damaged."),
        (lambda: Narrow(119), "This line is too wide."),  # in the sample
        (lambda: Narrow(118), "This line is too wide."),  # not in the sample
    ],
)
def test_what_cannot_read_a_page_is_left_out_and_named(load, said):
    separate = Fixed(0.5)
    lines, recognizer, note = choice.Choice(("best-lines", load)).read(separate, None, page())
    assert (len(lines), recognizer) == (20, separate)
    assert note == f"Read as separate characters. best-lines was not used: {said}"


def test_rapidocr_may_take_the_place_of_what_cannot_read_a_page(others):
    others[RAPIDOCR] = SimpleNamespace()
    separate, other = Fixed(0.5), Fixed(0.8)
    _, recognizer, note = choice.Choice(("best-lines", damaged), lambda: other).read(separate, None, page())
    assert recognizer is other
    assert note.endswith("misread less. best-lines was not used: It is damaged.")
    _, recognizer, note = choice.Choice(("best-lines", lambda: Fixed(0.0)), damaged).read(separate, None, page())
    assert (recognizer, note) == (separate, "Read as separate characters. RapidOCR was not used: It is damaged.")


def test_a_reader_chooses_unless_it_is_told():
    assert Reader().recognizer.other().min_confidence == 0
    assert Reader(min_confidence=0.9).recognizer.other().min_confidence == 0.9
    assert Reader(lexicon=["a"]).recognizer.other is None
    assert isinstance(Reader("best-digits", recognizer="auto").recognizer, choice.Choice)
    for told in ({"model": "best-digits"}, {"characters": "0123456789"}, {"recognizer": "characters"}):
        reader = Reader(**told)
        assert reader.recognizer is reader.characters
    with pytest.raises(ConfigError, match="--characters cannot be combined"):
        Reader(characters="01", recognizer="auto")
