"""The committed models load, read a drawing, and score what their records say."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

import hcrlib as hcr
from hcrlib import api, records, tasks
from hcrlib.bench import reading_real
from hcrlib.core import paths
from hcrlib.datasets import load_dataset, load_text, synthetic
from hcrlib.decoding.lines import LineDecoder
from hcrlib.documents import service
from hcrlib.documents.line_recognition import whole_recognizer
from hcrlib.export import model_card
from hcrlib.metrics import scores
from hcrlib.models import load_model as load_fitted
from hcrlib.runtime import bundle

WHOLES = {"words-52": "emnist-words", "wills-fr": "cremma-wills"}  # recognizers and their training data
LINES = "best-lines"  # its data are a mixture
NAMES = {"best-digits": 10, "best-letters": 26, "best-47": 47, "best-62": 62}
PAGES = "page-62"  # its data are composed: hcr compose FOLDER --training 230 --data emnist-byclass-lite
RIVALS = sorted(path.parent for path in (paths.project_root() / "results").glob("*/records.jsonl"))


def test_all_are_there():
    assert {*NAMES, PAGES, *WHOLES, LINES} <= set(api.zoo())


@pytest.mark.parametrize("name", [*NAMES, PAGES, *WHOLES, LINES])
def test_is_small_and_has_its_record_and_card(name):
    folder = paths.project_root() / "results/zoo" / name
    record, card = records.read(folder), (folder / "README.md").read_text()
    limit, result = 3e6, f"{record.accuracy:.2%}: {record.misses:,} misses of {record.n_test:,}"
    if name in [*WHOLES, LINES]:
        limit, result = 6e6, f"| {record.cer:.2%} ({record.cer_low:.2%} to {record.cer_high:.2%})"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < limit
    assert hcr.load_model(name).engine.startswith("onnxruntime")
    assert result in card
    for part in ("Data", "Protocol", "Results", "Confusions", "Limits", "License"):
        assert re.search(f"^## {part}$", card, re.MULTILINE)
    assert "\n\n".join(model_card.commands(record)) in card
    assert f"start={name}" not in card  # the name now means the model itself
    rivals = [run for part in RIVALS for run in records.load_records(part) if run.status == "finished"]
    rivals = [run for run in rivals if run.data["test_sha256"] == record.data["test_sha256"]]
    why, rank = card.partition("## Why this model")[2].partition("## ")[0], tasks.of(record).rank
    better = [run for run in rivals if rank(run, "val_") < rank(record, "val_")]
    assert not better or min(better, key=lambda run: rank(run, "val_")).config.classifier in why


@pytest.mark.parametrize("name", [*NAMES, PAGES])
def test_reads_a_drawing(name):
    drawing = Image.new("L", (120, 200), 255)
    strokes = [(20, 30), (100, 30), (45, 180)] if name == "best-digits" else [(30, 20), (30, 175), (100, 175)]
    ImageDraw.Draw(drawing).line(strokes, fill=0, width=14)
    assert hcr.load_model(name).read(drawing).label == ("7" if name == "best-digits" else "L")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n_classes"), NAMES.items())
def test_scores_what_its_record_says(name, n_classes, real_data):
    """On every eighth test image, within the record's interval, widened for there being fewer."""
    model = hcr.load_model(name)
    record = records.read(paths.project_root() / "results/zoo" / name)
    data = load_dataset(record.config.dataset)
    assert model.classes == data.classes
    assert len(model.classes) == n_classes
    some = slice(None, None, 8)
    missed = scores.count_errors(data.test.labels[some], model.scores(data.test.images[some]).argmax(axis=1))
    expected = record.misses / 8
    assert abs(missed - expected) <= 3 * np.sqrt(expected)  # of a Poisson distribution


@pytest.mark.parametrize("name", [*WHOLES, LINES])
def test_a_recognizer_reads_its_golden_image(name):
    golden, model = np.load(paths.project_root() / "results/zoo" / name / "golden.npz"), hcr.load_model(name)
    assert model.decode(model.scores([golden["image-0"]])) == [str(golden["text-0"])]


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLES)
def test_a_recognizer_reads_as_its_record_says(name, real_data, monkeypatch):
    """On a part of the test split, compared with the record's interval."""
    monkeypatch.setitem(synthetic.SIZES, "emnist-words", {**synthetic.SIZES["emnist-words"], "train": 100, "val": 100})
    folder = paths.project_root() / "results/zoo" / name
    data, record = load_text(WHOLES[name]), records.read(folder)
    some = data.test.take(range(0, len(data.test), 4))
    model = hcr.load_model(name)
    cer = scores.error_rate(model.decode(model.scores(some.images)), some.texts)[0]
    assert record.cer_low - 0.02 < cer < record.cer_high + 0.02


def test_the_recognizer_of_lines_reads_with_its_language_model():
    folder = paths.project_root() / "results/zoo" / LINES
    images = [np.load(folder / "golden.npz")["image-0"]]
    model = hcr.load_model(LINES)
    decoder = LineDecoder.load(folder / "model/language.npz", model.classes)
    output = model.log_probabilities(images)[0]
    read = decoder.read(output)
    assert read.confidence != LineDecoder(model.classes).read(output).confidence
    served = SimpleNamespace(name=LINES, folder=folder)
    for ours in (model, hcr.load_model(folder), whole_recognizer(LINES), service._loaded(served)):
        assert ours.readings(images) == [(read.text, read.confidence)]


@pytest.mark.slow
def test_the_recognizer_of_lines_reads_as_its_benchmark_says(real_data):
    """Names in capitals, with the language model beside the network."""
    rows = json.loads((paths.project_root() / "results/bench/reading-real.json").read_text())["rows"]
    row = next(row for row in rows if row["what"] == f"names-capitals: {LINES}")
    test = load_text("names-capitals").test
    texts = [reading_real.folded(text) for text in test.texts]
    read = [reading_real.folded(reading.text) for reading in hcr.load_model(LINES).readings(test.images)]
    assert scores.rate(read, texts) == pytest.approx(row["cer"], abs=0.01)


def test_every_committed_record_model_and_bundle_loads():
    root = paths.project_root() / "results"
    found = [records.read(path) for path in root.glob("**/record.json")]
    for lines in root.glob("*/records.jsonl"):
        found += records.load_records(lines.parent)
    assert len(found) > 90
    assert all(record.metrics for record in found if record.status == "finished")
    bundles = [path.parent for path in root.glob("**/manifest.json")]
    assert {folder.name for folder in bundles} >= {*NAMES, PAGES, *WHOLES}
    for folder in bundles:
        for model, difference in bundle.check_engines(folder):
            images, _ = model.read_golden(folder)
            assert difference < 1e-4
            ours = hcr.load_model(folder)
            assert ours.decode(ours.scores(images)) == model.decode(model.scores(images))
            assert hcr.load_model(folder).read(images[0]) is not None
        assert type(load_fitted(folder / "model")) is type(model)
