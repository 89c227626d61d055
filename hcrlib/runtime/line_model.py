"""A trained recogniser as it is used: from a picture of a word or a line to its text."""

import io
import json
import os
import threading
from typing import NamedTuple

import numpy as np

from .engines import tflite
from .engines.onnx import opened
from .engines.select import network
from .image import to_grey
from .line_pipeline import MARGIN, LinePipeline, best_path, by_width, widened

AT_ONCE = 16  # pictures in one step: bounds the memory


class LineReading(NamedTuple):
    """text: what is written, "" where nothing is. confidence: of the least sure character, 0..1."""

    text: str
    confidence: float


class _AnyEngine:
    """What the networks of all engines have in common. A subclass answers `_logits` to a batch of one width."""

    at_once = AT_ONCE

    def _take(self, shapes):
        """Keeps `n_labels`, and `width` and `steps`, None for any, of the input's and the output's shape: no int is free."""
        if [len(shape) for shape in shapes] != [4, 3] or not isinstance(shapes[1][2], int):
            raise ValueError("%s is no network from lines to characters: its shapes are %s" % (self.path, shapes))
        self.n_labels = shapes[1][2]
        self.width, self.steps = (at if isinstance(at, int) else None for at in (shapes[0][2], shapes[1][1]))

    def wide(self, width):
        """How many columns a picture of that width is given with. ValueError where it is wider than the network."""
        if self.width is None:
            return widened(width)
        if widened(width) > self.width:
            told = "a picture is %d pixels wide, the network takes %d" % (width, self.width - 2 * MARGIN)
            if self.steps:
                needed = -(-widened(width) * self.steps // self.width)
                told += "; it needs %d time steps, there are %d" % (needed, self.steps)
            raise ValueError(told)
        return self.width

    def log_probabilities(self, pictures):
        """A list of float32 (steps, k + 1), a prepared picture each: of the blank and the k characters at each time step."""
        out = [None] * len(pictures)
        for indices, batch in by_width(pictures, self.at_once, self.wide):
            for at, logits in zip(indices, self._logits(batch)):
                out[at] = log_softmax(logits)
        return out


class LineNetwork(_AnyEngine):
    """Log-probabilities from a model.onnx, in the place of a recogniser of hcrlib.models.

    ValueError for a file that is missing, damaged or not a network from lines to characters at each time step.
    """

    backend = "onnx"

    def __init__(self, path, threads=None):
        self.name, self.path = "", str(path)
        self.session, self.engine = opened(self.path, threads)
        given, answers = self.session.get_inputs(), self.session.get_outputs()
        self._take([each.shape for each in given + answers])
        self.given = given[0].name

    def _logits(self, batch):
        return self.session.run(None, {self.given: batch})[0]


class LiteLineNetwork(_AnyEngine):
    """The same from a model.tflite, one picture at a time; ImportError where LiteRT is not installed."""

    backend = "litert"
    at_once = 1

    def __init__(self, path):
        self.name, self.path = "", str(path)
        self.interpreter, self.engine, given, answers = tflite.opened(self.path)
        self._one_at_a_time = threading.Lock()  # the tensors are those of one call
        self._take([[int(n) if n > 0 else None for n in each["shape_signature"]] for each in (given, answers)])
        self._given, self._answers = given["index"], answers["index"]
        self._allocated = tuple(given["shape"])

    def _logits(self, batch):
        with self._one_at_a_time:
            if batch.shape != self._allocated:
                self._allocated = None  # until it is
                self.interpreter.resize_tensor_input(self._given, batch.shape, strict=True)
                self.interpreter.allocate_tensors()
                self._allocated = batch.shape
            self.interpreter.set_tensor(self._given, batch)
            self.interpreter.invoke()
            return self.interpreter.get_tensor(self._answers)


LINE_ENGINES = {  # as ENGINES
    "onnxruntime": lambda folder, threads: LineNetwork(os.path.join(folder, "model.onnx"), threads),
    "litert": lambda folder, threads: LiteLineNetwork(os.path.join(folder, "model.tflite")),
}


class LineModel:
    """A recogniser with the pipeline it was trained behind and its characters.

    recogniser: anything with a `name`, an `engine` and `log_probabilities`. unit: what it was trained on, "words" or "lines".
    """

    engines = LINE_ENGINES

    def __init__(self, recogniser, pipeline, classes, unit="lines"):
        self.recogniser, self.pipeline, self.classes, self.unit = recogniser, pipeline, tuple(classes), unit

    @classmethod
    def load(cls, folder, engine=None, threads=None):
        """From a folder with model.json and model.onnx or model.tflite; ValueError where one is missing or damaged.

        engine: "onnxruntime" or "litert"; None for the first of them that works here. threads: of ONNX Runtime.
        """
        return cls.of(folder, network(folder, engine, threads, cls.engines))

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

    @property
    def engine(self):
        """The library that answers, and its version."""
        return self.recogniser.engine

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
    return unit_of(folder) is not None


def unit_of(folder):
    """What a model/ folder's recogniser reads, "words" or "lines"; None for a model of characters. ValueError as above."""
    try:
        with io.open(os.path.join(str(folder), "model.json"), encoding="utf-8") as file:
            about = json.load(file)
            if about.get("reads") != "lines":
                return None
            return "words" if about.get("unit") == "words" else "lines"
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError("model.json cannot be read: %s: %s" % (type(error).__name__, error))
