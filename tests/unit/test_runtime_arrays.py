import warnings

import numpy as np
import pytest

import hcrlib as hcr
from hcrlib.runtime.arrays import levels_of, to_images

GLYPHS = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("array", "notes"),
    [
        (GLYPHS, []),
        (GLYPHS.astype(np.int32), []),
        (GLYPHS.astype(float), []),
        (GLYPHS / 255, ["pixels of 0 to 1 were scaled to 0 to 255"]),
        (GLYPHS / 127.5 - 1, ["pixels of -1 to 1 were scaled to 0 to 255"]),
        ((GLYPHS * np.uint16(257)), ["pixels of 0 to 65535 were scaled to 0 to 255"]),
        (GLYPHS.reshape(3, 784), []),
        (GLYPHS[..., None], []),
        (GLYPHS[:, None], []),
        (np.repeat(GLYPHS[..., None], 3, 3), ["colors were turned to gray"]),
        (
            np.repeat(GLYPHS[:, None], 3, 1) / 255,
            ["colors were turned to gray", "pixels of 0 to 1 were scaled to 0 to 255"],
        ),
        (np.pad(GLYPHS, ((0, 0), (2, 2), (2, 2))), ["the even margin of 32 x 32 pixels was cut off"]),
    ],
)
def test_arrays_of_any_kind_are_the_same_images(array, notes):
    images, said = to_images(array)
    assert images.dtype == np.uint8
    assert (images == GLYPHS).all()
    assert said == notes
    assert np.shares_memory(images, array) == (array.dtype == np.uint8 and not notes)


@pytest.mark.parametrize(("most", "level"), [(1, 255), (3, 255), (15, 255), (16, 255), (12, 204), (17, 17)])
def test_few_levels_are_scaled_by_their_range(most, level):
    assert to_images(np.full((1, 28, 28), most))[0].max() == level


def test_other_sizes_are_resized_with_their_shape():
    image = np.full((1, 20, 40), 255, np.uint8)
    image[0, 5:15, 5:35] = 0
    resized, notes = to_images(image)
    assert notes == ["images of 20 x 40 pixels were resized to 28 x 28"]
    assert (resized[0, [0, 27]] > 250).all(), "the ground is continued"
    assert (resized[0, 12:16, 8:20] < 9).all()
    assert to_images(np.full((2, 64), 16.0))[0].shape == (2, 28, 28)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (GLYPHS - 300.0, "got -300 to -45"),
        (GLYPHS * 2.0, "got 0 to 510"),
        (GLYPHS / 250.0, "got 0 to 1.02"),
        (GLYPHS + np.nan, "not numbers"),
        (GLYPHS[0], r"\(28, 28\); one image alone is images\[None\]"),
        (np.zeros((2, 783)), r"\(2, 783\)"),
        (np.zeros((1, 28, 28, 4)), r"\(1, 28, 28, 4\)"),
        (np.full((1, 28, 28), "a"), "expected numbers"),
    ],
)
def test_what_is_no_image_is_refused(array, says):
    with pytest.raises(ValueError, match=says):
        to_images(array)


def test_levels_of_nothing_and_of_booleans():
    assert levels_of(np.zeros((0, 28, 28))) == (0, 255)
    assert levels_of(np.zeros((1, 28, 28), bool)) == (0, 1)
    assert to_images(np.ones((1, 28, 28), bool))[0].max() == 255


def test_a_model_predicts_the_same_of_the_same_images():
    model, images = hcr.load_model("best-digits"), hcr.load_dataset("mnist-5k").test.images[:20]
    right = model.predict(images)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.predict(images.reshape(20, 784).astype(int)) == right
    for array, says in (
        (images / 255, "scaled"),
        (images // 16, "scaled"),
        (np.repeat(images[..., None], 3, 3), "gray"),
    ):
        with pytest.warns(UserWarning, match=says):
            assert model.predict(array) == right
    with pytest.raises(ValueError, match="one image alone"):
        model.predict(images[0])
