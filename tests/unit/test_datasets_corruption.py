import numpy as np
import pytest
from scipy import ndimage

from hcrlib.core.errors import ConfigError
from hcrlib.datasets.corruption import CORRUPTIONS, STRENGTHS, corrupt


def dot(row, column, n=1):
    images = np.zeros((n, 28, 28), np.uint8)
    images[:, row - 1 : row + 2, column - 1 : column + 2] = 255
    return images


def middle(image):
    return np.array(ndimage.center_of_mass(image.astype(float))) - 13.5


@pytest.fixture(scope="module")
def digits():
    from hcrlib.datasets import load_dataset

    return load_dataset("mnist-5k").test.images[::50]


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_it_depends_on_the_seed_and_on_no_other_image(kind, digits):
    changed = corrupt(digits, kind, 3, seed=1)
    assert changed.dtype == np.uint8
    assert changed.shape == digits.shape
    assert not np.array_equal(changed, digits)
    np.testing.assert_array_equal(corrupt(digits[:5], kind, 3, seed=1), changed[:5])
    is_same = np.array_equal(corrupt(digits, kind, 3, seed=2), changed)
    assert is_same == (kind in ("scale", "brightness", "stripe", "canny-edges")), "these draw nothing"


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_blank_image_and_none_at_all(kind):
    assert corrupt(np.zeros((1, 28, 28), np.uint8), kind, 5).shape == (1, 28, 28)
    assert corrupt(np.zeros((0, 28, 28), np.uint8), kind, 5).shape == (0, 28, 28)


@pytest.mark.parametrize("kind", sorted(set(CORRUPTIONS) - {"spatter"}))  # whose last two are finer drops
def test_strength_grows(kind, digits):
    away = [np.abs(corrupt(digits, kind, s).astype(float) - digits).mean() for s in STRENGTHS]
    assert away[0] < away[2] < away[4]


def test_a_dot_moves_as_far_as_the_strength_says():
    there = middle(dot(8, 17)[0])  # -5.5, 3.5
    for image in corrupt(dot(8, 17, 20), "translate", 3):
        np.testing.assert_allclose(np.abs(middle(image) - there), 3, atol=1e-6)
    for image in corrupt(dot(8, 17, 20), "scale", 5):
        np.testing.assert_allclose(middle(image), there / 2, atol=0.1)
    turned = {tuple(middle(image).round(1)) for image in corrupt(dot(8, 17, 20), "rotate", 5)}
    cos, sin = np.cos(1), np.sin(1)
    both = [(there[0] * cos + s * there[1] * sin, there[1] * cos - s * there[0] * sin) for s in (1, -1)]
    assert len(turned) == 2
    np.testing.assert_allclose(sorted(turned), sorted(both), atol=0.1)
    slanted = {tuple(middle(image).round(1)) for image in corrupt(dot(8, 17, 20), "shear", 3)}
    np.testing.assert_allclose(sorted(slanted), [(-5.5, 3.5 - 3.3), (-5.5, 3.5 + 3.3)], atol=0.1)


def test_the_ink_of_noise_stripes_and_light():
    gray = np.full((50, 28, 28), 128, np.uint8)
    shot = corrupt(gray, "shot-noise", 2) / 255
    assert shot.mean() == pytest.approx(128 / 255, abs=0.01)
    assert shot.var() == pytest.approx(128 / 255 / 25, rel=0.05)  # 25 photons of full ink
    values, counts = np.unique(corrupt(gray, "impulse-noise", 4), return_counts=True)
    np.testing.assert_array_equal(values, [0, 128, 255])
    np.testing.assert_allclose(counts / gray.size, [0.085, 0.83, 0.085], atol=0.01)
    np.testing.assert_array_equal(corrupt(gray, "brightness", 4), 128 + 102)
    striped = corrupt(gray, "stripe", 2)
    np.testing.assert_array_equal(striped[:, :, 3:25], 128)
    np.testing.assert_array_equal(striped[:, :, [0, 1, 2, 25, 26, 27]], 127)


@pytest.mark.parametrize(("kind", "columns"), [("dotted-line", [2, 3, 26, 27]), ("zigzag", range(2, 26))])
def test_lines_are_as_many_as_the_strength_and_add_ink(kind, columns, digits):
    blank = np.zeros((20, 28, 28), np.uint8)
    lines = corrupt(blank, kind, 1)
    inked = (lines > 150).any(axis=1).sum(axis=0)
    assert all(inked[column] >= 15 for column in columns)  # some leave the image
    others = sorted(set(range(28)) - set(columns) - set(range(4, 26)))
    assert not inked[others].any()
    assert (corrupt(digits, kind, 2) >= digits).all()
    assert (corrupt(blank, kind, 2) >= lines).all(), "a stronger one keeps the first line"


def test_edges_run_around_the_ink():
    square = np.zeros((1, 28, 28), np.uint8)
    square[:, 8:20, 8:20] = 255
    edges = corrupt(square, "canny-edges", 5)[0]
    assert set(np.unique(edges)) == {0, 255}
    assert not edges[11:17, 11:17].any()
    assert (edges[12:16] > 0).sum() == pytest.approx(8, abs=1), "a left and a right one in each of the four rows"


def test_blurs_keep_ink_in_the_image():
    for kind in ("glass-blur", "motion-blur"):
        spread = corrupt(dot(14, 14, 20), kind, 2).astype(float)
        np.testing.assert_allclose(spread.sum(axis=(1, 2)) / dot(14, 14).sum(), 1, atol=0.12)
        assert spread.max() < 200


@pytest.mark.parametrize(
    ("kind", "strength", "said"), [("fogg", 1, "Did you mean 'fog'"), ("fog", 6, "1, 2, 3, 4 or 5")]
)
def test_what_it_refuses(kind, strength, said):
    with pytest.raises(ConfigError, match=said):
        corrupt(dot(14, 14), kind, strength)
