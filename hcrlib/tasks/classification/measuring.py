"""Measure classifiers: hcrlib.tasks.base documents the functions."""

from typing import Any

import numpy as np

from hcrlib.core.errors import DataError, RunError
from hcrlib.datasets import Dataset, Split, stratified_take
from hcrlib.metrics import scores as metrics
from hcrlib.models import Classifier, FitContext
from hcrlib.records import Metric, RunRecord
from hcrlib.runtime import Pipeline

Prepared = tuple[np.ndarray, np.ndarray]  # prepared images, labels


def check(record: RunRecord, train: Split, data: Dataset) -> None:
    """Raise DataError if all images are of one class; note classes without a training image."""
    available = np.unique(train.labels)
    if unseen := [name for index, name in enumerate(data.classes) if index not in available]:
        record.notes.append(f"classes without a training image: {', '.join(unseen)}")
    if len(available) < 2:
        raise DataError(f"All {len(train)} training images are of one class", hint="Raise the budget or add images")


def subset(split: Split, n: int, seed: int) -> Split:
    """Return n images, stratified."""
    return split.take(stratified_take(split.labels, n, seed, "budget"))


def prepare(pipeline: Pipeline, split: Split) -> Prepared:
    """Return the images after the pipeline, float32 (n, 28, 28) or (n, d), and their labels."""
    return pipeline.apply(split.images), split.labels


def fit(learner: Classifier, train: Prepared, val: Prepared, context: FitContext) -> None:
    """Fit on train; val decides when to stop, and calibrates."""
    learner.fit(*train, *val, context)


def predict(learner: Classifier, prepared: Prepared, classes: tuple) -> np.ndarray:
    """Return the scores, float32 (n, n_classes). Raises RunError if they are not finite numbers of that shape."""
    outputs, shape = learner.scores(prepared[0]), (len(prepared[1]), len(classes))
    if outputs.shape != shape or not np.isfinite(outputs).all():
        wanted = f"finite numbers of shape {shape}"
        got = f"shape {outputs.shape}, {np.count_nonzero(~np.isfinite(outputs))} not finite"
        raise RunError(f"{learner.name} returned invalid scores", expected=wanted, got=got)
    return outputs


def validation(outputs: np.ndarray, split: Split) -> dict[str, Metric]:
    """Return accuracy and cross-entropy on validation images."""
    picked = outputs[np.arange(len(split)), split.labels]
    return {
        "val_accuracy": Metric(1 - metrics.count_errors(split.labels, outputs.argmax(axis=1)) / len(split)),
        "val_loss": Metric(float(0 - np.log(np.clip(picked, 1e-7, 1)).mean())),
    }


def test(outputs: np.ndarray, split: Split) -> tuple[dict[str, Metric], int]:
    """Return the metrics of the test images, and the number of errors."""
    predicted, n = outputs.argmax(axis=1), len(split)
    n_errors = metrics.count_errors(split.labels, predicted)
    accuracy = Metric(1 - n_errors / n, *metrics.wilson(n - n_errors, n))
    return {
        "accuracy": accuracy,
        **derived({"labels": split.labels, "predicted": predicted, "scores": outputs}),
    }, n_errors


def derived(predictions: dict[str, np.ndarray]) -> dict[str, Metric]:
    """Return the metrics that follow from stored predictions: balanced and top-3 accuracy, calibration error."""
    from hcrlib.metrics import statistics  # loads pandas, which `hcr --help` should not wait for

    return {
        "balanced_accuracy": Metric(statistics.balanced_accuracy(predictions)),
        "top3_accuracy": Metric(statistics.top(predictions)),
        "calibration_error": Metric(statistics.calibration_error(predictions)),
    }


def predictions(outputs: np.ndarray, split: Split) -> dict[str, Any]:
    """Return labels int64 (n,), predicted int64 (n,), the argmax of the full scores, and scores float16 (n, k)."""
    return {"labels": split.labels, "predicted": outputs.argmax(axis=1), "scores": outputs.astype(np.float16)}
