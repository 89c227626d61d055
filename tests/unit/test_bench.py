import json
import shutil
import time

import numpy as np
import pytest
from PIL import Image

from hcrlib.bench import (
    BENCHES,
    base,
    inputs,
    latency,
    libraries,
    lines,
    not_characters,
    page_lines,
    photos,
    report,
    scaling,
    tesseract,
)
from hcrlib.cli import main
from hcrlib.core.errors import DataError, RunError
from hcrlib.datasets.photographs import photographs


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("HCR_RESULTS", str(tmp_path))
    return tmp_path


def test_alternatives_take_turns():
    order = []
    times = base.side_by_side({"a": lambda: order.append("a"), "b": lambda: (order.append("b"), time.sleep(0.01))}, 3)
    assert order == ["a", "b"] * 4, "a round to warm up, then three"
    assert list(map(len, times.values())) == [3, 3]
    assert min(times["b"]) >= 0.01


def test_a_ratio_is_taken_round_by_round():
    found = base.ratio("x", [2, 9, 40], [1, 3, 10], at_least=3)
    assert (found["ratio"], found["low"], found["high"], found["met"]) == (3, 2, 4, True)
    assert base.ratio("x", [2], [1], at_most=1.5)["met"] is False
    assert base.ratio("x", [2], [1])["met"] is None


def test_a_measured_process_that_fails_is_an_error():
    with pytest.raises(RunError, match="a measured reason"):
        base.run_json("raise ValueError('a measured reason')")
    assert base.run_json("print(json.dumps([measured(lambda: None) < 1, peak() > 1e6]))") == [True, True]


def test_a_child_is_not_charged_for_its_parent():
    held = np.ones(40_000_000)  # 320 MB
    code = "first = peak(); forget_peak(); block = bytearray(50_000_000); print(json.dumps([first, peak()]))"
    first, peak = base.run_json(code)
    assert held.sum() > 0
    assert first < 100e6
    assert 50e6 < peak < 150e6


def test_svm_and_knn_are_measured_and_kept(results, monkeypatch, capsys):
    monkeypatch.setattr(libraries, "best_set", lambda: "mnist-5k")
    assert main.main(["bench", "svm", "knn", "--runs", "1", "--images", "400"]) == 0
    printed = capsys.readouterr().out
    assert "fit: scikit-learn / ours" in printed
    kept = json.loads((results / "bench/knn.json").read_text())
    expected = ["predict", "predict, scikit-learn", "a matrix product of that size"]
    assert [row["what"] for row in kept["rows"]] == expected
    assert kept["notes"][1] == "of 400 predictions, 0 differ"
    assert kept["provenance"]["cores"]
    shown = (results / "bench/README.md").read_text()
    assert shown.index("search for neighbors") < shown.index("support vector machine")
    assert (results / "bench/svm.png").stat().st_size > 1000


@pytest.mark.slow
def test_one_image_is_measured_against_the_bare_engine(results, monkeypatch):
    monkeypatch.setattr(latency, "IMAGES", 5)
    assert main.main(["bench", "one-image", "--runs", "1"]) == 0
    kept = json.loads((results / "bench/one-image.json").read_text())
    assert [row["what"] for row in kept["rows"]][:2] == ["ONNX Runtime, bare", "runtime: scores"]
    assert all(0 < row["p50_ms"] <= row["p99_ms"] for row in kept["rows"])
    assert kept["ratios"][0]["aim"] == "at most 1.5"
    assert (results / "bench/one-image.png").stat().st_size > 1000


def test_benchmarks_are_listed_and_wrong_requests_refused(capsys, monkeypatch):
    assert main.main(["bench", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == BENCHES.names()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for words, error in (
        (["svn"], "Did you mean 'svm'"),
        (["svm", "--runs", "0"], "--runs"),
        (["svm", "--images", "3"], "images"),
        (["lines"], "apt install tesseract"),
    ):
        assert main.main(["bench", *words]) == 1
        assert error in capsys.readouterr().err


def test_growth_is_drawn_on_two_axes(results):
    same = {"what": "knn", "peak_mb": 1.0}
    rows = [{**same, "images": n, "fit_s": 1e-9 * n**2, "predict_us_per_image": n / 10} for n in (1000, 3000, 9000)]
    assert scaling.exponent(rows, "fit_s") == pytest.approx(2)
    unknown = {"what": "x", "ratio": float("nan"), "aim": "", "met": None}
    report.save(BENCHES.get("scaling"), base.Outcome(rows, [unknown]))
    assert json.loads((results / "bench/scaling.json").read_text())["ratios"][0]["ratio"] is None
    assert report.write().read_text()


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="Tesseract is not installed")
def test_tesseract_reads_every_image():
    blank = np.full((60, 120), 255, np.uint8)
    stroke = blank.copy()
    stroke[10:50, 55:60] = 0
    texts = tesseract.tesseract([blank, stroke, blank], "eng", tesseract.WORD)
    assert len(texts) == 3
    assert texts[0] == texts[2] != texts[1], "each text is that of its image"
    with pytest.raises(RunError, match="tesseract-ocr-xyz"):
        tesseract.tesseract([blank], "xyz", tesseract.WORD)


def test_what_was_read_is_measured():
    found = lines._measured(["hallo", "x"], ["hello", "x"])
    assert (found["cer"], found["wer"], found["right"]) == (pytest.approx(1 / 6), 0.5, 0.5)


def test_the_lines_of_pages_are_measured(tmp_path, monkeypatch):
    """Two strips of strokes within the crop; the ground truth has one of them, and one that is not there."""
    monkeypatch.setenv("HCR_DATA", str(tmp_path))
    folder = tmp_path / page_lines.PAGES
    with pytest.raises(DataError, match="no pages to measure on"):
        page_lines.page_lines(base.Request(log=lambda line: None))
    folder.mkdir(parents=True)
    page = np.full((700, 900, 3), 240, np.uint8)
    for top in (10, 300, 400):
        for left in range(100, 800, 20):
            page[top : top + 24, left : left + 5] = 20
    Image.fromarray(page).save(folder / "a.jpg", quality=95)
    truth = [{"text": "", "box": [95, 296, 800, 328]}, {"text": "", "box": [95, 500, 800, 530]}]
    (folder / "a.json").write_text(json.dumps({"crop": [0, 100, 900, 700], "lines": truth}))
    outcome = page_lines.page_lines(base.Request(log=lambda line: None))
    assert [row["what"] for row in outcome.rows] == ["all pages", "a"]
    assert outcome.rows[0] | {"what": "a"} == outcome.rows[1]
    assert {key: outcome.rows[1][key] for key in ("lines", "found", "right", "f1")} == {
        "lines": 2,
        "found": 2,
        "right": 1,
        "f1": 0.5,
    }


def test_conditions_are_read(monkeypatch):
    monkeypatch.setattr(inputs, "PAIRS", (("mnist-5k", "best-digits", 1), ("emnist-of-nowhere", "best-62", 1)))
    monkeypatch.setattr(
        inputs, "CONDITIONS", {"blue on black": inputs.CONDITIONS["blue on black"], "faint": {"ink": (254,) * 3}}
    )
    kinds = {"blank": not_characters.blank, "plain 7": lambda rng, glyphs: inputs.picture(seven, rng)}
    seven = np.array([[[0, 0], [1, 0]], [[1, 0], [0.3, 1]]], float)
    monkeypatch.setattr(not_characters, "KINDS", kinds)
    monkeypatch.setattr(not_characters, "NO_DIGIT", {})
    outcome = inputs.inputs(base.Request(images=3, log=lambda line: None))
    whats = ["blue on black", "faint", "no character: blank", "no character: plain 7"]
    assert [(row["what"], row["characters"]) for row in outcome.rows] == [(what, 3) for what in whats]
    assert outcome.rows[0]["accuracy"] > outcome.rows[1]["accuracy"] == 0
    assert outcome.rows[2]["accuracy"] == 1, "a blank that is found blank is right"
    assert outcome.rows[3]["accuracy"] == 0
    assert "3 of 6 pictures of no character" in " ".join(outcome.notes)
    assert "skipped" in " ".join(outcome.notes)


@pytest.mark.parametrize("kind", [*not_characters.KINDS, *not_characters.NO_DIGIT])
def test_pictures_of_no_character(kind):
    rng, glyphs = np.random.default_rng(0), np.full((2, 28, 28), 200, np.uint8)
    draw = (not_characters.KINDS | not_characters.NO_DIGIT)[kind]
    one, other = draw(rng, glyphs), draw(rng, glyphs)
    assert one.dtype == np.uint8
    assert one.ndim == 2
    assert not np.array_equal(one, other) or kind == "word"


def test_photographs_are_read_in_either_case_and_shape(tmp_path, monkeypatch):
    monkeypatch.setenv("HCR_DATA", str(tmp_path))
    with pytest.raises(DataError, match="photos-characters"):
        photographs()
    folder, ink = tmp_path / "photos-characters", np.full((60, 40, 3), 230, np.uint8)
    folder.mkdir()
    ink[10:50, 18:23] = 30
    names = [f"{at}.png" for at in range(6)]
    for name in names:
        Image.fromarray(ink).save(folder / name)
    rows = [f"{name}\t{label}" for name, label in zip(names, "xIx1xl", strict=True)]
    (folder / "labels.tsv").write_text("\n".join(["file\tlabel", *rows]))
    monkeypatch.setattr(photos, "MODELS", ("best-62",))
    outcome = photos.photos(base.Request(log=lambda line: None))
    assert [(row["what"], row["characters"], row["accuracy"]) for row in outcome.rows] == [
        ("all", 3, 1),
        ("digits", 1, 1),
        ("capitals", 1, 1),
        ("small letters", 1, 1),
    ]
    assert outcome.rows[0]["folded"] == pytest.approx(1 / 3), "of I, 1 and l, one is what was answered"
    assert photos.photos(base.Request(images=0, log=lambda line: None)).rows == []
    assert photos.measured([("a", None), ("a", None)])["unsure"] == 1, "what is blank is not read"
    right, sure = np.array([True, False, True, True]), np.array([0.2, 0.3, 0.9, 0.8])
    assert photos._lost(right, sure) == pytest.approx(1 / 3), "the one below the wrong one"


def test_models_share_the_lines_of_a_figure(results):
    rows = [
        {"what": what, "model": f"m{at}", "accuracy": 0.1 * at, "ci_low": 0, "ci_high": 1}
        for what in ("thin", "thick")
        for at in range(7)
    ]
    report.draw({"name": "many", "rows": rows})
    assert (results / "bench/many.png").stat().st_size > 1000
    once = [{"what": "thin", "accuracy": 0.5}, {"what": "thin", "accuracy": 0.6}]
    report.draw({"name": "twice", "rows": once})
    assert (results / "bench/twice.png").exists()
