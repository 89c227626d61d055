"""Hyperparameter search: Hyperband for networks, random search for every other classifier, using validation images only.

Sources: Li et al. 2018, "Hyperband" (JMLR 18-185); Bergstra and Bengio 2012, "Random search for hyper-parameter
optimization" (JMLR 13). Both are keras-tuner's, which imports TensorFlow (4 s) even to search a knn;
`hcrlib.tuning.trials` drives it. The test split is never read: a search ends with a params file for `hcr sweep` to measure.
A search is stored in results/tuning/<dataset>/<classifier>/<hash of the question>/: trials/, trials.csv, tuned-*.yml.
"""

import dataclasses
import hashlib
import json
from typing import Any

import yaml

from hcrlib import tasks
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.core.fileio import write_text
from hcrlib.models import named
from hcrlib.records import RunConfig
from hcrlib.runs import runner
from hcrlib.tuning import trials as tuning_trials
from hcrlib.tuning.space import dimensions_of
from hcrlib.tuning.trials import shown

RANDOM_TRIALS = 20  # enough to hit the best 14 % of a space with a probability of 95 %
ENDING = "seconds", "status", "reason"  # the last columns of the table of trials


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """A search for a classifier's best parameters on a dataset. `plan` creates and validates it.

    config: the RunConfig of the classifier's defaults, with the dataset, seed and budget of every trial. space: the
    Dimensions. max_epochs: of one training; None for a method without epochs. data: the Dataset.
    """

    config: RunConfig
    space: list
    max_epochs: int | None
    data: Any

    @property
    def folder(self):
        """The search's folder, unique to its images, space, seed, budget, longest training and defaults."""
        config = {**self.config.to_dict(), "dataset": self.data.sha256}  # the content matters, not its location
        space = [dataclasses.asdict(dimension) for dimension in self.space]
        identity = [config, self.data.val_fraction, self.data.val_seed, space, self.max_epochs]
        text = json.dumps(identity, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return paths.results_root() / "tuning" / self._short / self.config.classifier / digest

    @property
    def method(self):
        """The name of the strategy."""
        return "random search" if self.max_epochs is None else "Hyperband"

    def run(self, trials=None, say=print, cluster=None):
        """Execute the trials and return self. Trials of earlier calls are kept, not repeated.

        trials: the maximum number, earlier ones included; None for one pass of Hyperband, or 20 random trials. A random
        search ends early after 20 draws in a row without a new one. say: called with one line per trial. cluster: a
        cluster.backend.Cluster that makes several trials at once; None for this process, one at a time. A training that
        fails is recorded with its reason. Raises RunError if another process is running this search.
        """
        if trials is not None and (not isinstance(trials, int) or isinstance(trials, bool) or trials < 1):
            raise ConfigError("'trials' is not valid", expected="a whole number >= 1", got=repr(trials))
        tuning_trials.run(self, trials or (RANDOM_TRIALS if self.max_epochs is None else None), say, cluster)
        write_text(self.folder / "trials.csv", self.trials().to_csv(index=False))
        if any(row["status"] == "finished" for row in self.rows()):
            self.write()
        return self

    def rows(self):
        """Return a dict for each ended trial, in order; `params` and `preprocess` are as `resolve` takes them."""
        return tuning_trials.read(self.folder)

    @property
    def task(self):
        """The Task of the method that is searched."""
        return tasks.of(self.config)

    @property
    def searched(self):
        """The names of the searched parameters, in the order of the space."""
        return [dimension.name for dimension in self.space]

    def trials(self):
        """Return a DataFrame with one row per trial.

        Columns: trial, the searched parameters, epochs (of networks), val_error (1 - accuracy, or the character error rate),
        the task's validation metrics, seconds (to fit and to predict the validation split), status, reason (of a failure).
        """
        import pandas

        rows = self.rows()
        metrics = sorted({name for row in rows for name in row if name.startswith("val_")} - {"val_error"})
        epochs = [] if self.max_epochs is None else ["epochs"]
        table = [{**row, **row["params"], "preprocess": shown(row["preprocess"])} for row in rows]
        return pandas.DataFrame(table, columns=["trial", *self.searched, *epochs, "val_error", *metrics, *ENDING])

    def ranked(self):
        """Return the rows of the finished trials, best first: by error, then by loss.

        Raises RunError if no trial has finished.
        """
        finished = [row for row in self.rows() if row["status"] == "finished" and "val_error" in row]
        if not finished:
            reasons = "; ".join(sorted({row["reason"] for row in self.rows() if row["reason"]}))
            raise RunError("No trial has finished", where=self.folder, got=reasons or None)
        return sorted(finished, key=lambda row: (row["val_error"], row.get("val_loss", 0), row["trial"]))

    def best(self):
        """Return the row of the best finished trial. Raises RunError if no trial has finished."""
        return self.ranked()[0]

    def write(self, path=None):
        """Return the path of a params file for `hcr sweep`: the default and the best parameters, trained equally long."""
        best, config = self.best(), self.config
        path = path or self.folder / f"tuned-{self._short}-{config.classifier}.yml"
        same = {"classifier": config.classifier}
        default = same if self.max_epochs is None else {**same, "epochs": self.max_epochs}
        defaults = {"dataset": config.dataset, "seed": config.seed, "budget": config.budget}
        content = {
            "question": f"Does tuning {config.classifier} on {self._short} pay?",
            "defaults": {name: value for name, value in defaults.items() if value is not None},
            "runs": [default, {**same, **best["params"], "preprocess": best["preprocess"]}],
        }
        comment = f"# {len(self.rows())} trials of {self.method}; the best has {best['val_error']:.2%} wrong of "
        comment += f"{best['n_val']:,} validation {self.task.unit}s.\n"
        comment += "# As the best of many, that rate is optimistic: measure it with `hcr sweep`.\n"
        write_text(path, comment + yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120))
        return path

    @property
    def _short(self):
        return self.config.id.split("/")[0]


def search(classifier, dataset="mnist-5k", *, trials=None, max_epochs=None, space=None, seed=0, budget=None, say=print):
    """Return the finished Search: call `plan`, then `Search.run`."""
    planned = plan(classifier, dataset, max_epochs=max_epochs, space=space, seed=seed, budget=budget)
    return planned.run(trials, say)


def plan(classifier, dataset="mnist-5k", *, max_epochs=None, space=None, seed=0, budget=None):
    """Validate the arguments and return a Search without running it.

    dataset, seed, budget: as in `hcr train`; every trial uses this seed, so that the best can be repeated. max_epochs: of
    the longest training, for networks only; None for the classifier's default. space: maps parameters, and `preprocess`, to
    "LOW..HIGH", "LOW..HIGH log", a list of choices or one fixed value; None for the method's default.

    Raises ConfigError, with a suggestion, for unknown or out-of-range parameters, and DataError for too few images.
    """
    config = runner.resolve(classifier, dataset=dataset, seed=seed, budget=budget)
    kind, task = named(classifier), tasks.of(config)
    epochs = _longest(kind, max_epochs)
    dimensions = dimensions_of(kind, space)
    data = task.load(config.dataset)
    if reason := task.skip(kind.create({}), data):
        raise ConfigError(f"{classifier} declines {data.name}: {reason}")
    if not len(data.val) or len(data.classes) < 2:
        got = f"{len(data.val)} validation images of {len(data.classes)} classes"
        raise DataError(f"{data.name} has too few images for a search", got=got)
    return Search(config, dimensions, epochs, data)


def _longest(kind, max_epochs):
    if kind.backend != "keras":
        if max_epochs is not None:
            raise ConfigError(f"{kind.name} has no epochs", hint="Omit max_epochs")
        return None
    return kind.create({} if max_epochs is None else {"epochs": max_epochs}).epochs
