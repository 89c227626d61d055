"""The public face: what a person types in a notebook. `hcrlib` hands it on."""

import dataclasses
from pathlib import Path

import numpy as np

from hcrlib import evaluate, paths, records
from hcrlib.datasets import load_dataset
from hcrlib.errors import ConfigError, RunError
from hcrlib.models import stored
from hcrlib.registry import did_you_mean
from hcrlib.runtime import to_glyph

__all__ = ["Reading", "TrainedModel", "load_dataset", "load_model", "results", "train", "zoo"]

UNSURE_BELOW = 0.5  # of probability: under it an answer is "?"


def train(classifier, data="mnist-5k", *, seed=0, budget=None, preprocess=None, say=print, **params):
    """Trains and evaluates; returns the RunRecord (run.accuracy, run.misses, run.fit_s, run.path, ...).

    classifier: one of `hcrlib.models.CLASSIFIERS.names()`. data: a dataset's name, or the path of a folder with a
    dataset.yml. seed: every random choice follows from it; on the same machine it gives the same predictions.
    budget: training images to use, stratified; None for all. preprocess: steps, None for the classifier's own.
    params: the classifier's parameters; an unknown one is a ConfigError. The record and the model are under run.path.
    """
    if not isinstance(data, str | Path):
        what = f"A run is defined by its dataset's name, not by a loaded {type(data).__name__}"
        raise ConfigError(what, hint=f"data={getattr(data, 'name', 'mnist-5k')!r}, or the path of its dataset.yml")
    config = evaluate.resolve(classifier, dataset=data, seed=seed, budget=budget, preprocess=preprocess, **params)
    return evaluate.run_one(config, say)


def results():
    """All records under results/runs as a DataFrame, one row a run; failed and skipped runs are rows too."""
    return records.frame(records.read_all())


def load_model(source):
    """A TrainedModel from a zoo name, a run's id or folder, or a RunRecord.

    RunError where it is unfinished; ConfigError, with the names there are, where there is no such model.
    """
    if isinstance(source, records.RunRecord):
        source = source.path
    named = *(zoo / str(source) for zoo in paths.zoo_roots()), paths.runs_root() / str(source), Path(source)
    for folder in named:
        if (folder / "record.json").is_file() or (folder / "attempt.json").is_file():
            run = records.read(folder)
            if run.status != "finished":
                raise RunError(f"This run has no model: its status is '{run.status}'", where=source, hint=run.reason)
            return TrainedModel.load(folder / "model")
    raise ConfigError(f"There is no model '{source}'", hint=did_you_mean(source, zoo()))


def zoo():
    """The names of the small trained models: those that come with the project, and those of `hcr zoo add`."""
    return sorted({folder.parent.name for root in paths.zoo_roots() for folder in root.glob("*/model")})


@dataclasses.dataclass(frozen=True)
class Reading:
    """One answer. label: the class name, or "?" where the probability is under the threshold.

    alternatives: (name, probability) of the five most probable classes, best first. seen: uint8 (28, 28), what was judged.
    """

    label: str
    probability: float
    alternatives: tuple
    seen: np.ndarray = dataclasses.field(repr=False)

    @property
    def unsure(self):
        """Whether the label is "?"."""
        return self.label == "?"


class TrainedModel:
    """A fitted classifier with the pipeline it was trained behind and the names of its classes."""

    def __init__(self, classifier, pipeline, classes):
        self.classifier, self.pipeline, self.classes = classifier, pipeline, tuple(classes)

    @classmethod
    def load(cls, folder):
        """From a run's model/ folder; RunError where it is damaged or incomplete."""
        return cls(*stored(folder))

    def __repr__(self):
        return f"TrainedModel({self.classifier.name}, {len(self.classes)} classes)"

    def scores(self, images):
        """float32 (n, k), rows sum to 1, from uint8 (n, 28, 28), upright, ink 255."""
        return self.classifier.scores(self.pipeline.apply(np.asarray(images)))

    def predict(self, images):
        """A list of n class names."""
        return [self.classes[i] for i in self.scores(images).argmax(axis=1)]

    def read(self, anything, unsure_below=UNSURE_BELOW):
        """A Reading of one character: path, bytes, PIL image or array of any size, dark on light or light on dark.

        Raises ValueError for what is no image or holds no ink.
        """
        seen = to_glyph(anything)
        scores = self.scores(seen[None])[0]
        best = [(self.classes[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")[:5]]
        name, probability = best[0]
        return Reading(name if probability >= unsure_below else "?", probability, tuple(best), seen)
