"""A trained recogniser as it is used: from a picture of a word or a line to its text."""

import io
import json
import os
from typing import NamedTuple

import numpy as np

from .image import to_grey
from .lines import LinePipeline, best_path, by_width, widened
from .network import opened

AT_ONCE = 16  # pictures in one step: bounds the memory


class LineReading(NamedTuple):
    """text: what is written, "" where nothing is. confidence: of the least sure character, 0..1."""

    text: str
    confidence: float


class LineNetwork:
    """Log-probabilities from a model.onnx, in the place of a recogniser of hcrlib.models.

    ValueError for a file that is missing, damaged or not a network from lines to characters at each time step.
    """

    backend = "onnx"

    def __init__(self, path, threads=None):
        self.name, self.path = "", str(path)
        self.session, self.engine = opened(self.path, threads)
        given, answers = self.session.get_inputs(), self.session.get_outputs()
        shapes = [each.shape for each in given + answers]
        if len(shapes) != 2 or len(shapes[0]) != 4 or len(shapes[1]) != 3 or not isinstance(shapes[1][2], int):
            raise ValueError("%s is no network from lines to characters: its shapes are %s" % (self.path, shapes))
        self.given, self.n_labels = given[0].name, shapes[1][2]
        self.width = shapes[0][2] if isinstance(shapes[0][2], int) else None

    def wide(self, width):
        """How many columns a picture of that width is given with. ValueError where it is wider than the network."""
        if self.width is None:
            return widened(width)
        if widened(width) > self.width:
            raise ValueError("a picture is %d pixels wide, the network takes %d" % (width, self.width))
        return self.width

    def log_probabilities(self, pictures):
        """A list of float32 (steps, k + 1), a prepared picture each: of the blank and the k characters at each time step."""
        out = [None] * len(pictures)
        for indices, batch in by_width(pictures, AT_ONCE, self.wide):
            for at, logits in zip(indices, self.session.run(None, {self.given: batch})[0]):
                out[at] = log_softmax(logits)
        return out


class LineModel:
    """A recogniser with the pipeline it was trained behind and its characters.

    recogniser: anything with a `name`, an `engine` and `log_probabilities`. unit: what it was trained on, "words" or "lines".
    """

    def __init__(self, recogniser, pipeline, classes, unit="lines"):
        self.recogniser, self.pipeline, self.classes, self.unit = recogniser, pipeline, tuple(classes), unit

    @classmethod
    def load(cls, folder, threads=None):
        """From a folder with model.json and model.onnx; ValueError where one is missing or damaged."""
        return cls.of(folder, LineNetwork(os.path.join(str(folder), "model.onnx"), threads))

    @classmethod
    def of(cls, folder, recogniser):
        """A recogniser with the pipeline and the characters that a folder's model.json names."""
        try:
            with io.open(os.path.join(str(folder), "model.json"), encoding="utf-8") as file:
                about = json.load(file)
            recogniser.name, pipeline = about["classifier"], LinePipeline.from_dict(about["pipeline"])
            classes, unit = about["classes"], about.get("unit", "lines")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("model.json cannot be read: %s: %s" % (type(error).__name__, error))
        if recogniser.n_labels != len(classes) + 1:
            told = (recogniser.path, recogniser.n_labels, len(classes))
            raise ValueError("%s tells %s labels, model.json %d characters and a blank" % told)
        return cls(recogniser, pipeline, classes, unit)

    def __repr__(self):
        return "LineModel(%s, %s of %d characters)" % (self.recogniser.name, self.unit, len(self.classes))

    def log_probabilities(self, images):
        """A list of float32 (steps, k + 1) of uint8 (h, w) each, dark on light."""
        return self.recogniser.log_probabilities(self.pipeline.apply(images))

    def read(self, anything):
        """A LineReading of one word or line, dark on light: path, bytes, PIL image or array. ValueError for no image."""
        return self.readings([to_grey(anything)])[0]

    def readings(self, images):
        """A LineReading for each of uint8 (h, w), dark on light: the best path."""
        return [LineReading(*best_path(one, self.classes)) for one in self.log_probabilities(images)]


def log_softmax(logits):
    """float32 rows of log-probabilities."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype(np.float32)


def is_of_lines(folder):
    """Whether a model/ folder's model.json is a recogniser's; ValueError where it cannot be read."""
    try:
        with io.open(os.path.join(str(folder), "model.json"), encoding="utf-8") as file:
            return json.load(file).get("reads") == "lines"
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError("model.json cannot be read: %s: %s" % (type(error).__name__, error))
