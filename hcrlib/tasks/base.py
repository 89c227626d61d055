"""The interface of tasks: everything that differs between classifying characters and reading lines.

A task is a folder beside this file. Its `__init__.py` defines a subclass of Task, and sibling modules hold the parts, which are
imported when they are first used:

measuring.py: what `Task.measure` calls, as functions
    check(record, train, data): raise DataError for data that cannot be trained on; append to record.notes
    subset(split, n, seed): n items of a split
    prepare(pipeline, split): what `fit` and `predict` take
    fit(learner, train, val, context)
    predict(learner, prepared, classes): the outputs
    validation(outputs, split): {"val_...": Metric}
    test(outputs, split): ({name: Metric}, number of errors or None)
    predictions(outputs, split): the arrays of predictions.npz, among them "labels" and "predicted"
figures.py: functions that draw on an `ax` and return it
captions.py: captions(records, best, answers), what to see in the figures of a comparison, as `Task.captions` says
confusions.py: of(records), one or two runs' answers as HTML that shows the images behind them, for reports; "" if it cannot
card.py, export.py: the model card; golden answers, formats, and the check that they agree
"""

import importlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from hcrlib import datasets
from hcrlib.core import timing
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.core.fileio import write_text
from hcrlib.core.registry import Registry
from hcrlib.models import FitContext
from hcrlib.models._base import LEARNERS, Learner
from hcrlib.records import RunConfig, RunRecord, save_predictions

TASKS: Registry["Task"] = Registry("task")
LATENCY_ITEMS = 100  # validation images that are predicted one by one


def percent(name: str) -> Callable[[RunRecord], str]:
    """Return a column's function: a metric in percent."""

    def cell(record: RunRecord) -> str:
        value = getattr(record, name)
        return "" if value is None else f"{100 * value:.2f}"

    return cell


def interval(name: str) -> Callable[[RunRecord], str]:
    """Return a column's function: a metric's interval in percent."""

    def cell(record: RunRecord) -> str:
        metric = record.metrics.get(name)
        if metric is None or metric.low is None or metric.high is None:
            return ""
        return f"{100 * metric.low:.2f} to {100 * metric.high:.2f}"

    return cell


def count(record: RunRecord) -> str:
    """Return the number of errors: '44 of 1,000'; as the mean over seeds: '44.3 of 1,000'."""
    errors = f"{record.n_errors:,.1f}".removesuffix(".0")
    return f"{errors} of {record.n_test:,}"


def _part(name: str) -> property:
    """Return a property of tasks: the module of that name in the task's folder."""
    return property(lambda task: task.part(name))


class Task:
    """A kind of problem for models. TASKS has one instance of each subclass.

    Attributes:
        name: value of a record's `task` and of a learner's.
        unit: what one item is: "image", "line".
        primary: the metric that tables sort by, figures show, and `--best` chooses by (its "val_" twin on validation).
        higher_is_better: direction of the primary metric.
        data: class of its datasets.
        baselines: methods that every leaderboard should have.
        columns: heading of a leaderboard -> function from a record to the cell's text; compact: the headings of short tables.
        measured: metrics in tables of raw numbers.
        train_notebook, compare_notebook: file names in notebooks/.
        latency_items: number of images that are predicted one by one.
        measuring, figures, card, export: the modules of the task's folder.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    primary: ClassVar[str]
    higher_is_better: ClassVar[bool]
    data: ClassVar[type]
    baselines: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[dict[str, Callable[[RunRecord], str]]] = {}
    compact: ClassVar[tuple[str, ...]] = ()
    measured: ClassVar[tuple[str, ...]] = ()
    train_notebook: ClassVar[str]
    compare_notebook: ClassVar[str]
    latency_items: ClassVar[int] = LATENCY_ITEMS

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.columns = cls.columns or {cls.primary: lambda record: f"{getattr(record, cls.primary):.4g}"}
        cls.compact = cls.compact or tuple(cls.columns)
        cls.measured = cls.measured or (cls.primary, f"val_{cls.primary}", "n_test")
        TASKS.add(cls.name, cls())

    @property
    def learners(self) -> Registry:
        """The registry of its methods."""
        return LEARNERS.setdefault(self.name, Registry("model"))

    measuring, figures, card, export = map(_part, ("measuring", "figures", "card", "export"))

    def part(self, name: str) -> ModuleType:
        """Return a module of the task's folder. Raises ConfigError if the task has no such part."""
        module = f"{type(self).__module__}.{name}"
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name not in (module, type(self).__module__):
                raise
            hint = f"Add {name}.py to the task's folder: see hcrlib.tasks.base"
            raise ConfigError(f"The task '{self.name}' has no {name}.py", hint=hint) from error

    def captions(
        self, records: Sequence[RunRecord], best: RunRecord, answers: dict | None
    ) -> dict[str, tuple[str, str]]:
        """Return kind of figure -> (title, caption), in the order of a report; "leaderboard" is the table.

        records: finished, of one dataset; best: one of them; answers: its predictions, or None.
        """
        try:
            part = self.part("captions")
        except ConfigError:  # a task need not have them: its figures are titled by their names
            return {}
        return part.captions(records, best, answers)

    def load(self, name: str | Path, *, val_seed: int = 0) -> Any:
        """Load the dataset of a name or path, with its .train, .val and .test."""
        return datasets.load(name, val_seed=val_seed)

    def skip(self, learner: Learner, data: Any) -> str | None:
        """Return a reason not to train a learner on a dataset, or None."""
        if not isinstance(data, self.data):
            return f"{learner.name} takes {self.unit}s, which are of another kind than those of {data.name}"
        return learner.skip(data)

    def error(self, value: float) -> float:
        """Return a value of the primary metric as an error, of which less is better."""
        return 1 - value if self.higher_is_better else value

    def rank(self, record: RunRecord, split: str = "") -> float:
        """Return the sort key of a record, best first; a missing value comes last. split: "val_" for validation."""
        metric = record.metrics.get(split + self.primary)
        return float("inf") if metric is None else self.error(metric.value)

    def complete(self, record: RunRecord) -> RunRecord:
        """Return the record with the missing metrics that can be computed from its stored predictions."""
        return record

    def measure(self, record: RunRecord, learner: Learner, data: Any, context: FitContext, out: Path) -> None:
        """Fit on train, choose by validation, then read the test split, once.

        Fills the record in; writes model/ and predictions.npz to `out`.
        """
        config, does = record.config, self.measuring
        if not len(data.val) or not len(data.test):
            got = f"{len(data.train)} to train on, {len(data.val)} to validate, {len(data.test)} to test"
            hint = f"Add {self.unit}s: a tenth of train validates"
            raise DataError(f"{data.name} has too few {self.unit}s", got=got, hint=hint)
        train = self.training_split(record, data)
        for note in record.notes:
            context.log(note)
        begun = time.perf_counter()
        pipeline = learner.runtime_model.pipeline_class(config.preprocess).fit(train.images)
        prepared, val = does.prepare(pipeline, train), does.prepare(pipeline, data.val)
        record.preprocess_fit_s = time.perf_counter() - begun

        begun = time.perf_counter()
        does.fit(learner, prepared, val, context)
        record.fit_s = time.perf_counter() - begun + learner.prior_fit_s
        del prepared
        _note_fit(record, learner, len(train))
        record.n_val = len(data.val)
        record.metrics.update(does.validation(does.predict(learner, val, data.classes), data.val))

        begun = time.perf_counter()
        outputs = does.predict(learner, does.prepare(pipeline, data.test), data.classes)
        record.predict_us_per_image = (time.perf_counter() - begun) / len(data.test) * 1e6
        record.n_test = len(data.test)
        metrics, record.n_errors = does.test(outputs, data.test)
        record.metrics.update(metrics)
        self._latency(record, learner, pipeline, data)
        record.size_bytes = _save_model(out, learner, pipeline, config, data.classes, self.about(data))
        save_predictions(out, **does.predictions(outputs, data.test))

    def training_split(self, record: RunRecord, data: Any) -> Any:
        """Return the training split, cut to the run's budget. Raises DataError if it cannot be trained on."""
        train, n = data.train, record.config.budget
        if n is not None and n > len(train):
            record.notes.append(f"the budget is {n:,}, but there are only {len(train):,} {self.unit}s to train on")
        elif n is not None:
            train = self.measuring.subset(train, n, record.config.seed)
        self.measuring.check(record, train, data)
        return train

    def about(self, data: Any) -> dict[str, Any]:
        """Return the entries of model.json besides the learner, the pipeline and the classes."""
        return {}

    def _latency(self, record: RunRecord, learner: Learner, pipeline: Any, data: Any) -> None:
        """One validation image at a time, pipeline included: the test split has been read."""
        singles = [data.val.take([index]) for index in range(min(self.latency_items, len(data.val)))]

        def predict(single: Any) -> None:
            self.measuring.predict(learner, self.measuring.prepare(pipeline, single), data.classes)

        times = timing.latency_ms(predict, singles)
        record.predict_ms_p50, record.predict_ms_p90, record.predict_ms_p99 = times["p50"], times["p90"], times["p99"]


def _note_fit(record: RunRecord, learner: Learner, n_train: int) -> None:
    """Record what a fitted learner reports about itself."""
    record.n_train, record.engine = learner.n_train_used or n_train, learner.engine
    record.history, record.n_parameters = learner.history, learner.n_parameters
    record.notes += learner.notes
    if record.n_parameters is None:
        record.missing["n_parameters"] = "the method has no learned parameters to count"


def _save_model(
    out: Path, learner: Learner, pipeline: Any, config: RunConfig, classes: tuple, about: dict[str, Any]
) -> int:
    """Write model/ and return its size in bytes."""
    folder = out / "model"
    folder.mkdir(parents=True)
    learner.save(folder)
    what = {"classifier": config.classifier, "params": config.params, "classes": list(classes)}
    text = json.dumps({**what, "pipeline": pipeline.to_dict(), **about}, indent=1)
    write_text(folder / "model.json", text + "\n")
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
