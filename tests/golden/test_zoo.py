"""The trained models that come with the project: they load, and read what they were made for."""

import numpy as np
import pytest

import hcrlib as hcr
from hcrlib import face, paths, records
from hcrlib.datasets import load_dataset

NAMES = {"best-10": 10, "best-26": 26, "best-47": 47, "best-62": 62}


def test_all_are_there():
    assert set(NAMES) <= set(face.zoo())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n_classes"), NAMES.items())
def test_reads_drawn_digits(name, n_classes):
    model = hcr.load_model(name)
    assert len(model.classes) == n_classes
    record = records.read(paths.project_root() / "results/zoo" / name)
    assert record.status == "finished"
    if "7" not in model.classes:
        return
    digits = load_dataset("mnist-5k").test
    right = [a == str(b) for a, b in zip(model.predict(digits.images), digits.labels, strict=True)]
    assert np.mean(right) > (0.99 if n_classes == 10 else 0.6)  # the others know letters that look like digits


@pytest.mark.slow
def test_reads_a_drawing():
    drawing = np.full((200, 120), 255, np.uint8)
    drawing[20:180, 55:65] = 0
    assert hcr.load_model("best-10").read(drawing).alternatives[0][0] == "1"
