"""The fragment holds the images behind each cell, not more than it may, and what each run said of them."""

import json
import re

import numpy as np
import pytest

from hcrlib.records import Metric, RunConfig, RunRecord, save_predictions
from hcrlib.tasks.classification import confusions

LABELS = np.array([0, 0, 0, 1, 1, 2])
FIRST, SECOND = {"predicted": np.array([0, 1, 1, 1, 0, 2])}, {"predicted": np.array([0, 1, 2, 1, 1, 2])}
IMAGES = np.arange(6, dtype=np.uint8)[:, None, None] * np.full((6, 28, 28), 40, np.uint8)
CLASSES = ["a", "<b>", "c"]


def fragment(*answers, images=IMAGES):
    return confusions.fragment("xy"[: len(answers)], [{"labels": LABELS, **each} for each in answers], images, CLASSES)


def cells(html):
    return json.loads(re.search('<script type="application/json">(.*?)</script>', html)[1])


def texts(html):
    return [
        re.sub("<[^>]+>", " ", part).split()
        for part in re.findall("<p>[^<].*?</p>|<p><b>.*?</p>|<span>.*?</span>", html)
    ]


def test_a_cell_tells_what_both_got_wrong_from_what_one_did():
    found = cells(fragment(FIRST, SECOND))
    assert set(found) == {"0-1", "0-2", "1-0", "1-1"}, "what both got right has no images"
    assert texts(found["0-1"]) == [
        ["a", "read", "as", "&lt;b&gt;"],
        ["both:", "1"],
        ["A:", "&lt;b&gt;", "B:", "&lt;b&gt;"],
        ["A", "alone:", "1"],
        ["A:", "&lt;b&gt;", "B:", "c"],
    ]
    assert texts(found["1-1"])[1:] == [["B", "alone:", "1"], ["A:", "a", "B:", "&lt;b&gt;"]]


def test_of_one_run_the_matrix_and_its_errors_are_shown_without_scripts():
    html = fragment(FIRST)
    assert set(cells(html)) == {"0-1", "1-0"}
    static = html[html.index("</table>") : html.index("<script")]
    assert re.findall("<p><b>(.*?)</b></p>", static) == ["a read as &lt;b&gt;", "&lt;b&gt; read as a"]
    assert static.count("<img") == 3
    table = re.search("<table.*?</table>", html)[0]
    assert re.findall(r'data-cell="(\d-\d)"[^>]*>(.*?)</td>', table) == [
        *(("0-0", "1"), ("0-1", "2")),
        *(("1-0", "1"), ("1-1", "1")),
        ("2-2", "1"),
    ]


def test_it_stays_small_and_says_what_is_left_out(monkeypatch):
    monkeypatch.setattr(confusions, "IMAGES", 3)
    found = cells(fragment(FIRST))
    assert set(found) == {"0-1", "1-0"}
    monkeypatch.setattr(confusions, "IMAGES", 2)
    found = cells(fragment(FIRST))
    assert "2, 1 of them shown" in found["0-1"]
    monkeypatch.setattr(confusions, "IMAGES", 1)
    html = fragment(FIRST)
    assert set(cells(html)) == {"0-1"}
    assert "The images of 1 of 2 cells are kept" in html
    monkeypatch.setattr(confusions, "CLASSES", 2)
    assert "The 2 classes with the most errors of 3" in fragment(FIRST)


def test_it_needs_one_or_two_runs_on_these_images():
    with pytest.raises(ValueError, match="one or two runs"):
        fragment(FIRST, SECOND, FIRST)
    with pytest.raises(ValueError, match="5 labels"):
        fragment(FIRST, images=IMAGES[:5])


def test_without_predictions_or_of_other_test_images_there_is_nothing(monkeypatch):
    config = RunConfig("mnist-5k", "knn", {}, ["scale"], 0, None)
    record = RunRecord(config=config, status="finished", task="classification", data={"test_sha256": "0" * 64})
    record.metrics["accuracy"] = Metric(1.0)
    assert confusions.of([record]) == ""
    record.path.mkdir(parents=True)
    save_predictions(record.path, labels=LABELS, predicted=LABELS, scores=np.eye(3)[LABELS])
    assert confusions.of([record]) == ""
    monkeypatch.setattr(confusions.inventory, "here", lambda name: "")
    monkeypatch.setattr(confusions.datasets, "load_dataset", lambda name: pytest.fail("it is downloaded"))
    assert confusions.of([record]) == ""
