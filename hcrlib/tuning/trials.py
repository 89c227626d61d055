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

from hcrlib import tasks
from hcrlib.core.code_hash import code_sha256
from hcrlib.core.errors import RunError
from hcrlib.core.fileio import file_lock, write_text
from hcrlib.core.provenance import packages
from hcrlib.core.rng import seed_for
from hcrlib.models import FitContext, named
from hcrlib.records import RunConfig, RunRecord
from hcrlib.runtime.pipeline import OPTIONS

FACTOR = 3  # Hyperband's eta: a third of a round goes on; "3 or 4" (Li et al. 2018, section 2.6)
LACKING = {"val_error": None}  # in a trial that failed
ENDLESS = 10**9  # a failed trial never ends the search


def run(search, trials, say, cluster=None):
    """Make the trials of a tune.Search that have no file yet; `trials`: at most so many, None: one pass of Hyperband.

    cluster: a cluster.backend.Cluster, on which those that do not wait for each other are made at once; None: this process.
    """
    from hcrlib.models._keras import quiet_keras

    with contextlib.ExitStack() as held:
        try:
            held.enter_context(file_lock(search.folder / ".lock", timeout=1))
        except TimeoutError:
            hint = "Wait for it to end"
            raise RunError("Another process is at this search", where=search.folder, hint=hint) from None
        quiet_keras()  # keras-tuner imports it
        import keras_tuner

        kept = len(read(search.folder))
        if kept:
            say(f"trials kept from an earlier call: {kept}")
        bench = _Bench(search.config, search.data, search.folder / "work")
        make = bench.here
        if cluster:
            from hcrlib.cluster.client import Calls

            make = _elsewhere(search, held.enter_context(Calls(cluster)))
        held.enter_context(_quiet_tensorflow())
        _search(_oracle(keras_tuner, search, trials), lambda proposed: _trials(search, proposed, make, say))


def _search(oracle, trials):
    """keras-tuner's loop, a round at a time: what does not wait for another's answer is proposed together.

    The order is that of one after the other: proposals depend on the seed and the rounds before, on nothing else.
    """
    failed = 0
    while proposed := _proposed(oracle, failed):
        rows = trials([(int(trial.trial_id) + 1, trial.hyperparameters.values) for trial in proposed])
        later = proposed[0].hyperparameters.values.get("tuner/round")
        failed = sum(row["status"] == "failed" for row in rows) + (failed if later else 0)
        for trial, row in zip(proposed, rows, strict=True):
            trial.status, trial.message = (
                ("FAILED", row["reason"]) if row["status"] == "failed" else ("COMPLETED", None)
            )
            if trial.status == "COMPLETED":
                oracle.update_trial(trial.trial_id, {"val_error": row["val_error"]})
            oracle.end_trial(trial)


def _proposed(oracle, failed):
    """keras-tuner's trials of the next round: of Hyperband, one round of a bracket; of a random search, all of them.

    failed: how many of the bracket did before, which are not promoted.
    """
    proposed, most = [], 1
    while len(proposed) < most:
        trial = oracle.create_trial(f"tuner{len(proposed)}")
        if trial.status != "RUNNING":  # stopped
            break
        proposed.append(trial)
        values, most = trial.hyperparameters.values, float("inf")
        if "tuner/round" in values:
            most = oracle._get_size(values["tuner/bracket"], values["tuner/round"])
            most -= failed if values["tuner/round"] else 0
    return proposed


def _trials(search, proposed, make, say):
    """Return the rows of these proposals, [(number, keras-tuner's values)], from their files where there are any."""
    rows, todo = {}, []
    for number, drawn in proposed:
        values = {d.name: _value(d, drawn[d.name]) for d in search.space}
        if search.max_epochs is not None:
            values["epochs"] = drawn["tuner/epochs"]
        asked = _asked(search, number, values, drawn)
        with contextlib.suppress(OSError, ValueError):  # there is none, or it is damaged
            row = json.loads(_path(search, number).read_text(encoding="utf-8"))
            if {name: row.get(name) for name in asked} == asked:
                rows[number] = row
        if number not in rows:
            todo.append((asked, values))
    for at, found in make([asked for asked, _ in todo]):
        asked, values = todo[at]
        row = rows[asked["trial"]] = {**asked, **found}
        write_text(_path(search, asked["trial"]), json.dumps(row, indent=1) + "\n")
        shutil.rmtree(search.folder / "work", ignore_errors=True)
        say(_line(row, values))
    return [rows[number] for number, _ in proposed]


def _path(search, number):
    return search.folder / "trials" / f"{number:05}.json"


def _elsewhere(search, calls):
    """Return a function that makes trials on a cluster: for a list of requests it yields (index, result)."""
    from hcrlib.cluster import inputs

    config = search.config

    def make(asked):
        plain = [
            {"config": config.to_dict(), "params": one["params"], "preprocess": one["preprocess"]} for one in asked
        ]
        # checkpoints are found by these: on other images, a training begins anew
        known = [json.dumps([one, search.data.sha256], sort_keys=True).encode() for one in plain]
        digests = [hashlib.sha256(one).hexdigest()[:12] for one in known]
        common = {"function": f"{__name__}:measure", "prepare": config.classifier, "inputs": tuple(inputs.of(config))}
        ids = [f"tuning/{config.classifier}/{digest}" for digest in digests]
        made = calls.run([{"id": name, "given": one, **common} for name, one in zip(ids, plain, strict=True)])
        for at, outcome in made:
            failed = {"status": "failed", "reason": outcome.reason, "seconds": outcome.seconds, **LACKING}
            yield at, json.loads(outcome.packed) if outcome.packed else {**failed, "n_val": len(search.data.val)}

    return make


def measure(given, folder):
    """Return what a trial comes to, on a worker; folder: where it keeps its checkpoint."""
    config = RunConfig.from_dict(given["config"])
    return _Bench(config, tasks.of(config).load(config.dataset), folder / "work").measured(given)


def read(folder):
    """Return the dicts of the ended trials in a search's folder, in the order of their numbers."""
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
    """Return a parameter's value as text: 'scale+deskew', '0.0123', 'true'; a step's options unless they are its defaults."""
    if isinstance(value, list):
        return "+".join(map(shown, value))
    if isinstance(value, dict):
        [(name, options)] = value.items()
        given = ", ".join(f"{option} {shown(of)}" for option, of in options.items())
        return name if options == OPTIONS.get(name) else f"{name}({given})"
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _oracle(keras_tuner, search, trials):
    """Return what proposes: keras-tuner's own."""
    own = {"max_trials": trials} if search.max_epochs is None else {"max_epochs": search.max_epochs, "factor": FACTOR}
    if search.max_epochs is not None:
        own["hyperband_iterations"] = trials or 1  # passes; the number of trials ends it sooner
    tuner = (keras_tuner.RandomSearch if search.max_epochs is None else keras_tuner.Hyperband)(
        hypermodel=lambda made: None,
        objective=keras_tuner.Objective("val_error", "min"),
        seed=seed_for(search.config.seed, "tuning") or 1,  # keras-tuner takes 0 for none, and draws one
        hyperparameters=_hyperparameters(keras_tuner, search.space),
        max_consecutive_failed_trials=ENDLESS,
        directory=str(search.folder),
        project_name="keras-tuner",
        overwrite=True,
        **own,
    )
    tuner.oracle.max_trials, tuner.oracle.verbose = trials, 0
    return tuner.oracle


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
    """Return the parameter of what was drawn: three digits are enough for a person, and what is written is what was run."""
    if dimension.choices is not None:
        return dimension.choices[drawn]
    return int(drawn) if dimension.whole else min(max(float(f"{drawn:.3g}"), dimension.low), dimension.high)


class _Bench:
    """Makes single trials of a search: one fit on the training split, measured on the validation split."""

    def __init__(self, config, data, work):
        self.config, self.data, self.work, self.task = config, data, work, tasks.of(config)
        self.train = self.task.training_split(RunRecord(config=config, status="finished"), data)
        self.made_by = code_sha256(), packages()
        self.prepared = functools.lru_cache(maxsize=1)(self._prepared)

    def here(self, asked):
        """Yield (place in the list, what was found) of trials, one after the other."""
        for at, one in enumerate(asked):
            yield at, self.measured(one)

    def measured(self, asked):
        """Return what a trial comes to: `params` and `preprocess` are what is asked."""
        begun = time.perf_counter()
        try:
            found = self._fit(asked["params"], asked["preprocess"])
            return {"status": "finished", "reason": None, **found}
        except OSError:
            raise
        except Exception as error:  # whatever a library makes of odd parameters: the next trial may do better
            reason, seconds = f"{type(error).__name__}: {error}", time.perf_counter() - begun
            return {"status": "failed", "reason": reason, **LACKING, "n_val": len(self.data.val), "seconds": seconds}

    def _fit(self, params, steps):
        learner, does = named(self.config.classifier).create(params), self.task.measuring
        train, val = self.prepared(json.dumps(steps))
        data, folder = self.data, self._folder(params, steps)
        context = FitContext(len(data.classes), self.config.seed, folder, _unsaid, data.sha256, classes=data.classes)
        learner.prepare()
        if learner.backend == "keras":
            import keras

            keras.backend.clear_session()  # what earlier trials left
        begun = time.perf_counter()
        does.fit(learner, train, val, context)
        outputs = does.predict(learner, val, data.classes)
        seconds = time.perf_counter() - begun + learner.prior_fit_s
        found = {name: metric.value for name, metric in does.validation(outputs, data.val).items()}
        error = self.task.error(found[f"val_{self.task.primary}"])
        return {"val_error": error, **found, "n_val": len(data.val), "seconds": seconds}

    def _folder(self, params, steps):
        """Return where this very training keeps its checkpoint; those of others, or of other code, are removed."""
        key = json.dumps([params, steps, self.made_by], sort_keys=True)
        folder = self.work / hashlib.sha256(key.encode()).hexdigest()[:12]
        for other in self.work.glob("*"):
            if other != folder:
                shutil.rmtree(other)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _prepared(self, steps):
        """Return what the task fits on and validates with; what the pipeline learns, it learns from the training split."""
        pipeline = named(self.config.classifier).runtime_model.pipeline_class(json.loads(steps)).fit(self.train.images)
        prepare = self.task.measuring.prepare
        return prepare(pipeline, self.train), prepare(pipeline, self.data.val)


def _asked(search, number, values, drawn):
    """Return what a trial is, as its file tells: of other code, it is made again."""
    params = {name: value for name, value in values.items() if name != "preprocess"}
    before = drawn.get("tuner/trial_id")
    return {
        "trial": number,
        "params": params,
        "preprocess": values.get("preprocess", search.config.preprocess),
        "epochs": params.get("epochs"),
        "bracket": drawn.get("tuner/bracket"),
        "round": drawn.get("tuner/round"),
        "promoted_from": None if before is None else int(before) + 1,
        "code_sha256": code_sha256(),
    }


def _line(row, values):
    what = ", ".join(f"{name} {shown(value)}" for name, value in values.items())
    if row["status"] == "failed":
        return f"{row['trial']:3}  {what}: failed: {row['reason']}"
    return f"{row['trial']:3}  {what}: {row['val_error']:.2%} wrong, {row['seconds']:.1f} s"


def _unsaid(line):
    """Drop the line of an epoch: one line per trial is enough."""
