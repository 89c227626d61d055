"""Average the probabilities of several trained models, optionally over shifted copies of each image.

Sources: Hansen and Salamon 1990 (networks with different initial weights make different errors); Krizhevsky et al. 2012
(test-time augmentation). Nothing is trained: the members are finished runs on the same training images, identified by id. A
single run with a `shift` is that run with test-time augmentation, reported separately.
"""

import contextlib
import dataclasses
import shutil

import numpy as np

from hcrlib.core.errors import ConfigError
from hcrlib.models._augmentation import moved
from hcrlib.models._base import Classifier, load_model, named, number


@dataclasses.dataclass(kw_only=True)
class Ensemble(Classifier):
    """The average of the probabilities of finished runs."""

    name = "ensemble"
    colour, marker = "#000000", "*"
    fixed_protocol = True
    deterministic = True

    runs: list | None = None  # ids, such as mnist/cnn-basic/0123456789ab
    shift: int = number(0, least=0)  # average over all moves of the image by up to this many pixels each way

    def __post_init__(self):
        super().__post_init__()
        self.runs = sorted(str(run).strip("/") for run in self.runs) if self.runs else None  # in any order
        if self.runs and len(set(self.runs)) < len(self.runs):
            raise ConfigError("A run is named twice in an ensemble", got=", ".join(self.runs))

    def prepare(self):
        for run in self.runs or ():
            with contextlib.suppress(ConfigError, IndexError):  # `fit` reports what is not a run
                named(run.split("/")[-2]).create({}).prepare()

    def fit(self, x, y, x_val, y_val, context):
        if not self.runs:
            hint = "--set runs='[ID, ID]', with ids that `hcr results` lists"
            raise ConfigError("This classifier needs the ids of finished runs", expected="runs: [ID, ...]", hint=hint)
        if context.run is None:
            raise ConfigError("Only `hcr train` and sweeps can build on finished runs")
        found = [context.run(run) for run in self.runs]
        members = [record for record, _ in found]
        for record in members:
            if record.config.budget is not None:
                what = f"{record.id} was trained on a part of the images"
                raise ConfigError(what, expected="budget: null", got=f"budget: {record.config.budget}")
            if record.data["sha256"] != context.data_sha256:
                what, hint = f"{record.id} was trained on other images", "Name runs of this dataset"
                raise ConfigError(what, expected=context.data_sha256, got=record.data["sha256"], hint=hint)
        self._take([folder / "model" for _, folder in found])
        engines = sorted({record.engine for record in members})
        self.engine = f"{len(members)} of {', '.join(engines)}"
        self.prior_fit_s = sum(record.fit_s for record in members)
        self.notes.append(f"fit_s is that of its {len(members)} members, together")

    def scores(self, x):
        images = np.round(x * 255).astype(np.uint8)
        out = np.zeros((len(x), self.n_classes), np.float64)
        moves = range(-self.shift, self.shift + 1)
        for view in (moved(images, down, right) for down in moves for right in moves):
            for member in self.members:
                out += member.scores(view)
        return (out / out.sum(axis=1, keepdims=True)).astype(np.float32)

    @property
    def n_parameters(self):
        counts = [member.learner.n_parameters for member in self.members]
        return None if None in counts else sum(counts)

    def save(self, folder):
        for index, source in enumerate(self.folders):
            shutil.copytree(source, folder / f"member-{index}")

    def load(self, folder):
        members = sorted(folder.glob("member-*"), key=lambda member: int(member.name.partition("-")[2]))
        if not members:
            raise ValueError("it has no members")
        self._take(members)

    def _take(self, folders):
        self.folders, self.members = folders, [load_model(folder) for folder in folders]
        self.n_classes = len(self.members[0].classes)
