"""The pipeline's steps, on images whose answer can be worked out by hand."""

import json

import numpy as np
import pytest

from hcrlib.runtime import STEPS, Pipeline


@pytest.fixture
def images():
    return np.random.RandomState(0).randint(0, 256, (7, 28, 28)).astype(np.uint8)


def slanted(slope):
    """A line through the middle that leans by `slope` columns a row."""
    image = np.zeros((28, 28), np.uint8)
    for row in range(4, 24):
        image[row, round(13.5 + slope * (row - 13.5))] = 255
    return image


def test_scale(images):
    x = Pipeline(["scale"]).fit(images).apply(images)
    assert x.dtype == np.float32
    assert (x == images / np.float32(255)).all()
    with pytest.raises(ValueError, match="expected uint8"):
        Pipeline(["scale"]).apply(x)


def test_deskew_stands_a_leaning_line_upright():
    x = Pipeline(["scale", "deskew"]).apply(slanted(0.5)[None])[0]
    columns = np.flatnonzero(x.sum(axis=0) > 0.5)
    assert columns.max() - columns.min() <= 2  # it spanned 10
    assert x.sum() == pytest.approx(20, abs=0.01)  # no ink is lost
    upright = np.zeros((1, 28, 28), np.uint8)
    upright[0, 4:24, 13:15] = 255
    assert np.abs(Pipeline(["scale", "deskew"]).apply(upright) - upright / 255).max() < 1e-5


def test_center_and_ink_box():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 0:10, 0:5] = 255
    centred = Pipeline(["scale", "center"]).apply(image)[0]
    assert centred[9:19, 11:16].sum() == 50 or centred[9:19, 12:17].sum() == 50
    boxed = Pipeline(["scale", "ink_box"]).apply(image)[0]
    assert np.flatnonzero(boxed.sum(axis=1)).tolist() == list(range(4, 24))


def test_blur_keeps_ink_and_spreads_it():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 14, 14] = 255
    x = Pipeline(["scale", {"blur": {"sigma": 1.0}}]).apply(image)[0]
    assert x.sum() == pytest.approx(1, abs=1e-3)
    assert x[14, 14] == pytest.approx(1 / (2 * np.pi), rel=0.02)


def test_standardize_learns_from_train_only(images):
    pipeline = Pipeline(["scale", "standardize"]).fit(images)
    x = pipeline.apply(images)
    assert abs(x.mean()) < 1e-5
    assert x.std() == pytest.approx(1, abs=1e-4)
    assert (pipeline.apply(images[:2]) == x[:2]).all()
    with pytest.raises(ValueError, match="has not been fitted"):
        Pipeline(["scale", "standardize"]).apply(images)


def test_hog_of_an_edge_votes_for_its_direction():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, :, 14:] = 255  # an upright edge: the gradient points along the columns, angle 0
    x = Pipeline(["scale", "hog"]).apply(image)
    assert x.shape == (1, 1296)
    by_orientation = x.reshape(-1, 9).sum(axis=0)
    assert set(np.argsort(by_orientation)[-2:]) == {0, 8}  # angle 0 lies between the first and the last bin


@pytest.mark.parametrize("steps", [["scale"], ["scale", "deskew", {"blur": {"sigma": 0.5}}, "standardize", "hog"]])
def test_stored_as_json_it_is_the_same(images, steps):
    pipeline = Pipeline(steps).fit(images)
    again = Pipeline.from_dict(json.loads(json.dumps(pipeline.to_dict())))
    assert (again.apply(images) == pipeline.apply(images)).all()


@pytest.mark.parametrize("step", [s for s in STEPS if s not in ("scale", "standardize")])
def test_every_step_answers_finite_float32_in_chunks_as_at_once(images, step):
    pipeline = Pipeline(["scale", step])
    x = pipeline.apply(images)
    assert x.dtype == np.float32
    assert np.isfinite(x).all()
    assert np.allclose(pipeline.apply(images, chunk=3), x, atol=1e-4)
    assert np.isfinite(pipeline.apply(np.zeros((1, 28, 28), np.uint8))).all()  # a blank image is no accident
    assert len(pipeline.apply(images[:0])) == 0


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        (["deskew"], "begins with the step 'scale'"),
        (["scale", "deskw"], "no preprocessing step 'deskw'"),
        (["scale", {"blur": {"sigm": 1}}], "no option 'sigm'"),
        (["scale", "hog", "blur"], "must be the last"),
        (["scale", {"blur": 1}], "a step is a name"),
        (["scale", {"blur": {"sigma": 0}}], "'sigma' of the step 'blur' must be a number above 0, got 0"),
        (["scale", {"hog": {"cell": 3.5}}], "'cell' of the step 'hog' must be a whole number"),
        (["scale", 3], "a step is a name"),
    ],
)
def test_a_wrong_step_is_refused(steps, says):
    with pytest.raises(ValueError, match=says):
        Pipeline(steps)


def test_options_are_written_out():
    steps = Pipeline(["scale", "blur", {"hog": {"cell": 7}}]).to_dict()["steps"]
    assert steps == ["scale", {"blur": {"sigma": 0.7}}, {"hog": {"cell": 7, "orientations": 9}}]
    assert (
        Pipeline(["scale", {"blur": {"sigma": 1}}]).to_dict() == Pipeline(["scale", {"blur": {"sigma": 1.0}}]).to_dict()
    )
