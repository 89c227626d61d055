"""Trained recognizers: predict the text on an image of a word or line."""

from typing import Any, List, NamedTuple

import numpy as np

from ._model import Model, count_disagreements
from .engines.onnx import LineNetwork
from .engines.tflite import LiteLineNetwork
from .image import to_grey
from .line_pipeline import LinePipeline, best_path
from .strips import dark_on_light


class LineReading(NamedTuple):
    """The result for one image. text: "" if there is none. confidence: of the least probable character, 0..1."""

    text: str
    confidence: float

    def __str__(self):
        return "%s %.1f %%" % (self.text, 100 * self.confidence)


class LineModel(Model):
    """A recognizer with the pipeline that prepares its images and its characters.

    Args:
        recognizer: a network, or one of hcrlib.models.
        pipeline: a LinePipeline.
        classes: the characters, in the order of the scores' columns from 1 on; column 0 is the blank.
        unit: what it was trained on, "words" or "lines".
    """

    reads = "lines"
    pipeline_class = LinePipeline
    networks = {"onnxruntime": LineNetwork, "litert": LiteLineNetwork}
    tie = 1e-3  # differences add up over steps
    decoder = None  # its read() returns `text` and `confidence` of float32 (steps, k + 1); None for the best path
    stack = staticmethod(list)

    def __init__(self, recognizer, pipeline, classes, unit="lines"):
        Model.__init__(self, recognizer, pipeline, classes)
        self.unit = unit

    def __repr__(self):
        return "LineModel(%s, %s of %d characters)" % (self.name, self.unit, len(self.classes))

    def log_probabilities(self, images: Any) -> List[np.ndarray]:
        """Return a list of float32 (steps, k + 1), one for each uint8 (h, w), dark on light."""
        return self.learner.log_probabilities(self.pipeline.apply(images))

    def predict(self, images: Any) -> List[str]:
        """Return the text of each uint8 (h, w), dark on light."""
        return [reading.text for reading in self.readings(images)]

    def decode(self, scores: Any) -> List[str]:
        """Return the texts of the best paths of float32 (steps, k + 1) each, without the decoder."""
        return ["".join(self.classes[label - 1] for label in labels(each)) for each in scores]

    def read(self, anything: Any) -> LineReading:
        """Read one word or line, dark or light: a path, bytes, PIL image or array; ValueError if it is not an image.

        The text is "" where nothing is written on it.
        """
        strip = dark_on_light(to_grey(anything))
        return LineReading("", 1.0) if strip is None else self.readings([strip])[0]

    def readings(self, images: Any) -> List[LineReading]:
        """Return a LineReading for each uint8 (h, w), dark on light: the decoder's, or without one the best path's."""
        scores = self.log_probabilities(images)
        if self.decoder is None:
            return [LineReading(*best_path(each, self.classes)) for each in scores]
        return [LineReading(found.text, found.confidence) for found in map(self.decoder.read, scores)]

    def golden(self, images):
        """Return the arrays of a golden.npz: "image-0", "scores-0", "text-0" and so on."""
        arrays = {}
        for index, (image, scores) in enumerate(zip(images, self.scores(images))):
            text = np.array(self.decode([scores])[0])
            arrays.update({"image-%d" % index: image, "scores-%d" % index: scores, "text-%d" % index: text})
        return arrays

    @staticmethod
    def count_disagreements(expected, actual, tie):
        """Return how many images get another text with a label that was more than `tie` less probable than expected."""
        return sum(
            a.shape != b.shape or (labels(a) != labels(b) and count_disagreements(a, b, tie) > 0)
            for a, b in zip(expected, actual)
        )

    @staticmethod
    def _golden(golden):
        count = sum(name.startswith("image-") for name in golden.files)
        return [[golden["%s-%d" % (name, index)] for index in range(count)] for name in ("image", "scores")]

    @staticmethod
    def unit_of(about):
        """Return "words" or "lines", what a model that model.json describes reads."""
        return "words" if about.get("unit") == "words" else "lines"

    @classmethod
    def _options(cls, about):
        return {"unit": cls.unit_of(about)}


def labels(scores):
    """Return the text of the best path as a list of class numbers, from 1."""
    path = scores.argmax(axis=1)
    return [label for label in path[np.flatnonzero(np.diff(path, prepend=-1))].tolist() if label]
