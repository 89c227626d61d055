"""From a configuration to a record: the one place that fits a classifier and scores a test split."""

import contextlib
import dataclasses
import functools
import json
import os
import shutil
import time
import traceback
from pathlib import Path

import numpy as np

from hcrlib.core import paths, timing
from hcrlib.core.code_hash import code_sha256
from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.core.fileio import file_lock, write_text
from hcrlib.core.provenance import packages, provenance, threads
from hcrlib.core.registry import did_you_mean
from hcrlib.datasets import SIDE, TextDataset, dataset_names, is_text, load, stratified_take, text_names
from hcrlib.metrics import scores as metrics
from hcrlib.models import RECOGNISERS, Task, named
from hcrlib.runs import recognition, records
from hcrlib.runs.config import RunConfig
from hcrlib.runs.recognition import NEW, note_fit, save_model
from hcrlib.runs.records import RunRecord
from hcrlib.runtime import LinePipeline, Pipeline

LATENCY_IMAGES = 100
LOCK = ".lock"  # in the run's folder
CHECKPOINT = "checkpoint", "checkpoint.old"  # the second one: where a kill came between two renames
PATIENCE_S = 5  # for the run's lock: the kernel of a sweep that was killed takes a second to end


def resolve(classifier, *, dataset="mnist-5k", seed=0, budget=None, preprocess=None, **params):
    """The complete RunConfig of a request: defaults written out, names and parameters checked before anything runs.

    params: the classifier's own. ConfigError, with a suggestion, for an unknown classifier, parameter or step.
    """
    kind = named(classifier)
    if isinstance(preprocess, str):
        raise ConfigError("The preprocessing is not valid", expected="a list of steps", got=repr(preprocess))
    if kind.as_published and (budget is not None or preprocess not in (None, kind.preprocess)):
        raise ConfigError(f"{kind.name} takes neither a budget nor preprocessing", got=f"{budget}, {preprocess}")
    complete = dataclasses.asdict(kind.create(params))
    steps = json.loads(_steps(kind, json.dumps(kind.preprocess if preprocess is None else preprocess)))
    return RunConfig(_dataset(dataset), classifier, complete, steps, seed, budget)


@functools.lru_cache(maxsize=256)
def _steps(kind, preprocess):
    """The pipeline's steps with their options, JSON to JSON; tried on one image, so that what cannot work is refused here."""
    preprocess = json.loads(preprocess)
    try:
        if kind.registry is RECOGNISERS:
            return json.dumps(LinePipeline(preprocess).to_dict()["steps"])
        pipeline = Pipeline(preprocess)
        image = np.eye(SIDE, dtype=np.uint8)[None]
        made = pipeline.fit(image).apply(image)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"The preprocessing is not valid: {error}") from error
    if kind.images_only and made.ndim != 3:
        got = f"{made.shape[1]} features of {pipeline.steps[-1][0]}"
        raise ConfigError(f"{kind.name} needs images", got=got, hint="Leave that step out, or take knn, svm or mlp")
    return json.dumps(pipeline.to_dict()["steps"])


def _dataset(name):
    """A name of the catalogue, or the absolute path of a folder with a dataset.yml, here or in the project's folder."""
    if name in (*dataset_names(), *text_names()) or paths.here(name) != Path(str(name)):
        return name
    for path in (Path(str(name)), paths.project_root() / str(name)):
        if (path.suffix in (".yml", ".yaml") and path.is_file()) or (path / "dataset.yml").is_file():
            return str(path.resolve())
        if is_text(path):
            return str(path.resolve())
    if len(Path(str(name)).parts) > 1 or Path(str(name)).exists():
        hint = "Your own data is named by the folder that holds its dataset.yml, or a TSV of the texts of lines"
        raise ConfigError("There is no dataset here", where=name, expected="a dataset.yml or a *.tsv", hint=hint)
    raise ConfigError(f"There is no dataset '{name}'", hint=did_you_mean(name, [*dataset_names(), *text_names()]))


def run_one(config, say=print, runs=None):
    """Trains, evaluates and records one configuration; returns its RunRecord.

    Goes on from the last finished epoch where an earlier attempt was killed. A failure to train is raised, and leaves a
    record that says why unless there is a finished one, which is kept until a new one takes its place; a classifier that
    declines the data leaves one that says "skipped". runs: where an ensemble finds its members, if not in results/runs.
    RunError where another process is making this very run.
    """
    data = load(config.dataset)
    folder = records.run_path(config)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(file_lock(folder / LOCK, timeout=PATIENCE_S))
        except TimeoutError:
            raise RunError("Another process is making this run", where=folder, hint="Wait for it to end") from None
        settle(folder)
        return _run(config, data, folder, say, runs or paths.runs_root())


def _run(config, data, folder, say, runs):
    if data.damaged:
        say(f"images left out, because they cannot be read: {len(data.damaged)}")
        say("\n".join(f"  {file}: {reason}" for file, reason in data.damaged))
    _make_room(folder, config, data)
    classifier = named(config.classifier).create(config.params)
    base = RunRecord(config=config, status="finished", classes=list(data.classes), data=_about(data))
    base.provenance = provenance(config)
    of_lines = classifier.registry is RECOGNISERS
    reason = classifier.skip(data)
    if not of_lines and isinstance(data, TextDataset):
        reason = f"{config.classifier} reads pictures of one character, not of words and lines"
    if reason:
        base.status, base.reason = "skipped", reason
        return base if finished(config) else base.write()
    try:
        task = Task(
            len(data.classes), config.seed, folder, say, data.sha256, lambda run: _finished_run(runs, run), data.classes
        )
        (recognition.measure if of_lines else _measure)(base, classifier, data, task)
        base.provenance["threads"] = threads()  # now that the libraries are loaded
        base.write(folder / NEW)
    except Exception as error:
        shutil.rmtree(folder / NEW, ignore_errors=True)
        base.status, base.reason = "failed", _reason(error)
        if not finished(config):
            base.write()
        raise
    swap(folder)
    (folder / "checkpoint/history.json").unlink(missing_ok=True)  # without it, the rest is nothing to resume from
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    return base


def _measure(record, classifier, data, task):
    """Fills the record in: fit on train, choose by validation, then read the test split, once."""
    config, train, folder, say = record.config, data.train, task.folder, task.say
    if not len(data.val) or not len(data.test):
        got = f"{len(train)} to train on, {len(data.val)} to validate, {len(data.test)} to test"
        raise DataError(f"{data.name} has too few images", got=got, hint="Add images: a tenth of train validates")
    if config.budget is not None and config.budget > len(train):
        record.notes.append(f"the budget is {config.budget:,}, but there are only {len(train):,} images to train on")
    elif config.budget is not None:
        train = train.take(stratified_take(train.labels, config.budget, config.seed, "budget"))
    there = np.unique(train.labels)
    if unseen := [name for at, name in enumerate(data.classes) if at not in there]:
        record.notes.append(f"classes without a training image: {', '.join(unseen)}")
    for note in record.notes:
        say(note)
    if len(there) < 2:
        raise DataError(f"All {len(train)} training images are of one class", hint="Raise the budget or add images")
    begun = time.perf_counter()
    pipeline = Pipeline(config.preprocess).fit(train.images)
    x, x_val = pipeline.apply(train.images), pipeline.apply(data.val.images)
    record.preprocess_fit_s = time.perf_counter() - begun

    classifier.prepare()
    begun = time.perf_counter()
    classifier.fit(x, train.labels, x_val, data.val.labels, task)
    record.fit_s = time.perf_counter() - begun
    del x
    note_fit(record, classifier, len(train))
    _on_validation(record, classifier, x_val, data.val)

    begun = time.perf_counter()
    scores = classifier.scores(pipeline.apply(data.test.images))
    record.predict_us_per_image = (time.perf_counter() - begun) / len(data.test) * 1e6
    _checked(classifier, scores, len(data.test), len(data.classes))
    _on_test(record, scores, data.test)
    record.n_val = len(data.val)
    _latency(record, classifier, pipeline, data.val.images)
    shutil.rmtree(folder / NEW, ignore_errors=True)
    record.size_bytes = save_model(folder / NEW, classifier, pipeline, config, data.classes)
    records.save_predictions(folder / NEW, data.test.labels, scores)


def swap(folder):
    """What was saved beside takes the place of an earlier run of the same; the record goes first and comes last.

    Nothing but renaming: a full disk does not stop it, and after a kill in between the same call ends it.
    """
    (folder / "record.json").unlink(missing_ok=True)
    for path in sorted((folder / NEW).iterdir(), key=lambda path: path.name == "record.json"):
        if path.is_dir():
            shutil.rmtree(folder / path.name, ignore_errors=True)
        os.replace(path, folder / path.name)
    shutil.rmtree(folder / NEW)


def settle(folder):
    """Ends a swap in whose middle a kill came."""
    if (folder / NEW / "record.json").exists():
        swap(folder)


def finished(config):
    """The finished RunRecord of that configuration, or None."""
    with contextlib.suppress(RunError):  # one that cannot be read is as good as none
        record = records.find(config)
        return record if record and record.status == "finished" else None
    return None


def _finished_run(runs, run):
    """(RunRecord, folder) of a run's id; RunError where there is none that is finished."""
    folder = runs / run
    record = records.read(folder)
    if record.status != "finished":
        raise RunError(f"This run is not finished but {record.status}", where=run, hint=record.reason)
    return record, folder


def _on_validation(record, classifier, x_val, val):
    scores = _checked(classifier, classifier.scores(x_val), len(val), len(record.classes))
    record.val_accuracy = 1 - metrics.misses(val.labels, scores.argmax(axis=1)) / len(val)
    picked = scores[np.arange(len(val)), val.labels]
    record.val_loss = float(-np.log(np.clip(picked, 1e-7, 1)).mean())


def _on_test(record, scores, test):
    from hcrlib.metrics import statistics  # it loads pandas, which `hcr --help` should not wait for

    record.n_test = len(test)
    record.misses = metrics.misses(test.labels, scores.argmax(axis=1))
    record.accuracy = 1 - record.misses / record.n_test
    record.ci_low, record.ci_high = metrics.wilson(record.n_test - record.misses, record.n_test)
    answers = {"labels": test.labels, "predicted": scores.argmax(axis=1), "scores": scores}
    for name, value in statistics.derived(answers).items():
        setattr(record, name, value)


def _latency(record, classifier, pipeline, images):
    """One image at a time, pipeline included, on validation images: the test split has been read."""
    singles = [images[i : i + 1] for i in range(min(LATENCY_IMAGES, len(images)))]
    times = timing.latency_ms(lambda one: classifier.scores(pipeline.apply(one)), singles)
    record.predict_ms_p50, record.predict_ms_p90, record.predict_ms_p99 = times["p50"], times["p90"], times["p99"]


def _checked(classifier, scores, n, n_classes):
    if scores.shape != (n, n_classes) or not np.isfinite(scores).all():
        raise RunError(
            f"{classifier.name} answered with scores that are not valid",
            expected=f"finite numbers of shape ({n}, {n_classes})",
            got=f"shape {scores.shape}, {np.count_nonzero(~np.isfinite(scores))} not finite",
        )
    return scores


def _make_room(folder, config, data):
    """The run's folder. What a killed attempt left stays for resuming, if it was of this very code and these images."""
    backend = os.environ.get("KERAS_BACKEND")
    asked = json.dumps([config.to_dict(), data.sha256, code_sha256(), packages(), backend], sort_keys=True) + "\n"
    made = folder / "attempt.json"
    resumes = made.exists() and made.read_text(encoding="utf-8") == asked
    resumes = resumes and any((folder / name).exists() for name in CHECKPOINT)
    for name in () if resumes else (*CHECKPOINT, "tensorboard"):
        shutil.rmtree(folder / name, ignore_errors=True)
    write_text(made, asked)


def _about(data):
    names = ("name", "sha256", "test_sha256", "source", "comparable", "val_fraction", "val_seed")
    about = {name: getattr(data, name) for name in names}
    return {**about, "notes": list(data.notes), "damaged": [list(entry) for entry in data.damaged]}


def _reason(error):
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.name}, line {last.lineno})"
