"""Trained models of characters: predict the character on an image, with probabilities."""

import warnings
from typing import Any, List, NamedTuple, Optional

import numpy as np

from ._model import Model, count_disagreements
from .arrays import to_images
from .engines.onnx import Network
from .engines.tensorrt import open_engine
from .engines.tflite import LiteNetwork
from .glyph import Steps, steps_of
from .image import FRAMES, to_pixels
from .pipeline import Pipeline

DOUBT = 0.75  # from this doubt between dark and light ink on, both are tried
UNSURE_BELOW = 0.5  # of probability: below it the label is "?", where model.json has no other threshold
# Classes that one glyph alone does not tell apart: those that EMNIST merges (Cohen et al. 2017, II-B) and similar ones.
ALIKE = "0Oo", "1Ili", "5Ss", "2Zz", "Cc", "Ff", "Jj", "Kk", "Mm", "Pp", "Uu", "Vv", "Ww", "Xx", "Yy"
TINY = 1e-9  # the least probability of a class in a chosen alphabet
BALANCE = 0.75  # 1 reads more of the rare classes, fewer of the others; chosen on photographed characters
OUTSIDE = 0.5  # of the threshold: a shape less probable among all classes is "?" in an alphabet, too
LIKELY = 0.01  # of probability: less likely classes are not worth a mention


class Reading(NamedTuple):
    """The result for one image.

    Attributes:
        label: the most probable class of the most probable shape, or "?" where `shape_probability` is below the threshold.
        probability: of that class.
        alternatives: (name, probability) of that class, then of the four most probable others.
        seen: uint8 (28, 28), the image as the model saw it.
        alike: that class, then those of the same shape that are likely, too: ("O", "0", "o"). Which of them it is, only its
            neighbors or a smaller alphabet can tell.
        shape_probability: of all classes of this shape together, within the alphabet.
    """

    label: str
    probability: float
    alternatives: tuple
    seen: np.ndarray
    alike: tuple = ()
    shape_probability: float = 0.0

    @property
    def unsure(self):
        """Whether the label is "?"."""
        return self.label == "?"

    def __str__(self):
        others = ", ".join("%s %.1f %%" % (name, 100 * share) for name, share in self.alternatives[1:4])
        return "%s %.1f %% (%s)" % (self.label, 100 * self.probability, others)

    def __repr__(self):
        return "Reading(label=%r, probability=%r, alternatives=%r)" % self[:3]


class CharacterModel(Model):
    """A classifier with the pipeline that prepares its images and the names of its classes.

    Args:
        classifier: a network, or one of hcrlib.models.
        pipeline: a Pipeline.
        classes: names, in the order of the scores.
        unsure_below: the probability of a shape, see `Reading.alike`, below which `read` returns "?".
        frame: how its training images were framed, "mnist" or "emnist".
        frequencies: shares of the classes among training images; None: they are taken to be equal.
    """

    reads = unit = "characters"
    pipeline_class = Pipeline
    networks = {"tensorrt": open_engine, "onnxruntime": Network, "litert": LiteNetwork}
    tie = 1e-6
    stack = staticmethod(np.stack)  # a list of images as `scores` takes them

    def __init__(self, classifier, pipeline, classes, unsure_below=UNSURE_BELOW, frame="mnist", frequencies=None):
        Model.__init__(self, classifier, pipeline, classes)
        self.unsure_below, self.frame, self.frequencies = unsure_below, frame, frequencies
        self.alike = alike_matrix(self.classes)

    def __repr__(self):
        return "CharacterModel(%s, %d classes)" % (self.name, len(self.classes))

    @property
    def classifier(self):
        """The learner."""
        return self.learner

    def scores(self, images: Any) -> np.ndarray:
        """Return float32 (n, k), rows sum to 1, of uint8 (n, 28, 28), upright, ink 255."""
        return Model.scores(self, np.asarray(images))

    def predict(self, images: Any) -> List[str]:
        """Return the name of the class of each image, upright, ink bright, in any shape and range that `to_images` takes.

        What it had to change is a UserWarning. ValueError for other arrays.
        """
        images, notes = to_images(images)
        for note in notes:
            warnings.warn(note, stacklevel=2)
        return Model.predict(self, images)

    def probabilities(self, images: Any, alphabet: Any = None) -> np.ndarray:
        """Return `scores` for a picture of anything: where classes are about equally frequent, and of an alphabet, see `read`.

        Scores are divided by the frequencies in training to the power BALANCE (Saerens, Latinne and Decaestecker 2002).
        """
        scores = self.scores(images)
        return self._within(scores if self.frequencies is None else balanced(scores, self.frequencies), alphabet)

    def decode(self, scores: Any) -> List[str]:
        """Return the most probable class names of float32 (n, k)."""
        return [self.classes[index] for index in scores.argmax(axis=1)]

    def read(self, anything: Any, unsure_below: Optional[float] = None, alphabet: Any = None) -> Reading:
        """Read one character: a path, bytes, PIL image or array of any size and color, see `steps_of`.

        unsure_below: the probability below which the label is "?"; None for the model's own. What does not look like one
        character is "?" too, unless it is 0. alphabet: names of the classes that it may be, such as "0123456789"; None for all.
        ValueError for data that are not an image, for an image without ink, and for an alphabet without any of the classes.
        """
        return self.readings_of([self.steps(anything, alphabet)], unsure_below, alphabet)[0]

    def readings_of(self, steps: Any, unsure_below: Optional[float] = None, alphabet: Any = None) -> List[Reading]:
        """Return a Reading for each of the Steps, see `read`."""
        steps = list(steps)
        if not steps:
            return []
        readings = self.readings(np.stack([each.glyph for each in steps]), unsure_below, alphabet)
        if unsure_below == 0:
            return readings
        return [one._replace(label="?") if each.is_odd else one for one, each in zip(readings, steps)]

    def glyph(self, anything: Any) -> np.ndarray:
        """Return uint8 (28, 28), framed as the training images were. Raises as `read`."""
        return self.steps(anything).glyph

    def steps(self, anything: Any, alphabet: Any = None) -> Steps:
        """Return the Steps to that glyph. Where dark and light ink are in doubt, it is the surer reading. Raises as `read`."""
        pixels = to_pixels(anything)
        found = steps_of(pixels, frame=self.frame)
        if found.doubt < DOUBT:
            return found
        try:
            other = steps_of(pixels, "light" if found.dark else "dark", self.frame)
        except ValueError:
            return found
        first, second = self.readings(np.stack([found.glyph, other.glyph]), alphabet=alphabet)
        return other if second.shape_probability > first.shape_probability else found

    def readings(self, images: Any, unsure_below: Optional[float] = None, alphabet: Any = None) -> List[Reading]:
        """Return a Reading for each of uint8 (n, 28, 28), upright, ink 255; see `read`."""
        least = self.unsure_below if unsure_below is None else unsure_below
        of_all = self.probabilities(images)
        scores = self._within(of_all, alphabet)
        firsts, shapes = best_shapes(scores, self.alike)
        sure = shapes >= least
        if alphabet is not None:  # which of its classes is likely says nothing of what is none of them
            sure &= of_all.dot(self.alike)[np.arange(len(firsts)), firsts] >= OUTSIDE * least
        return [self._reading(*each) for each in zip(images, scores, firsts, shapes, sure)]

    def golden(self, images):
        """Return the arrays of a golden.npz: "images", uint8 (n, 28, 28), and "scores", float32 (n, k)."""
        return {"images": images, "scores": self.scores(images)}

    @staticmethod
    def count_disagreements(expected, actual, tie):
        """Return how many images get a label that was more than `tie` less probable than the expected one."""
        return count_disagreements(expected, actual, tie)

    @staticmethod
    def _golden(golden):
        return golden["images"], golden["scores"]

    @staticmethod
    def _options(about):
        frame = about.get("frame", "mnist")
        if frame not in FRAMES:
            raise ValueError("unknown frame %r" % (frame,))
        least, frequencies = float(about.get("unsure_below", UNSURE_BELOW)), about.get("frequencies")
        if frequencies is not None:
            frequencies = np.array(frequencies, np.float32)
            if frequencies.shape != (len(about["classes"]),) or not (frequencies > 0).all():
                raise ValueError("expected a positive frequency of each of the %d classes" % len(about["classes"]))
        return {"unsure_below": least, "frame": frame, "frequencies": frequencies}

    def _within(self, scores, alphabet):
        """Return scores (n, k), shared among the classes that an alphabet names; None: as they are."""
        if alphabet is None:
            return scores
        if isinstance(alphabet, dict) or not all(isinstance(name, str) for name in alphabet):
            raise ValueError("expected an alphabet of names of classes, such as '0123456789'")
        names = set(alphabet)
        allowed = np.array([name in names for name in self.classes])
        if not allowed.any():
            message = "the alphabet %.40r names none of the classes, which are: %s"
            raise ValueError(message % (alphabet, " ".join(self.classes)))
        scores = np.maximum(scores, TINY) * allowed  # some classifiers give a class 0
        return scores / scores.sum(axis=1, keepdims=True)

    def _reading(self, image, scores, first, shape, is_sure):
        order = [first] + [index for index in np.argsort(-scores, kind="stable") if index != first]
        name = self.classes[first]
        best = tuple((self.classes[index], float(scores[index])) for index in order[:5] if scores[index] > 0)
        likely = [self.classes[index] for index in order if scores[index] >= LIKELY]
        same = (name,) + tuple(other for other in likely if other != name and are_alike(other, name))
        return Reading(name if is_sure else "?", best[0][1], best, image, same, float(shape))


def balanced(scores: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Return scores (n, k) for classes that are about equally frequent, given their shares in training, float (k,), over 0."""
    weighted = scores / np.asarray(frequencies, np.float32) ** BALANCE
    return weighted / weighted.sum(axis=1, keepdims=True)


def best_shapes(scores: np.ndarray, alike: np.ndarray) -> Any:
    """Return (int (n,), float32 (n,)): the best class of the most probable shape of scores (n, k), and that of the shape.

    alike: float32 (k, k), see `alike_matrix`.
    """
    together = scores.dot(alike)
    shape = together.argmax(axis=1)
    return np.where(alike[shape] > 0, scores, -1).argmax(axis=1), together.max(axis=1)


def are_alike(one: str, other: str) -> bool:
    """Return whether two classes are the same or have the same shape, see ALIKE."""
    return one == other or (len(one) == len(other) == 1 and any(one in group and other in group for group in ALIKE))


def alike_matrix(classes: Any) -> np.ndarray:
    """Return float32 (k, k), 1 where two classes are alike: scores times it are the probabilities of shapes."""
    return np.array([[are_alike(one, other) for other in classes] for one in classes], np.float32)


TrainedModel = CharacterModel  # its earlier name
