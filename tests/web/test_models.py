"""Bundles come and go while the page answers: each is used whole or not at all."""

import shutil
import threading

import pytest

from hcrlib.runtime.web.models import Models
from hcrlib.runtime.web.problems import Problem

from .conftest import ZOO


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


def test_a_bundle_that_is_gone_answers_on(models, copy):
    shutil.rmtree(copy)
    models.refresh()
    assert models.get("mine").model.classes == tuple("0123456789")


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
