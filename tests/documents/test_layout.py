"""From ink to lines, words and columns, on drawn ink: a letter is a ring of 20 x 20 pixels."""

import cv2
import numpy as np
import pytest

from hcrlib.documents import columns, layout, strokes
from hcrlib.documents.containers import Box
from hcrlib.documents.strokes import Row, Stroke

SIDE = 20


class Sheet:
    """Ink to draw on; `texts` returns the words of a Layout as texts of the letters drawn there."""

    def __init__(self, width=900, height=500):
        self.ink, self.drawn = np.zeros((height, width), np.uint8), []

    def write(self, text, x, y, step=25, gap=22):
        """Draw letters from x on, on the baseline y: i . ! , and rings for all others."""
        for letter in text:
            if letter == " ":
                x += gap
                continue
            self._letter(letter, x, y)
            x += step if letter not in "i.!," else 10
        return self

    def _letter(self, letter, x, y):
        before = self.ink.copy()
        if letter in "i!":
            top, bottom, dot = (y - 14, y, y - 22) if letter == "i" else (y - 20, y - 8, y - 4)
            cv2.rectangle(self.ink, (x, top), (x + 3, bottom), 1, -1)
            cv2.rectangle(self.ink, (x, dot), (x + 3, dot + 3), 1, -1)
        elif letter in ".,":
            cv2.rectangle(self.ink, (x, y - 3), (x + 3, y if letter == "." else y + 4), 1, -1)
        else:
            cv2.ellipse(self.ink, (x + 10, y - 10), (8, 9), 0, 0, 360, 1, 3)
        new = np.argwhere(self.ink != before)
        self.drawn.append((letter, new))

    def layout(self, **options):
        return layout.layout(self.ink > 0, **options)

    def texts(self, found=None):
        """[(column, text of the line)] in the order of the layout."""
        found = found or self.layout()
        return [(row.column, " ".join(map(self._text, row.words))) for row in found.rows]

    def _text(self, word):
        held = {(y, x) for s in word for y, x in zip(s.y.tolist(), s.x.tolist(), strict=True)}
        letters = [(pixels[:, 1].min(), letter) for letter, pixels in self.drawn if tuple(pixels[0]) in held]
        return "".join(letter for _, letter in sorted(letters))


def test_components_hold_their_pixels_and_boxes():
    ink = np.zeros((10, 12), bool)
    ink[1:3, 2:5] = ink[5, 7] = ink[6, 8] = True
    a, b = sorted(strokes.components(ink), key=lambda s: s.box.top)
    assert (a.box, b.box) == (Box(2, 1, 5, 3), Box(7, 5, 9, 7))
    assert sorted(zip(b.y.tolist(), b.x.tolist(), strict=True)) == [(5, 7), (6, 8)]
    assert len(a.y) == 6
    assert strokes.components(np.zeros((5, 5), bool)) == []


@pytest.mark.parametrize("ink", [np.zeros((300, 300), bool), np.eye(300, dtype=bool) & (np.arange(300) < 3)])
def test_a_blank_page_has_no_rows(ink):
    assert layout.layout(ink) == layout.Layout((), 0.0, 0.0)


def test_dust_is_not_writing():
    ink, rng = np.zeros((400, 400), bool), np.random.default_rng(0)
    ink[rng.integers(400, size=300), rng.integers(400, size=300)] = True
    assert layout.layout(ink).rows == ()


def test_dust_beside_writing_is_left_out():
    sheet = Sheet().write("aaaa aaaa", 50, 100)
    sheet.ink[300, ::40] = 1
    assert sheet.texts() == [(0, "aaaa aaaa")]


def test_the_height_of_writing():
    found = Sheet().write("aaaaaaaa", 50, 100).layout()
    assert found.height == pytest.approx(SIDE, abs=3)
    assert strokes.writing_height([]) == 0


def test_lines_from_top_to_bottom_words_from_left_to_right():
    sheet = Sheet().write("aaa aa", 60, 220).write("a aaaa aa", 50, 100).write("aaaaa", 60, 160)
    assert sheet.texts() == [(0, "a aaaa aa"), (0, "aaaaa"), (0, "aaa aa")]
    boxes = [row.box for row in sheet.layout().rows]
    assert [box.bottom for box in boxes] == pytest.approx([100, 160, 220], abs=3)
    assert boxes[0].left == pytest.approx(50, abs=3)


def test_a_line_that_rises_is_one():
    sheet = Sheet()
    for n in range(24):
        sheet.write("a", 50 + 30 * n, 250 - 4 * n)
    sheet.write("aaaaaaaaaa", 50, 330).write("aaaaaaaaaa", 450, 330 - 53)
    found = sheet.layout()
    assert sheet.texts(found)[0][1].count("a") == 24


def test_wide_gaps_separate_words():
    """The gaps between letters are 5 pixels on one page and 12 on the other, those between words 27 and 40."""
    narrow, wide = Sheet(), Sheet()
    for y in (80, 130, 180, 230):
        narrow.write("aaa aaaa aa aaa", 50, y)
        wide.write("aaa aaaa aa aaa", 50, y, step=30, gap=24)
    for sheet in (narrow, wide):
        assert {text for _, text in sheet.texts()} == {"aaa aaaa aa aaa"}


def test_a_typical_gap_separates_words_if_there_are_few():
    assert layout.word_gap([], 20) == layout.TYPICAL_GAP * 20
    assert Sheet().write("aa aa", 50, 100).texts() == [(0, "aa aa")]


def test_spaced_letters_are_one_word_until_a_wider_gap():
    sheet = Sheet()
    for y in (80, 130, 180):
        sheet.write("aaa aaaa aa aaa", 50, y)
    sheet.write("aaaaa", 50, 230, step=45).write("aaa", 320, 230, step=45).write("a aa a", 50, 280)
    assert [text for _, text in sheet.texts()] == ["aaa aaaa aa aaa"] * 3 + ["aaaaa aaa", "a aa a"]


def test_the_dot_of_an_i_is_in_its_word():
    sheet = Sheet()
    for y in (80, 130, 180):
        sheet.write("aia ia ai", 50, y)
    found = sheet.layout()
    assert sheet.texts(found) == [(0, "aia ia ai")] * 3
    counts = [[len(word) for word in row.words] for row in found.rows]
    assert counts == [[4, 3, 3]] * 3  # i is two strokes


def test_a_full_stop_a_comma_and_an_exclamation_mark_close_their_word():
    sheet = Sheet()
    for x, y in ((50, 80), (120, 130), (85, 180), (155, 230)):
        sheet.write("aaa aaa", x, y).write(".", x + 160, y).write("aaa", x + 220, y)
        sheet.write("!", x + 305, y).write("aaa", x + 380, y).write(",", x + 462, y).write("aa", x + 520, y)
    assert sheet.texts() == [(0, "aaa aaa. aaa! aaa, aa")] * 4


def test_a_stroke_across_two_lines_is_split():
    sheet = Sheet()
    for y in (100, 135, 170):
        sheet.write("aaaa aaaaaa aaaa", 50, y)
    sheet.ink[95:120, 60:63] = 1  # from a letter of the first line into one of the second
    found = sheet.layout()
    assert len(found.rows) == 3
    heights = [s.box.height for row in found.rows for word in row.words for s in word]
    assert max(heights) < 2 * SIDE  # as one it would be 55
    assert sum(len(s.y) for row in found.rows for word in row.words for s in word) == sheet.ink.sum()


def test_two_columns_one_after_the_other():
    sheet = Sheet(width=1000)
    for n, y in enumerate((100, 150, 200, 250)):
        sheet.write("aaa aaaa"[: 8 - n], 50, y).write("aaaa aaa aa", 560, y + 10)
    found = sheet.layout()
    assert [row.column for row in found.rows] == [0] * 4 + [1] * 4
    assert [row.box.left > 500 for row in found.rows] == [False] * 4 + [True] * 4
    assert [text for _, text in sheet.texts(found)][:4] == ["aaa aaaa", "aaa aaa", "aaa aa", "aaa a"]


def test_a_heading_over_two_columns_comes_first():
    sheet = Sheet(width=1000).write("aaaaaaaa aaaaaaaaa aaaaaaaaa aaa", 50, 60)
    for y in (140, 190, 240):
        sheet.write("aaa aaaa", 50, y).write("aaaa aaa aa", 560, y)
    texts = [text for _, text in sheet.texts()]
    assert texts == ["aaaaaaaa aaaaaaaaa aaaaaaaaa aaa"] + ["aaa aaaa"] * 3 + ["aaaa aaa aa"] * 3


def test_a_wide_space_in_one_line_is_not_a_gutter():
    sheet = Sheet(width=1000).write("aaa", 50, 100).write("aaa", 600, 100)
    for y in (150, 200):
        sheet.write("aaaa aaaaa aaaaa aaaaa aaaaaa", 50, y)
    assert {row.column for row in sheet.layout().rows} == {0}


@pytest.mark.parametrize("degrees", [-15, 0, 12, 25])
def test_slant_of_upright_strokes(degrees):
    ink = np.zeros((300, 600), np.uint8)
    for x in range(80, 560, 30):
        cv2.line(ink, (x, 200), (round(x + 60 * np.tan(np.radians(degrees))), 140), 1, 3)
    assert strokes.slant(ink > 0, 27) == pytest.approx(degrees, abs=2)
    assert strokes.slant(np.zeros((50, 50), bool), 27) == 0


def test_letters_that_lean_over_each_other_are_separate():
    sheet = Sheet()
    for y in (100, 160, 220):
        for x in range(60, 560, 16):
            cv2.line(sheet.ink, (x, y), (x + 12, y - 26), 1, 3)  # 25 degrees: what is over a letter is its neighbour's
    rows = sheet.layout().rows
    assert [len([s for word in row.words for s in word]) for row in rows] == [32] * 3


def test_regions_of_a_detector_are_the_lines():
    sheet = Sheet().write("aaa aaa", 50, 100).write("aaaa", 50, 160).write("aa", 50, 300)
    found = sheet.layout(regions=[Box(0, 130, 900, 170), Box(0, 60, 900, 110)])
    assert sheet.texts(found) == [(0, "aaa aaa"), (0, "aaaa")]
    assert sheet.layout(regions=[]).rows == ()


def row(left, top, width=300):
    """A Row of one stroke, 20 pixels high."""
    y, x = np.mgrid[top : top + 20, left : left + width].astype(np.int32)
    box = Box(left, top, left + width, top + 20)
    return Row(((Stroke(y.ravel(), x.ravel(), box),),), box)


def test_reading_order_of_blocks():
    """Two columns whose lines are not level, and a line below both: column after column, then the line."""
    left, right, below = [row(50, y) for y in (100, 140, 180)], [row(500, y) for y in (115, 155)], row(50, 300, 800)
    found = columns.in_reading_order([right[1], below, left[2], left[0], right[0], left[1]], 20)
    assert [line.box for line in found] == [line.box for line in (*left, *right, below)]


def test_columns_of_which_one_is_longer_under_a_heading():
    heading = row(50, 20, 800)
    left, right = [row(50, y) for y in (100, 140, 180, 220, 260)], [row(500, y) for y in (100, 140)]
    found = columns.in_reading_order([*right, heading, *left], 20)
    assert [line.box for line in found] == [line.box for line in (heading, *left, *right)]


def test_lines_on_one_level_are_read_from_the_left():
    label, number, below = row(50, 104, 200), row(700, 100, 20), row(50, 140)
    found = columns.in_reading_order([below, number, label], 20)
    assert [line.box for line in found] == [line.box for line in (label, number, below)]


def test_wide_gaps_between_words_are_not_gutters():
    """The gaps of three lines overlap by more than GUTTER, but are no wider than the others."""
    sheet = Sheet(width=1200)
    for x, y in ((50, 80), (75, 140), (60, 200)):
        sheet.write("aaa aaa aaaa aaa", x, y, gap=80)
    assert sheet.texts() == [(0, "aaa aaa aaaa aaa")] * 3


def test_numbers_before_lines_are_not_a_column():
    sheet = Sheet()
    for y in (80, 140, 200, 260):
        sheet.write("a", 50, y).write("aaaa aaa aaaa", 130, y)
    assert sheet.texts() == [(0, "a aaaa aaa aaaa")] * 4


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("top", "kept"), [(0, 3), (90, 2), (78, 3)], ids=["whole", "through letters", "a tall letter only"]
)
def test_a_line_that_the_edge_of_the_image_cuts_through_is_left_out(turned, top, kept):
    sheet = Sheet()
    for y in (104, 164, 224):
        sheet.write("aaaa aaaa", 60, y)
    sheet.ink[70:95, 60:63] = 1
    ink = sheet.ink[top:] > 0
    found, (height, width) = layout.layout(ink), ink.shape
    assert len(found.rows) == 3
    to_source = np.array([[0, -1, height - 1], [1, 0, 0], [0, 0, 1]]) if turned else np.diag([2.0, 2.0, 1.0])
    shape = (width, height) if turned else (2 * height, 2 * width)
    assert len(layout.without_cut_off(found, to_source, shape).rows) == kept


def test_the_only_line_of_an_image_is_kept_though_it_is_cut():
    found = layout.layout(Sheet().write("aaaa aaaa", 60, 30).ink[20:] > 0)
    assert layout.without_cut_off(found, np.eye(3), (480, 900)) == found


def ledger(entries=8, width=1000, label="aaaa", amount="aaa"):
    """A heading over rows of a label, an entry of some words and an amount, slightly off their level."""
    sheet = Sheet(width=width, height=140 + 50 * entries).write("aaaaaaaa aaaaaaa aaaaaaaaa aaaaaa aaaaaaaaa", 50, 60)
    for n in range(entries):
        y = 140 + 50 * n
        sheet.write(label, 50, y + n % 3 - 1).write("aaaa aaa aaaaa"[: 14 - n], 300, y).write(
            amount, 850, y + (n + 1) % 3 - 1
        )
    return sheet


def test_labels_and_amounts_are_read_with_their_entries():
    rows = ledger().layout().rows
    assert rows[0].table_row is None
    assert [row.table_row for row in rows[1:]] == [n for n in range(1, 9) for _ in range(3)]
    assert [row.column for row in rows[1:]] == [0, 1, 2] * 8


def test_numbers_are_read_with_their_entries_however_narrow():
    sheet = Sheet(width=1000, height=600)
    for n in range(8):
        sheet.write("a.", 50, 100 + 50 * n).write("aaaa aaaaa aaa aaaa", 350, 100 + 50 * n)
    rows = sheet.layout().rows
    assert [(row.table_row, row.column) for row in rows] == [(n, column) for n in range(8) for column in (0, 1)]


def test_an_entry_of_two_lines_has_one_label():
    sheet = Sheet(width=1000, height=600)
    for n in range(8):
        sheet.write("aaaa" * (n % 2 == 0), 50, 100 + 50 * n).write("aaaa aaaaa aaa aaaa", 300, 100 + 50 * n)
    assert [row.column for row in sheet.layout().rows] == [0, 1, 1] * 4


def test_the_order_can_be_chosen():
    by_column = ledger().layout(order="columns").rows
    assert {row.table_row for row in by_column} == {None}
    assert [row.box.left for row in by_column[1:]] == sorted(row.box.left for row in by_column[1:])
    sheet = Sheet(width=1000)
    for y in (100, 150, 200, 250):
        sheet.write("aaa aaaa aaaaaa", 50, y).write("aaaa aaa aa", 560, y)
    assert {row.table_row for row in sheet.layout().rows} == {None}, "two columns of prose"
    assert [row.table_row for row in sheet.layout(order="rows").rows] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_notes_in_a_margin_are_read_apart():
    sheet = Sheet(width=1000, height=700)
    for n in range(12):
        sheet.write("aaaa" * (n in (4, 5)), 30, 80 + 50 * n).write("aaaaaa aaaa aaaaaa aaaaa aaa", 250, 80 + 50 * n)
    assert {row.table_row for row in sheet.layout().rows} == {None}
