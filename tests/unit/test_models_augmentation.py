import numpy as np
import pytest

from hcrlib.models import CLASSIFIERS
from hcrlib.models._augmentation import Distortion, _sampled, mixed


@pytest.fixture
def cross():
    """A cross in the middle of an even field, 300 times: more than are worked on at once."""
    x = np.zeros((300, 28, 28, 1), np.float32)
    x[:, 13:15, 6:22] = x[:, 6:22, 13:15] = 1
    return x


def spun(**limits):
    return lambda x, seed=0: Distortion(**limits).apply(x, np.random.RandomState(seed))


def test_the_generator_alone_decides(cross):
    assert np.abs(spun()(cross) - cross).max() < 1e-5, "without limits nothing changes"
    limits = {"rotation": 10, "elastic": 1, "perspective": 0.1, "cutout": 5}
    assert (spun(**limits)(cross) == spun(**limits)(cross)).all()
    assert (spun(**limits)(cross) != spun(**limits)(cross, 1)).any()
    assert (spun(**limits)(cross)[0] != spun(**limits)(cross)[1]).any(), "each image by its own"


def test_each_limit_is_kept_in_its_unit(cross):
    rows = np.arange(28) - 13.5

    def moments(x):
        mass = x.sum(axis=(1, 2, 3))
        y, z = (x.sum(axis=(3 - axis, 3)) @ rows / mass for axis in (1, 2))
        return np.abs(y), np.abs(z), mass

    down, right, _ = moments(spun(translation=2)(cross))
    assert 1.5 < max(down.max(), right.max()) < 2.05
    down, right, mass = moments(spun(scale=0.2)(cross))
    assert max(down.max(), right.max()) < 0.05, "scaled about the middle"
    assert 0.62 < mass.min() / cross[0].sum() < 0.9 < 1.1 < mass.max() / cross[0].sum() < 1.46, "0.8 and 1.2, each way"
    turned = spun(rotation=10)(cross)
    assert np.abs(moments(turned)[2] / cross[0].sum() - 1).max() < 0.05, "a turn takes no ink"
    assert turned[:, 13:15, 13:15].min() > 0.9, "the middle stays"
    for side in (4, 7):
        cut = spun(cutout=side)(np.ones_like(cross))
        assert (cut == 0).sum(axis=(1, 2, 3)).max() == side**2


def test_a_smooth_field_has_the_deviation_asked_for():
    found = np.stack([Distortion(elastic=0.7)._sources((50, 28, 28), np.random.RandomState(at)) for at in range(20)])
    still = np.stack(Distortion()._sources((50, 28, 28), np.random.RandomState(0)))
    assert (found - still).std() == pytest.approx(0.7, rel=0.03)


def test_perspective_lengthens_one_edge():
    columns = Distortion(perspective=0.1)._sources((200, 28, 28), np.random.RandomState(0))[1]
    width = columns[:, :, -1] - columns[:, :, 0]
    edges = width[:, 0] / width[:, -1]
    assert 1.1 < edges.max() < 1.3
    assert np.abs(width[:, 13:15].mean(axis=1) / 27 - 1).max() < 0.02


def test_what_is_read_between_pixels_is_a_cubic():
    """Cubic convolution is exact for quadratic images away from the border (Keys 1981, section III)."""
    rows, columns = np.mgrid[0:28, 0:28].astype(np.float32)
    image = 0.001 * (rows**2 + rows * columns + 2 * columns)[None]
    at = np.float32([[[10.25, 14.5, 20.75]]])
    wanted = 0.001 * (at**2 + at * (at + 1) + 2 * (at + 1))
    assert np.abs(_sampled(image, at, at + 1) - wanted).max() < 1e-5


def test_mixup_keeps_shares(cross):
    x, targets = mixed(cross, np.eye(10, dtype=np.float32)[np.arange(300) % 10], 0.4, np.random.RandomState(0))
    assert x.dtype == targets.dtype == np.float32
    assert np.allclose(targets.sum(axis=1), 1)
    assert (targets.argmax(axis=1) == np.arange(300) % 10).all(), "its own image is the larger share"
    assert 0 < (targets.max(axis=1) < 0.999).mean() < 1


def test_what_is_distorted_is_a_parameter():
    mlp = CLASSIFIERS.get("mlp-augmented").create({"mixup": 0.2, "rotation": 3})
    assert mlp.one_hot
    assert mlp.distortion.rotation == 3
    assert mlp.distortion.translation == 1
    assert mlp.learning_rate == 0.004, "the distortions' defaults do not hide the perceptron's"
