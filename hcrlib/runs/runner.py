"""Turn a configuration into a record: resolve it, load its data, let its task measure, and store the result."""

import contextlib
import dataclasses
import functools
import json
import shutil
import traceback
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

from hcrlib import datasets, records, tasks
from hcrlib.core import paths
from hcrlib.core.code_hash import code_sha256
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.fileio import file_lock, write_text
from hcrlib.core.logs import say
from hcrlib.core.provenance import packages, provenance, threads
from hcrlib.models import FitContext, Learner, _settings, named
from hcrlib.records import RunConfig, RunRecord
from hcrlib.records.storage import NEW
from hcrlib.runs.store import (
    CHECKPOINT,
    LOCK,
    finished,
    finished_run,
    model_name,
    model_parameters,
    settle,
    sizes,
    swap,
)

PATIENCE_S = 5  # wait for the run's lock: a killed sweep's kernel takes a second to end


def resolve(
    classifier: str,
    *,
    dataset: str | Path = "mnist-5k",
    seed: int = 0,
    budget: int | None = None,
    preprocess: list | None = None,
    planned: Container[str] | None = (),
    **params: Any,
) -> RunConfig:
    """Return the complete RunConfig of a request: defaults written out, names and parameters checked before anything runs.

    planned: ids of runs that will be made before, from which it may start; see `store.model_name`. params: the learner's own;
    sizes that are not given are those of the network that it starts from, where there is one of the same kind.
    Raises ConfigError, with a suggestion, for an unknown name, parameter or step.
    """
    kind = named(classifier)
    if isinstance(preprocess, str):
        raise ConfigError("The preprocessing is not valid", expected="a list of steps", got=repr(preprocess))
    if kind.fixed_protocol and (budget is not None or preprocess not in (None, kind.preprocess)):
        raise ConfigError(f"{kind.name} takes neither a budget nor preprocessing", got=f"{budget}, {preprocess}")
    if isinstance(start := params.get("start"), str) and kind.sizes:
        params = {**sizes(kind, model_name(start, planned), planned), **params}
    complete = dataclasses.asdict(kind.create(params))
    later = {field.name: field.default for field in dataclasses.fields(kind) if field.metadata.get("later")}
    complete = {name: value for name, value in complete.items() if name not in later or value != later[name]}
    for name in filter(complete.get, model_parameters(classifier)):
        complete[name] = model_name(complete[name], planned)
    steps = json.loads(_steps(kind, json.dumps(kind.preprocess if preprocess is None else preprocess)))
    return RunConfig(datasets.resolve(dataset), classifier, complete, steps, seed, budget)


@functools.lru_cache(maxsize=256)
def _steps(kind: type[Learner], preprocess: str) -> str:
    """Return the pipeline's steps with their options, JSON to JSON. Raises ConfigError if the learner cannot take them."""
    try:
        pipeline = kind.runtime_model.pipeline_class(json.loads(preprocess))
        kind.check_pipeline(pipeline)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"The preprocessing is not valid: {error}") from error
    return json.dumps(pipeline.to_dict()["steps"])


def run_one(
    config: RunConfig, log: Callable[[str], Any] = say, runs: Path | None = None, strict: bool = False
) -> RunRecord:
    """Train, evaluate and record one configuration.

    Continues from the last finished epoch if an earlier attempt was killed. A training failure is raised and leaves a
    record with the reason, unless a finished record exists, which is kept until a new one replaces it. A learner that declines
    the data leaves a record of status "skipped". runs: folder of an ensemble's members, if not results/runs.
    strict: raise a ConfigError instead if the learner declines the data, and leave nothing.

    Raises RunError if another process is making this run.
    """
    task = tasks.of(config)
    data = task.load(config.dataset)
    if strict and (reason := task.skip(named(config.classifier).create(config.params), data)):
        raise ConfigError(f"{config.classifier} cannot be trained on {data.name}: {reason}", hint=_alternatives(data))
    folder = records.run_path(config)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(file_lock(folder / LOCK, timeout=PATIENCE_S))
        except TimeoutError:
            raise RunError("Another process is making this run", where=folder, hint="Wait for it to end") from None
        settle(folder)
        return _run(config, data, folder, log, runs or paths.runs_root())


def _alternatives(data: Any) -> str | None:
    """Return which models take this kind of data."""
    fitting = [task for task in map(tasks.get, tasks.TASKS.names()) if isinstance(data, task.data)]
    return f"Models for it: {', '.join(fitting[0].learners.names())}" if fitting else None


def _run(config: RunConfig, data: Any, folder: Path, log: Callable[[str], Any], runs: Path) -> RunRecord:
    if data.damaged:
        log(f"left out, because they cannot be read or used: {len(data.damaged)}")
        log("\n".join(f"  {file}: {reason}" for file, reason in data.damaged))
    _make_room(folder, config, data)
    learner, task = named(config.classifier).create(config.params), tasks.of(config)
    record = RunRecord(config=config, status="finished", classes=list(data.classes), data=_about(data))
    record.provenance = provenance(config)
    if reason := task.skip(learner, data):
        record.status, record.reason = "skipped", reason
        return record if finished(config) else record.write()
    try:
        shutil.rmtree(folder / NEW, ignore_errors=True)
        find_run = functools.partial(finished_run, runs)
        about = data.sha256, find_run, data.classes, config.dataset
        context = FitContext(len(data.classes), config.seed, folder, log, *about)
        learner.prepare()
        with _settings.fixed():
            task.measure(record, learner, data, context, folder / NEW)
            record.provenance["threads"] = threads()  # now that the libraries are loaded
            record.provenance["settings"] = _settings.in_force("keras" in (record.engine or ""))
        record.write(folder / NEW)
    except Exception as error:
        shutil.rmtree(folder / NEW, ignore_errors=True)
        record.status, record.reason = "failed", _reason(error)
        if not finished(config):
            record.write()
        raise
    swap(folder)
    (folder / "checkpoint/history.json").unlink(missing_ok=True)  # without it, the rest cannot be resumed from
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    return record


def _make_room(folder: Path, config: RunConfig, data: Any) -> None:
    """Clear the run's folder, but keep a killed attempt's checkpoint for resuming if its code and data were the same."""
    made_by = code_sha256(), packages(), _settings.backend()
    attempt = json.dumps([config.to_dict(), data.sha256, *made_by], sort_keys=True) + "\n"
    made = folder / "attempt.json"
    resumes = made.exists() and made.read_text(encoding="utf-8") == attempt
    resumes = resumes and any((folder / name).exists() for name in CHECKPOINT)
    for name in () if resumes else (*CHECKPOINT, "tensorboard"):
        shutil.rmtree(folder / name, ignore_errors=True)
    write_text(made, attempt)


def _about(data: Any) -> dict[str, Any]:
    names = ("name", "sha256", "test_sha256", "source", "comparable", "val_fraction", "val_seed")
    about = {name: getattr(data, name) for name in names}
    return {**about, "notes": list(data.notes), "damaged": [list(entry) for entry in data.damaged]}


def _reason(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.name}, line {last.lineno})"
