"""Bundles appear, change and vanish while the server runs: each is used complete or not at all."""

import shutil
import threading

import numpy as np
import pytest

from hcrlib.runtime.web import model_store
from hcrlib.runtime.web.model_store import ModelStore
from hcrlib.runtime.web.problems import Problem

from .conftest import ZOO, recognizer_bundle


@pytest.fixture
def log():
    return []


@pytest.fixture
def models(copy, log):
    return ModelStore(lambda: [("mine", str(copy))], "onnxruntime", threads=1, log=log.append)


def replace(copy, name):
    """Put another bundle in its place, in the two steps of `mv`."""
    new = shutil.copytree(ZOO / name, copy.with_name("new"))
    copy.rename(copy.with_name("old"))
    new.rename(copy)


def test_a_replaced_bundle_is_reloaded(models, copy):
    before = models.get("mine")
    models.refresh()
    assert models.get("mine") is before
    replace(copy, "best-47")
    models.refresh()
    assert models.get("mine").digest != before.digest
    assert len(models.get("mine").model.classes) == 47
    assert len(before.model.classes) == 10  # a request that started with it finishes with it


def test_an_incomplete_bundle_is_not_used(models, copy, log):
    before = models.get("mine")
    complete = (copy / "model/model.onnx").read_bytes()
    (copy / "model/model.onnx").write_bytes(complete[:-1000])
    models.refresh()
    models.refresh()
    assert models.get("mine") is before
    (line,) = log[1:]  # reported once
    assert line.startswith("hcr serve: cannot load mine: ")
    assert "model.onnx" in line
    assert line.endswith("; its previous version stays in use")
    (copy / "model/model.onnx").write_bytes(complete)
    models.refresh()
    assert models.get("mine").digest == before.digest


def test_a_recognizer_of_words_is_not_a_model_of_characters(copy, tmp_path, log):
    bundles = [("words", str(recognizer_bundle(tmp_path / "words"))), ("mine", str(copy))]
    models = ModelStore(lambda: bundles, "onnxruntime", threads=1, log=log.append)
    assert [each.name for each in models.all()] == ["mine"]
    assert log[0] == "hcr serve: cannot load words: it reads whole words, not single characters"


def test_a_refresh_between_two_renames_does_no_harm(models, copy, monkeypatch):
    """The folder is missing at the first refresh, and the complete new one appears before that has noted the failure."""
    new = shutil.copytree(ZOO / "best-47", copy.with_name("new"))
    copy.rename(copy.with_name("old"))
    original = model_store.signature

    def signature(folder):
        try:
            return original(folder)
        finally:
            if new.exists():
                new.rename(copy)

    monkeypatch.setattr(model_store, "signature", signature)
    models.refresh()
    models.refresh()
    assert len(models.get("mine").model.classes) == 47


def test_two_bundles_are_never_mixed(models, copy, monkeypatch):
    """A bundle that is replaced while it is loaded is discarded; the next refresh loads the new one."""
    original = model_store.bundle.load

    def load(*args):
        loaded = original(*args)
        monkeypatch.setattr(model_store.bundle, "load", original)
        shutil.rmtree(copy.with_name("old"))
        replace(copy, "best-digits")
        return loaded

    replace(copy, "best-47")
    monkeypatch.setattr(model_store.bundle, "load", load)
    before = models.get("mine")
    models.refresh()
    assert models.get("mine") is before
    models.refresh()
    assert models.get("mine").description["trained_on"] == "mnist"
    assert len(models.get("mine").model.classes) == 10


def test_a_missing_bundle_stays_in_use_and_the_default(copy):
    other = shutil.copytree(ZOO / "best-47", copy.with_name("other"))
    folders = copy, other
    models = ModelStore(lambda: [(f.name, str(f)) for f in folders if f.exists()], "onnxruntime", log=lambda line: None)
    copy.rename(copy.with_name("away"))
    models.refresh()
    assert models.get().name == "mine"
    assert models.get("mine").model.classes == tuple("0123456789")


def test_missing_models_are_reported(models, tmp_path):
    with pytest.raises(ValueError, match="No bundle was found"):
        ModelStore(lambda: [])
    with pytest.raises(ValueError, match=r"mine: .*manifest.json"):
        ModelStore(lambda: [("mine", str(tmp_path))], log=lambda line: None)
    with pytest.raises(Problem, match="Available: mine"):
        models.get("other")


@pytest.mark.slow
def test_classes_and_network_belong_together_while_bundles_are_replaced(models, copy):
    wrong, stop = [], threading.Event()
    glyph = np.zeros((1, 28, 28), np.uint8)
    glyph[0, 4:24, 13:15] = 255

    def ask():
        while not stop.is_set():
            loaded = models.get("mine")
            if loaded.model.scores(glyph).shape[1] != len(loaded.model.classes):
                wrong.append(loaded.name)

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
