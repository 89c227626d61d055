"""to_glyph: MNIST's recipe on made-up drawings whose answer is known."""

import io

import numpy as np
import pytest
from PIL import Image

from hcrlib.runtime import to_glyph
from hcrlib.runtime.image import centred, ink_boxed, to_grey


def drawing(h=100, w=60, ground=255, ink=0):
    image = np.full((h, w), ground, np.uint8)
    image[20:80, 25:35] = ink  # an upright bar, 60 x 10
    return image


def photo(ink, seed=0):
    """uint8 (400, 400): ink, uint8 (h, w), on grey paper in uneven light, with grain."""
    rng = np.random.default_rng(seed)
    sheet = np.zeros((400, 400))
    sheet[100:300, 120:320] = np.array(Image.fromarray(ink).resize((200, 200), Image.BICUBIC)) / 255
    light = np.linspace(0.5, 1, 400)
    return np.clip(light * (220 - 160 * sheet) + rng.normal(0, 5, sheet.shape), 0, 255).astype(np.uint8)


def noise():
    stream = io.BytesIO()
    Image.effect_noise((200, 200), 50).save(stream, "PNG")
    return stream.getvalue()


def test_bar_fills_the_box_and_is_centred():
    glyph = to_glyph(drawing())
    rows, columns = np.flatnonzero(glyph.any(axis=1)), np.flatnonzero(glyph.any(axis=0))
    assert glyph.shape == (28, 28)
    assert glyph.dtype == np.uint8
    assert (rows[0], rows[-1]) == (4, 23)  # 20 rows
    assert 3 <= len(columns) <= 4  # 10/60 of 20
    assert abs((glyph.sum(axis=0) * np.arange(28)).sum() / glyph.sum() - 13.5) <= 0.5


def test_a_tiff_is_turned_as_it_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(drawing()).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "bar.tif", exif=exif)
    for source in (tmp_path / "bar.tif", str(tmp_path / "bar.tif"), (tmp_path / "bar.tif").read_bytes()):
        assert (to_grey(source) == drawing()).all()


@pytest.mark.parametrize(("ground", "ink"), [(255, 0), (0, 255), (200, 40), (30, 220)])
def test_dark_on_light_and_light_on_dark_are_the_same(ground, ink):
    assert np.abs(to_glyph(drawing(ground=ground, ink=ink)).astype(int) - to_glyph(drawing())).max() <= 1


def test_path_bytes_pil_and_arrays_are_the_same(tmp_path):
    image = Image.fromarray(drawing())
    image.save(tmp_path / "bar.png")
    expected = to_glyph(drawing())
    colour = np.repeat(drawing()[:, :, None], 3, axis=2)
    transparent = Image.new("RGBA", image.size, (0, 0, 0, 0))
    transparent.paste(image.convert("RGBA"), mask=Image.fromarray(255 - drawing()))
    for same in (
        tmp_path / "bar.png",
        str(tmp_path / "bar.png"),
        (tmp_path / "bar.png").read_bytes(),
        image,
        colour,
        drawing() / 255.0,
        drawing() > 127,
        transparent,
        Image.fromarray(drawing().astype(np.uint16) * 257),
    ):
        assert (to_glyph(same) == expected).all()


def test_exif_rotation_is_honoured():
    turned = Image.fromarray(np.rot90(drawing()))
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees to see it upright"
    stream = io.BytesIO()
    turned.save(stream, "PNG", exif=exif)
    assert (to_glyph(stream.getvalue()) == to_glyph(drawing())).all()


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"no image", "Pillow cannot read"),
        (np.zeros((0, 5), np.uint8), "shape"),
        (np.zeros((5, 5, 7), np.uint8), "shape"),
        (np.full((5, 5), 1.5), "0..1"),
        (np.full((5, 5), np.nan), "0..1"),
        (np.full((5, 5), 300), "0..255"),
        (np.full((40, 40), 255, np.uint8), "blank"),
        (np.zeros((40, 40), np.uint8), "blank"),
        (17, "expected a path"),
        (noise()[:2000], "image"),
        (photo(np.zeros((28, 28), np.uint8)), "blank"),
    ],
)
def test_what_cannot_be_read_is_said(bad, says):
    with pytest.raises(ValueError, match=says):
        to_glyph(bad)


def test_centring_loses_no_ink():
    image = np.zeros((28, 28), np.uint8)
    image[0, 0], image[10:18, 20:28] = 255, 255
    assert centred(image).sum(dtype=int) == image.sum(dtype=int)
    assert not ink_boxed(np.zeros((28, 28), np.uint8)).any()


def test_a_photo_is_read_as_a_scan_is():
    scan = to_glyph(drawing())
    found = to_glyph(photo(scan))
    assert np.corrcoef(found.ravel(), scan.ravel())[0, 1] > 0.9
    light = to_glyph(255 - photo(scan))
    assert np.corrcoef(light.ravel(), scan.ravel())[0, 1] > 0.9


def test_emnist_s_frame_is_filled_to_two_pixels():
    ink = np.flatnonzero((to_glyph(drawing(), frame="emnist") > 32).any(axis=1))
    assert (ink[0], ink[-1]) == (2, 25)
    with pytest.raises(ValueError, match="frame"):
        to_glyph(drawing(), frame="other")
