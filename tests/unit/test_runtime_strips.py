"""Strips of one word or line: light or dark, written on or blank."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

import hcrlib
from hcrlib.core import paths
from hcrlib.runtime.strips import dark_on_light, is_light_on_dark

RNG = np.random.default_rng(0)


def levels(values):
    return np.clip(values, 0, 255).astype(np.uint8)


def blurred(width, strength):
    noise = Image.fromarray(levels(RNG.normal(128, 60, (80, 900)))).filter(ImageFilter.GaussianBlur(width))
    grain = np.asarray(noise, float) - 128
    return levels(215 + strength * grain / grain.std())


def drawn(*shapes, size=(600, 60), ground=240, ink=60):
    image = Image.new("L", size, ground)
    for kind, box in shapes:
        getattr(ImageDraw.Draw(image), kind)(box, ink)
    return np.asarray(image)


BLANK = {
    "white": np.full((60, 600), 255, np.uint8),
    "black": np.zeros((60, 600), np.uint8),
    "grain": levels(RNG.normal(225, 8, (60, 600))),
    "paper": blurred(1.5, 8),
    "mottle": blurred(6, 12),
    "shade": levels(np.linspace(90, 250, 600)[None] + RNG.normal(0, 3, (60, 600))),
    "dust": drawn(("ellipse", (100, 20, 103, 23)), ("ellipse", (400, 40, 404, 44))),
    "rule": drawn(("rectangle", (0, 50, 600, 52))),
    "narrow": np.full((60, 3), 200, np.uint8),
}


@pytest.mark.parametrize("name", BLANK)
def test_a_strip_without_writing_is_blank(name):
    assert dark_on_light(BLANK[name]) is None
    assert dark_on_light(255 - BLANK[name]) is None


@pytest.mark.parametrize("contrast", [1.0, 0.15])
@pytest.mark.parametrize("factor", [1, 4])
def test_writing_becomes_dark_on_light(contrast, factor):
    written = np.load(paths.project_root() / "results/zoo/best-lines/golden.npz")["image-0"]
    written = levels(230 - contrast * (230 - written.astype(float)))
    written = np.kron(written, np.ones((factor, factor), np.uint8))
    assert np.array_equal(dark_on_light(written), written)
    assert np.array_equal(dark_on_light(255 - written), written)


def test_a_page_is_light_on_dark_if_most_of_its_ink_is():
    page = drawn(
        *(("rectangle", (x, y, x + 20, y + 4)) for y in range(60, 700, 40) for x in range(50, 450, 26)), size=(500, 800)
    )
    shade = np.linspace(0.5, 1, 500)[None]
    assert not is_light_on_dark(levels(page * shade))
    assert is_light_on_dark(levels((255 - page) * shade))
    assert not is_light_on_dark(np.zeros((500, 800), np.uint8))


def test_a_model_of_lines_reads_nothing_from_a_blank_strip_and_light_writing_as_dark():
    model = hcrlib.load_model("words-52")
    golden = np.load(paths.project_root() / "results/zoo/words-52/golden.npz")
    assert model.read(BLANK["grain"]) == ("", 1.0)
    assert model.read(255 - golden["image-1"]) == model.read(golden["image-1"])
