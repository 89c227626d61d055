"""Export recognizers: formats, the lines that check them, and golden answers."""

from typing import Any

import numpy as np

from hcrlib.datasets import TextDataset
from hcrlib.datasets.text import Lines
from hcrlib.metrics import scores as metrics
from hcrlib.records import RunRecord
from hcrlib.runtime import LineModel

FORMATS = "model.onnx", "model.tflite", "model-float16.tflite", "model-int8.tflite"
CHECKED = 200  # validation images on which a network in ONNX must agree with the trained one
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
