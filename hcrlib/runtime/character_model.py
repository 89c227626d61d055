"""A trained model as it is used: from any image of a character to its name, with probabilities."""

import io
import json
import os
from typing import NamedTuple

import numpy as np

from .engines.select import ENGINES, network
from .image import FRAMES, to_glyph
from .pipeline import Pipeline

UNSURE_BELOW = 0.5  # of probability: under it an answer is "?", where model.json tells no other threshold


class Reading(NamedTuple):
    """One answer. label: the class name, or "?" where the probability is under the threshold.

    alternatives: (name, probability) of the five most probable classes, best first. seen: uint8 (28, 28), what was judged.
    """

    label: str
    probability: float
    alternatives: tuple
    seen: np.ndarray

    @property
    def unsure(self):
        """Whether the label is "?"."""
        return self.label == "?"

    def __repr__(self):
        return "Reading(label=%r, probability=%r, alternatives=%r)" % self[:3]


class TrainedModel:
    """A classifier with the pipeline it was trained behind and the names of its classes.

    classifier: anything with a `name`, an `engine` and `scores`: a network, or one of hcrlib.models.
    unsure_below: the probability under which `read` answers "?". frame: how its training images were framed, "mnist" or
    "emnist".
    """

    engines = ENGINES

    def __init__(self, classifier, pipeline, classes, unsure_below=UNSURE_BELOW, frame="mnist"):
        self.classifier, self.pipeline, self.classes = classifier, pipeline, tuple(classes)
        self.unsure_below, self.frame = unsure_below, frame

    @classmethod
    def load(cls, folder, engine=None, threads=None):
        """From a folder with model.json and model.onnx; ValueError where one is missing or damaged.

        engine: "tensorrt", "onnxruntime" or "litert"; None for the first of them that works here. threads: of ONNX Runtime,
        None for one a core. A run's own model/ folder may hold other files: hcrlib.load_model takes any.
        """
        return cls.of(folder, network(folder, engine, threads))

    @classmethod
    def of(cls, folder, answers):
        """A network with the pipeline and the classes that a folder's model.json names."""
        try:
            with io.open(os.path.join(str(folder), "model.json"), encoding="utf-8") as file:
                about = json.load(file)
            answers.name, pipeline = about["classifier"], Pipeline.from_dict(about["pipeline"])
            classes, unsure_below = about["classes"], float(about.get("unsure_below", UNSURE_BELOW))
            frame = about.get("frame", "mnist")
            if frame not in FRAMES:
                raise ValueError("there is no frame %r" % (frame,))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("model.json cannot be read: %s: %s" % (type(error).__name__, error))
        if answers.n_classes != len(classes):
            raise ValueError("%s tells %s classes, model.json %d" % (answers.path, answers.n_classes, len(classes)))
        return cls(answers, pipeline, classes, unsure_below, frame)

    def __repr__(self):
        return "TrainedModel(%s, %d classes)" % (self.classifier.name, len(self.classes))

    @property
    def engine(self):
        """The library that answers, and its version."""
        return self.classifier.engine

    def scores(self, images):
        """float32 (n, k), rows sum to 1, from uint8 (n, 28, 28), upright, ink 255."""
        return self.classifier.scores(self.pipeline.apply(np.asarray(images)))

    def predict(self, images):
        """A list of n class names."""
        return [self.classes[i] for i in self.scores(images).argmax(axis=1)]

    def read(self, anything, unsure_below=None):
        """A Reading of one character: path, bytes, PIL image or array of any size, dark on light or light on dark.

        unsure_below: the probability under which the answer is "?"; None for the model's own.
        Raises ValueError for what is no image or holds no ink.
        """
        return self.readings(self.glyph(anything)[None], unsure_below)[0]

    def glyph(self, anything):
        """uint8 (28, 28), framed as the training images were. ValueError for what is no image or holds no ink."""
        return to_glyph(anything, frame=self.frame)

    def readings(self, glyphs, unsure_below=None):
        """A Reading for each of uint8 (n, 28, 28), upright, ink 255."""
        least = self.unsure_below if unsure_below is None else unsure_below
        return [self._reading(seen, scores, least) for seen, scores in zip(glyphs, self.scores(glyphs))]

    def _reading(self, seen, scores, least):
        best = [(self.classes[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")[:5]]
        name, probability = best[0]
        return Reading(name if probability >= least else "?", probability, tuple(best), seen)
