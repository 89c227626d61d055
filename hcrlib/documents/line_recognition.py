"""Read the words or lines of a page as a whole, with a text recognizer (CRNN with CTC) or RapidOCR's network."""

import contextlib
import math

import numpy as np

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets.pages import cut
from hcrlib.decoding.ctc import WordBeamSearch
from hcrlib.documents import rapidocr
from hcrlib.documents.cleaning import Cleaned
from hcrlib.documents.containers import Box, Line, Word, around
from hcrlib.documents.layout import Layout

MARGIN = 0.35  # of the height of the writing, around each crop
RAPIDOCR_MARGIN = 0.25  # tighter: RapidOCR's network was trained on the boxes of its own detector
BATCH = 64  # words or lines per batch, to limit memory


class _WholeRecognizer:
    """Reads each word or line of a layout as a whole.

    Attributes:
        unit: "words" or "lines".
        margin: relative to the height of the writing, around each crop.
        source: the image of Cleaned that is cropped, "grey" or "image".
        min_confidence: below it a word or line becomes "?".
    """

    joined = True

    def readings(self, images):
        """Return a (text, confidence) for each image."""
        raise NotImplementedError

    def lines(self, cleaned: Cleaned, found: Layout) -> tuple[Line, ...]:
        """Return a Line for each row of a layout; raise DataError if one is too wide for the network."""
        rows = [[around(stroke.box for stroke in word) for word in row.words] for row in found.rows]
        boxes = [box for row in rows for box in row] if self.unit == "words" else [around(row) for row in rows]
        image, margin = getattr(cleaned, self.source), self.margin * found.height
        if self.unit == "words":
            crops = [crop(image, box, margin) for box in boxes]
        else:
            crops = [cut_out(image, row, margin) for row in found.rows]
        batches = (crops[start : start + BATCH] for start in range(0, len(crops), BATCH))
        readings = [reading for batch in batches for reading in self.readings(batch)]
        read = iter(zip(boxes, readings, strict=True))
        lines = []
        for row, word_boxes in zip(found.rows, rows, strict=True):
            if self.unit == "words":
                words = [_word(*next(read), self.min_confidence) for _ in word_boxes]
            else:
                words = _words(*next(read), word_boxes, self.min_confidence)
            lines.append(Line(tuple(words), around(word.box for word in words), row.column, row.baseline, row.polygon))
        return tuple(lines)


class CtcRecognizer(_WholeRecognizer):
    """A recognizer that uses a model of words or lines.

    Args:
        model: a LineModel, as load_model returns it.
        lexicon: words for word beam search; None for the best path.
        min_confidence: below it a word or line becomes "?".

    Raises:
        ConfigError: if the model classifies characters, or can spell none of the words.
    """

    margin, source = MARGIN, "grey"

    def __init__(self, model, lexicon=None, min_confidence=0.0):
        if model.reads != "lines":
            hint = "Use it with --model"
            raise ConfigError("This model reads characters, not words or lines", got=repr(model), hint=hint)
        self.model, self.unit, self.min_confidence = model, model.unit, min_confidence
        self.search = WordBeamSearch([*cased(lexicon)], model.classes) if lexicon is not None else None

    def readings(self, images):
        """Return a (text, confidence) for each image, uint8 (h, w), dark on light; raise DataError if one is too wide."""
        try:
            if self.search is None:
                return [tuple(reading) for reading in self.model.readings(images)]
            scores = self.model.log_probabilities(images)
        except ValueError as error:
            what = f"The recognizer cannot read these {self.unit}: {error}"
            raise DataError(what, hint="Use another recognizer") from error
        found = [self.search.decode(each)[0] for each in scores]
        return [(each.text, math.exp(each.log_probability / max(1, len(each.text)))) for each in found]


class RapidOcrRecognizer(_WholeRecognizer):
    """A recognizer that reads words with RapidOCR's network. min_confidence: below it a word becomes "?"."""

    unit, margin, source = "words", RAPIDOCR_MARGIN, "image"

    def __init__(self, min_confidence=0.0):
        self.min_confidence = min_confidence

    def readings(self, images):
        """Return a (text, confidence) for each image, uint8 (h, w, 3), RGB."""
        return [rapidocr.text(image) for image in images]


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


def _word(box, reading, min_confidence):
    text, confidence = reading
    text = "".join(text.split()) if confidence >= min_confidence else ""
    return Word(text or "?", box, confidence)


def _words(box, reading, word_boxes, min_confidence):
    """Return the Words of a line read as a whole, in the boxes of the layout or, if their number differs, estimated ones."""
    text, confidence = reading
    texts = text.split() if confidence >= min_confidence else []
    if not texts:
        return [Word("?", box, confidence)]
    if len(texts) == len(word_boxes):
        return [Word(text, own, confidence) for text, own in zip(texts, word_boxes, strict=True)]
    words, start, total = [], 0, len(" ".join(texts))
    for text in texts:
        left, right = (box.left + round(box.width * place / total) for place in (start, start + len(text)))
        words.append(Word(text, Box(left, box.top, right, box.bottom), confidence))
        start += len(text) + 1
    return words
