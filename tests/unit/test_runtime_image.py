"""to_glyph: MNIST's recipe on made-up drawings whose answer is known, and digits drawn as people draw and photograph them."""

import contextlib
import io

import numpy as np
import pytest
from PIL import Image

import hcrlib
from hcrlib.bench import inputs
from hcrlib.runtime import CharacterModel, Pipeline, to_glyph
from hcrlib.runtime.glyph import steps_of
from hcrlib.runtime.image import centred, ink_boxed, to_grey, to_pixels
from hcrlib.runtime.strokes import WIDTHS


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


@pytest.fixture(scope="module")
def digits():
    model = hcrlib.load_model("best-digits")
    return model, inputs.characters(model, hcrlib.load_dataset("mnist-5k"), 1)


@pytest.mark.parametrize(
    "what",
    [
        "as drawn on the page",
        "pen of 1/200 of the canvas",
        "pen of 1/6 of the canvas",
        "pen of 1 pixel on 28",
        "black on gray 60",
        "gray 225 on white",
        "blue on black",
        "red on gray of its lightness",
        "white on transparent",
        "thick frame",
        "black side",
        "one dark pixel far off",
        "ruled paper",
        "shadow with an edge",
        "dim photo",
        "noise of 25 levels",
        "JPEG, quality 10, thin",
        "TIFF, 10 bits",
        "TIFF, floats to 1",
        "small, in a corner",
    ],
)
def test_digits_are_read_whatever_they_are_brought_as(what, digits):
    model, drawn = digits
    assert len(drawn) == 10
    assert inputs.shares(model, drawn, what) >= 9


def test_every_condition_is_drawn(digits):
    _, [(_, strokes), *_] = digits
    for what, condition in inputs.CONDITIONS.items():
        picture = inputs.picture(strokes, np.random.default_rng(0), **{**condition, "canvas": 50})
        assert min(to_pixels(picture).shape[:2]) == 50, what


def test_glyphs_are_framed_and_otherwise_left_as_they_are():
    images = hcrlib.load_dataset("mnist-5k").val.images[:60]
    assert np.mean([(to_glyph(image) == centred(ink_boxed(image))).all() for image in images]) > 0.9


@pytest.mark.parametrize("frame", ["mnist", "emnist"])
@pytest.mark.parametrize("width", [1, 4, 30])
def test_strokes_are_as_wide_as_those_of_training_images(width, frame):
    image = np.full((200, 200), 255, np.uint8)
    image[40:160, 100 - width // 2 : 100 - width // 2 + width] = 0
    image[40 : 40 + width, 40:160] = 0
    least, _, most = WIDTHS[frame]
    assert least <= steps_of(to_glyph(image, frame=frame), frame=frame).stroke <= most


def test_the_parts_of_a_character_are_kept_and_neighbors_dropped():
    image = np.full((120, 100), 255, np.uint8)
    image[50:100, 45:53], image[30:38, 45:53] = 0, 0  # an i
    image[60:120, 0:6], image[5:7, 90:92] = 0, 0  # the side of a cut-off neighbor, and a speck
    steps = steps_of(image)
    assert (steps.box, steps.parts, steps.dark) == ((45, 30, 53, 100), 2, True)


def test_what_is_not_one_character_is_unsure(digits):
    model, [(_, strokes), *_] = digits
    rng = np.random.default_rng(0)
    word = np.hstack([np.asarray(inputs.picture(strokes, rng, canvas=120))[:, 30:-10]] * 4)
    hatched = np.full((200, 200), 255, np.uint8)
    hatched[40:160:24, 40:160] = hatched[40:160, 40:160:24] = 0
    hatched[41:161:24, 40:160] = hatched[40:160, 41:161:24] = 0
    spaced = np.hstack([np.asarray(inputs.picture(strokes, rng, canvas=120))] * 3)[..., 0]
    assert steps_of(spaced).others == 1, "as large as the ones that are read"
    for picture in (word, hatched, spaced):
        assert model.read(picture).unsure
        assert not model.read(picture, unsure_below=0).unsure


@pytest.mark.parametrize("pen", [1 / 20, 1 / 10])
@pytest.mark.parametrize("margin", [0, 0.03, 0.1])
def test_narrow_pictures_are_read(digits, pen, margin):
    model, drawn = digits
    for label, strokes in drawn:
        ink = np.asarray(inputs.picture(strokes, np.random.default_rng(0), canvas=300, pen=pen, size=0.8))[..., 0]
        rows, columns = np.flatnonzero((ink < 128).any(axis=1)), np.flatnonzero((ink < 128).any(axis=0))
        cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert model.read(np.pad(cut, int(300 * margin), constant_values=255)).label == label


def test_the_box_lies_inside_the_picture():
    bar = np.full((399, 399), 255, np.uint8)
    bar[:, 180:219] = 0
    left, top, right, bottom = steps_of(bar).box
    assert 176 <= left < right <= 224
    assert (top, bottom) == (0, 399)


def test_classes_of_one_shape_answer_together():
    classes, glyph = ("0", "1", "O", "o", "D"), np.zeros((1, 28, 28), np.uint8)
    model = CharacterModel(Fixed([0.3, 0.02, 0.35, 0.25, 0.08]), Pipeline(), classes, unsure_below=0.8)
    [reading] = model.readings(glyph)
    assert (reading.label, reading.alike) == ("O", ("O", "0", "o")), (
        "which of them it is, is not why it would be unsure"
    )
    assert (reading.probability, reading.shape_probability) == (pytest.approx(0.35), pytest.approx(0.9))
    [digit] = model.readings(glyph, alphabet="0123456789")
    assert (digit.label, digit.alike) == ("0", ("0",))
    assert dict(digit.alternatives) == pytest.approx({"0": 0.3 / 0.32, "1": 0.02 / 0.32}), "the others are excluded"
    with pytest.raises(ValueError, match="'xyz' names none of the classes, which are: 0 1 O o D"):
        model.readings(glyph, alphabet="xyz")
    model = CharacterModel(Fixed([0.05, 0.05, 0, 0, 0.9]), Pipeline(), classes, unsure_below=0.45)
    assert model.readings(glyph, alphabet="01")[0].unsure, "it is most likely neither"
    for wrong in ([1, 2], [["0"]], {"0": 1}):
        with pytest.raises(ValueError, match="expected an alphabet"):
            model.readings(glyph, alphabet=wrong)
    model = CharacterModel(Fixed([0.21, 0, 0.2, 0.2, 0.39]), Pipeline(), classes, unsure_below=0.5)
    [reading] = model.readings(glyph)
    assert (reading.label, reading.probability) == ("0", pytest.approx(0.21)), "the shape is more likely than D"
    assert [name for name, _ in reading.alternatives] == ["0", "D", "O", "o"]
    assert model.readings_of([]) == []


def test_pictures_are_read_as_if_classes_were_equally_frequent():
    glyph, options = np.zeros((1, 28, 28), np.uint8), {"unsure_below": 0, "frequencies": [0.9, 0.1]}
    model = CharacterModel(Fixed([0.6, 0.4]), Pipeline(), ("9", "q"), **options)
    [reading] = model.readings(glyph)
    assert reading.label == "q", "which is rare in training, and not on pictures"
    assert model.predict(glyph) == ["9"], "of images like those in training"
    assert model.probabilities(glyph)[0, 1] == pytest.approx(0.4 / 0.1**0.75 / (0.6 / 0.9**0.75 + 0.4 / 0.1**0.75))
    about = {"classifier": "dummy", "pipeline": model.pipeline.to_dict(), "classes": ["9", "q"]}
    for wrong in ([1], [0, 1], [-1, 2], [float("nan"), 1], [[1], [2]], ["a", "b"]):
        with pytest.raises(ValueError, match="frequency|could not convert"):
            CharacterModel.from_dict(Fixed([1, 0]), {**about, "frequencies": wrong})


class Fixed:
    """A classifier that gives every image the same scores."""

    def __init__(self, scores):
        self.row = np.array([scores], np.float32)

    def scores(self, x):
        return np.repeat(self.row, len(x), axis=0)


def blank_pictures():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:200, 0:200] / 200
    yield "grain", np.clip(220 + rng.normal(0, 12, x.shape), 0, 255)
    yield "a gradient", 220 * (0.4 + 0.6 * x)
    yield "a gradient with grain", 220 * (0.4 + 0.6 * x) + rng.normal(0, 3, x.shape)
    yield "noise", rng.integers(0, 255, (200, 200))
    yield "a dark side", np.where(x < 0.1, 0, 240)
    yield "a dark corner", np.where(x + y < 0.3, 110, 220)
    yield "rules", np.where((200 * y) % 25 < 2, 120, 240)


@pytest.mark.parametrize(("what", "picture"), list(blank_pictures()))
def test_paper_is_blank(what, picture):
    with pytest.raises(ValueError, match="blank"):
        to_glyph(picture.astype(np.uint8))


@pytest.mark.parametrize("shape", [(600, 600), (400, 1200), (1754, 1240)])
def test_a_character_may_be_small_on_a_large_sheet(shape):
    data = hcrlib.load_dataset("mnist-5k")
    image, label = data.val.images[7], data.classes[data.val.labels[7]]
    small = np.asarray(Image.fromarray(image).resize((40, 40), Image.BICUBIC))
    sheet = np.full(shape, 240, np.uint8)
    top, left = shape[0] // 3, shape[1] // 2
    sheet[top : top + 40, left : left + 40] -= (small * 0.8).astype(np.uint8)
    x0, y0, x1, y1 = steps_of(sheet).box
    assert left - 6 <= x0 < x1 <= left + 46
    assert top - 6 <= y0 < y1 <= top + 46
    assert hcrlib.load_model("best-digits").read(sheet).label == label


def test_large_sheets_are_blank_if_nothing_is_on_them():
    rng = np.random.default_rng(0)
    grain = rng.normal(200, 4, (1400, 1000))
    ruled = grain.copy()
    ruled[40::80] -= 40
    for sheet in (grain, ruled):
        with pytest.raises(ValueError, match="blank"):
            steps_of(np.clip(sheet, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("white", [255, 1023, 4095, 65535, 1.0, 255.0, 65535.0])
def test_every_depth_has_the_same_pixels(white, tmp_path):
    values = drawing() / 255 * white
    image = Image.fromarray(values.astype(np.float32) if isinstance(white, float) else values.astype(np.uint16))
    image.save(tmp_path / "bar.tif")
    assert (to_grey(tmp_path / "bar.tif") == drawing()).all()


def test_a_lone_stroke_from_top_to_bottom_is_ink():
    image = np.full((100, 100), 255, np.uint8)
    image[:, 46:54] = 0
    assert to_glyph(image).any()


def test_what_is_transparent_is_not_ink():
    light = Image.new("RGBA", (60, 100), (255, 255, 255, 0))
    light.paste((255, 255, 255, 255), (25, 20, 35, 80))
    assert (to_glyph(light) == to_glyph(drawing())).all()
    rounded = Image.fromarray(drawing(200, 200, 180, 30)).convert("RGBA")
    rounded.paste((0, 0, 0, 0), (0, 0, 12, 12))
    assert (to_glyph(rounded) == to_glyph(drawing(200, 200, 180, 30))).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (2, 500), (3, 33, 3), (700, 40, 4)])
def test_a_picture_of_any_size_is_read_or_blank(shape):
    rng = np.random.default_rng(0)
    for share in (0, 0.02, 0.3, 1):
        picture = np.where(rng.random(shape) < share, 255, 40).astype(np.uint8)
        with contextlib.suppress(ValueError):
            assert to_glyph(picture).any()
