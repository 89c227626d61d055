"""Composed pages of real digits, rotated and blank pages, and images without writing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hcrlib
from hcrlib.core.errors import ConfigError
from hcrlib.documents import evaluation
from hcrlib.documents.containers import Line, Word
from hcrlib.documents.decoding import Lexicon
from hcrlib.documents.reader import Reader, load_words
from hcrlib.documents.synthesis import PLAIN, compose

LOOK = replace(PLAIN, size=(760, 560), x_height=30, spacing=0.3)
TEXTS = ["31415", "926", "5358", "979", "32384", "6264", "33832", "795", "0288", "4197", "169", "39937", "5105", "820"]


class Flat:
    """A stand-in for a model with two characters: its scores are the same for every image."""

    reads = "characters"
    classes, frame, unsure_below = ("a", "b"), "emnist", 0.5

    def __init__(self, sure=0.9):
        self.sure = sure

    def scores(self, images):
        assert (images.shape[1:], images.dtype) == ((28, 28), np.uint8)
        return np.tile(np.float32([self.sure, 1 - self.sure]), (len(images), 1))


class Whole:
    """A Recognizer without a name, which reads "a" in each row."""

    joined = True

    def lines(self, cleaned, found):
        return tuple(Line((Word("a", row.box, 0.9),), row.box) for row in found.rows)


@pytest.fixture(scope="module")
def reader():
    return Reader("best-digits", characters="0123456789", unsure_below=0.0)


@pytest.fixture(scope="module")
def composed():
    digits = hcrlib.load_dataset("mnist-5k")
    return compose(digits.val, digits.classes, LOOK, 5, TEXTS)


@pytest.fixture(scope="module")
def read(reader, composed):
    return reader.page(composed.image)


def strokes_page():
    """Three lines of two words of five corners of the shape of an L."""
    image = np.full((640, 800, 3), 255, np.uint8)
    for y in (150, 230, 310):
        for x in (*range(60, 210, 30), *range(260, 410, 30)):
            image[y : y + 40, x : x + 5] = image[y + 35 : y + 40, x : x + 20] = 20
    return image


def test_a_composed_page_is_read(read, composed):
    found = evaluation.boxes_found(read, composed.truth)
    assert found["lines"].f1 == 1
    assert found["words"].f1 > 0.9
    assert found["characters"].f1 > 0.8
    assert evaluation.character_errors(read.text, composed.truth.text).rate < 0.25
    assert set(read.text) <= set("0123456789 \n")
    assert read.seconds > 0
    assert read.number == 1


@pytest.mark.parametrize("ground", [(0, 0, 0), (30, 60, 45)])  # an inverted scan, a blackboard
def test_light_on_dark_reads_as_dark_on_light(reader, read, composed, ground):
    light = 255 - composed.image.astype(float)
    shade = np.linspace(1, 0.7, light.shape[1])[None, :, None]
    page = reader.page(((light + ground).clip(0, 255) * (shade if any(ground) else 1)).astype(np.uint8))
    assert evaluation.character_errors(page.text, read.text).rate < 0.05
    assert "It is written in light on dark." in page.notes
    assert page.image.mean() < 128, "it is shown as it is"


class Corner(Flat):
    """Recognizes upright corners of the shape of an L."""

    classes = "L", "none"

    def scores(self, images):
        ink = images > 60
        upright = (
            ink[:, 14:, 2:14].any(axis=(1, 2)) & ~ink[:, 4:12, 16:24].any(axis=(1, 2)) & ink[:, 4:12, 4:14].any((1, 2))
        )
        return np.stack([np.where(upright, 0.95, 0.05), np.where(upright, 0.05, 0.95)], axis=1).astype(np.float32)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_page_the_wrong_way_up_reads_the_same(quarters):
    image, expected = strokes_page(), "\n".join(["LLLLL LLLLL"] * 3)
    turned = np.ascontiguousarray(np.rot90(image, quarters))
    page = Reader(Corner(), characters="L").page(turned)
    assert page.text == expected
    assert page.notes[-1:] == ((f"It was turned by {90 * (4 - quarters)} degrees.",) if quarters else ())
    covered = np.zeros(turned.shape[:2], bool)
    for word in page.words:
        for c in word.characters:
            left, top, right, bottom = page.source_box(c.box)
            covered[top : bottom + 1, left : right + 1] = True
    ink = turned[..., 0] < 128
    assert covered[ink].mean() > 0.98
    assert ink[covered].mean() > 0.2


@pytest.mark.parametrize(
    ("top", "read", "note"),
    [
        (0, 3, []),
        (170, 2, ["At the edge of the image, 1 line that it cuts through was left out."]),
        (330, 1, []),  # there is no other
    ],
)
def test_a_line_that_the_edge_of_the_image_cuts_through_is_left_out(top, read, note):
    page = Reader(Corner(), recognizer=Whole()).page(strokes_page()[top:])
    assert (len(page.lines), [said for said in page.notes if "edge" in said]) == (read, note)


def test_every_word_is_in_its_place_and_its_characters_in_it(read):
    for line in read.lines:
        lefts = [word.box.left for word in line.words]
        assert lefts == sorted(lefts)
        for word in line.words:
            assert word.text == "".join(c.text for c in word.characters)
            assert 0 <= word.confidence <= 1
            for c in word.characters:
                assert c.box.left >= word.box.left
                assert c.box.bottom <= word.box.bottom
                assert 0 <= c.confidence <= 1 + 1e-9


def test_files_of_several_pages_are_read_one_at_a_time(reader, composed, read, tmp_path):
    path = tmp_path / "two.tif"
    frame = Image.fromarray(composed.image)
    frame.save(path, save_all=True, append_images=[Image.new("RGB", (400, 300), "white")])
    pages = reader.read(path)
    assert next(pages).text == read.text
    blank = next(pages)
    assert (blank.number, blank.lines, blank.notes) == (2, (), (BLANK,))


def _noise(shape):
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


def _fur():
    y, x = np.mgrid[:120, :160]
    fur = 120 + 60 * np.sin(x / 7 + 3 * np.sin(y / 11)) + np.random.default_rng(0).normal(0, 30, (120, 160))
    return np.repeat(np.clip(fur, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


BLANK, NO_WRITING = "Nothing is written on it.", "What was found on it does not look like writing."


@pytest.mark.parametrize(
    ("image", "notes"),
    [
        (np.full((300, 400, 3), 250, np.uint8), [BLANK]),
        (np.full((16, 20000, 3), 255, np.uint8), [BLANK]),
        (_noise((120, 160)), [BLANK, NO_WRITING]),
        (_fur(), [BLANK, NO_WRITING]),
    ],
    ids=["blank", "long and thin", "noise", "fur"],
)
def test_an_image_without_writing_has_no_text_and_a_note(image, notes):
    page = Reader("page-62").page(image)
    assert (page.text, page.lines, page.words) == ("", (), [])
    assert page.notes[-1] in notes


def test_strokes_that_fit_no_class_are_not_writing():
    class Nothing(Flat):
        classes = ("a", "b", "none")

        def scores(self, images):
            return np.tile(np.float32([0.01, 0.01, 0.98]), (len(images), 1))

    page = Reader(Nothing()).page(strokes_page())
    assert page.lines == ()
    assert page.notes[-1] == NO_WRITING


def test_unsure_characters_are_question_marks_with_their_alternatives():
    sure, unsure = (Reader(Flat(), min_confidence=least, characters="ab").page(strokes_page()) for least in (0.0, 1.01))
    assert len(sure.lines) == len(unsure.lines) == 3
    assert set(sure.text) <= set("ab \n")
    assert set(unsure.text) <= set("? \n")
    assert unsure.words[0].characters[0].alternatives[0][0] in "ab"


def test_the_models_own_threshold_is_the_default():
    model = Flat()
    assert Reader(model).characters.min_confidence == 0.5
    assert Reader(model, min_confidence=0.0).characters.min_confidence == 0
    assert Reader(model, unsure_below=0.2).characters.min_confidence == 0.2, "the earlier name of the option"


def test_a_lexicon_is_words_or_a_file_or_english(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("Straße\nhouse\n", encoding="utf-8")
    for given in (path, str(path), ["Straße", "house"]):
        lexicon = Lexicon(load_words(given))
        assert "straße" in lexicon
        assert "horse" not in lexicon
    path.write_text("Straße\r\nhouse\r\n", encoding="utf-16")
    assert load_words(path) == ["Straße", "house"]
    path.write_text("Straße", encoding="utf-8-sig")
    assert load_words(path) == ["Straße"]
    assert load_words(None) is None
    english = load_words("en")
    assert "house" in english
    assert "zzqx" not in english


def test_a_page_names_the_recognizer_of_whole_words():
    image = np.full((90, 300, 3), 255, np.uint8)
    image[30:60, 40:200:20] = 0
    reader = Reader(Flat(), recognizer="words-52", min_confidence=0.0)
    assert reader.page(image).recognizer == "words-52"
    assert reader.page(np.full_like(image, 255)).recognizer == "", "nothing is written"
    assert Reader(Flat()).page(image).recognizer == ""
    model = hcrlib.load_model("words-52")
    assert Reader(Flat(), recognizer=model, min_confidence=0.0).page(image).recognizer == model.name == "crnn-small"
    assert Reader(Flat(), recognizer=Whole()).page(image).recognizer == "Whole"


def test_unknown_names_are_config_errors(tmp_path):
    with pytest.raises(ConfigError, match="has none of the allowed characters xyz"):
        Reader(Flat(), characters="xyz")
    for option in ("detector", "recognizer"):
        for wrong in ("east", 5):
            with pytest.raises(ConfigError, match=rf"Unknown {option}\. Expected .*rapidocr, .*got {wrong!r}"):
                Reader(Flat(), **{option: wrong})
    with pytest.raises(ConfigError, match="not a model"):
        Reader(5)
    with pytest.raises(ConfigError, match="rapidocr"):
        Reader(Flat(), recognizer="rapidocr", lexicon=["tools"])
    with pytest.raises(ConfigError, match="reads characters"):
        Reader(Flat(), recognizer="best-digits")
    with pytest.raises(ConfigError, match=r"lexicon cannot be read.*`en`"):
        Reader(Flat(), lexicon=tmp_path / "none.txt")
    Path(tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="lexicon cannot be read"):
        Reader(Flat(), lexicon=tmp_path / "binary")
    with pytest.raises(ConfigError, match="no-such-model"):
        Reader("no-such-model")


def line_cut_out(height):
    """A line of digits, cut from a composed page with a small margin, and its text."""
    data = hcrlib.load_dataset("mnist-5k")
    page = compose(data.val, data.classes, PLAIN, seed=4)
    line = page.truth.lines[2]
    box = line.box
    return page.image[box.top - height : box.bottom + height, box.left - 20 : box.right + 20], line.text


@pytest.mark.parametrize("height", [6, 20])
def test_a_line_that_was_cut_from_a_page_is_read(height):
    image, text = line_cut_out(height)
    read = Reader("page-62", characters="0123456789", unsure_below=0).page(image)
    assert evaluation.character_errors(read.text, text).edits <= 2


def test_noise_is_not_read_for_minutes(monkeypatch):
    monkeypatch.setattr("hcrlib.documents.character_recognition.MOST_GLYPHS", 50)
    read = Reader("page-62").page(_noise((300, 300)))
    assert read.text == ""
    assert read.notes[-1] == NO_WRITING
