"""From params/X.yml to records: a checked plan, then one process per run, on as many machines as there are (`cluster`).

A file holds `question`, `defaults`, `grid` (key -> list, all combinations; a value that is a mapping sets several keys at
once) and `runs` (a list of mappings). Keys are dataset (a name, or a path relative to the file), classifier, seed, budget,
preprocess and the classifier's parameters.
Each run is notebooks/10_train.ipynb, or 50_words_crnn.ipynb for recognisers of words and lines, executed by papermill in a
process of its own: results/runs/<id>/notebook.ipynb, log.txt. Characters and lines go into files of their own. A plan is a set
of configurations, each known by its hash: what has a record is not made again, whoever made it, whatever interrupted it.
"""

import contextlib
import dataclasses
import fnmatch
import itertools
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field
from tabulate import tabulate

from hcrlib import datasets, records, tasks
from hcrlib.core import paths, yaml_file
from hcrlib.core.code_hash import code_sha256
from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.core.registry import did_you_mean
from hcrlib.models import named
from hcrlib.models._base import names
from hcrlib.runs import comparison, runner

TAKEN = "runs", "zoo", "figures", "tuning"  # folders of results/ that no sweep may write to


class Run(yaml_file.Section):
    """A run, or a part of one. All other keys are parameters of its classifier."""

    model_config = ConfigDict(extra="allow")
    dataset: str = Field(None, description="a name of `hcr data list`, or a path relative to this file")
    classifier: str = Field(None, description="a name of `hcr train --help`")
    seed: int = None
    budget: int | None = Field(None, description="number of training images; all of them if left out")
    preprocess: list = Field(None, description="steps, such as [scale, deskew]")


class SweepFile(yaml_file.Section):
    """A sweep: the combinations of `grid` and the `runs`, each over the `defaults`."""

    question: yaml_file.Text | None = None
    defaults: Run | None = None
    grid: dict[str, Annotated[list, Field(min_length=1)]] | None = Field(
        None, description="key -> list of values; a value that is a mapping sets several keys at once"
    )
    runs: list[Run] | None = None


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
    def task(self):
        """The Task of its runs."""
        return tasks.of(self.configs[0])

    @property
    def folder(self):
        """results/<name of the file>: leaderboard, figures and report."""
        return paths.results_root() / self.path.stem

    def look(self):
        """Return hash -> RunRecord of the runs that came to their end, read from the disk now."""
        root = paths.runs_root()
        return {config.hash: record for config in self.configs if (record := self._record(config, root))}

    def records(self):
        """Return the RunRecords there are, in the order of the plan."""
        return [comparison.completed(record) for record in self.look().values()]

    def missing(self):
        """Return the RunConfigs that have no record."""
        there = self.look()
        return [config for config in self.configs if config.hash not in there]

    def unfinished(self, there=None, rerun_failed=False):
        """Return the RunConfigs still to run: those without a record, and those that failed with other code.

        there: what `look` found. rerun_failed: those that failed by this very code, too.
        """
        there = self.look() if there is None else there
        return [c for c in self.configs if _to_run(there.get(c.hash), rerun_failed)]

    def only(self, patterns):
        """Return the plan restricted to runs whose ids match a pattern such as `*/svm/*`; ConfigError for none."""
        chosen = [c for c in self.configs if any(fnmatch.fnmatch(c.id, pattern) for pattern in patterns)]
        if not chosen:
            expected = f"a pattern of ids, such as {self.configs[0].id.rpartition('/')[0]}/*"
            raise ConfigError(
                "No run of this sweep matches", where=self.path, expected=expected, got=", ".join(patterns)
            )
        return dataclasses.replace(self, configs=chosen)

    def table(self, there=None, todo=None):
        """Return the plan as text, a line per run. there: what `look` found; todo: RunConfigs to run, None: the unfinished."""
        there = self.look() if there is None else there
        asked = {config.hash for config in (self.unfinished(there) if todo is None else todo)}
        states = [_state(there.get(config.hash), config.hash in asked) for config in self.configs]
        rows = [(c.id, records.variant(c), state) for c, state in zip(self.configs, states, strict=True)]
        return tabulate(rows, ("run", "other than default", "state"))

    def _record(self, config, root):
        """Return the record of a run that came to its end, or None."""
        with contextlib.suppress(RunError):  # one that cannot be read is as good as none: the run is made again
            record, content = records.find(config, root), self.own.get(config.dataset)
            changed = record and content and record.data.get("sha256", content) != content
            return None if changed else record
        return None


def by_other_code(record):
    """Return whether code other than this one made a record."""
    return record.provenance.get("code_sha256") != code_sha256()


def _to_run(record, rerun_failed):
    return record is None or (record.status == "failed" and (rerun_failed or by_other_code(record)))


def _state(record, asked):
    if asked or record is None:
        again = "failed, to run again" if record and record.status == "failed" else "to run again"
        return "to run another time" if not asked else again if record else "to run"
    if record.status == "failed":
        return f"failed: {record.reason}"
    return f"{record.status}, by another version of the code" if by_other_code(record) else record.status


def load(path):
    """Return the Sweep of a file, looked for here and in the project's folder.

    ConfigError, naming the file and the place, for whatever is wrong in it: nothing has been run then.
    """
    path = found(path)
    if path.stem in TAKEN:
        raise ConfigError(
            "A sweep of this name has no place: its results/ folder is another's", where=path, hint="Rename it"
        )
    content = yaml_file.read(path, SweepFile)
    folder, catalogue = path.resolve().parent, {*datasets.names()}
    entries = [(place, _beside(entry, folder, catalogue)) for place, entry in _expanded(content)]
    configs = [checked(entry, f"{path.name}, {place}") for place, entry in entries]
    if not configs:
        raise ConfigError("This sweep has no runs", where=path, hint="Give it a grid or a list of runs")
    if len(kinds := {tasks.of(config).name for config in configs}) > 1:
        got = " and ".join(sorted(kinds))
        raise ConfigError("A sweep cannot mix tasks", where=path, expected="models of one task", got=got)
    own = {}
    for name in {config.dataset for config in configs if not datasets.is_pinned(config.dataset)}:
        with contextlib.suppress(DataError):  # its runs will report it, and the others are made
            own[name] = datasets.load(name).sha256
    return Sweep(path.resolve(), content.question or path.stem, list({c.hash: c for c in configs}.values()), own)


def found(path):
    """Return the Path of a file of params/, looked for here and in the project's folder."""
    path = Path(path)
    return path if path.exists() or path.is_absolute() else paths.project_root() / path


def ensure(path):
    """Return the RunRecords of a sweep file, making missing runs first. For notebooks: failed runs are not repeated."""
    sweep = load(path)
    run(sweep.missing())
    return sweep.records()


def run(configs, cluster=None):
    """Make these runs and return the RunRecords of those that failed: they stop no others. See `cluster.client.run`.

    cluster: a cluster.backend.Cluster, where and within which limits; None: this machine.
    """
    from hcrlib.cluster import client

    return client.run([(config, tasks.of(config).train_notebook) for config in configs], cluster)


def _expanded(content):
    """Return (place, flat mapping) of every run: the grid's combinations, then the runs, each over the defaults."""
    defaults = content.defaults.model_dump(exclude_unset=True) if content.defaults else {}
    grid = content.grid or {}
    entries = []
    for number, point in enumerate(itertools.product(*grid.values()) if grid else (), 1):
        entry = dict(defaults)
        for key, value in zip(grid, point, strict=True):
            entry.update(value if isinstance(value, dict) else {key: value})
        entries.append((f"combination {number} of the grid", entry))
    for number, run in enumerate(content.runs or (), 1):
        entries.append((f"run {number}", {**defaults, **run.model_dump(exclude_unset=True)}))
    return entries


def _beside(entry, folder, catalogue):
    """Return the entry with the path of the user's own data made absolute, where it is relative to the sweep's folder."""
    if "dataset" not in entry or entry["dataset"] in catalogue:
        return entry
    own = folder / str(entry["dataset"])
    return {**entry, "dataset": str(own)} if datasets.is_own(own) else entry


def checked(entry, where):
    """Return the RunConfig of a flat mapping; ConfigError with the place in the file."""
    try:
        if not isinstance(entry.get("classifier"), str):
            raise ConfigError("Missing key 'classifier'", hint=did_you_mean("", names()))
        known = [*Run.model_fields, *named(entry["classifier"]).parameters()]
        for key in entry:
            if key not in known:
                what = f"'{key}' is not a parameter of {entry['classifier']}"
                raise ConfigError(what, hint=did_you_mean(key, known))
        return runner.resolve(**entry)
    except ConfigError as error:
        raise error.at(where) from error
