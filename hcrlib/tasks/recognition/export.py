"""Export recognizers: formats, the lines that check them, and golden answers."""

from pathlib import Path
from typing import Any

import numpy as np

from hcrlib.core.errors import ConfigError
from hcrlib.datasets import TextDataset
from hcrlib.datasets.text import Lines
from hcrlib.metrics import scores as metrics
from hcrlib.records import RunRecord
from hcrlib.runtime import LineModel

FORMATS = "model.onnx", "model.tflite", "model-float16.tflite", "model-int8.tflite"
CHECKED = 200  # validation images on which a network in ONNX must agree with the trained one
FITTED = 400  # validation lines that choose the weights of the language model and calibrate confidences
GOLDEN = {"words": 8, "lines": 3}  # validation images whose predictions every engine must reproduce


def checked(val: Lines) -> Lines:
    """Return the validation lines on which a written file must agree with the trained model."""
    return val.take(range(min(CHECKED, len(val))))


def calibration(data: TextDataset) -> list[np.ndarray]:
    """Return an image to run a written network with; no format needs ranges."""
    return list(data.val.images[:1])


def golden(val: Lines, unit: str) -> list[np.ndarray]:
    """Return the images of golden.npz."""
    return list(val.images[: GOLDEN[unit]])


def measure(predicted: list[str], test: Lines, classes: tuple) -> dict[str, float]:
    """Return the metrics of predicted texts."""
    accuracy = float(np.mean([text == reference for text, reference in zip(predicted, test.texts, strict=True)]))
    return {"accuracy": accuracy, "cer": metrics.rate(predicted, test.texts)}


def about(record: RunRecord, model: LineModel, val: Lines) -> dict[str, Any]:
    """Return the entries of model.json that training did not write: none."""
    return {}


def accompany(folder: Path, model: LineModel, data: TextDataset) -> None:
    """Write a language model of the characters of lines beside the network, if it lowers the CER of validation lines.

    folder: the bundle's model/. The language is that of the training texts and of frequent French and English words.
    """
    if model.unit != "lines":
        return
    from hcrlib.decoding.lines import FILE, LineDecoder  # numba
    from hcrlib.decoding.ngrams import CharacterModel, frequent_words

    val = data.val.take(np.linspace(0, len(data.val) - 1, min(len(data.val), FITTED)).astype(int))
    scores = model.log_probabilities(val.images)
    try:
        decoder = LineDecoder.fit(CharacterModel.fit(data.corpus, frequent_words()), model.classes, scores, val.texts)
    except ConfigError:  # too few lines to choose weights and calibrate on
        return
    if metrics.rate([decoder.text(each) for each in scores], val.texts) < metrics.rate(model.decode(scores), val.texts):
        decoder.save(folder / FILE)
