"""What the papers claim and how each claim is tested: params/claims.yml, read and checked before anything runs.

A claim's test is one of
- `run`, `measure` and `at_least` or `at_most`: the mean over `seeds` against the paper's figure. An accuracy below the figure
  whose 95 % interval holds the figure is undecided;
- `runs` (name -> run), `measure` and `highest` or `lowest`: whether the named one is. Accuracies are decided by McNemar's test,
  in every seed; times by a factor of NOISE;
- `run` and `ensemble: true`: as the first, for the average of the probabilities of the runs, one a seed;
- `resume`: a run that is killed after its second epoch and started again ends as one that was not;
- `reason`: why it cannot be tested.
`stand_in: true` marks a run on other data than the paper's: it is measured, and the claim stays open. `ours: true` marks a
method that the paper does not describe: a figure that ours reaches holds, one that it does not reach stays open.
A run on official files that are not on this machine is left open; with the files in place the same command fills it in.
"""

import dataclasses
from pathlib import Path

from hcrlib.core.errors import ConfigError
from hcrlib.core.registry import did_you_mean
from hcrlib.datasets import describe
from hcrlib.sweeps import plan

KEYS = (
    *("name", "paper", "says", "remark", "reason", "run", "runs", "resume", "seeds", "ensemble", "measure"),
    *("at_least", "at_most", "highest", "lowest", "stand_in", "ours"),
)
SHARES = "accuracy", "train_accuracy", "share_of_epochs"
WORDS = {
    "accuracy": "accuracy on the test images",
    "train_accuracy": "accuracy on the training images",
    "val_loss": "validation loss",
    "fit_s": "time to fit",
    "predict_us_per_image": "time to predict",
    "share_of_epochs": "share of the epochs allowed that was trained",
}


@dataclasses.dataclass(frozen=True)
class Ledger:
    """A checked claims file. papers: name -> title. claims: dicts, as written, each with `configs`: label -> RunConfigs."""

    path: Path
    question: str
    papers: dict
    claims: list

    def configs(self):
        """Every RunConfig whose data are on this machine, each once."""
        every = [c for claim in self.claims for group in claim["configs"].values() for c in group]
        here = on_this_machine()
        return list({c.hash: c for c in every if c.dataset in here}.values())


def load(path="params/claims.yml"):
    """The Ledger of a file; ConfigError, with the claim, for whatever is wrong in it."""
    path = plan.found(path)
    content = plan.parsed(path, ("question", "papers", "claims"))
    papers = content.get("papers") or {}
    claims = [_checked(claim, papers, path) for claim in content.get("claims") or []]
    names = [claim["name"] for claim in claims]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"There are two claims '{twice.pop()}'", where=path)
    if not claims:
        raise ConfigError("There are no claims here", where=path)
    return Ledger(path.resolve(), str(content.get("question") or path.stem), papers, claims)


def _checked(claim, papers, path):
    if not isinstance(claim, dict) or not claim.get("name") or not claim.get("says"):
        raise ConfigError("A claim needs a name and what it says", where=path, got=repr(claim)[:80])
    where = f"{path.name}, {claim['name']}"
    for key in claim:
        if key not in KEYS:
            raise ConfigError(f"'{key}' is no part of a claim", where=where, hint=did_you_mean(key, KEYS))
    if claim.get("paper") not in papers:
        raise ConfigError(f"There is no paper '{claim.get('paper')}'", where=where, hint=did_you_mean("", papers))
    kinds = [key for key in ("run", "runs", "resume", "reason") if claim.get(key)]
    if len(kinds) != 1:
        raise ConfigError(
            "A claim is tested in one way", where=where, expected="run, runs, resume or reason", got=kinds
        )
    if kinds[0] in ("run", "runs"):
        _check_measure(claim, kinds[0], where)
    if kinds[0] == "resume":
        epochs = resolved(claim["resume"], 0, where).params.get("epochs", 0)
        if epochs < 3:
            raise ConfigError("A run to be resumed needs epochs", where=where, expected="at least 3", got=epochs)
    groups = claim.get("runs") or ({"": claim["run"]} if claim.get("run") else {})
    if not isinstance(groups, dict):
        raise ConfigError("'runs' is not valid", where=where, expected="names, each with a run", got=repr(groups))
    configs = {label: [resolved(run, seed, where) for seed in _seeds(claim, where)] for label, run in groups.items()}
    if len({c.dataset for group in configs.values() for c in group}) > 1:
        raise ConfigError("Runs on different datasets cannot be compared", where=where)
    if claim.get("measure") == "share_of_epochs" and "epochs" not in configs[""][0].params:
        raise ConfigError("This classifier has no epochs", where=where)
    return {**claim, "configs": configs}


def _check_measure(claim, kind, where):
    measure, one = claim.get("measure"), kind == "run"
    if measure not in WORDS:
        raise ConfigError(f"'{measure}' is no measure", where=where, hint=did_you_mean(measure, WORDS))
    if claim.get("ensemble") and (measure, one) != ("accuracy", True):
        raise ConfigError("An ensemble is one run whose accuracy is measured", where=where)
    bounds = ("at_least", "at_most") if one else ("highest", "lowest")
    given = [bound for bound in bounds if claim.get(bound) is not None]
    if len(given) != 1:
        raise ConfigError("A claim says one thing", where=where, expected=" or ".join(bounds))
    value = claim[given[0]]
    if not one:
        if value not in claim["runs"]:
            raise ConfigError(f"'{value}' is none of the runs", where=where, hint=did_you_mean(value, claim["runs"]))
    elif (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= (1 if measure in SHARES else 1e9)
    ):
        wanted = "a share in 0..1" if measure in SHARES else "a number"
        raise ConfigError(f"'{given[0]}' is not valid", where=where, expected=wanted, got=repr(value))


def _seeds(claim, where):
    seeds = claim.get("seeds", [0])
    if not isinstance(seeds, list) or not seeds or len(set(map(repr, seeds))) < len(seeds):
        raise ConfigError("'seeds' is not valid", where=where, expected="a list of different seeds", got=repr(seeds))
    return seeds


def resolved(run, seed, where):
    if not isinstance(run, dict) or "seed" in run:
        wanted = "a mapping such as {dataset: mnist, classifier: knn}; seeds are the claim's"
        raise ConfigError("This run is not valid", where=where, expected=wanted, got=repr(run))
    return plan.checked({**run, "seed": seed}, where)


def away(ledger):
    """The names of the datasets that its claims need and that are not on this machine."""
    asked = {c.dataset for claim in ledger.claims for group in claim["configs"].values() for c in group}
    return sorted(asked - on_this_machine())


def on_this_machine():
    """The names of the datasets whose files are on this machine."""
    return {row["name"] for row in describe() if row["here"]}
