"""From params/X.yml to records: a checked plan, then one process per run; finished runs are not run again.

A file holds `question`, `defaults`, `grid` (key -> list, all combinations; a value that is a mapping sets several keys at
once) and `runs` (a list of mappings). Keys are dataset (a name, or a path relative to the file), classifier, seed, budget,
preprocess and the classifier's parameters.
Each run is notebooks/10_train.ipynb, or 50_words_crnn.ipynb for recognisers of words and lines, executed by papermill in a
process of its own: results/runs/<id>/notebook.ipynb, log.txt. Characters and lines go into files of their own.
"""

import contextlib
import dataclasses
import itertools
import json
import os
from pathlib import Path

import psutil
import yaml
from tabulate import tabulate

from hcrlib import evaluate, leaderboard, paths, records, report, stats
from hcrlib.datasets import TEXTS, dataset_names, is_text, text_names
from hcrlib.datasets import load as load_data
from hcrlib.errors import ConfigError, DataError, RunError
from hcrlib.files import alone, write_text
from hcrlib.models import RECOGNISERS, named
from hcrlib.models.base import names
from hcrlib.provenance import code_sha256, provenance
from hcrlib.registry import did_you_mean

KEYS = "question", "defaults", "grid", "runs"
RUN_KEYS = "dataset", "classifier", "seed", "budget", "preprocess"
TRAIN, TRAIN_LINES = (
    "10_train.ipynb",
    "50_words_crnn.ipynb",
)  # what a run of characters is made with, and one of words or lines
TAKEN = "runs", "zoo", "figures", "tuning"  # folders of results/ that no sweep may write to
FAILED_AGAIN = "notebook.failed.ipynb"  # beside that of the finished run which it was to replace
UNDER_WAY = "notebook.part.ipynb"  # what papermill writes to; it becomes notebook.ipynb when it ends


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One question and the runs that answer it: `configs` is a list of RunConfig, no two the same.

    own: path -> content hash, of the data sets that are the user's own: what was run on earlier content is to run again.
    """

    path: Path
    question: str
    configs: list
    own: dict

    @property
    def of_lines(self):
        """Whether its runs are of recognisers of words and lines."""
        return _of_lines(self.configs[0])

    @property
    def folder(self):
        """results/<name of the file>: leaderboard, figures and report."""
        return paths.results_root() / self.path.stem

    def records(self):
        """The RunRecords there are, in the order of the plan."""
        return [stats.completed(record) for config in self.configs if (record := self._record(config))]

    def missing(self):
        """The RunConfigs that have no record, or whose notebook was broken off."""
        return [config for config in self.configs if not self._record(config)]

    def unfinished(self):
        """The RunConfigs still to run: the missing ones and those that failed."""
        return [c for c in self.configs if not (record := self._record(c)) or record.status == "failed"]

    def of_other_code(self):
        """The RunRecords that code other than this one's made."""
        return [record for record in self.records() if record.provenance.get("code_sha256") != code_sha256()]

    def table(self):
        """The plan as text: a line a run."""
        rows = [(config.id, leaderboard.variant(config), self._state(config)) for config in self.configs]
        return tabulate(rows, ("run", "other than default", "state"))

    def _state(self, config):
        record = self._record(config)
        if not record or record.status == "failed":
            return "failed, to run again" if record else "to run"
        return f"{record.status}, by another version of the code" if record in self.of_other_code() else record.status

    def _record(self, config):
        """The record of a run that came to its end, or None."""
        folder = records.run_path(config)
        if (folder / UNDER_WAY).exists():
            return None
        with contextlib.suppress(RunError):  # one that cannot be read is as good as none: the run is made again
            record, content = records.find(config), self.own.get(config.dataset)
            changed = record and content and record.data.get("sha256", content) != content
            return None if changed else record
        return None


def load(path):
    """The Sweep of a file, looked for here and in the project's folder.

    ConfigError, naming the file and the place, for whatever is wrong in it: nothing has been run then.
    """
    path = found(path)
    if path.stem in TAKEN:
        raise ConfigError(
            "A sweep of this name has no place: its results/ folder is another's", where=path, hint="Rename it"
        )
    content = parsed(path)
    entries = [(place, _beside(entry, path.resolve().parent)) for place, entry in _expanded(content, path)]
    configs = [checked(entry, f"{path.name}, {place}") for place, entry in entries]
    if not configs:
        raise ConfigError("This sweep has no runs", where=path, hint="Give it a grid or a list of runs")
    if len({_of_lines(config) for config in configs}) > 1:
        expected = "classifiers of characters, or recognisers of words and lines"
        raise ConfigError("This sweep compares what cannot be compared", where=path, expected=expected, got="both")
    own = {}
    made = {
        *dataset_names(),
        *(name for name in text_names() if TEXTS.get(name).characters),
    }  # pinned, or made of what is
    for name in {config.dataset for config in configs} - made:
        with contextlib.suppress(DataError):  # its runs will say it, and the others are made
            own[name] = load_data(name).sha256
    question = str(content.get("question") or path.stem)
    return Sweep(path.resolve(), question, list({c.hash: c for c in configs}.values()), own)


def found(path):
    """The Path of a file of params/, looked for here and in the project's folder."""
    path = Path(path)
    return path if path.exists() or path.is_absolute() else paths.project_root() / path


def ensure(path):
    """The RunRecords of a sweep file; runs without one are made first. For notebooks: failed runs are not tried again."""
    sweep = load(path)
    run(sweep.missing())
    return sweep.records()


def run(configs):
    """Makes these runs, one after the other, and returns their RunRecords; a failing one does not stop the others.

    RunError where another sweep is at work on the same results. Whatever interrupts it, the same call goes on from there.
    """
    from tqdm import tqdm

    if not configs:
        return []
    for notebook in {_notebook(config) for config in configs}:
        report.check_is_here(notebook)
    made = []
    with _alone() as holding, tqdm(configs, unit="run", disable=None, leave=False) as bar:
        for number, config in enumerate(bar, 1):
            bar.set_description(config.id)
            made.append(_run(config, holding, bar.set_postfix_str))
            bar.write(f"[{number}/{len(configs)}] {made[-1]}")
    return made


def parsed(path, keys=KEYS):
    """The mapping in a YAML file, its keys and their kinds checked; ConfigError, with the line, where it is none."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else path
        raise ConfigError(f"This is not YAML: {getattr(error, 'problem', error)}", where=where) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The sweep cannot be read: {getattr(error, 'strerror', error)}", where=path) from error
    if not isinstance(content, dict):
        kind = "an empty file" if content is None else type(content).__name__
        raise ConfigError("This file is not a mapping", where=path, expected=f"the keys {', '.join(keys)}", got=kind)
    for key, value in content.items():
        if key not in keys:
            raise ConfigError(f"'{key}' is no part of this file", where=path, hint=did_you_mean(key, keys))
        kind = {"question": str, "runs": list, "claims": list}.get(key, dict)
        if not isinstance(value, kind) and value is not None:
            wanted = {str: "text", list: "a list", dict: "a mapping"}[kind]
            raise ConfigError(f"'{key}' is not valid", where=path, expected=wanted, got=repr(value))
    return content


def _expanded(content, path):
    """(place, flat mapping) of every entry: the grid's combinations, then the runs, each over the defaults."""
    grid = content.get("grid") or {}
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            raise ConfigError(f"The grid's '{key}' is not valid", where=path, expected="a list", got=repr(values))
    points = list(itertools.product(*grid.values())) if grid else []
    entries = []
    for number, point in enumerate(points, 1):
        entry = dict(content.get("defaults") or {})
        for key, value in zip(grid, point, strict=True):
            entry.update(value if isinstance(value, dict) else {key: value})
        entries.append((f"combination {number} of the grid", entry))
    for number, own in enumerate(content.get("runs") or [], 1):
        if not isinstance(own, dict):
            raise ConfigError(f"Run {number} is not valid", where=path, expected="a mapping", got=repr(own))
        entries.append((f"run {number}", {**(content.get("defaults") or {}), **own}))
    return entries


def _beside(entry, folder):
    """The entry with the path of the user's own data made absolute, where it is relative to the sweep's folder."""
    if entry.get("dataset") in (*dataset_names(), *text_names()):
        return entry
    own = folder / str(entry.get("dataset", ""))
    there = own.is_file() if own.suffix in (".yml", ".yaml") else (own / "dataset.yml").is_file()
    there = there or is_text(own)
    return {**entry, "dataset": str(own)} if "dataset" in entry and there else entry


def checked(entry, where):
    """The RunConfig of a flat mapping; ConfigError with the place in the file."""
    if not isinstance(entry.get("classifier"), str):
        raise ConfigError("This run names no classifier", where=where, hint=did_you_mean("", names()))
    try:
        known = [*RUN_KEYS, *named(entry["classifier"]).parameters()]
        for key in entry:
            if key not in known:
                what = f"'{key}' is no parameter of {entry['classifier']}"
                raise ConfigError(what, hint=did_you_mean(key, known))
        return evaluate.resolve(**entry)
    except ConfigError as error:
        raise ConfigError(error.what, where=where, expected=error.expected, got=error.got, hint=error.hint) from error


def _of_lines(config):
    return named(config.classifier).registry is RECOGNISERS


def _notebook(config):
    return TRAIN_LINES if _of_lines(config) else TRAIN


def _run(config, holding, say):
    """The RunRecord of one run; written here where its process died before it could, or where a later cell failed."""
    folder = records.run_path(config)
    folder.mkdir(parents=True, exist_ok=True)
    part, log = folder / UNDER_WAY, folder / "log.txt"
    try:
        with alone(folder / evaluate.LOCK, wait_s=evaluate.PATIENCE_S):
            earlier = evaluate.finished(config)  # kept until there is a new one
            if not earlier:
                (folder / "record.json").unlink(missing_ok=True)
    except BlockingIOError:
        return records.RunRecord(config=config, status="failed", reason="another process is making this run")
    try:
        status = report.execute(_notebook(config), part, dataclasses.asdict(config), log, holding, say)
    except BaseException:
        if earlier and evaluate.finished(config) == earlier:
            part.unlink(missing_ok=True)
        raise
    record = None
    with contextlib.suppress(RunError):
        record = records.find(config)
    kept = earlier and record == earlier  # the new attempt came to no end
    if status or record is None:
        blank = records.RunRecord(config=config, status="failed", provenance=provenance(config))
        record = blank if kept else record or blank
        record.status, record.reason = "failed", report.failure(part, log, status)
        if kept:
            record.reason += "; what an earlier run measured is kept"
        else:
            record.write()
    with contextlib.suppress(FileNotFoundError):  # papermill may have died before it wrote anything
        os.replace(part, folder / (FAILED_AGAIN if kept else "notebook.ipynb"))
    return record


@contextlib.contextmanager
def _alone():
    """Holds results/.sweep.lock; yields a function that notes the run's process in it.

    The lock of a sweep that was killed is taken over, and its run, if that is still going, ended first.
    """
    lock = paths.results_root() / ".sweep.lock"
    with alone(
        lock.with_suffix(".guard")
    ):  # of two that come here at once, the second one sees what the first one wrote
        if lock.exists():
            _take_over(lock)
        write_text(lock, json.dumps({"sweep": _identity(os.getpid())}))

    def note(pid):
        write_text(lock, json.dumps({"sweep": _identity(os.getpid()), "run": _identity(pid)}))

    try:
        yield note
    finally:
        lock.unlink(missing_ok=True)


def _take_over(lock):
    held = {}
    with contextlib.suppress(ValueError, TypeError):
        held = dict(json.loads(lock.read_text()))
    if _alive(held.get("sweep")):
        hint = "Wait for it, or give this one a results folder of its own with HCR_RESULTS"
        raise RunError(f"A sweep is at work here already, process {held['sweep'][0]}", where=lock, hint=hint)
    if _alive(held.get("run")):
        report.end(held["run"][0])


def _identity(pid):
    """[pid, when it began]: numbers of processes are used again."""
    return [pid, psutil.Process(pid).create_time()]


def _alive(identity):
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(identity[0]) if identity else None
        return process and process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - identity[1]) < 1
    return False
