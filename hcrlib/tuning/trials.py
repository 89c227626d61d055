"""Execute the trials of a search: keras-tuner proposes parameters, which are measured on validation images only.

keras-tuner's proposals depend only on the seed and the earlier results, and its state files are not written atomically.
So each ended trial is stored in a file, and a resumed search replays the stored results: it repeats the same proposals up to
the first trial without a file. A network that was killed during a trial resumes from its last finished epoch.

A trial that Hyperband promotes is trained from scratch for more epochs, not from the shorter trial's weights: the networks'
learning-rate schedules span the whole training, so a finished one cannot be extended. This costs up to 50 % more time, but
`hcr train` can repeat any row of the table.
"""

import contextlib
import functools
import hashlib
import json
import shutil
import time

from hcrlib import tasks
from hcrlib.core.code_hash import code_sha256
from hcrlib.core.errors import RunError
from hcrlib.core.extras import explained
from hcrlib.core.fileio import file_lock, write_text
from hcrlib.core.provenance import packages
from hcrlib.core.rng import seed_for
from hcrlib.models import FitContext, _settings, named
from hcrlib.records import RunConfig, RunRecord
from hcrlib.runtime.pipeline import OPTIONS

FACTOR = 3  # Hyperband's eta: a third of each round is promoted; "3 or 4" (Li et al. 2018, section 2.6)
LACKING = {"val_error": None}  # in the row of a failed trial
ENDLESS = 10**9  # consecutive failures: failed trials never end the search


def run(search, trials, say, cluster=None):
    """Execute the trials of a Search that have no file yet. trials: the maximum number; None for one pass of Hyperband.

    cluster: a cluster.backend.Cluster on which independent trials run concurrently; None for this process.
    """
    from hcrlib.models._keras import quiet_keras

    with contextlib.ExitStack() as held:
        try:
            held.enter_context(file_lock(search.folder / ".lock", timeout=1))
        except TimeoutError:
            hint = "Wait for it to end"
            raise RunError("Another process is running this search", where=search.folder, hint=hint) from None
        quiet_keras()  # before keras-tuner imports it
        import keras_tuner

        kept = len(read(search.folder))
        if kept:
            say(f"trials kept from an earlier call: {kept}")
        bench = _Bench(search.config, search.data, search.folder / "work")
        make = bench.sequentially
        if cluster:
            from hcrlib.cluster.client import Calls

            make = _on_cluster(search, held.enter_context(Calls(cluster)))
        _search(_oracle(keras_tuner, search, trials), lambda proposed: _trials(search, proposed, make, say))


def _search(oracle, trials):
    """Run keras-tuner's loop one round at a time, proposing independent trials together.

    The proposals are the same as one by one: they depend only on the seed and the earlier rounds.
    """
    failed = 0
    while proposed := _proposed(oracle, failed):
        rows = trials([(int(trial.trial_id) + 1, trial.hyperparameters.values) for trial in proposed])
        later = proposed[0].hyperparameters.values.get("tuner/round")
        failed = sum(row["status"] == "failed" for row in rows) + (failed if later else 0)
        for trial, row in zip(proposed, rows, strict=True):
            trial.status, trial.message = "FAILED" if row["status"] == "failed" else "COMPLETED", row["reason"]
            if trial.status == "COMPLETED":
                oracle.update_trial(trial.trial_id, {"val_error": row["val_error"]})
            oracle.end_trial(trial)


def _proposed(oracle, failed):
    """Return keras-tuner's trials for the next round: a round of a Hyperband bracket, or a whole random search.

    failed: number of earlier failures in the bracket, which are not promoted.
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
    """Return the rows of these proposals, [(number, keras-tuner's values)], from their files if they exist."""
    rows, todo = {}, []
    for number, drawn in proposed:
        values = {d.name: _value(d, drawn[d.name]) for d in search.space}
        if search.max_epochs is not None:
            values["epochs"] = drawn["tuner/epochs"]
        request = _request(search, number, values, drawn)
        with contextlib.suppress(OSError, ValueError):  # missing or damaged
            row = json.loads(_path(search, number).read_text(encoding="utf-8"))
            if {name: row.get(name) for name in request} == request:
                rows[number] = row
        if number not in rows:
            todo.append((request, values))
    for index, result in make([request for request, _ in todo]):
        request, values = todo[index]
        row = rows[request["trial"]] = {**request, **result}
        write_text(_path(search, request["trial"]), json.dumps(row, indent=1) + "\n")
        shutil.rmtree(search.folder / "work", ignore_errors=True)
        say(_line(row, values))
    return [rows[number] for number, _ in proposed]


def _path(search, number):
    return search.folder / "trials" / f"{number:05}.json"


def _on_cluster(search, calls):
    """Return a function that executes trials on a cluster: for a list of requests it yields (index, result)."""
    from hcrlib.cluster import inputs

    config = search.config

    def make(requests):
        plain = [
            {"config": config.to_dict(), "params": request["params"], "preprocess": request["preprocess"]}
            for request in requests
        ]
        # these digests name the checkpoints: with different images, training restarts
        keys = [json.dumps([given, search.data.sha256], sort_keys=True).encode() for given in plain]
        digests = [hashlib.sha256(key).hexdigest()[:12] for key in keys]
        common = {"function": f"{__name__}:measure", "prepare": config.classifier, "inputs": tuple(inputs.of(config))}
        ids = [f"tuning/{config.classifier}/{digest}" for digest in digests]
        made = calls.run([{"id": name, "given": given, **common} for name, given in zip(ids, plain, strict=True)])
        for index, outcome in made:
            failed = {"status": "failed", "reason": outcome.reason, "seconds": outcome.seconds, **LACKING}
            yield index, json.loads(outcome.packed) if outcome.packed else {**failed, "n_val": len(search.data.val)}

    return make


def measure(given, folder):
    """Return the result of a trial on a worker. folder: holds its checkpoint."""
    config = RunConfig.from_dict(given["config"])
    return _Bench(config, tasks.of(config).load(config.dataset), folder / "work").measured(given)


def read(folder):
    """Return the dicts of the ended trials in a search's folder, in the order of their numbers."""
    rows = []
    for path in sorted(folder.glob("trials/*.json")):
        with contextlib.suppress(ValueError):  # damaged: the trial is repeated
            rows.append(json.loads(path.read_text(encoding="utf-8")))
    return rows


def shown(value):
    """Return a parameter's value as text: 'scale+deskew', '0.0123', 'true'; default step options are omitted."""
    if isinstance(value, list):
        return "+".join(map(shown, value))
    if isinstance(value, dict):
        [(name, options)] = value.items()
        given = ", ".join(f"{option} {shown(of)}" for option, of in options.items())
        return name if options == OPTIONS.get(name) else f"{name}({given})"
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _oracle(keras_tuner, search, trials):
    """Return keras-tuner's oracle, which proposes the trials."""
    kind, options = keras_tuner.RandomSearch, {"max_trials": trials}
    if search.max_epochs is not None:  # the maximum number of trials may end the passes sooner
        kind = keras_tuner.Hyperband
        options = {"max_epochs": search.max_epochs, "factor": FACTOR, "hyperband_iterations": trials or 1}
    options |= {"directory": str(search.folder), "project_name": "keras-tuner", "overwrite": True}
    options |= {"hyperparameters": _hyperparameters(keras_tuner, search.space)}
    options |= {"max_consecutive_failed_trials": ENDLESS, "objective": keras_tuner.Objective("val_error", "min")}
    seed = seed_for(search.config.seed, "tuning") or 1  # keras-tuner treats 0 as no seed
    tuner = kind(lambda made: None, seed=seed, **options)
    tuner.oracle.max_trials, tuner.oracle.verbose = trials, 0
    return tuner.oracle


def _hyperparameters(keras_tuner, space):
    """Convert the space. Choices become list indices: keras-tuner's choices may not be lists, null or of mixed types."""
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
    """Convert a drawn value to the parameter's value, rounded to three digits so that files show exactly what was run."""
    if dimension.choices is not None:
        return dimension.choices[drawn]
    return int(drawn) if dimension.whole else min(max(float(f"{drawn:.3g}"), dimension.low), dimension.high)


class _Bench:
    """Execute single trials of a search: fit on the training split and measure on the validation split."""

    def __init__(self, config, data, work):
        self.config, self.data, self.work, self.task = config, data, work, tasks.of(config)
        self.train = self.task.training_split(RunRecord(config=config, status="finished"), data)
        self.made_by = code_sha256(), packages()
        self.prepared = functools.lru_cache(maxsize=1)(self._prepared)

    def sequentially(self, requests):
        """Yield (index, result) of each trial, one after the other."""
        for index, request in enumerate(requests):
            yield index, self.measured(request)

    def measured(self, request):
        """Return the result of a trial. request: a dict with `params` and `preprocess`."""
        begun = time.perf_counter()
        try:
            with explained("train"):
                result = self._fit(request["params"], request["preprocess"])
            return {"status": "finished", "reason": None, **result}
        except OSError:
            raise
        except Exception as error:  # libraries reject parameters in many ways; the next trial may succeed
            reason, seconds = f"{type(error).__name__}: {error}", time.perf_counter() - begun
            return {"status": "failed", "reason": reason, **LACKING, "n_val": len(self.data.val), "seconds": seconds}

    def _fit(self, params, steps):
        learner, measuring = named(self.config.classifier).create(params), self.task.measuring
        train, val = self.prepared(json.dumps(steps))
        data, folder = self.data, self._folder(params, steps)
        about = {"classes": data.classes, "dataset": self.config.dataset}
        context = FitContext(len(data.classes), self.config.seed, folder, _ignore, data.sha256, **about)
        learner.prepare()
        if learner.backend == "keras":
            import keras

            keras.backend.clear_session()  # free earlier trials' models
        begun = time.perf_counter()
        with _settings.fixed():
            measuring.fit(learner, train, val, context)
            outputs = measuring.predict(learner, val, data.classes)
        seconds = time.perf_counter() - begun + learner.prior_fit_s
        metrics = {name: metric.value for name, metric in measuring.validation(outputs, data.val).items()}
        error = self.task.error(metrics[f"val_{self.task.primary}"])
        return {"val_error": error, **metrics, "n_val": len(data.val), "seconds": seconds}

    def _folder(self, params, steps):
        """Return the checkpoint folder of this exact training; remove those of other trainings or code versions."""
        key = json.dumps([params, steps, self.made_by], sort_keys=True)
        folder = self.work / hashlib.sha256(key.encode()).hexdigest()[:12]
        for other in self.work.glob("*"):
            if other != folder:
                shutil.rmtree(other)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _prepared(self, steps):
        """Return the prepared training and validation splits; the pipeline is fitted on the training split only."""
        pipeline = named(self.config.classifier).runtime_model.pipeline_class(json.loads(steps)).fit(self.train.images)
        prepare = self.task.measuring.prepare
        return prepare(pipeline, self.train), prepare(pipeline, self.data.val)


def _request(search, number, values, drawn):
    """Return the fields that identify a trial in its file. They include the code's hash: new code repeats the trial."""
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


def _ignore(line):
    """Ignore the log line of an epoch: one line per trial is enough."""
