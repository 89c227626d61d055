"""The common base of models of characters and of lines: loading, golden answers and the public interface."""

import os
from typing import Any, List, Optional

import numpy as np

from ._files import read_model_json
from .engines.select import open_network, open_networks

GOLDEN_TOLERANCE = 0.02  # of a probability, for half precision
SUFFIXES = {".onnx": "onnxruntime", ".tflite": "litert"}  # suffix of a file -> engine


class Model:
    """A learner with the pipeline that prepares its images and the names of its classes.

    A subclass sets `reads` and `unit`, `pipeline_class`, `networks`, `tie`, and what a prediction is.

    Attributes:
        learner: a network of an engine or a fitted method of hcrlib.models, with a `name`, an `engine` and `scores`.
        pipeline: prepares images for the learner.
        classes: a tuple of str.
    """

    reads = ""  # the value of "reads" in model.json
    unit = ""  # what one image holds, in the plural: "characters", "words", "lines"
    pipeline_class: Any = None
    networks: dict = {}  # engine -> function of (path, threads), in order of preference
    tie = 0.0  # probabilities this close count as equal when labels are compared

    def __init__(self, learner, pipeline, classes):
        self.learner, self.pipeline, self.classes = learner, pipeline, tuple(classes)

    @classmethod
    def load(cls, folder: Any, engine: Optional[str] = None, threads: Optional[int] = None) -> "Model":
        """Load a folder with model.json and the network in an engine's format; ValueError for a missing or damaged file.

        engine: a key of `networks`; None for the first one that works on this machine. threads: of ONNX Runtime, None for one
        per core. The model/ folder of a run may hold other files, which hcrlib.load_model reads.
        """
        return cls.with_network(folder, open_network(folder, cls.networks, engine, threads))

    @classmethod
    def load_all(cls, folder: Any) -> List["Model"]:
        """Load a folder with each engine whose library and file exist."""
        return [cls.with_network(folder, network) for network in open_networks(folder, cls.networks)]

    @classmethod
    def open_file(cls, path):
        """Open one file, model.onnx or model.tflite, as a network. ValueError for a missing or damaged one."""
        return cls.networks[SUFFIXES[os.path.splitext(str(path))[1]]](path, None)

    @classmethod
    def with_network(cls, folder, network):
        """Return the model of a folder's model.json with a network. ValueError if their numbers of classes differ."""
        model = cls.from_dict(network, read_model_json(folder))
        if network.n_classes != len(model.classes):
            message = "%s has %d classes, model.json %d"
            raise ValueError(message % (network.path, network.n_classes, len(model.classes)))
        return model

    @classmethod
    def from_dict(cls, learner, about):
        """Return the model that the dict of a model.json describes. ValueError if a key is missing."""
        try:
            learner.name, pipeline = about["classifier"], cls.pipeline_class.from_dict(about["pipeline"])
            return cls(learner, pipeline, about["classes"], **cls._options(about))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("model.json cannot be read: %s: %s" % (type(error).__name__, error))

    @classmethod
    def unit_of(cls, about):
        """Return the unit of the model that the dict of a model.json describes."""
        return cls.unit

    @property
    def name(self) -> str:
        """The method's name."""
        return self.learner.name

    @property
    def engine(self) -> str:
        """The library that computes, and its version."""
        return self.learner.engine

    def scores(self, images):
        """Return the probabilities of the classes: see the subclass for the shape."""
        return self.learner.scores(self.pipeline.apply(images))

    def predict(self, images: Any) -> List[str]:
        """Return the text of each image."""
        return self.decode(self.scores(images))

    def decode(self, scores: Any) -> List[str]:
        """Return the texts of several images, given their probabilities."""
        raise NotImplementedError

    def readings(self, images: Any) -> List[Any]:
        """Return the text of each image with probabilities."""
        raise NotImplementedError

    def golden(self, images: Any) -> dict:
        """Return the arrays of a golden.npz: images, and this model's predictions of them."""
        raise NotImplementedError

    def check_golden(self, folder: Any, tolerance: float = GOLDEN_TOLERANCE) -> float:
        """Return the largest difference of a probability from the golden answers of a bundle's folder.

        Raises:
            ValueError: a probability differs by more than `tolerance`, or a label was less probable by more than that.
        """
        images, expected = self.read_golden(folder)
        actual = self.scores(images)
        difference = self.largest_difference(expected, actual)
        wrong = self.count_disagreements(expected, actual, tolerance)
        if wrong or not difference <= tolerance:
            message = "%s gives other answers to %d of %d golden images, probabilities differ by up to %.2g"
            raise ValueError(message % (self.engine, wrong, len(images), difference))
        return difference

    @staticmethod
    def largest_difference(expected, actual):
        """Return the largest difference of two sequences of arrays; 1 where shapes differ, nan where a value is nan."""
        apart = [np.abs(a - b).max() if a.shape == b.shape else 1.0 for a, b in zip(expected, actual)]
        return float(np.max(apart or [0.0]))

    @classmethod
    def read_golden(cls, folder):
        """Return (images, expected probabilities) of a bundle's folder."""
        with np.load(os.path.join(str(folder), "golden.npz"), allow_pickle=False) as golden:
            return cls._golden(golden)


def count_disagreements(expected, actual, tie):
    """Return how many rows of `actual` choose a class that was more than `tie` less probable than the expected one."""
    lost = expected.max(axis=1) - expected[np.arange(len(expected)), actual.argmax(axis=1)]
    return int(np.count_nonzero(lost > tie))
