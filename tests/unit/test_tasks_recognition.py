"""How lines are prepared for recognisers, and what networks with CTC promise."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.datasets import load_dataset, synthetic
from hcrlib.metrics.scores import edits, error_rate
from hcrlib.models import RECOGNIZERS, FitContext, named
from hcrlib.models._keras import started
from hcrlib.runtime import LinePipeline
from hcrlib.runtime.line_pipeline import BLANK, best_path, by_width, contrast, deslant, height, stacked, widened


def strokes(lean=0.0, n=8, high=60):
    """uint8 (high, w): upright or leaning strokes, dark on light."""
    image = np.full((high, 20 * n + 80), 220, np.uint8)
    for at in range(n):
        for row in range(8, high - 8):
            x = round(40 + 20 * at + np.tan(np.radians(lean)) * (high / 2 - row))
            image[row, x : x + 4] = 40
    return image


@pytest.mark.parametrize("lean", [-25, 0, 20, 40])
def test_a_slant_is_taken_out(lean):
    straight = deslant(contrast(strokes(lean)))
    columns = (straight > 0.5).sum(axis=0)
    assert columns.max() >= 0.8 * (contrast(strokes()) > 0.5).sum(axis=0).max()
    assert (columns == 0).sum() > 0.4 * len(columns)


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
def test_steps_that_are_wrong_are_refused(steps, message):
    with pytest.raises(ValueError, match=message):
        LinePipeline(steps)


@pytest.mark.parametrize("image", [np.zeros((0, 5), np.uint8), np.zeros((5, 5)), np.zeros((5, 5, 3), np.uint8)])
def test_what_is_no_grey_picture_is_refused(image):
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
@pytest.mark.parametrize("name", ["crnn-paper", "crnn-small"])
def test_networks_have_the_shapes_that_are_told(name):
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
PAPER = [
    (64, 800, 64),
    (32, 400, 128),
    (16, 400, 128),
    (8, 200, 256),
    (8, 200, 256),
    (4, 100, 512),
    (2, 100, 512),
]
PARAMETERS = {"crnn-paper": 13_261_777, "crnn-small": 1_132_753}


def shapes(n, seed=0):
    """Pictures of "a", a bar at the top, and "b", one at the bottom, in words of up to four; their texts."""
    rng, pictures, texts = np.random.RandomState(seed), [], []
    for _ in range(n):
        text = "".join(rng.choice(["a", "b"], rng.randint(1, 5)))
        picture = np.zeros((48, 24 * len(text)), np.float32)
        for at, c in enumerate(text):
            rows = slice(6, 20) if c == "a" else slice(28, 42)
            picture[rows, 24 * at + 6 : 24 * at + 18] = 1
        pictures.append(picture)
        texts.append(text)
    return pictures, texts


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


@pytest.mark.slow
def test_training_starts_from_another_run_s_weights(tmp_path):
    """Of layers that are alike; of the last one, those of the characters that both know."""
    ours, theirs = (RECOGNIZERS.get("crnn-small").create({"width": 8, "units": 16, "start": "a/run"}) for _ in range(2))
    ours.classes, theirs.classes = ("a", "b", "c"), ("b", "x")
    model, theirs.model = ours.network(48, 4), theirs.network(48, 3)
    (tmp_path / "model").mkdir()
    theirs.save(tmp_path / "model")
    about = {"classifier": "crnn-small", "params": {"width": 8, "units": 16}, "classes": ["b", "x"]}
    (tmp_path / "model/model.json").write_text(json.dumps({**about, "pipeline": LinePipeline().to_dict()}))
    record, said = SimpleNamespace(id="a/run", fit_s=12.0), []
    ours._take_over(model, FitContext(3, 0, tmp_path, said.append, run=lambda run: (record, tmp_path)))
    for name in ("conv1", "norm5", "lstm2"):
        for a, b in zip(model.get_layer(name).get_weights(), theirs.model.get_layer(name).get_weights(), strict=True):
            assert (a == b).all()
    kernel, known = model.layers[-1].get_weights()[0], theirs.model.layers[-1].get_weights()[0]
    assert (kernel[:, [0, 2]] == known[:, [0, 1]]).all()  # the blank, and b
    assert not (kernel[:, 1] == known[:, 2]).all()
    assert "started from 14 layers of a/run" in said[0]


@pytest.fixture
def eager():
    """TensorFlow without graphs, which of a network of LSTMs take longer to build than a few steps take."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly` option is set")
def test_a_resumed_run_counts_the_time_of_the_run_it_started_from(tmp_path, eager, short_network):
    pictures, texts = shapes(16)
    texts[0] = 40 * "ab"  # no steps for it
    split = SimpleNamespace(epoch=lambda number: (pictures, texts))
    val = SimpleNamespace(epoch=lambda number: (pictures[1:5], texts[1:5]))
    start = RECOGNIZERS.get("crnn-small").create({"width": 1, "units": 2})
    start.classes = ("a", "b")
    start.model = start.network(48, 3)
    (tmp_path / "start/model").mkdir(parents=True)
    start.save(tmp_path / "start/model")
    about = {"classifier": "crnn-small", "params": {"width": 1, "units": 2}, "classes": ["a", "b"]}
    (tmp_path / "start/model/model.json").write_text(json.dumps({**about, "pipeline": LinePipeline().to_dict()}))
    record = SimpleNamespace(id="a/run", fit_s=1000.0)
    runs = []
    for epochs in (1, 2):  # the second goes on where the first one ended
        run = RECOGNIZERS.get("crnn-small").create({"width": 1, "units": 2, "start": "a/run", "epochs": epochs})
        said = []
        run.fit(
            split,
            val,
            FitContext(2, 0, tmp_path, said.append, run=lambda run: (record, tmp_path / "start"), classes=("a", "b")),
        )
        runs.append((run, said))
    resumed, said = runs[1]
    assert "resumed after epoch 1" in said
    assert resumed.n_train_used == runs[0][0].n_train_used == 15
    assert any("started from a/run" in note for note in resumed.notes)
    assert resumed.prior_fit_s > 1000
    assert [row["epoch"] for row in resumed.history] == [1, 2]


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


def test_lines_that_need_more_steps_than_there_are():
    crnn = RECOGNIZERS.get("crnn-small").create({})
    assert [crnn.steps_needed(text) for text in ("", "abc", "aab", "aaa")] == [0, 3, 4, 5]
    pictures = [np.zeros((48, 20), np.float32), np.zeros((48, 20), np.float32)]
    found = crnn._fitting((pictures, ["ab", "abababababababab"]))
    assert found[1] == ["ab"]
    with pytest.raises(DataError, match="time steps"):
        crnn._fitting((pictures[:1], ["x" * 50]))


def test_the_paper_s_network_says_how_many_steps_a_wide_line_needs():
    crnn = RECOGNIZERS.get("crnn-paper").create({})
    assert crnn.wide(300) == 800
    with pytest.raises(RunError, match=r"take 120 steps"):
        crnn.wide(930)


def test_recognisers_and_characters_do_not_meet():
    assert "characters" in named("crnn-small").create({}).skip(object())
    with pytest.raises(ConfigError, match="crnn-small"):
        named("crnn-smal")


def draw(folder, n, seed):
    """A folder of pictures of "a" and "b" words with their TSV, in the hand of ten documents."""
    from PIL import Image

    folder.mkdir(parents=True)
    rows = ["file\ttext\tdocument"]
    pictures, texts = shapes(n, seed)
    for at, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
        Image.fromarray((230 - 190 * picture).astype(np.uint8)).save(folder / f"{at}.png")
        rows.append(f"{at}.png\t{text}\t{at % 10}")
    (folder / "words.tsv").write_text("\n".join(rows) + "\n")


@pytest.mark.slow
def test_from_a_folder_to_a_model_that_is_kept(tmp_path, results, capsys, short_network):
    """Trained, recorded, listed, written as ONNX, verified, loaded without TensorFlow, and asked."""
    import hcrlib as hcr
    from hcrlib import records
    from hcrlib.cli import main

    draw(tmp_path / "bars", 160, 1)
    made = {
        "epochs": 8,
        "width": 8,
        "units": 24,
        "distortion": 0.0,
        "dropout": 0.0,
        "learning_rate": 0.01,
        "batch_size": 8,
    }
    run = hcr.train("crnn-small", tmp_path / "bars", say=lambda line: None, **made)
    assert run.cer < 0.2, "no better than guessing"
    assert run.cer_low <= run.cer <= run.cer_high
    assert run.misses == round((1 - run.accuracy) * run.n_test)
    assert run.data["notes"] == []
    assert len(run.history) == 8
    answers = records.load_predictions(run)
    assert sum(a != b for a, b in zip(answers["labels"], answers["predicted"], strict=True)) == run.misses
    assert main.main(["leaderboard"]) == 0
    assert "CER %" in capsys.readouterr().out
    assert main.main(["zoo", "add", "bars", run.id]) == 0
    kept, image = hcr.load_model("bars"), hcr.load_dataset(tmp_path / "bars").test.images[0]
    assert repr(kept) == "LineModel(crnn-small, words of 2 characters)"
    assert kept.engine.startswith("onnxruntime")
    assert kept.read(image).text == hcr.load_model(run).read(image).text
    assert kept.check_golden(results / "zoo/bars") < 1e-3
    assert "character error rate" in (results / "zoo/bars/README.md").read_text()
    with pytest.raises(ValueError, match="no image"):
        kept.read(b"nothing")
    check_answers(kept, hcr.load_model(run), hcr.load_dataset(tmp_path / "bars").test.images)


def check_answers(kept, trained, images):
    """Probabilities; the same whatever a picture is asked with, and from the network that was trained."""
    answers = kept.log_probabilities(images)
    assert all(np.abs(np.exp(one).sum(axis=1) - 1).max() < 1e-5 for one in answers)
    assert np.abs(kept.log_probabilities(images[:1])[0] - answers[0]).max() < 1e-5
    for ours, theirs in zip(answers, trained.log_probabilities(images), strict=True):
        assert np.abs(np.exp(ours) - np.exp(theirs)).max() < 1e-4
