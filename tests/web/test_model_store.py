"""Bundles come and go while the page answers: each is used whole or not at all."""

import shutil
import threading

import pytest

from hcrlib.runtime.web import model_store as web_models
from hcrlib.runtime.web.model_store import Models
from hcrlib.runtime.web.problems import Problem

from .conftest import ZOO, recogniser


@pytest.fixture
def said():
    return []


@pytest.fixture
def models(copy, said):
    return Models(lambda: [("mine", str(copy))], "onnxruntime", threads=1, say=said.append)


def replace(copy, name):
    """Another bundle in its place, in the two steps of `mv`."""
    new = shutil.copytree(ZOO / name, copy.with_name("new"))
    copy.rename(copy.with_name("old"))
    new.rename(copy)


def test_a_replaced_bundle_is_taken_up(models, copy):
    before = models.get("mine")
    replace(copy, "best-47")
    models.refresh()
    assert models.get("mine").digest != before.digest
    assert len(models.get("mine").model.classes) == 47
    assert len(before.model.classes) == 10  # a request that began with it ends with it


def test_half_a_bundle_is_not_used(models, copy, said):
    before = models.get("mine")
    whole = (copy / "model/model.onnx").read_bytes()
    (copy / "model/model.onnx").write_bytes(whole[:-1000])
    models.refresh()
    models.refresh()
    assert models.get("mine") is before
    assert [line for line in said if "not used" in line and "model.onnx" in line] == said[1:]  # told once
    (copy / "model/model.onnx").write_bytes(whole)
    models.refresh()
    assert models.get("mine").digest == before.digest


def test_a_recogniser_of_words_is_no_model_of_characters(copy, tmp_path, said):
    named = [("whole", str(recogniser(tmp_path / "whole"))), ("mine", str(copy))]
    models = Models(lambda: named, "onnxruntime", threads=1, say=said.append)
    assert [served.name for served in models.all()] == ["mine"]
    assert said[0] == "hcr serve: whole is not used: it reads whole words or lines, no characters"


def test_a_bundle_that_is_gone_answers_on(models, copy):
    shutil.rmtree(copy)
    models.refresh()
    assert models.get("mine").model.classes == tuple("0123456789")


def test_a_look_between_two_renames_does_not_matter(models, copy, monkeypatch):
    """The folder is away at the first look; the whole new one is there before that look has noted why it failed."""
    new = shutil.copytree(ZOO / "best-47", copy.with_name("new"))
    copy.rename(copy.with_name("old"))
    seen = web_models.signature

    def look(folder):
        try:
            return seen(folder)
        finally:
            if new.exists():
                new.rename(copy)

    monkeypatch.setattr(web_models, "signature", look)
    models.refresh()
    models.refresh()
    assert len(models.get("mine").model.classes) == 47


def test_two_bundles_are_never_mixed(models, copy, monkeypatch):
    """It is replaced while it is read: what was read is not used, and the new one is at the next look."""
    load = web_models.bundle.load

    def slow(*given):
        found = load(*given)
        monkeypatch.setattr(web_models.bundle, "load", load)
        shutil.rmtree(copy.with_name("old"))
        replace(copy, "best-digits")
        return found

    replace(copy, "best-47")
    monkeypatch.setattr(web_models.bundle, "load", slow)
    before = models.get("mine")
    models.refresh()
    assert models.get("mine") is before
    models.refresh()
    assert models.get("mine").about["trained_on"] == "mnist"
    assert len(models.get("mine").model.classes) == 10


def test_the_default_stays_the_default_while_it_is_away(copy):
    other = shutil.copytree(ZOO / "best-47", copy.with_name("other"))
    models = Models(
        lambda: [(f.name, str(f)) for f in (copy, other) if f.exists()], "onnxruntime", say=lambda line: None
    )
    copy.rename(copy.with_name("away"))
    models.refresh()
    assert models.get().name == "mine"


def test_nothing_changes_nothing(models):
    before = models.get("mine")
    models.refresh()
    assert models.get() is before


def test_without_any_model(tmp_path):
    with pytest.raises(ValueError, match="No bundle was found"):
        Models(lambda: [])
    with pytest.raises(ValueError, match=r"mine: .*manifest.json"):
        Models(lambda: [("mine", str(tmp_path))], say=lambda line: None)


def test_no_such_model(models):
    with pytest.raises(Problem, match="there are: mine"):
        models.get("other")


@pytest.mark.slow
def test_answers_are_of_one_model_while_it_is_replaced(models, copy):
    """Threads ask while two bundles take turns: never a mixture of one's classes and the other's network."""
    wrong, stop = [], threading.Event()

    def ask():
        import numpy as np

        glyph = np.zeros((1, 28, 28), np.uint8)
        glyph[0, 4:24, 13:15] = 255
        while not stop.is_set():
            served = models.get("mine")
            if served.model.scores(glyph).shape[1] != len(served.model.classes):
                wrong.append(served.name)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for name in ("best-47", "best-digits") * 3:
        replace(copy, name)
        models.refresh()
        shutil.rmtree(copy.with_name("old"))
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
