"""Export classifiers: formats, the images that check them, golden answers, and thresholds."""

from typing import Any

import numpy as np

from hcrlib.datasets import Dataset, Split, frame_of, stratified_take
from hcrlib.records import RunRecord
from hcrlib.runtime import CharacterModel
from hcrlib.runtime.character_model import alike_matrix, balanced, best_shapes

FORMATS = "model.onnx", "model-1.onnx", "model.tflite", "model-float16.tflite", "model-int8.tflite"
CHECKED = 1000  # validation images on which a network in ONNX must agree with the trained one
GOLDEN = 32  # validation images whose predictions every engine must reproduce
RANGES = 500  # training images that determine the ranges of an int8 network
REFUSED = 0.002  # share of the correct shapes on validation images that the threshold of "?" may reject


def checked(val: Split) -> Split:
    """Return the validation images on which a written file must agree with the trained model."""
    return val.take(stratified_take(val.labels, min(CHECKED, len(val)), 0, "zoo"))


def calibration(data: Dataset) -> Any:
    """Return the images that determine the ranges of an int8 network."""
    return data.train.images[stratified_take(data.train.labels, min(RANGES, len(data.train)), 0, "bundle/ranges")]


def golden(val: Split, unit: str) -> Any:
    """Return the images of golden.npz."""
    return val.images[stratified_take(val.labels, min(GOLDEN, len(val)), 0, "bundle/golden")]


def measure(predicted: list[str], test: Split, classes: tuple) -> dict[str, float]:
    """Return the metrics of predicted class names."""
    return {"accuracy": float(np.mean(np.array(predicted) == np.array(classes)[test.labels]))}


def about(record: RunRecord, model: CharacterModel, data: Dataset) -> dict[str, Any]:
    """Return the entries of model.json that training did not write: frequencies, the threshold of "?", and the frame."""
    counts = np.bincount(data.train.labels, minlength=len(model.classes)) + 0.5  # of a class without images, too
    frequencies = counts / counts.sum()
    least = threshold(balanced(model.scores(data.val.images), frequencies), data.val.labels, model.classes)
    frame = frame_of(record.config.dataset)
    return {"unsure_below": least, "frame": frame, "frequencies": [float(f"{share:.6g}") for share in frequencies]}


def threshold(probabilities: np.ndarray, labels: np.ndarray, classes: tuple) -> float:
    """Return the probability of a shape below which it is "?": the share REFUSED of the correct shapes is below it."""
    alike = alike_matrix(classes)
    first, shapes = best_shapes(probabilities, alike)
    right = alike[first, labels] > 0
    return float(np.quantile(shapes[right], REFUSED)) if right.any() else 1.0
