"""What classifiers and recognisers are. One method is one file in this folder; adding a file is all it takes to add one."""

import abc
import contextlib
import dataclasses
import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hcrlib import runtime
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.registry import Registry, did_you_mean

CLASSIFIERS = Registry("classifier")  # of pictures of one character
RECOGNISERS = Registry("recogniser")  # of pictures of words and lines


@dataclasses.dataclass
class Task:
    """What `fit` is given beside the arrays.

    n_classes; seed; folder: where checkpoints may be kept until the run is done; say: a function of one line of progress;
    data_sha256: of the dataset; run: a function from a run's id to its finished RunRecord and folder; classes: their names.
    """

    n_classes: int
    seed: int
    folder: Path
    say: Any = print
    data_sha256: str = ""
    run: Any = None
    classes: tuple = ()


@dataclasses.dataclass(kw_only=True)
class Learner(abc.ABC):
    """A method with its parameters, which are the dataclass' fields.

    Class attributes: `name`; `registry`, where it is found;
    `runtime_model`, the runtime's class that reads images with it; `preprocess`, the steps it asks for by default;
    `backend`, "" or "keras"; `as_published`, whether it refuses a budget and steps of the caller's.
    After fit: `engine`, the library that did the work; `history`, one dict an epoch; `notes`, what a reader should know;
    `n_fitted`, how many of the images it was given it took, where not all; `earlier_s`, the seconds that attempts which
    were killed had spent on what this one resumed from.
    """

    name: ClassVar[str]
    registry: ClassVar[Registry]
    runtime_model: ClassVar[type[runtime.Model]]
    preprocess: ClassVar[list]
    backend: ClassVar[str] = ""
    as_published: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            cls.registry.add(cls.name, cls)

    def __post_init__(self):
        self.engine, self.history, self.notes, self.n_fitted, self.earlier_s = "", [], [], None, 0.0

    def skip(self, data):
        """A sentence why this method should not meet that Dataset, or None."""
        return None

    def prepare(self):  # noqa: B027 - most need nothing
        """Loads the libraries that `fit` needs: that takes seconds, once a process, and is no part of the time to fit."""

    @abc.abstractmethod
    def save(self, folder):
        """Writes what `load` needs into an existing folder; no pickles."""

    @abc.abstractmethod
    def load(self, folder):
        """Takes back what `save` wrote; answers are then the same."""

    @property
    def n_parameters(self):
        """Learnt numbers, or None where the word has no meaning."""
        return None

    @classmethod
    def parameters(cls):
        """name -> default, of every parameter."""
        return {f.name: f.default for f in dataclasses.fields(cls)}

    @classmethod
    def create(cls, params):
        """An unfitted instance. ConfigError for an unknown parameter (with a suggestion) or one of the wrong kind."""
        known = {f.name: f for f in dataclasses.fields(cls)}
        for key in params:
            if key not in known:
                hint = did_you_mean(key, known) if known else "It takes none"
                raise ConfigError(f"'{key}' is no parameter of {cls.name}", hint=hint)
        return cls(**{key: _checked_value(cls.name, known[key], value) for key, value in params.items()})


@dataclasses.dataclass(kw_only=True)
class Classifier(Learner):
    """A Learner that scores pictures of one character. images_only: whether features such as HOG's are of no use to it."""

    registry = CLASSIFIERS
    runtime_model = runtime.CharacterModel
    preprocess = ["scale"]
    images_only: ClassVar[bool] = False

    @abc.abstractmethod
    def fit(self, x, y, x_val, y_val, task):
        """Learns from x: float32 (n, 28, 28) or (n, d), y: int64 (n,); x_val, y_val only to stop or calibrate by."""

    @abc.abstractmethod
    def scores(self, x):
        """float32 (n, n_classes): probabilities or shares, each row sums to 1."""

    def onnx(self, graph, x):
        """Add what `scores` computes to an onnx_graph.Graph; return the name of the scores. x: the name of the images, (n, d).

        Keras networks are written by Keras instead. ConfigError where a classifier cannot be written.
        """
        raise ConfigError(f"{self.name} cannot be written as ONNX", hint="Export a run of another classifier")


@dataclasses.dataclass(kw_only=True)
class Recogniser(Learner):
    """A Learner that reads pictures of words and lines as wholes (CTC: Graves et al. 2006).

    A picture is float32 (height, width), ink 1, as runtime.LinePipeline prepares it; its characters are numbered from 1 in the
    order of the data's classes, 0 is the blank.
    """

    registry = RECOGNISERS
    runtime_model = runtime.LineModel
    preprocess = ["contrast", "deslant", "height"]

    @abc.abstractmethod
    def fit(self, lines, val, task):
        """Learns from `lines`; `val`, only to stop and choose by. Both answer epoch(number): (pictures, texts)."""

    @abc.abstractmethod
    def log_probabilities(self, pictures):
        """A list of float32 (steps, k + 1), a picture each: of the blank and the k characters at each time step."""

    def scores(self, pictures):
        """Return the same as probabilities."""
        return [np.exp(each) for each in self.log_probabilities(pictures)]


def names():
    """Of all classifiers, then of all recognisers."""
    return CLASSIFIERS.names() + RECOGNISERS.names()


def named(name):
    """The class of a classifier or recogniser; ConfigError with a suggestion where there is none."""
    if name not in names():
        raise ConfigError(f"There is no classifier or recogniser '{name}'", hint=did_you_mean(name, names()))
    return (CLASSIFIERS if name in CLASSIFIERS.names() else RECOGNISERS).get(name)


def load_model(folder, **defaults):
    """Load the runtime.CharacterModel or runtime.LineModel of a run's model/ folder.

    Its `learner` is the fitted one, or a network where the folder holds it in ONNX. defaults: what the model.json of earlier
    versions lacks. RunError where it cannot be loaded.
    """
    folder = Path(folder)
    try:
        if (folder / "model.onnx").exists():
            return runtime.models.load(folder)
        about = {**defaults, **json.loads((folder / "model.json").read_text(encoding="utf-8"))}
        learner = named(about["classifier"]).create(about["params"])
        learner.load(folder)
        return learner.runtime_model.from_dict(learner, about)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        hint = "Run it again; for a model of the zoo: restore its folder, or `hcr zoo add`"
        raise RunError(f"This model cannot be loaded: {error}", where=folder, hint=hint) from error


def number(default, **limits):
    """A parameter with limits other than those every number has: at least 1 for an int, 0 for a float.

    limits: least, above, below.
    """
    return dataclasses.field(default=default, metadata=limits)


def flat(x):
    """(n, ...) to (n, d), without a copy where the memory allows."""
    return np.ascontiguousarray(x.reshape(len(x), math.prod(x.shape[1:])))


def softmax(logits):
    """float32 rows that sum to 1, safe for large values."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True)).astype(np.float32)


def fitted_temperature(logits, labels):
    """The divisor of the logits that makes the labels most likely (temperature scaling, Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    def loss(log_t):
        picked = softmax(logits / np.exp(log_t))[np.arange(len(labels)), labels]
        return -np.log(np.maximum(picked, 1e-12)).mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))


def _checked_value(classifier, field, value):
    """The value, a float where one is meant; ConfigError where it is of another kind or outside the field's limits.

    Whole numbers and texts such as YAML's 1e-3 may stand for floats; text for an int, a bool for a number and null where
    none is meant may not.
    """
    kinds = getattr(field.type, "__args__", (field.type,))
    if float in kinds and not isinstance(value, bool):
        with contextlib.suppress(ValueError, TypeError):
            value = float(value)
    right = isinstance(value, kinds) if not isinstance(value, bool) else bool in kinds
    is_count = int in kinds
    least, above, below = (field.metadata.get(name) for name in ("least", "above", "below"))
    least = (1 if is_count else 0) if least is None and above is None else least
    limits = {"of at least": least, "above": above, "below": below}
    if right and isinstance(value, (int, float)) and not isinstance(value, bool):
        right = (least is None or value >= least) and (above is None or value > above)
        right = right and value < (math.inf if below is None else below)
    if not right:
        names = " or ".join("null" if k is type(None) else k.__name__ for k in kinds)
        if {int, float} & {*kinds}:
            names += " " + " and ".join(f"{word} {limit}" for word, limit in limits.items() if limit is not None)
        raise ConfigError(f"{classifier}'s parameter '{field.name}' is not valid", expected=names, got=repr(value))
    return value
