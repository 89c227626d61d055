"""Figures of page reading, and `hcr compose`."""

import json

import numpy as np
import pytest
from PIL import Image

from hcrlib.cli import main
from hcrlib.datasets import load_dataset
from hcrlib.documents import cleaning, evaluation, figures, formats, layout, loading
from hcrlib.documents.reader import Reader
from hcrlib.documents.synthesis import DEGRADATIONS, compose
from hcrlib.plotting import style


@pytest.fixture(scope="module")
def page():
    data = load_dataset("mnist-5k")
    return compose(data.val, data.classes, DEGRADATIONS["all at once"], seed=3, full=0.3)


def test_each_step_is_an_image(page):
    steps = figures.steps(page.image)
    assert [name for name, _ in steps][:2] == ["picture", "the sheet, flat and straight"]
    assert np.array_equal(steps[5][1], ~cleaning.cleaned(page.image).ink)
    assert style.save(figures.gallery(steps)).data.startswith(b"\x89PNG")


def test_layout_and_hypotheses(page):
    cleaned = cleaning.cleaned(page.image)
    found = layout.layout(cleaned.ink)
    drawn = figures.with_layout(cleaned.image, found)
    assert (drawn != cleaned.image).any()
    glyphs, captions = figures.hypotheses(Reader(), cleaned, found, max(found.rows[0].words, key=len))
    assert glyphs.shape[1:] == (28, 28)
    assert len(glyphs) == len(captions) > 1


def test_cost_of_each_degradation():
    found = {level: evaluation.Found(9, 10, 10) for level in ("words", "characters")}
    ax = figures.falls(style.figure(), {"hard": (0.5, found), "easy": (0.1, found)})
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["easy", "hard"]


def test_hcr_compose_writes_a_page_and_its_truth(tmp_path, capsys):
    path = tmp_path / "new" / "page.png"
    assert main.main(["compose", str(path), "--data", "mnist-5k", "--look", "small", "--seed", "2"]) == 0
    truth = json.loads(path.with_suffix(".json").read_text())
    with Image.open(path) as image:
        assert image.size == (truth["width"], truth["height"])
    data = load_dataset("mnist-5k")
    same = compose(data.val, data.classes, DEGRADATIONS["small"], 2)
    assert truth["text"] == same.truth.text
    assert truth["lines"] == formats.as_dict(same.truth)["lines"]
    assert np.array_equal(next(loading.pages(path)), same.image)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["page.png", "--degradation", "rulled"], "Did you mean 'ruled'?"),
        (["page.gif"], "FILE.png or FILE.jpg"),
        (["folder", "--training", "0"], "a whole number >= 1"),
    ],
)
def test_what_hcr_compose_refuses(arguments, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main.main(["compose", *arguments, "--data", "mnist-5k"]) == 1
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
