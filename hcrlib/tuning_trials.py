"""The trials of a search: keras-tuner proposes parameters, our own training measures them, on validation images only.

keras-tuner's proposals follow from the seed and the earlier results alone, and its own state files are not written
atomically. So each ended trial is a file of ours, and a search that goes on begins anew with the answers at hand:
it proposes the same again, until the first trial that has no file. A network that was killed in mid-trial goes on from
its last finished epoch.

A trial that Hyperband promotes is trained from the start, for more epochs, and not from the shorter one's weights: the
networks' learning rates follow a cycle as long as the training, so that a finished one has nothing left to go on with.
That costs up to half as much again, and any row of the table can be repeated by `hcr train`.
"""

import contextlib
import functools
import hashlib
import json
import logging
import shutil
import time

import numpy as np

from hcrlib import metrics
from hcrlib.datasets import stratified_take
from hcrlib.errors import RunError
from hcrlib.files import alone, write_text
from hcrlib.models import CLASSIFIERS, Task
from hcrlib.provenance import code_sha256, packages
from hcrlib.runtime import Pipeline
from hcrlib.runtime.pipeline import OPTIONS
from hcrlib.seeds import seed_for

FACTOR = 3  # Hyperband's eta: a third of a round goes on; "3 or 4" (Li et al. 2018, section 2.6)
ENDLESS = 10**9  # a failed trial never ends the search


def run(search, trials, say):
    """Makes the trials of a tune.Search that have no file yet; `trials`: at most so many, None: one pass of Hyperband."""
    from hcrlib.models.keras_loop import quiet_keras

    try:
        with alone(search.folder / ".lock", wait_s=1):
            quiet_keras()  # keras-tuner imports it
            import keras_tuner

            kept = len(read(search.folder))
            if kept:
                say(f"trials kept from an earlier call: {kept}")
            tuner = _tuner(keras_tuner, search, trials, _Bench(search, say))
            try:
                with _quiet_tensorflow():
                    tuner.search(verbose=0)
            except keras_tuner.errors.FatalError as fatal:
                raise fatal.__cause__ or fatal from None
    except BlockingIOError:
        raise RunError("Another process is at this search", where=search.folder, hint="Wait for it to end") from None


def read(folder):
    """The dicts of the ended trials in a search's folder, in the order of their numbers."""
    rows = []
    for path in sorted(folder.glob("trials/*.json")):
        with contextlib.suppress(ValueError):  # damaged: it is made again
            rows.append(json.loads(path.read_text(encoding="utf-8")))
    return rows


@contextlib.contextmanager
def _quiet_tensorflow():
    """Without TensorFlow's advice on compiling again and again: every trial is another network."""
    logger = logging.getLogger("tensorflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def shown(value):
    """A parameter's value in a table: 'scale+deskew', '0.0123', 'true'; a step's options where they are not its defaults."""
    if isinstance(value, list):
        return "+".join(map(shown, value))
    if isinstance(value, dict):
        [(name, options)] = value.items()
        given = ", ".join(f"{option} {shown(of)}" for option, of in options.items())
        return name if options == OPTIONS.get(name) else f"{name}({given})"
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _tuner(keras_tuner, search, trials, bench):
    """keras-tuner's own, with our training in the place of its."""
    base = keras_tuner.RandomSearch if search.max_epochs is None else keras_tuner.Hyperband

    class Tuner(base):
        def run_trial(self, trial, **_):
            try:
                row = bench.trial(int(trial.trial_id) + 1, trial.hyperparameters.values)
            except OSError as error:  # a full disk is no fault of the parameters
                raise keras_tuner.errors.FatalError(str(error)) from error
            if row["status"] == "failed":
                raise keras_tuner.errors.FailedTrialError(row["reason"])
            return {"val_misses": row["val_misses"]}

    own = {"max_trials": trials} if search.max_epochs is None else {"max_epochs": search.max_epochs, "factor": FACTOR}
    if search.max_epochs is not None:
        own["hyperband_iterations"] = trials or 1  # passes; the number of trials ends it sooner
    tuner = Tuner(
        objective=keras_tuner.Objective("val_misses", "min"),
        seed=seed_for(search.config.seed, "tuning") or 1,  # keras-tuner takes 0 for none, and draws one
        hyperparameters=_hyperparameters(keras_tuner, search.space),
        max_consecutive_failed_trials=ENDLESS,
        directory=str(search.folder),
        project_name="keras-tuner",
        overwrite=True,
        **own,
    )
    tuner.oracle.max_trials = trials
    return tuner


def _hyperparameters(keras_tuner, space):
    """Choices go by their place in the list, since keras-tuner's own may be neither lists nor null nor mixed."""
    made = keras_tuner.HyperParameters()
    for dimension in space:
        sampling = "log" if dimension.log else "linear"
        if dimension.choices is not None:
            made.Choice(dimension.name, list(range(len(dimension.choices))))
        else:
            number = made.Int if dimension.whole else made.Float
            number(dimension.name, dimension.low, dimension.high, sampling=sampling)
    return made


def _value(dimension, drawn):
    """The parameter of what was drawn: three digits are enough for a person, and what is written is what was run."""
    if dimension.choices is not None:
        return dimension.choices[drawn]
    return int(drawn) if dimension.whole else min(max(float(f"{drawn:.3g}"), dimension.low), dimension.high)


class _Bench:
    """Makes single trials of a search: one fit on the training images, measured on the validation images."""

    def __init__(self, search, say):
        self.search, self.say, self.work = search, say, search.folder / "work"
        config, self.train, self.val = search.config, search.data.train, search.data.val
        if config.budget is not None and config.budget < len(self.train):
            self.train = self.train.take(stratified_take(self.train.labels, config.budget, config.seed, "budget"))
        self.made_by = code_sha256(), packages()
        self.images = functools.lru_cache(maxsize=1)(self._images)

    def trial(self, number, drawn):
        """The dict of a trial, from its file where there is one; `drawn`: keras-tuner's values."""
        values = {d.name: _value(d, drawn[d.name]) for d in self.search.space}
        if self.search.max_epochs is not None:
            values["epochs"] = drawn["tuner/epochs"]
        path = self.search.folder / "trials" / f"{number:05}.json"
        asked = self._asked(number, values, drawn)
        with contextlib.suppress(OSError, ValueError):  # there is none, or it is damaged
            row = json.loads(path.read_text(encoding="utf-8"))
            if {name: row.get(name) for name in asked} == asked:
                return row
        row = {**asked, **self._measured(asked)}
        write_text(path, json.dumps(row, indent=1) + "\n")
        shutil.rmtree(self.work, ignore_errors=True)
        self.say(_line(row, values))
        return row

    def _asked(self, number, values, drawn):
        params = {name: value for name, value in values.items() if name != "preprocess"}
        steps = values.get("preprocess", self.search.config.preprocess)
        before = drawn.get("tuner/trial_id")
        return {
            "trial": number,
            "params": params,
            "preprocess": steps,
            "epochs": params.get("epochs"),
            "bracket": drawn.get("tuner/bracket"),
            "round": drawn.get("tuner/round"),
            "promoted_from": None if before is None else int(before) + 1,
            "code_sha256": code_sha256(),  # of other code, it is made again
        }

    def _measured(self, asked):
        begun = time.perf_counter()
        try:
            found = self._fit(asked["params"], asked["preprocess"])
            return {"status": "finished", "reason": None, **found}
        except OSError:
            raise
        except Exception as error:  # whatever a library makes of odd parameters: the next trial may do better
            reason, seconds = f"{type(error).__name__}: {error}", time.perf_counter() - begun
            lacking = dict.fromkeys(("val_misses", "val_accuracy", "val_loss"))
            return {"status": "failed", "reason": reason, **lacking, "n_val": len(self.val), "seconds": seconds}

    def _fit(self, params, steps):
        classifier = CLASSIFIERS.get(self.search.config.classifier).create(params)
        x, x_val = self.images(json.dumps(steps))
        task = Task(len(self.search.data.classes), self.search.config.seed, self._folder(params, steps), _unsaid)
        classifier.prepare()
        if classifier.backend == "keras":
            import keras

            keras.backend.clear_session()  # what earlier trials left
        begun = time.perf_counter()
        classifier.fit(x, self.train.labels, x_val, self.val.labels, task)
        scores = classifier.scores(x_val)
        seconds = time.perf_counter() - begun + classifier.earlier_s
        expected = len(self.val), task.n_classes
        if scores.shape != expected or not np.isfinite(scores).all():
            got = f"shape {scores.shape}, {np.count_nonzero(~np.isfinite(scores))} not finite"
            raise RunError("The scores are not valid", expected=f"finite numbers of shape {expected}", got=got)
        missed = metrics.misses(self.val.labels, scores.argmax(axis=1))
        picked = scores[np.arange(len(scores)), self.val.labels]
        return {
            "val_misses": missed,
            "n_val": len(self.val),
            "val_accuracy": 1 - missed / len(self.val),
            "val_loss": float(-np.log(np.clip(picked, 1e-7, 1)).mean()),
            "seconds": seconds,
        }

    def _folder(self, params, steps):
        """Where this very training keeps its checkpoint; those of others, or of other code, are removed."""
        key = json.dumps([params, steps, self.made_by], sort_keys=True)
        folder = self.work / hashlib.sha256(key.encode()).hexdigest()[:12]
        for other in self.work.glob("*"):
            if other != folder:
                shutil.rmtree(other)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _images(self, steps):
        """float32 training and validation images; what the pipeline learns, it learns from the training images."""
        pipeline = Pipeline(json.loads(steps)).fit(self.train.images)
        return pipeline.apply(self.train.images), pipeline.apply(self.val.images)


def _line(row, values):
    what = ", ".join(f"{name} {shown(value)}" for name, value in values.items())
    if row["status"] == "failed":
        return f"{row['trial']:3}  {what}: failed: {row['reason']}"
    missed = f"{row['val_misses']} of {row['n_val']} missed ({row['val_accuracy']:.2%})"
    return f"{row['trial']:3}  {what}: {missed}, {row['seconds']:.1f} s"


def _unsaid(line):
    """An epoch's line: one line a trial is enough."""
