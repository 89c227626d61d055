"""Pages in, text out: composed pages of real digits, turned and blank ones, and what is no writing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hcrlib
from hcrlib.core.errors import ConfigError
from hcrlib.documents import evaluation
from hcrlib.documents.decoding import Lexicon
from hcrlib.documents.reader import Reader, load_words
from hcrlib.documents.synthesis import PLAIN, compose

LOOK = replace(PLAIN, size=(760, 560), x_height=30, spacing=0.3)
TEXTS = ["31415", "926", "5358", "979", "32384", "6264", "33832", "795", "0288", "4197", "169", "39937", "5105", "820"]


class Flat:
    """In the place of a model: it knows two characters and is as sure of the first, whatever it is shown."""

    reads = "characters"
    classes, frame, unsure_below = ("a", "b"), "emnist", 0.5

    def __init__(self, sure=0.9):
        self.sure = sure

    def scores(self, images):
        assert (images.shape[1:], images.dtype) == ((28, 28), np.uint8)
        return np.tile(np.float32([self.sure, 1 - self.sure]), (len(images), 1))


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
    """Three lines of two words of five corners, as an L has them."""
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


class Corner(Flat):
    """It knows corners as an L has them, and is sure of those that stand upright."""

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
    there = np.zeros(turned.shape[:2], bool)
    for word in page.words:
        for c in word.characters:
            left, top, right, bottom = page.source_box(c.box)
            there[top : bottom + 1, left : right + 1] = True
    ink = turned[..., 0] < 128
    assert there[ink].mean() > 0.98
    assert ink[there].mean() > 0.2


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
    assert (blank.number, blank.lines, blank.notes) == (2, (), ("Nothing is written on it.",))


def test_a_blank_page_says_so():
    blank = Reader(Flat()).page(np.full((300, 400, 3), 250, np.uint8))
    assert (blank.text, blank.lines, blank.words) == ("", (), [])
    assert blank.notes == ("Nothing is written on it.",)


def test_noise_and_fur_have_no_text_and_a_note():
    reader = Reader("page-62")
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (120, 160, 3), np.uint8)
    y, x = np.mgrid[:120, :160]
    fur = np.clip(120 + 60 * np.sin(x / 7 + 3 * np.sin(y / 11)) + rng.normal(0, 30, (120, 160)), 0, 255)
    cat = np.repeat(fur.astype(np.uint8)[..., None], 3, axis=2)
    for picture in (noise, cat):
        page = reader.page(picture)
        assert page.lines == ()
        assert page.notes[-1] in ("Nothing is written on it.", "What was found on it does not look like writing.")


def test_what_no_class_fits_is_no_writing():
    class Nothing(Flat):
        classes = ("a", "b", "none")

        def scores(self, images):
            return np.tile(np.float32([0.01, 0.01, 0.98]), (len(images), 1))

    page = Reader(Nothing()).page(strokes_page())
    assert page.lines == ()
    assert page.notes[-1] == "What was found on it does not look like writing."


def test_unsure_characters_are_question_marks_with_their_alternatives():
    sure, unsure = (Reader(Flat(), unsure_below=at, characters="ab").page(strokes_page()) for at in (0.0, 1.01))
    assert len(sure.lines) == len(unsure.lines) == 3
    assert set(sure.text) <= set("ab \n")
    assert set(unsure.text) <= set("? \n")
    assert unsure.words[0].characters[0].alternatives[0][0] in "ab"


def test_the_models_own_threshold_is_the_default():
    model = Flat()
    assert Reader(model).characters.min_confidence == 0.5
    assert Reader(model, min_confidence=0.0).characters.min_confidence == 0
    assert Reader(model, unsure_below=0.2).characters.min_confidence == 0.2, "the earlier name of the option"


def test_characters_that_can_be_are_the_only_ones():
    model = Flat(0.5)
    assert set(Reader(model, characters="b", unsure_below=0).page(strokes_page()).text) <= set("b \n")


def test_a_lexicon_is_words_or_a_file_or_english(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("Straße\nhouse\n", encoding="utf-8")
    for given in (path, str(path), ["Straße", "house"]):
        lexicon = Lexicon(load_words(given))
        assert "straße" in lexicon
        assert "horse" not in lexicon
    assert load_words(None) is None
    english = load_words("en")
    assert "house" in english
    assert "zzqx" not in english


def test_what_there_is_not_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="has none of the allowed characters xyz"):
        Reader(Flat(), characters="xyz")
    for wrong in ({"detector": "east"}, {"recognizer": "east"}, {"detector": "components"}):
        with pytest.raises(ConfigError, match=r"Unknown (detector|recognizer) '.*'.*rapidocr"):
            Reader(Flat(), **wrong)
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
    """A composed page's line of digits, cut from it with little around it, and what it says."""
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


def test_a_lexicon_makes_no_character_unsure_and_takes_a_full_stop():
    known = Reader("page-62", lexicon=["tools"])
    assert "tools" in known.characters.lexicon
    with pytest.raises(ConfigError, match="rapidocr"):
        Reader("page-62", recognizer="rapidocr", lexicon=["tools"])


def test_noise_is_not_read_for_minutes(monkeypatch):
    monkeypatch.setattr("hcrlib.documents.character_recognition.MOST_GLYPHS", 50)
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    read = Reader("page-62").page(noise)
    assert read.text == ""
    assert "does not look like writing" in read.notes[-1]


def test_a_long_thin_picture_has_nothing_written_on_it():
    assert Reader("page-62").page(np.full((16, 20000, 3), 255, np.uint8)).text == ""
