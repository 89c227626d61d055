"""RapidOCR finds and reads text if it is installed; otherwise the error says how to install it."""

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


def test_the_error_says_how_to_install_it(monkeypatch):
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
