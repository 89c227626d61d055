"""How lines are prepared for recognizers, and what networks with CTC guarantee."""

import hashlib
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from bars import bars, write_bars

import hcrlib as hcr
from hcrlib import records
from hcrlib.cli import main
from hcrlib.core.errors import DataError, RunError
from hcrlib.datasets import load_dataset, synthetic
from hcrlib.metrics.scores import edits, error_rate
from hcrlib.models import RECOGNIZERS, FitContext, _settings, named
from hcrlib.models._keras import Checkpoint, started
from hcrlib.models._widening import inputs
from hcrlib.models.crnn import _rounded
from hcrlib.runtime import LinePipeline
from hcrlib.runtime.line_pipeline import (
    BLANK,
    best_path,
    by_width,
    contrast,
    deslant,
    height,
    row,
    stacked,
    straighten,
    widened,
)


def strokes(lean=0.0, n=8, high=60):
    """uint8 (high, w): upright or leaning strokes, dark on light."""
    image = np.full((high, 20 * n + 80), 220, np.uint8)
    for at in range(n):
        for y in range(8, high - 8):
            x = round(40 + 20 * at + np.tan(np.radians(lean)) * (high / 2 - y))
            image[y, x : x + 4] = 40
    return image


@pytest.mark.parametrize("lean", [-25, 0, 20, 40])
def test_a_slant_is_taken_out(lean):
    straight = deslant(contrast(strokes(lean)))
    columns = (straight > 0.5).sum(axis=0)
    assert columns.max() >= 0.8 * (contrast(strokes()) > 0.5).sum(axis=0).max()
    assert (columns == 0).sum() > 0.4 * len(columns)


def sloping(rise=0, around=0, leaking=False):
    """float32 (40 + 2 around, 500): squares of 12 pixels on a line that rises, or with strokes of the line above."""
    x = np.zeros((40 + 2 * around, 500), np.float32)
    for left in range(20, 480, 24):
        top = round(14 + around - rise * (left - 250) / 500)
        x[top : top + 12, left : left + 12] = 1
        if leaking and left % 5 == 0:
            x[:5, left + 8 : left + 11] = 1
    return x


@pytest.mark.parametrize("change", [{}, {"rise": 24}, {"rise": -24}, {"around": 25}, {"leaking": True}])
def test_lines_are_straight_and_of_one_size(change):
    """Wherever they are in the image, and whatever else is: squares of 12 pixels have a mean distance of 3 from the middle."""
    x = straighten(sloping(**change))
    assert x.shape[1] == 500
    assert 30 <= x.shape[0] <= 40
    rows = np.arange(x.shape[0])[:, None]
    x = x * (abs(rows - len(x) / 2) < 12)
    columns = x.sum(axis=0) > 6
    middle = (rows * x).sum(axis=0)[columns] / x.sum(axis=0)[columns]
    assert abs(middle - (len(x) - 1) / 2).max() < 2


def test_nothing_is_straightened_without_ink():
    assert straighten(np.zeros((30, 50), np.float32)).shape == (30, 50)
    dot = np.zeros((30, 3), np.float32)
    dot[14, 1] = 1
    assert straighten(dot).max() > 0.4


def strip(rise=0):
    """(float32 (70, 400), the rows of its name): a printed label, a name with an accent, and a cut row of the form below."""
    x, name = np.zeros((70, 400), np.float32), np.zeros((70, 400), np.float32)
    slope = np.round(np.arange(400) * rise / 400).astype(int)

    def write(into, top, bottom, lefts, width):
        for left in lefts:
            for column in range(left, left + width):
                into[max(0, top - slope[column]) : max(0, bottom - slope[column]), column] = 1

    write(x, 10, 18, range(20, 80, 10), 6)  # the label
    write(name, 27, 43, range(20, 200, 24), 14)  # the name
    write(name, 22, 25, [72], 6)  # its accent
    write(x, 60, 70 + rise, range(20, 380, 40), 12)  # a row that the edge cuts
    return np.maximum(x, name), name


@pytest.mark.parametrize("rise", [0, 12])
def test_the_row_of_a_name_is_kept_without_the_forms_other_rows(rise):
    image, name = strip(rise)
    kept = row(image)
    assert (kept.dtype, kept.shape[1]) == (np.float32, 400)
    assert kept.shape[0] < 50
    assert kept.sum() == pytest.approx(name.sum())


def test_a_single_row_is_unchanged():
    for x in (sloping(), sloping(rise=24), np.zeros((30, 50), np.float32), strip()[0].T):
        assert row(x) is x


def test_a_prepared_image_tells_where_its_columns_are():
    for lean in (-20, 0, 20):
        image = strokes(lean)
        prepared, scale, left = LinePipeline(["contrast", "row", "deslant", "straighten", "height"]).placed(image)
        seen, true = (np.average(np.arange(x.shape[1]), weights=x.sum(axis=0)) for x in (prepared, contrast(image)))
        assert seen * scale - left == pytest.approx(true, abs=3)


def test_contrast_is_that_of_the_ink():
    x = contrast(strokes())
    assert (x.dtype, x.min(), x.max()) == (np.float32, 0, 1)
    assert not contrast(np.full((30, 50), 200, np.uint8)).any()  # nothing is written
    assert not deslant(np.zeros((30, 50), np.float32)).any()


def test_every_picture_gets_the_height():
    pipeline = LinePipeline(["contrast", {"height": {"pixels": 32}}])
    pictures = pipeline.apply([strokes(high=40), strokes(high=90), np.zeros((1, 1), np.uint8)])
    assert [one.shape[0] for one in pictures] == [32, 32, 32]
    assert all(one.dtype == np.float32 and 0 <= one.min() <= one.max() <= 1 for one in pictures)
    assert LinePipeline.from_dict(pipeline.to_dict()).to_dict() == pipeline.to_dict()
    assert height(np.ones((48, 10), np.float32)).shape == (48, 10)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (["height"], "first"),
        (["contrast"], "last"),
        (["contrast", "blur", "height"], "unknown step 'blur'"),
        (["contrast", {"deslant": {"most": 3}}, "height"], "no option"),
        (["contrast", {"height": {"pixels": 4}}], "16 to 256"),
        (["contrast", "height", "height"], "once"),
    ],
)
def test_wrong_steps_and_images_are_refused(steps, message):
    with pytest.raises(ValueError, match=message):
        LinePipeline(steps)
    for image in (np.zeros((0, 5), np.uint8), np.zeros((5, 5)), np.zeros((5, 5, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            LinePipeline().prepared(image)


def test_batches_are_of_one_width():
    pictures = [np.ones((48, w), np.float32) for w in (10, 300, 20, 23, 25, 310)]
    seen = {}
    for indices, batch in by_width(pictures, 2):
        assert len(indices) <= 2
        assert batch.shape[1:] == (48, widened(pictures[indices[0]].shape[1]), 1)
        for at, one in zip(indices, batch, strict=True):
            assert one.sum() == pictures[at].size
            seen[at] = batch.shape[2]
    assert sorted(seen) == list(range(6))


def test_best_path_drops_blanks_and_repeats():
    labels = [1, 1, BLANK, 1, 2, 2, BLANK]
    lp = np.log(np.where(np.eye(3)[labels] == 1, 0.8, 0.1))
    assert best_path(lp, "ab") == ("aab", pytest.approx(0.8))
    assert best_path(np.log(np.full((4, 3), 1 / 3)), "ab") == ("", 1.0)


def test_error_rates():
    assert [edits(*pair) for pair in (("", ""), ("abc", ""), ("", "ab"), ("kitten", "sitting"))] == [0, 3, 2, 3]
    rate, low, high = error_rate(["ab cd", "x"], ["ab ce", "y"])
    assert rate == pytest.approx(2 / 6)
    assert 0 <= low <= rate <= high
    assert error_rate(["ab cd", "x y"], ["ab ce", "x y"], "words")[0] == pytest.approx(1 / 4)
    assert error_rate([""], [""])[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["crnn-paper", "crnn-residual", "crnn-small"])
def test_networks_have_the_documented_shapes(name):
    crnn = named(name).create({})
    model = crnn.network(LinePipeline(crnn.preprocess).height, 81)
    assert model.count_params() == PARAMETERS[name]
    if name == "crnn-paper":
        assert model.input_shape == (None, 64, 800, 1)
        assert model.output_shape == (None, 100, 81)
        pooled = [tuple(layer.output.shape[1:]) for layer in model.layers if "conv" in layer.name]
        assert pooled == PAPER
    else:
        assert model.input_shape == (None, 48, None, 1)
        assert model(np.zeros((2, 48, 160, 1), np.float32)).shape == (2, 40, 81)


# Rows, columns and channels of each convolution: what the listing's comments say after the pooling of the one before.
PAPER = [(64, 800, 64), (32, 400, 128), (16, 400, 128), (8, 200, 256), (8, 200, 256), (4, 100, 512), (2, 100, 512)]
PARAMETERS = {"crnn-paper": 13_261_777, "crnn-residual": 1_127_521, "crnn-small": 1_132_753}


@pytest.mark.weekly
@pytest.mark.slow
def test_the_paper_s_network_learns_a_batch_by_heart(monkeypatch):
    """All its parameters, its own rate and optimizer; 128 columns instead of 800 take a sixth of the time."""
    kind, texts = RECOGNIZERS.get("crnn-paper"), ["17", "42"]
    monkeypatch.setattr(kind, "WIDTH", 128)
    data, crnn, keras = load_dataset("mnist-5k"), kind.create({}), started(0)
    images, _ = synthetic.composed(data.train, data.classes, texts, np.random.default_rng(0))
    pictures = LinePipeline(crnn.preprocess).apply(images)
    crnn.classes = data.classes
    crnn.model = crnn._compiled(keras, 64, 1, FitContext(10, 0, None))
    assert crnn.n_parameters == PARAMETERS["crnn-paper"] - (81 - 11) * 1025  # 70 characters less
    batch = stacked(pictures, 128), np.array([[1 + int(c) for c in text] for text in texts])
    read, steps = [], 0
    while read != texts and steps < 100:
        crnn.model.train_on_batch(*batch)
        steps += 1
        if steps % 10 == 0:
            read = [best_path(one, crnn.classes)[0] for one in crnn.log_probabilities(pictures)]
    assert read == texts


def start_from(folder, classes, name="crnn-small", **params):
    """Write an untrained recognizer as the model of the run a/run, which took 1,000 seconds; return it and `run`."""
    recognizer = RECOGNIZERS.get(name).create(params)
    recognizer.classes, recognizer.model = classes, recognizer.network(48, len(classes) + 1)
    (folder / "model").mkdir(parents=True)
    recognizer.save(folder / "model")
    about = {"classifier": name, "params": params, "classes": classes, "pipeline": LinePipeline().to_dict()}
    (folder / "model/model.json").write_text(json.dumps(about))
    return recognizer, lambda run: (SimpleNamespace(id="a/run", fit_s=1000.0), folder)


@pytest.mark.slow
def test_training_starts_from_another_run_s_weights(tmp_path):
    """Of layers that are alike; of the last one, those of the characters that both know."""
    theirs, run = start_from(tmp_path / "start", ("b", "x"), width=8, units=16)
    ours = RECOGNIZERS.get("crnn-small").create({"width": 8, "units": 16, "start": "a/run"})
    ours.classes, model, said = ("a", "b", "c"), ours.network(48, 4), []
    ours._take_over(model, FitContext(3, 0, tmp_path, said.append, run=run))
    for name in ("conv1", "norm5", "lstm2"):
        for a, b in zip(model.get_layer(name).get_weights(), theirs.model.get_layer(name).get_weights(), strict=True):
            assert (a == b).all()
    kernel, known = model.layers[-1].get_weights()[0], theirs.model.layers[-1].get_weights()[0]
    assert (kernel[:, [0, 2]] == known[:, [0, 1]]).all()  # the blank, and b
    assert not (kernel[:, 1] == known[:, 2]).all()
    assert "started from 14 layers of a/run" in said[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["crnn-small", "crnn-residual"])
def test_a_wider_network_starts_with_the_answers_of_a_narrow_one(tmp_path, name):
    narrow, run = start_from(tmp_path / "start", ("b", "x"), name, width=4, units=3)
    pictures = [np.random.RandomState(0).rand(48, 90).astype(np.float32)]

    def started_with(classes, **params):
        ours, said = RECOGNIZERS.get(name).create({"width": 4, **params, "start": "a/run"}), []
        ours.classes, ours.model = tuple(classes), ours.network(48, len(classes) + 1)
        before = ours.model.get_layer("lstm1").get_weights()
        ours._take_over(ours.model, FitContext(2, 0, tmp_path, said.append, run=run))
        after = ours.model.get_layer("lstm1").get_weights()
        return ours, int(said[0].split()[2]), all((a == b).all() for a, b in zip(before, after, strict=True))

    wide, taken, _ = started_with("bx", units=5)
    assert taken == sum(bool(layer.weights) for layer in wide.model.layers) - 1
    np.testing.assert_allclose(*(each.log_probabilities(pictures)[0] for each in (wide, narrow)), atol=1e-5)

    known = started_with("abc", units=5)[0].model.layers[-1].get_weights()[0]
    theirs = narrow.model.layers[-1].get_weights()[0]
    assert (known[[0, 1, 2, 5, 6, 7], 2] == theirs[:6, 1]).all(), "b, of both directions"
    assert not known[[3, 4, 8, 9], 2].any()
    assert known[[3, 4, 8, 9], 1].all(), "a is new"

    assert started_with("bx", units=2)[2], "narrower LSTMs are left as they were made"
    if name == "crnn-residual":
        assert started_with("bx", units=5, width=5)[2], "and so are wider ones that read other features"


@pytest.mark.parametrize(
    ("few", "many", "units", "expected"),
    [
        (6, 6, (2, 2), [0, 1, 2, 3, 4, 5]),
        (4, 6, (2, 3), [0, 1, 3, 4]),
        (5, 7, (2, 3), [0, 1, 3, 4, 6]),
        (2, 3, (2, 3), None),
        (4, 7, (2, 3), None),
        (3, 5, (2, 3), None),
        (4, 6, (0, 0), None),
    ],
)
def test_places_of_inputs_in_a_wider_network(few, many, units, expected):
    found = inputs(few, many, units)
    assert (found if found is None else list(found)) == expected


@pytest.mark.slow
def test_training_in_bfloat16_ends_with_float16_weights(tmp_path, short_network, monkeypatch):
    import keras
    import tensorflow as tf

    images, texts = bars(16)
    split, used = SimpleNamespace(epoch=lambda _: (images, texts)), []
    params = {"width": 1, "units": 2, "epochs": 2, "bfloat16": True, "float16_weights": True}
    trained = RECOGNIZERS.get("crnn-small").create(params)

    def option():
        return tf.config.optimizer.get_experimental_options().get(_settings.BFLOAT16, False)

    def watch(owner, name):
        method = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, **given: (used.append(option()), method(*args, **given))[1])

    watch(keras.Model, "fit")
    watch(type(trained), "_measured")
    trained.fit(split, split, FitContext(2, 0, tmp_path, classes=("a", "b")))
    assert used == 2 * [True, False], "in training, not in validation"
    weights = trained.model.get_weights()
    assert all((weight == weight.astype(np.float16)).all() for weight in weights)
    assert any(weight.any() for weight in weights)


def test_weights_too_large_for_float16_stay_as_they_are():
    assert list(_rounded(np.array([1, 1 / 3], np.float32))) == [1, np.float32(np.float16(1 / 3))]
    assert list(_rounded(np.array([70_000, 1 / 3], np.float32))) == [70_000, np.float32(1 / 3)]


def test_a_run_says_that_bfloat16_has_no_effect(tmp_path, monkeypatch):
    import keras

    trained = RECOGNIZERS.get("crnn-small").create({"bfloat16": True, "epochs": 1})
    monkeypatch.setattr(_settings, "has_bfloat16", lambda: False)
    monkeypatch.setattr(Checkpoint, "load", lambda *_: (SimpleNamespace(), [{"val_cer": 0.5, "epoch_s": 1.0}]))
    trained._train(keras, FitContext(2, 0, tmp_path), build=None, feed=None)
    assert trained.notes[0] == "bfloat16 has no effect on this machine: training was in float32"


@pytest.mark.slow
def test_weights_to_start_from_are_hashed_before_training(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    ours, images = RECOGNIZERS.get("crnn-small").create({"start": "a/run"}), [np.zeros((48, 20), np.float32)]
    run = SimpleNamespace(id="a/run", fit_s=9.0), tmp_path
    split = SimpleNamespace(epoch=lambda _: (images, ["a"]))
    context = FitContext(1, 0, tmp_path, run=lambda _: run, classes=("a",))
    with pytest.raises(RunError, match=r"No weights to start from .*model\). Expected model.onnx or model.keras"):
        ours.fit(split, split, context)
    weights = tmp_path / "model/model.onnx"
    weights.write_bytes(b"weights")
    monkeypatch.setattr(type(ours), "_train", lambda *_: weights.unlink())
    ours.fit(split, split, context)
    sha256 = hashlib.sha256(b"weights").hexdigest()[:12]
    assert ours.notes == [f"started from a/run, whose time to fit is counted, too; its weights: sha256 {sha256}"]
    assert ours.prior_fit_s == 9


@pytest.mark.slow
def test_a_resumed_run_counts_the_time_of_the_run_it_started_from(tmp_path, eager, short_network):
    (images, texts), size = bars(16), {"width": 1, "units": 2}
    texts[0] = 40 * "ab"  # no steps for it
    split, val = (SimpleNamespace(epoch=lambda _, at=at: (images[at], texts[at])) for at in (slice(None), slice(1, 5)))
    _, run = start_from(tmp_path / "start", ("a", "b"), **size)
    for epochs in (1, 2):  # the second continues where the first ended
        resumed, said = RECOGNIZERS.get("crnn-small").create({**size, "start": "a/run", "epochs": epochs}), []
        resumed.fit(split, val, FitContext(2, 0, tmp_path, said.append, run=run, classes=("a", "b")))
        assert resumed.n_train_used == 15
    assert "resumed after epoch 1" in said
    [note] = [note for note in resumed.notes if "started from a/run" in note]
    assert re.search("its weights: sha256 [0-9a-f]{12}$", note)
    assert resumed.prior_fit_s > 1000
    assert [row["epoch"] for row in resumed.history] == [1, 2]


@pytest.mark.slow
def test_distortions_leave_a_line_that_its_steps_can_write():
    """A picture that would get too narrow for its text, or too wide for the network, is taken as it is."""
    import keras

    rng = np.random.RandomState(0)
    narrow = [rng.rand(48, 57).astype(np.float32) for _ in range(12)]
    text = 12 * "ab"
    small = RECOGNIZERS.get("crnn-small").create({"distortion": 3.0})
    batches = small._batches(keras, narrow, [text] * 12, {"a": 1, "b": 2}, np.random.RandomState(1))
    assert all(batch[0].shape[2] // small.stride >= 24 for batch in map(batches.__getitem__, range(len(batches))))
    wide = [rng.rand(64, 790).astype(np.float32) for _ in range(4)]
    paper = RECOGNIZERS.get("crnn-paper").create({"distortion": 3.0})
    batches = paper._batches(keras, wide, ["ab"] * 4, {"a": 1, "b": 2}, np.random.RandomState(1))
    assert batches[0][0].shape == (4, 64, 800, 1)


def test_lines_that_need_more_steps_than_there_are_or_have_no_known_character():
    """CTC can compute no loss for either; lines to validate may have any characters."""
    crnn, paper = (RECOGNIZERS.get(name).create({}) for name in ("crnn-small", "crnn-paper"))
    assert [crnn.steps_needed(text) for text in ("", "abc", "aab", "aaa")] == [0, 3, 4, 5]
    images, crnn.classes = [np.zeros((48, 20), np.float32)] * 4, ("a", "b")
    assert crnn._fitting((images, ["ab", "abababababababab", "漢字", "a漢"]))[1] == ["ab", "a漢"]
    with pytest.raises(DataError, match="time steps"):
        crnn._fitting((images[:1], ["a" * 50]))
    assert paper.wide(300) == 800
    with pytest.raises(RunError, match=r"take 120 steps"):
        paper.wide(930)


@pytest.mark.slow
def test_a_recognizer_learns_to_read_a_folder(tmp_path, capsys, short_network):
    """That it is exported, verified and kept is tested in test_export_bundle.py."""
    size = {"epochs": 8, "width": 8, "units": 24, "distortion": 0.0, "dropout": 0.0}
    data = write_bars(tmp_path / "bars", 160, 1)
    run = hcr.train("crnn-small", data, learning_rate=0.01, batch_size=8, say=lambda line: None, **size)
    assert run.cer < 0.2, "no better than guessing"
    assert run.cer_low <= run.cer <= run.cer_high
    assert run.data["notes"] == []
    assert len(run.history) == 8
    read = records.load_predictions(run)
    assert (read["labels"] != read["predicted"]).sum() == run.misses == round((1 - run.accuracy) * run.n_test)
    assert main.main(["leaderboard"]) == 0
    assert "CER %" in capsys.readouterr().out
    model = hcr.load_model(run)
    image = hcr.load_dataset(data).test.images[0]
    assert model.read(image).text == read["predicted"][0]
    with pytest.raises(ValueError, match="cannot read this image"):
        model.read(b"nothing")
