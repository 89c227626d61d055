"""RapidOCR, where it is installed, finds and reads what is drawn; where it is not, the error says how to get it."""

import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from hcrlib.core.errors import ConfigError
from hcrlib.documents import rapidocr
from hcrlib.documents.fonts import face_path
from hcrlib.documents.reader import Reader


@pytest.fixture(scope="module")
def sign():
    image = Image.new("RGB", (900, 300), "white")
    ImageDraw.Draw(image).text((60, 90), "GREAT SALE", "black", ImageFont.truetype(face_path(), 90))
    return np.array(image)


def test_without_it_the_error_says_how_to_get_it(monkeypatch):
    rapidocr._engine.cache_clear()
    with monkeypatch.context() as changed:
        changed.setitem(sys.modules, "rapidocr", None)
        with pytest.raises(ConfigError, match="hcrlib\\[photos\\]"):
            rapidocr.text(np.zeros((40, 40, 3), np.uint8))


def test_it_finds_and_reads(sign):
    pytest.importorskip("rapidocr")
    assert len(rapidocr.regions(sign)) >= 1
    assert rapidocr.page(sign).split() == ["GREAT", "SALE"]
    assert rapidocr.page(np.full((200, 200, 3), 255, np.uint8)) == ""
    page = Reader(detector="rapidocr", recognizer="rapidocr").page(sign)
    assert page.text == "GREAT SALE"
    assert [word.characters for word in page.words] == [(), ()]


def test_what_is_none_of_its_names_is_refused():
    with pytest.raises(ConfigError, match="rapidocr"):
        Reader(recognizer="east")
