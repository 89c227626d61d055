"""Read the words or lines of a page as a whole, with a text recognizer (CRNN with CTC) or RapidOCR's network."""

import contextlib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.core.names import LINES_MODEL, RAPIDOCR
from hcrlib.datasets.pages import cut
from hcrlib.decoding.ctc import WordBeamSearch
from hcrlib.decoding.lines import LineDecoder
from hcrlib.documents import progress, rapidocr
from hcrlib.documents.cleaning import Cleaned
from hcrlib.documents.containers import Box, Line, Word, around
from hcrlib.documents.layout import Layout

MARGIN = 0.35  # of the height of the writing, around each crop
RAPIDOCR_MARGIN = 0.25  # tighter: RapidOCR's network was trained on the boxes of its own detector
BATCH = {"words": 64, "lines": 4}  # per batch: limits memory, and the wait until the first line has been read


class _WholeRecognizer:
    """Reads each word or line of a layout as a whole.

    Attributes:
        unit: "words" or "lines".
        margin: relative to the height of the writing, around each crop.
        source: the image of Cleaned that is cropped: "grey", "ruled" or "image".
        min_confidence: below it a word or line becomes "?".
        name: what `whole_recognizer` was asked for, or the name of the model that it was given.
    """

    joined = True

    def without_lexicon(self):
        """Return a recognizer of the same model that uses no lexicon, with which confidences are on another scale."""
        return self

    def readings(self, images):
        """Return a (text, confidence) for each image, as an iterable."""
        raise NotImplementedError

    def words(self, images):
        """Yield [(word, confidence, share of the image's width where it begins and ends, or None), ...] for each image."""
        for text, confidence in self.readings(images):
            yield [(word, confidence, None) for word in text.split()]

    def lines(self, cleaned: Cleaned, found: Layout) -> tuple[Line, ...]:
        """Return a Line for each row of a layout; raise DataError if one is too wide for the network."""
        rows = [[around(stroke.box for stroke in word) for word in row.words] for row in found.rows]
        image, margin = getattr(cleaned, self.source), self.margin * found.height
        if self.unit == "words":
            crops = [crop(image, box, margin) for row in rows for box in row]
        else:
            crops = [cut_out(image, row, margin) for row in found.rows]
        size = BATCH[self.unit]
        batches = (crops[start : start + size] for start in range(0, len(crops), size))
        read = (words for batch in batches for words in self.words(batch))
        lines = []
        for number, (row, boxes) in enumerate(zip(found.rows, rows, strict=True), start=1):
            progress.tell(progress.READING, number, len(rows))
            if self.unit == "words":
                words = [self._joined(next(read), box) for box in boxes]
            else:
                words = [self._word(*each) for each in _placed(next(read), around(boxes), boxes)]
            place = row.column, row.baseline, row.polygon, row.table_row
            lines.append(Line(tuple(words), around(word.box for word in words), *place))
            finished = progress.Finished(number, lines[-1].text, lines[-1].box)
            progress.tell(progress.READING, number, len(rows), finished)
        return tuple(lines)

    def _joined(self, words, box):
        """Return the Word of an image of one word, which may have been read as several."""
        return self._word("".join(text for text, *_ in words), min((sure for _, sure, _ in words), default=0.0), box)

    def _word(self, text, confidence, box):
        return Word(text if text and confidence >= self.min_confidence else "?", box, confidence)


class CtcRecognizer(_WholeRecognizer):
    """A recognizer that uses a model of words or lines.

    Args:
        model: a LineModel, as load_model returns it.
        lexicon: words for word beam search; None to use the language model of the model's bundle, or without one the best path.
        min_confidence: below it a word or line becomes "?".

    Raises:
        ConfigError: if the model classifies characters, or can spell none of the words.
    """

    margin = MARGIN

    def __init__(self, model, lexicon=None, min_confidence=0.0):
        if model.reads != "lines":
            hint = "Use it with --model"
            raise ConfigError("This model reads characters, not words or lines", got=repr(model), hint=hint)
        self.model, self.name, self.unit, self.min_confidence = model, model.name, model.unit, min_confidence
        self.source = "ruled" if self.unit == "lines" else "grey"  # as in what they were trained on
        self.search = WordBeamSearch([*cased(lexicon)], model.classes) if lexicon is not None else None
        self.decoder = model.decoder or LineDecoder(model.classes)

    def without_lexicon(self):
        """Return this recognizer with its lexicon left out."""
        return self if self.search is None else CtcRecognizer(self.model, None, self.min_confidence)

    def readings(self, images):
        """Return a (text, confidence) for each image, uint8 (h, w), dark on light; raise DataError if one is too wide."""
        _, scores = self._placed_scores(images)
        if self.search is None:
            return [(line.text, line.confidence) for line in map(self.decoder.read, scores)]
        found = [self.search.decode(each)[0] for each in scores]
        return [(each.text, math.exp(each.log_probability / max(1, len(each.text)))) for each in found]

    def words(self, images):
        """Yield the words of each image, without a lexicon with their places by the network's time steps."""
        if self.search is not None:
            yield from super().words(images)
            return
        for image, placed, scores in zip(images, *self._placed_scores(images), strict=True):
            width = image.shape[1]
            ends = [(word, word.columns(len(scores), placed, width)) for word in self.decoder.read(scores).words]
            yield [(word.text, word.confidence, tuple(x / width for x in end)) for word, end in ends]

    def _placed_scores(self, images):
        """Return (what LinePipeline.placed returns, log-probabilities) of all images."""
        try:
            placed = [self.model.pipeline.placed(image) for image in images]
            return placed, self.model.learner.log_probabilities([prepared for prepared, *_ in placed])
        except ValueError as error:
            what = f"The recognizer cannot read these {self.unit}: {error}"
            raise DataError(what, hint="Use another recognizer") from error


class RapidOcrRecognizer(_WholeRecognizer):
    """A recognizer that reads words with RapidOCR's network. min_confidence: below it a word becomes "?"."""

    unit, margin, source, name = "words", RAPIDOCR_MARGIN, "image", RAPIDOCR

    def __init__(self, min_confidence=0.0):
        self.min_confidence = min_confidence

    def readings(self, images):
        """Yield a (text, confidence) for each image, uint8 (h, w, 3), RGB, or (h, w), gray."""
        for image in images:
            yield rapidocr.text(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2))


def cased(words):
    """Yield words as given, capitalized and in capitals: dictionaries are mostly lowercase, writing is not."""
    for word in words:
        yield from {word, word.capitalize(), word.upper()}


def crop(image, box, margin):
    """Crop an image, uint8 (h, w) or (h, w, 3), to a Box with a margin in pixels."""
    margin = round(margin)
    top, left = max(0, box.top - margin), max(0, box.left - margin)
    return image[top : box.bottom + margin, left : box.right + margin]


def cut_out(image, row, margin):
    """Cut a Row from an image, uint8 (h, w), along its polygon, as lines to train on are cut; without one, crop its box."""
    if row.polygon:
        with contextlib.suppress(ValueError):  # too small
            return cut(image, np.array(row.polygon, float), np.array(row.baseline, float))
    return crop(image, row.box, margin)


def _placed(words, box, boxes):
    """Yield (text, confidence, Box) of the words of a line: the layout's boxes if there are as many, else the nearest ones.

    Each of the layout's boxes belongs to the word that covers most of it. A word with none, or that shares its own with such a
    word, is where the recognizer saw it.
    """
    if not words:
        yield "", 0.0, box
        return
    seen = _seen(words, box)
    owners = [max(range(len(words)), key=lambda n, each=each: _common(seen[n], each)) for each in boxes]
    for n, (text, confidence, _) in enumerate(words):
        if len(words) == len(boxes):
            yield text, confidence, boxes[n]
            continue
        own = [each for each, owner in zip(boxes, owners, strict=True) if owner == n]
        others = (m for m, (word, *_) in enumerate(words) if m not in owners and any(map(str.isalnum, word)))
        if not own or any(_common(seen[m], each) > 0 for m in others for each in own):
            near = around([each for each in boxes if _common(seen[n], each) > 0] or [box])
            own = [seen[n]._replace(top=near.top, bottom=near.bottom)]
        yield text, confidence, around(own)


def _seen(words, box):
    """Return the Box of each word of a line: where the recognizer saw it, or by the number of its characters."""
    total, start, found = max(1, len(" ".join(text for text, *_ in words))), 0, []
    for text, _, share in words:
        left, right = (
            box.left + round(box.width * end) for end in share or (start / total, (start + len(text)) / total)
        )
        found.append(Box(left, box.top, max(right, left + 1), box.bottom))
        start += len(text) + 1
    return found


def _common(a, b):
    """Return the width that two Boxes have in common, negative for the gap between them."""
    return min(a.right, b.right) - max(a.left, b.left)


def whole_recognizer(given: Any, words: Iterable[str] | None = None, min_confidence: float = 0.0) -> Any:
    """Return a recognizer of whole words or lines, given one, a model of words or lines, or a name.

    words: see CtcRecognizer's lexicon. Raises ConfigError like Reader.
    """
    if hasattr(given, "lines"):
        return given
    if given == RAPIDOCR:
        if words is not None:
            raise ConfigError("--lexicon cannot be combined with --recognizer rapidocr", hint=f"Use {LINES_MODEL}")
        return RapidOcrRecognizer(min_confidence)
    try:
        model = loaded(given)
    except ConfigError as error:
        expected = f"auto, characters, {RAPIDOCR}, or a recognizer of `hcr zoo list`"
        raise ConfigError("Unknown recognizer", expected=expected, got=repr(given)) from error
    recognizer = CtcRecognizer(model, words, min_confidence)
    if isinstance(given, str | Path):
        recognizer.name = str(given)
    return recognizer


def loaded(model: Any) -> Any:
    """Return a model, given one or an argument of load_model."""
    import hcrlib

    if isinstance(model, str | Path):
        return hcrlib.load_model(model)
    if not hasattr(model, "reads"):
        raise ConfigError("This is not a model", expected="a model, or an argument of load_model", got=repr(model))
    return model
