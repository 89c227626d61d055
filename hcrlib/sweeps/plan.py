"""Turn params/X.yml into records: a validated plan, then one process per run, on one or more machines (`cluster`).

A file holds `question`, `defaults`, `grid` and `runs`; see `file`. Keys are dataset (a name, or a path relative to the file),
classifier, seed, budget, preprocess and the classifier's parameters; lists stand for all combinations.
Of a configuration for which the seed decides nothing, the first seed is run, and further ones are left out.
Each run is notebooks/10_train.ipynb, or 50_words_crnn.ipynb for recognizers of words and lines, executed by papermill in a
separate process, which writes notebook.ipynb and log.txt into results/runs/<id>/. All runs of a file are of the same task. A
plan is a set of configurations identified by their hashes: a run that already has a record is not repeated.
A file with a `notebook` is a study: that notebook, with the `parameters`, takes the place of notebooks/20_compare.ipynb.
"""

import contextlib
import dataclasses
import fnmatch
import functools
from collections import Counter
from difflib import get_close_matches
from pathlib import Path

from tabulate import tabulate

from hcrlib import datasets, records, tasks
from hcrlib.core import paths, yaml_file
from hcrlib.core.code_hash import code_sha256
from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.core.registry import did_you_mean
from hcrlib.datasets import inventory, mixture
from hcrlib.models._base import names
from hcrlib.records import seeds
from hcrlib.runs import comparison, runner, store
from hcrlib.sweeps import file

TAKEN = "runs", "zoo", "figures", "tuning", "studies"  # folders of results/ that no sweep may write to


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One question and the runs that answer it. configs: a list of distinct RunConfigs.

    left_out: RunConfigs of the file that repeat a deterministic one with another seed. contents: dataset -> content hash, "" if
    unknown, of those read so far; runs on other content must be repeated. notebook: the Path of a study's, else None.
    parameters: of that notebook. is_smoke: whether these are the runs of its smoke test, whose results are not worth keeping.
    """

    path: Path
    question: str
    configs: list
    left_out: tuple = ()
    contents: dict = dataclasses.field(default_factory=dict)
    notebook: Path | None = None
    parameters: dict = dataclasses.field(default_factory=dict)
    is_smoke: bool = False

    @property
    def task(self):
        """The Task of its runs."""
        return tasks.of(self.configs[0])

    @property
    def folder(self):
        """The folder of its leaderboard, figures and report: results/<name of the file>, below studies/ for a study."""
        return paths.results_root() / self._name

    @property
    def _name(self):
        if self.is_smoke:
            return f"figures/{self.path.stem}"
        return f"studies/{self.path.stem}" if self.notebook else self.path.stem

    def look(self):
        """Return hash -> RunRecord of the runs that have ended, read afresh from disk."""
        return {key: record for key, record in self._ended().items() if self._is_current(record)}

    def records(self):
        """Return the available RunRecords in plan order; datasets are read only where runs of one differ in its content."""
        ended = self._ended().values()
        known = {(record.config.dataset, record.data["sha256"]) for record in ended if "sha256" in record.data}
        contents = Counter(dataset for dataset, _ in known)
        kept = [record for record in ended if contents[record.config.dataset] < 2 or self._is_current(record)]
        return [comparison.completed(record) for record in kept]

    def stored(self):
        """Return the RunRecords in its results folder, such as committed ones, whose runs may not be on this machine."""
        folders = [root / self._name for root in paths.results_roots()]
        return next((records.load_records(each) for each in folders if (each / "records.jsonl").exists()), [])

    def missing(self):
        """Return the RunConfigs that have no record."""
        existing = self.look()
        return [config for config in self.configs if config.hash not in existing]

    def unfinished(self, existing=None, rerun_failed=False):
        """Return the RunConfigs still to run: those without a record, and those that failed with other code.

        existing: as `look` returns. rerun_failed: include those that failed with the current code.
        """
        existing = self.look() if existing is None else existing
        return [c for c in self.configs if _to_run(existing.get(c.hash), rerun_failed)]

    def only(self, patterns):
        """Return the plan restricted to runs whose ids match a pattern such as `*/svm/*`. Raises ConfigError if none do."""
        chosen, left_out = (
            [c for c in configs if any(fnmatch.fnmatch(c.id, pattern) for pattern in patterns)]
            for configs in (self.configs, self.left_out)
        )
        if not chosen:
            expected = f"a pattern of ids, such as {self.configs[0].id.rpartition('/')[0]}/*"
            got = ", ".join(patterns)
            raise ConfigError("No run of this sweep matches", where=self.path, expected=expected, got=got)
        return dataclasses.replace(self, configs=chosen, left_out=tuple(left_out))

    def table(self, existing=None, todo=None):
        """Return the plan as text, one line per run. existing: as `look` returns; todo: RunConfigs to run, None: unfinished."""
        existing = self.look() if existing is None else existing
        planned = {config.hash for config in (self.unfinished(existing) if todo is None else todo)}
        states = [_state(existing.get(config.hash), config.hash in planned) for config in self.configs]
        rows = [(c.id, records.variant(c), state) for c, state in zip(self.configs, states, strict=True)]
        return tabulate(rows, ("run", "other than default", "state"))

    def remark(self):
        """Return a line on the runs that are left out, or ""."""
        if not (n := len(self.left_out)):
            return ""
        which = ", ".join(dict.fromkeys(config.classifier for config in self.left_out))
        return f"Left out: {n} further {'seed' if n == 1 else 'seeds'} of {which}, whose results do not depend on the seed\n"

    def _ended(self):
        """Return hash -> RunRecord of the runs that have ended, in plan order; an unreadable record counts as missing."""
        root, found = paths.runs_root(), {}
        for config in self.configs:
            with contextlib.suppress(RunError):
                found[config.hash] = records.find(config, root)
        return {key: record for key, record in found.items() if record}

    def _is_current(self, record):
        """Return whether a run was made on what its dataset holds now, as far as that is known."""
        name, made_on = record.config.dataset, record.data.get("sha256")
        if made_on is None or datasets.is_pinned(name):
            return True
        if name not in self.contents:
            self.contents[name] = _content(name)
        return self.contents[name] in ("", made_on)


def _content(name):
    """Return the hash of a dataset's content on this machine, "" if it is not here or not valid. Downloads nothing."""
    parts = [part for part, _ in datasets.parts_of(name)] or [name]
    with contextlib.suppress(DataError):  # reported by its runs
        if all(inventory.here(part) for part in parts if part in datasets.names()):
            return datasets.load(name).sha256
    return ""


def by_other_code(record):
    """Return whether a record was made by a different version of the code."""
    return record.provenance.get("code_sha256") != code_sha256()


def _to_run(record, rerun_failed):
    return record is None or (record.status == "failed" and (rerun_failed or by_other_code(record)))


def _state(record, planned):
    if planned or record is None:
        again = "failed, to run again" if record and record.status == "failed" else "to run again"
        return "to run another time" if not planned else again if record else "to run"
    if record.status == "failed":
        return f"failed: {record.reason}"
    return f"{record.status}, by another version of the code" if by_other_code(record) else record.status


def load(path, smoke=False):
    """Load a sweep file, looked up in the current folder and in the project's folder. smoke: only the runs of its smoke test.

    Raises ConfigError, with the file and the position, for any mistake in it, before anything runs.
    """
    path = paths.found(path)
    if path.stem in TAKEN:
        raise ConfigError("A sweep must not have this name: results/ uses it", where=path, hint="Rename it")
    content = yaml_file.read(path, file.SweepFile)
    notebook = file.notebook_of(content, path.name)
    if smoke:
        if not content.smoke:
            hint = (
                "List runs of seconds under `smoke`, such as `- {dataset: mnist-5k, budget: 300, classifier: linear}`"
            )
            raise ConfigError("This file has no runs of a smoke test", where=path, hint=hint)
        content = file.SweepFile(question=content.question, runs=content.smoke)
    folder, catalogue = path.resolve().parent, {*datasets.names()}
    entries = file.entries(content, path.name)
    configs = [_resolved(entry, entries, folder, catalogue) for entry in entries]
    planned = {config.id for config in configs}
    for entry, config in zip(entries, configs, strict=True):
        if store.model_parameters(config.classifier):  # it may start from another run of the file
            _resolved(entry, entries, folder, catalogue, planned)
    if not configs:
        raise ConfigError("This sweep has no runs", where=path, hint="Give it a grid or a list of runs")
    if len(kinds := {tasks.of(config).name for config in configs}) > 1:
        got = " and ".join(sorted(kinds))
        raise ConfigError("A sweep cannot mix tasks", where=path, expected="models of one task", got=got)
    kept, left_out = _once(configs)
    study = {"notebook": notebook, "parameters": content.parameters or {}, "is_smoke": smoke}
    return Sweep(path.resolve(), content.question or path.stem, kept, left_out, **study)


def ensure(path, smoke=False):
    """Execute a sweep file's missing runs and return its RunRecords. For notebooks: failed runs are not repeated.

    smoke: as in `load`.
    """
    sweep = load(path, smoke)
    run(sweep.missing())
    return sweep.records()


def run(configs, cluster=None):
    """Execute runs and return the RunRecords that failed; a failure does not stop the others. See `cluster.client.run`.

    cluster: the cluster.backend.Cluster to run on; None for this machine.
    """
    from hcrlib.cluster import client

    return client.run([(config, tasks.of(config).train_notebook) for config in configs], cluster)


def _once(configs):
    """Return (distinct RunConfigs, those left out since they repeat a deterministic one with another seed)."""
    kept, left_out = {}, []
    for config in {c.hash: c for c in configs}.values():
        key = seeds.unseeded(config).hash if records.is_deterministic(config) else config.hash
        if kept.setdefault(key, config) is not config:
            left_out.append(config)
    return list(kept.values()), tuple(left_out)


def _beside(entry, folder, catalogue):
    """Return the entry; the path of a custom dataset, alone or in a mixture, is taken as relative to the sweep's folder."""
    if "dataset" not in entry or entry["dataset"] in catalogue:
        return entry
    name = str(entry["dataset"])
    if not (folder / name).exists() and datasets.parts_of(name):
        return {**entry, "dataset": mixture.renamed(name, lambda part: datasets.beside(part, folder))}
    return {**entry, "dataset": datasets.beside(name, folder)}


def _resolved(entry, entries, folder, catalogue, planned=None):
    """Return the RunConfig of one of a file's Entries; folder: the file's. planned: as in `runner.resolve`."""
    hint = functools.partial(file.remedy, entry=entry, others=entries)
    return checked(_beside(entry.values, folder, catalogue), entry.place, planned, hint)


def checked(values, where, planned=(), remedy=None):
    """Return the RunConfig of a flat mapping. Raises ConfigError with the position in the file.

    planned: as in `runner.resolve`. remedy: function from an unknown or missing key to a hint.
    """
    try:
        if "classifier" not in values and (near := get_close_matches("classifier", map(str, values))):
            raise ConfigError(f"Unknown key '{near[0]}'", hint="Did you mean 'classifier'?")
        if not isinstance(values.get("classifier"), str):
            hint = remedy("classifier") if remedy else did_you_mean("", names())
            raise ConfigError("Missing key 'classifier'", hint=hint)
        known = file.keys_of(values["classifier"])
        for key in values:
            if key not in known:
                hint = remedy(key) if remedy else did_you_mean(key, known)
                raise ConfigError(f"'{key}' is not a parameter of {values['classifier']}", hint=hint)
        return runner.resolve(**values, planned=planned)
    except ConfigError as error:
        raise error.at(where) from error
