"""The pad without a browser: strokes become pixels, events as ipycanvas sends them become strokes, answers become words."""

import base64

import numpy as np
import pytest
from ipycanvas.canvas import COMMANDS

from hcrlib.api import Reading, load_model
from hcrlib.notebook.drawing_pad import NO_CHARACTER, NOTHING, PEN, Drawing, pad, rasterised, sketch
from hcrlib.plotting.style import figure, save
from hcrlib.runtime import to_glyph


class Reader:
    """A stand-in for a model: it returns this label, and keeps the images."""

    def __init__(self, label="7", names=("7", "1", "9", "4")):
        self.label, self.names, self.given = label, names, []

    def read(self, image):
        self.given.append(image)
        shares = zip(self.names, (0.75, 0.2, 0.04, 0.01), strict=True)
        return Reading(self.label, 0.75, tuple(shares), to_glyph(image))


DIGITS = {  # strokes, as high as a pad of 280 pixels
    "2": [[(0, 80), (40, 10), (125, 15), (155, 80), (10, 280), (180, 280)]],
    "3": [[(10, 15), (100, 0), (155, 60), (85, 130), (165, 205), (100, 280), (0, 260)]],
    "4": [[(45, 0), (0, 150), (210, 150)], [(145, 15), (145, 280)]],
    "7": [[(0, 0), (225, 0), (85, 280)]],
}
DOTS = [[(x, y)] for x in range(20, 280, 40) for y in range(20, 280, 40)]


def send(board, event, *points):
    """As ipycanvas' script sends it."""
    places = [{"x": x, "y": y} for x, y in points]
    content = {"touches": places} if event.startswith("touch") else (places[0] if places else {})
    board.canvas._handle_frontend_event(board.canvas, {"event": event, **content}, [])


def test_a_stroke_is_as_wide_as_the_pen_with_round_ends_and_a_free_margin():
    image = rasterised([[(140, 100), (140, 200)]], 280)
    assert image.dtype == np.uint8
    assert image.shape == (320, 320)
    assert set(np.unique(image)) == {0, 255}
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert (rows[0], rows[-1]) == (110, 230)  # 100 - 10 to 200 + 10, moved by the margin of 20
    assert len(columns) == pytest.approx(21, abs=1)
    assert not image[:20].any()
    assert not image[:, -20:].any()


def test_a_tap_is_a_dot_and_what_lies_outside_is_cut_off():
    dot = rasterised([[(50, 60)]], 280)
    assert dot[80, 70] == 255
    assert (dot > 0).sum() == pytest.approx(np.pi * 10**2, rel=0.15)
    assert not rasterised([[(-100, -100)]], 280).any()
    assert not rasterised([], 28).any()


def test_scribbling_along_the_border_does_not_turn_ink_into_ground():
    frame = [(0, 0), (280, 0), (280, 280), (0, 280), (0, 0)]
    glyph = to_glyph(rasterised([frame], 280))
    assert glyph[14, 14] == 0
    assert glyph[14, 4:24].max() > 100


def test_a_drawing_is_read_at_the_end_of_each_stroke():
    reader = Reader()
    drawing = Drawing(reader)
    assert drawing.move(5, 5) is None, "the pen is up"
    assert not drawing.end()
    drawing.begin(80, 70)
    assert drawing.move(200, 70) == ((80, 70), (200, 70))
    assert reader.given == []
    assert drawing.end()
    assert (drawing.label, drawing.words) == ("7", "7: 75.0%\n1: 20.0%\n9: 4.0%")
    assert (reader.given[0] == rasterised([[(80, 70), (200, 70)]], 280)).all()
    assert Drawing(Reader("?"), strokes=[[(80, 70), (200, 70)]]).words.startswith("Not sure.\n7: ")


@pytest.mark.parametrize("strokes", [[], [[]], [[(999, 999)]]])
def test_nothing_drawn_is_not_given_to_the_model(strokes):
    drawing = Drawing(Reader(), strokes=strokes)
    assert (drawing.label, drawing.words, drawing.reading, drawing.model.given) == ("", NOTHING, None, [])


@pytest.fixture(scope="module")
def best_digits():
    return load_model("best-digits")


@pytest.mark.parametrize("share", [0.66, 0.3, 0.12, 0.06])
@pytest.mark.parametrize("label", DIGITS)
def test_a_digit_of_any_size_is_read(label, share, best_digits):
    small = [[(60 + share * x, 60 + share * y) for x, y in stroke] for stroke in DIGITS[label]]  # share of the pad
    drawing = Drawing(best_digits, strokes=small)
    assert drawing.label == label
    assert drawing.reading.probability > 0.9
    assert (drawing.reading.seen == best_digits.glyph(drawing.image())).all(), "as the model sees it"


@pytest.mark.parametrize("strokes", [[[(140, 140)]], [[(140, 140), (143, 141)]], DOTS], ids=["dot", "tap", "dots"])
def test_what_is_no_character_is_a_question_mark(strokes, best_digits):
    board = pad(best_digits).draw(strokes)
    assert (board.drawing.label, board.drawing.words, board.drawing.reading) == ("?", NO_CHARACTER, None)
    assert NO_CHARACTER in board.answer.value
    assert "the model saw" not in board.answer.value


def test_a_small_drawing_has_thin_lines_until_it_is_large():
    board = pad(Reader())
    send(board, "mouse_down", (100, 100))
    send(board, "mouse_move", (130, 100))
    assert board.canvas.line_width == pytest.approx(280 * PEN)
    send(board, "mouse_up", (130, 100))
    assert board.canvas.line_width == pytest.approx(5)
    assert len(board.drawing.model.given[0]) == 290
    board.drawing.begin(100, 100)
    board.drawing.move(100, 250)
    board._end()
    assert board.canvas.line_width == pytest.approx(280 * PEN)


def test_a_pad_smaller_than_a_glyph_is_refused():
    with pytest.raises(ValueError, match="at least 28"):
        pad(Reader(), size=27)


def test_a_mouse_draws_two_strokes_and_the_answer_is_shown():
    board = pad(Reader())
    blank = board.seen.value
    send(board, "mouse_move", (1, 1))  # before the button is pressed
    send(board, "mouse_down", (80, 70))
    send(board, "mouse_move", (200, 70))
    assert NOTHING in board.answer.value
    send(board, "mouse_up", (200, 70))
    assert ">7<" in board.answer.value
    assert "1: 20.0%" in board.answer.value
    assert bytes(board.seen.value).startswith(b"\x89PNG")
    assert board.seen.value != blank
    send(board, "mouse_move", (9, 9))  # after it
    send(board, "mouse_down", (100, 150))
    send(board, "mouse_out", (300, 150))  # dragged off the pad
    send(board, "mouse_move", (50, 50))
    assert board.drawing.strokes == [[(80, 70), (200, 70)], [(100, 150)]]
    assert len(board.drawing.model.given) == 2


def test_a_finger_draws_and_a_second_one_neither_draws_nor_ends():
    board = pad(Reader())
    send(board, "touch_start", (80, 70))
    send(board, "touch_move", (90, 80))
    send(board, "touch_start", (90, 80), (200, 200))
    send(board, "touch_end", (90, 80))  # the second is lifted: one remains
    send(board, "touch_move", (100, 90))
    assert board.drawing.is_down
    send(board, "touch_end")
    assert board.drawing.strokes == [[(80, 70), (90, 80), (100, 90)]]
    assert ">7<" in board.answer.value
    send(board, "touch_start", (10, 10))
    send(board, "touch_cancel")
    assert not board.drawing.is_down


def test_a_pad_shows_its_picture_and_can_be_cleared():
    board = pad(Reader("<b>", names=("<b>", "&", "1", "4")))
    blank = board.answer.value, board.seen.value
    board.draw([[(80, 70), (200, 70)]])
    assert "<b>" not in board.answer.value
    assert "&lt;b&gt;" in board.answer.value
    assert board.seen.value != blank[1]
    assert len(board.seen.value) < 2000, "notebooks keep it"
    shown = board._repr_mimebundle_()
    assert shown["text/plain"] == "Pad(1 strokes, answer '<b>')"
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert base64.b64decode(shown["image/png"]).startswith(b"\x89PNG")
    board.button.click()
    assert (board.answer.value, board.seen.value) == blank
    assert board.drawing.strokes == []


def test_a_page_that_was_loaded_again_is_drawn_anew(monkeypatch):
    board = pad(Reader()).draw([[(10, 20), (30, 40)]])
    sent = []
    monkeypatch.setattr(
        board.canvas._canvas_manager, "_send_custom", lambda commands, buffers=(): sent.extend(commands)
    )
    send(board, "client_ready")
    assert sent[0] == [COMMANDS["switchCanvas"], [f"IPY_MODEL_{board.canvas.model_id}"]], "the page has forgotten it"
    assert [args for name, args, *_ in sent if name == COMMANDS["strokeLine"]] == [[10, 20, 30, 40]]
    assert (board.canvas.fill_style, board.canvas.line_cap) == ("black", "round")


def test_a_sketch_has_the_drawing_the_glyph_and_the_words_row_below_row():
    ax = figure()
    for row, strokes in enumerate(([[(80, 70), (200, 70)]], [])):
        assert sketch(ax, Drawing(Reader(), strokes=strokes), row) is ax
    assert len(ax.images) == 4
    assert {"7", NOTHING} <= {text.get_text() for text in ax.texts}
    assert save(ax).data.startswith(b"\x89PNG")
