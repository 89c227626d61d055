"""Export recognizers: formats, the lines that check them, and golden answers."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hcrlib.core.errors import ConfigError
from hcrlib.datasets import TextDataset
from hcrlib.datasets.text import Lines
from hcrlib.decoding import LANGUAGE
from hcrlib.metrics import scores as metrics
from hcrlib.records import RunRecord
from hcrlib.runtime import LineModel

FORMATS = "model.onnx", "model.tflite", "model-float16.tflite", "model-int8.tflite"
CHECKED = 200  # validation images on which a network in ONNX must agree with the trained one
LANGUAGE_LINES = 800  # validation lines, at most; half of them fit the language model's weights, half decide on its use
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


def about(record: RunRecord, model: LineModel, data: TextDataset) -> dict[str, Any]:
    """Return the entries of model.json that training did not write: none."""
    return {}


def accompany(folder: Path, model: LineModel, data: TextDataset, log: Callable[[str], Any]) -> str | None:
    """Write a language model of the characters of lines beside the network, if it lowers the CER of validation lines.

    The lines of every other document choose its weights and calibrate confidences, the rest decide, however unequal the two
    are; of one or unknown documents it is every other line. folder: the bundle's model/. The language is that of the training
    texts, of frequent French and English words, and of names. Returns a note for the record and its card, None if nothing is
    written; `log` is then called with the reason.
    """
    if model.unit != "lines":
        return None
    from hcrlib.decoding.lines import LineDecoder  # numba
    from hcrlib.decoding.ngrams import SOURCES, CharacterModel, frequent_names, frequent_words

    val = data.val.take(np.linspace(0, len(data.val) - 1, min(len(data.val), LANGUAGE_LINES)).astype(int))
    (fitted, texts), (scores, references) = (
        (model.log_probabilities(half.images), half.texts) for half in _halves(val)
    )
    try:
        words = Counter(frequent_words()) + Counter(frequent_names())
        decoder = LineDecoder.fit(CharacterModel.fit(data.corpus, words), model.classes, fitted, texts)
    except ConfigError as error:  # too few lines to choose weights and calibrate on
        log(f"{LANGUAGE}: left out. {error}")
        return None
    plain, decoded = (metrics.rate(texts, references) for texts in (model.decode(scores), map(decoder.text, scores)))
    apart = " of other documents than those that chose its weights" if len(set(val.writers)) > 1 else ""
    found = f"{decoded:.2%} character error rate on {len(references)} validation lines{apart}, "
    found += f"{plain:.2%} by the best path"
    if decoded >= plain:
        log(f"{LANGUAGE}: left out. With it, {found}")
        return None
    decoder.save(folder / LANGUAGE)
    return f"{LANGUAGE} decodes lines with character n-grams of the training texts, {SOURCES}: {found}"


def _halves(lines: Lines) -> tuple[Lines, Lines]:
    """Return every other writer's lines and the rest; every other line if there is one writer or they are unknown."""
    numbers = {writer: number for number, writer in enumerate(dict.fromkeys(lines.writers))}
    groups = [numbers[writer] for writer in lines.writers] if len(numbers) > 1 else range(len(lines))
    return tuple(lines.take([at for at, group in enumerate(groups) if group % 2 == half]) for half in (0, 1))
