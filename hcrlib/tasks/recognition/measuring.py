"""Measure one recognizer when it is trained: hcrlib.tasks.base documents the functions.

`hcrlib.bench.lines` compares trained ones with other readers.
"""

from typing import Any

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.datasets import TextDataset
from hcrlib.datasets.text import Lines
from hcrlib.metrics import scores as metrics
from hcrlib.models import FitContext, Recognizer
from hcrlib.records import Metric, RunRecord
from hcrlib.runtime import LinePipeline
from hcrlib.runtime.line_pipeline import best_path


class Prepared:
    """The prepared images of a split; prepared once, or for each epoch if the split composes new items."""

    def __init__(self, pipeline: LinePipeline, split: Lines) -> None:
        self.pipeline, self.split = pipeline, split
        self._lines: Lines | None = None
        self.epoch(0)

    def epoch(self, number: int) -> tuple[list[np.ndarray], tuple[str, ...]]:
        """Return (float32 (height, width) each, texts) of that epoch, counted from 0."""
        drawn = self.split.drawn(number)
        lines = self.split if drawn is not None else self.split.epoch(number)
        if self._lines is not lines:
            self._lines, self._images = lines, self.pipeline.apply(lines.images)
        if drawn is None:
            return self._images, lines.texts
        images, texts = [self._images[at] for at in drawn], tuple(lines.texts[at] for at in drawn)
        if len(fresh := self.split.fresh(number)):
            images, texts = images + list(self.pipeline.apply(fresh.images)), texts + fresh.texts
        return images, texts


def check(record: RunRecord, train: Lines, data: TextDataset) -> None:
    """Note that a budget uses the same lines in every epoch."""
    if len(train) < len(data.train):
        record.notes.append(f"the same {len(train):,} lines in every epoch")


def subset(split: Lines, n: int, seed: int) -> Lines:
    """Return n lines; of a mixture, by the shares of its parts."""
    lines = split.drawn(0)
    lines = np.arange(len(split)) if lines is None else lines
    return split.take(np.sort(lines[np.random.RandomState(seed).permutation(len(lines))[:n]]))


prepare = Prepared


def fit(learner: Recognizer, train: Prepared, val: Prepared, context: FitContext) -> None:
    """Fit on train; val decides when to stop and which epoch to keep."""
    learner.fit(train, val, context)


def predict(learner: Recognizer, prepared: Prepared, classes: tuple) -> list[str]:
    """Return the best-path text of each line. Raises DataError unless there is one per line."""
    images, texts = prepared.epoch(0)
    outputs = [best_path(each, classes)[0] for each in learner.log_probabilities(images)]
    if len(outputs) != len(texts):
        raise DataError(f"{learner.name} did not return a text for each line", expected=len(texts), got=len(outputs))
    return outputs


def validation(outputs: list[str], split: Lines) -> dict[str, Metric]:
    """Return the share of lines without an error, and the character error rate."""
    accuracy = float(np.mean([text == reference for text, reference in zip(outputs, split.texts, strict=True)]))
    return {"val_accuracy": Metric(accuracy), "val_cer": Metric(metrics.rate(outputs, split.texts))}


def test(outputs: list[str], split: Lines) -> tuple[dict[str, Metric], int]:
    """Return (CER, WER and the share of lines without an error, number of lines with errors)."""
    n = len(split)
    n_errors = sum(text != reference for text, reference in zip(outputs, split.texts, strict=True))
    return {
        "cer": Metric(*metrics.error_rate(outputs, split.texts)),
        "wer": Metric(*metrics.error_rate(outputs, split.texts, "words")),
        "accuracy": Metric(1 - n_errors / n, *metrics.wilson(n - n_errors, n)),
    }, n_errors


def predictions(outputs: list[str], split: Lines) -> dict[str, Any]:
    """Return labels and predicted, str (n,) each."""
    return {"labels": np.array(split.texts), "predicted": np.array(outputs)}
