"""Base classes of the methods. Each method is a file in this folder; to add a method, add a file."""

import abc
import contextlib
import dataclasses
import json
import math
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hcrlib import runtime
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.registry import Registry, did_you_mean
from hcrlib.datasets import SIDE
from hcrlib.decoding import LANGUAGE

CLASSIFIERS: Registry = Registry("classifier")
RECOGNIZERS: Registry = Registry("recognizer")
LEARNERS = {"classification": CLASSIFIERS, "recognition": RECOGNIZERS}  # by the name of their task


@dataclasses.dataclass
class FitContext:
    """What `fit` receives in addition to the data.

    Attributes:
        n_classes: number of classes.
        seed: determines every random choice.
        folder: for checkpoints, until the run ends.
        log: called with one line of progress.
        data_sha256: hash of the dataset.
        run: returns (RunRecord, folder) for the id of a finished run.
        classes: names of the classes.
        dataset: its name, "" if it has none.
    """

    n_classes: int
    seed: int
    folder: Path
    log: Callable[[str], Any] = print
    data_sha256: str = ""
    run: Callable[[str], Any] | None = None
    classes: tuple = ()
    dataset: str = ""


@dataclasses.dataclass(kw_only=True)
class Learner(abc.ABC):
    """A method; its parameters are the fields of the dataclass.

    Class attributes:
        name: what users call it.
        task: name of its task in `hcrlib.tasks.TASKS`.
        runtime_model: the runtime class that predicts with it.
        preprocess: default pipeline steps.
        backend: "" or "keras".
        fixed_protocol: whether it accepts neither a budget nor other steps.
        deterministic: whether `fit` ignores the seed, so that one run says what all seeds would.
        colour, marker: its style in figures; by default unlike all others.
        sizes: parameters that determine the shapes of a network's weights.
        space: search space of `hcr tune`: parameter -> "LOW..HIGH", "LOW..HIGH log" or a list of choices; by default around
            the defaults.

    Attributes after fit: `engine`, the library that did the work; `history`, one dict per epoch; `notes`, remarks for the
    record; `n_train_used`, number of training items if not all; `prior_fit_s`, seconds of interrupted attempts that this one
    resumed from.
    """

    name: ClassVar[str]
    task: ClassVar[str]
    runtime_model: ClassVar[type[runtime.Model]]
    preprocess: ClassVar[list]
    backend: ClassVar[str] = ""
    fixed_protocol: ClassVar[bool] = False
    deterministic: ClassVar[bool] = False
    colour: ClassVar[str] = ""
    marker: ClassVar[str] = ""
    sizes: ClassVar[tuple] = ()
    space: ClassVar[dict] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            LEARNERS.setdefault(cls.task, Registry("model")).add(cls.name, cls)

    def __post_init__(self) -> None:
        self.engine: str = ""
        self.history: list[dict] = []
        self.notes: list[str] = []
        self.n_train_used: int | None = None
        self.prior_fit_s: float = 0.0

    @classmethod
    def check_pipeline(cls, pipeline: Any) -> None:
        """Raise ConfigError if the learner cannot use the output of an unfitted pipeline."""
        return None

    def skip(self, data: Any) -> str | None:
        """Return a reason not to train on a dataset, or None."""
        return None

    def prepare(self) -> None:  # noqa: B027 - optional
        """Load the libraries that `fit` needs: it takes seconds, once per process, and does not count as time to fit."""

    @abc.abstractmethod
    def save(self, folder: Path) -> None:
        """Write the files that `load` needs into an existing folder, without pickles."""

    @abc.abstractmethod
    def load(self, folder: Path) -> None:
        """Restore the learner that `save` wrote, with identical predictions."""

    @property
    def n_parameters(self) -> int | None:
        """Number of learned parameters, or None if not applicable."""
        return None

    @classmethod
    def parameters(cls) -> dict[str, Any]:
        """Return the default of every parameter by name."""
        return {f.name: f.default for f in dataclasses.fields(cls)}

    @classmethod
    def create(cls, params: dict[str, Any]) -> "Learner":
        """Return an unfitted instance.

        Raises:
            ConfigError: for an unknown parameter, with a suggestion, or an invalid value.
        """
        known = {f.name: f for f in dataclasses.fields(cls)}
        for key in params:
            if key not in known:
                hint = did_you_mean(key, known) if known else "It takes none"
                raise ConfigError(f"'{key}' is not a parameter of {cls.name}", hint=hint)
        return cls(**{key: _checked_value(cls.name, known[key], value) for key, value in params.items()})


@dataclasses.dataclass(kw_only=True)
class Classifier(Learner):
    """A Learner that scores images of one character. images_only: whether it cannot use features such as HOG's."""

    task = "classification"
    runtime_model = runtime.CharacterModel
    preprocess = ["scale"]
    images_only: ClassVar[bool] = False

    @classmethod
    def check_pipeline(cls, pipeline: runtime.Pipeline) -> None:
        """Try the steps on one image."""
        image = np.eye(SIDE, dtype=np.uint8)[None]
        made = pipeline.fit(image).apply(image)
        if cls.images_only and made.ndim != 3:
            got = f"{made.shape[1]} features of {pipeline.steps[-1][0]}"
            raise ConfigError(f"{cls.name} needs images", got=got, hint="Remove that step, or use knn, svm or mlp")

    @abc.abstractmethod
    def fit(self, x: np.ndarray, y: np.ndarray, x_val: np.ndarray, y_val: np.ndarray, context: FitContext) -> None:
        """Fit to x, float32 (n, 28, 28) or (n, d), and y, int64 (n,); use x_val, y_val only to stop early or calibrate."""

    @abc.abstractmethod
    def scores(self, x: np.ndarray) -> np.ndarray:
        """Return float32 (n, n_classes): probabilities or shares; each row sums to 1."""

    def onnx(self, graph: Any, x: str) -> str:
        """Add the computation of `scores` to an onnx_graph.Graph and return the name of its output.

        x: name of the images (n, d). Keras networks are exported by Keras instead. Raises ConfigError if not supported.
        """
        raise ConfigError(f"{self.name} cannot be exported as ONNX", hint="Export a run of another classifier")


@dataclasses.dataclass(kw_only=True)
class Recognizer(Learner):
    """A Learner that reads images of whole words and lines (CTC: Graves et al. 2006).

    An image is float32 (height, width), ink 1, as runtime.LinePipeline prepares it; its characters are numbered from 1 in the
    order of the data's classes, 0 is the blank.
    """

    task = "recognition"
    runtime_model = runtime.LineModel
    preprocess = ["contrast", "deslant", "height"]

    @abc.abstractmethod
    def fit(self, lines: Any, val: Any, context: FitContext) -> None:
        """Fit to `lines`; use `val` only to stop and to choose. epoch(number) of both returns (images, texts)."""

    @abc.abstractmethod
    def log_probabilities(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """Return float32 (steps, k + 1) for each image, for the blank and the k characters at each time step."""

    def scores(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """Return the same as probabilities."""
        return [np.exp(each) for each in self.log_probabilities(images)]


def names() -> list[str]:
    """Return the names of all learners: classifiers, recognizers, then those of other tasks."""
    return [name for registry in LEARNERS.values() for name in registry.names()]


def named(name: str) -> type[Learner]:
    """Return the class of a learner; raise ConfigError, with a suggestion, for an unknown name."""
    for registry in LEARNERS.values():
        if name in registry.names():
            return registry.get(name)
    raise ConfigError(f"Unknown classifier or recognizer '{name}'", hint=did_you_mean(name, names()))


def load_model(folder: Path, **defaults: Any) -> runtime.Model:
    """Load the runtime.CharacterModel or runtime.LineModel of a run's model/ folder.

    Its `learner` is the fitted one, or a network if the folder contains an ONNX file; a `language.npz` beside it decodes lines.
    defaults: values that model.json files of earlier versions lack.

    Raises:
        RunError: if it cannot be loaded.
    """
    folder = Path(folder)
    try:
        if (folder / "model.onnx").exists():
            return _with_language(runtime.models.load(folder), folder / LANGUAGE)
        about = {**defaults, **json.loads((folder / "model.json").read_text(encoding="utf-8"))}
        if about["classifier"] not in names():
            hint = "Reinstall the package that defines it"
            raise RunError(f"The model '{about['classifier']}' is not installed", where=folder, hint=hint)
        learner = named(about["classifier"]).create(about["params"])
        learner.load(folder)
        return learner.runtime_model.from_dict(learner, about)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        hint = "Run it again; for a model of the zoo: restore its folder, or `hcr zoo add`"
        raise RunError(f"The model cannot be loaded: {error}", where=folder, hint=hint) from error


def load_bundle(folder: Path, threads: int | None = None) -> runtime.Model:
    """Load the runtime.CharacterModel or runtime.LineModel of a bundle; a recognizer of lines decodes with its language model.

    threads: of the engine; None for its default. Raises ValueError and OSError like `runtime.bundle.load`, and DataError for a
    language model that does not belong to the network.
    """
    return _with_language(runtime.bundle.load(folder, threads=threads), Path(folder) / "model" / LANGUAGE)


def _with_language(model: Any, path: Path) -> runtime.Model:
    """Let a recognizer of lines decode with the language model of its bundle, if it has one."""
    if path.is_file():
        from hcrlib.decoding.lines import LineDecoder  # numba

        model.decoder = LineDecoder.load(path, model.classes)
    return model


def number(default: Any, **limits: float) -> Any:
    """Return a parameter with other limits than the default ones: at least 1 for an int, 0 for a float.

    limits: least, above, below.
    """
    return dataclasses.field(default=default, metadata=limits)


def later(default: Any, **metadata: Any) -> Any:
    """Return a parameter that was added when runs without it existed: its default is not part of a run's id."""
    return dataclasses.field(default=default, metadata={"later": True, **metadata})


def class_weight(*choices: str) -> Any:
    """Return the parameter that makes up for rare classes: one of the choices, or None, by which every image counts alike."""
    return later(None, choices=choices)


def balanced(labels: np.ndarray) -> np.ndarray:
    """Return float32 (n,), weights of int (n,) by which every class counts alike; their mean is 1 (King and Zeng 2001)."""
    counts = np.bincount(labels)
    return (len(labels) / np.count_nonzero(counts) / counts[labels]).astype(np.float32)


def flat(x: np.ndarray) -> np.ndarray:
    """Reshape (n, ...) to (n, d), without a copy if possible."""
    return np.ascontiguousarray(x.reshape(len(x), math.prod(x.shape[1:])))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return float32 rows that sum to 1, without overflow for large values."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True)).astype(np.float32)


def fitted_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the divisor of the logits that makes the labels most likely (temperature scaling, Guo et al. 2017).

    Of n labels, each counts with n + 1 in n + 2 (Platt 1999), its strongest rival with the rest, so that a few labels that are
    all predicted do not make every later prediction certain.
    """
    from scipy.optimize import minimize_scalar

    n, at = len(labels), np.arange(len(labels))
    others = logits.copy()
    others[at, labels] = -np.inf
    rivals = others.argmax(axis=1)

    def loss(log_t: float) -> float:
        known = np.log(np.maximum(softmax(logits / np.exp(log_t)), 1e-12))
        return -((n + 1) * known[at, labels] + known[at, rivals]).mean() / (n + 2)

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))


def expected(field: dataclasses.Field) -> str:
    """Return in words which values a parameter takes."""
    choices = field.metadata.get("choices", ())
    kinds = _kinds(field)
    names = " or ".join(("null", *choices) if choices else ("null" if k is type(None) else k.__name__ for k in kinds))
    limits = zip(("of at least", "above", "below"), limits_of(field), strict=True)
    words = " and ".join(f"{word} {limit}" for word, limit in limits if limit is not None)
    return f"{names} {words}" if {int, float} & {*kinds} else names


def _kinds(field: dataclasses.Field) -> tuple[Any, ...]:
    return getattr(field.type, "__args__", (field.type,))


def limits_of(field: dataclasses.Field) -> tuple[float | None, float | None, float | None]:
    """Return (least, above, below) of a number: without limits, an int is at least 1, a float at least 0."""
    least, above, below = (field.metadata.get(name) for name in ("least", "above", "below"))
    if least is None and above is None:
        least = 1 if int in _kinds(field) else 0
    return least, above, below


def _checked_value(classifier: str, field: dataclasses.Field, value: Any) -> Any:
    """Return the value, converted to float for float fields; raise ConfigError for a wrong type or a value out of limits.

    Float fields accept whole numbers and texts such as YAML's 1e-3; text is not accepted for an int, nor a bool for a number.
    """
    kinds = _kinds(field)
    if float in kinds and not isinstance(value, bool):
        with contextlib.suppress(ValueError, TypeError):
            value = float(value)
    right = isinstance(value, kinds) if not isinstance(value, bool) else bool in kinds
    if right and isinstance(value, (int, float)) and not isinstance(value, bool):
        least, above, below = limits_of(field)
        right = (least is None or value >= least) and (above is None or value > above)
        right = right and value < (math.inf if below is None else below)
    choices = field.metadata.get("choices", ())
    right = right and (value is None or not choices or value in choices)
    if not right:
        what = f"{classifier}'s parameter '{field.name}' is not valid"
        raise ConfigError(what, expected=expected(field), got=repr(value))
    return value
