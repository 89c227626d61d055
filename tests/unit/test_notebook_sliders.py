"""Sliders without a browser: a value that moves is a figure with other numbers, also where widgets are not rendered."""

import base64

import numpy as np

from hcrlib.datasets import Split
from hcrlib.notebook import sliders

LABELS = np.arange(10) % 2
SCORES = np.stack([1 - np.linspace(0.1, 1, 10), np.linspace(0.1, 1, 10)], axis=1)
ANSWERS = {"labels": LABELS, "predicted": SCORES.argmax(axis=1), "scores": SCORES.astype(np.float16)}
IMAGES = np.zeros((10, 28, 28), np.uint8)
IMAGES[:, 4:24, 13:15] = 255


class Model:
    """It says "1" where the middle columns are inked."""

    def scores(self, images):
        share = images[:, 4:24, 13:15].mean(axis=(1, 2)) / 255
        return np.stack([1 - share, share], axis=1)


def test_a_threshold_rejects_the_least_certain():
    title = sliders.draw_rejection(ANSWERS, IMAGES, "ab", 0.65).get_title()
    assert title == "3 of 10 rejected; 1 of 4 errors are among them; 57.14% of the other 7 are right"
    assert sliders.draw_rejection(ANSWERS, IMAGES, "ab", 0).get_title().startswith("0 of 10 rejected; 0 of 4")
    assert sliders.draw_rejection(ANSWERS, IMAGES, "ab", 1.01).get_title().endswith("4 of 4 errors are among them")
    [first, *_] = sliders.draw_rejection(ANSWERS, IMAGES, "ab", 0.65).texts
    assert first.get_text() == "a → a, 50%"


def test_images_get_worse_with_the_strength():
    split = Split(IMAGES, np.ones(10, np.int64))
    titles = [sliders.draw_corruption(Model(), split, "ab", "translate", strength).get_title() for strength in (0, 5)]
    assert titles == [
        "translate, strength 0: 10 of 10 images are read right",
        "translate, strength 5: 0 of 10 images are read right",
    ]


def test_a_slider_that_is_moved_draws_again_and_a_picture_stays_without_widgets():
    shown = sliders.rejection(ANSWERS, IMAGES, "ab")
    before, size = shown.picture.value, len(shown.children)
    shown.controls["threshold"].value = 0.0
    assert shown.picture.value != before
    assert bytes(shown.picture.value).startswith(b"\x89PNG")
    assert len(shown.children) == size
    assert base64.b64decode(shown._repr_mimebundle_()["image/png"]) == shown.picture.value
    assert repr(shown) == "Sliders(threshold=0.0)"


def test_the_kind_and_the_strength_are_both_controls():
    shown = sliders.corruptions(Model(), Split(IMAGES, LABELS), "ab", kind="scale", strength=1)
    assert set(shown.controls) == {"kind", "strength"}
    before = shown.picture.value
    shown.controls["kind"].value = "brightness"
    assert shown.picture.value != before
