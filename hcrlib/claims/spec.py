"""The claims of the papers and how each is tested: params/claims.yml, validated before anything runs.

A claim's test is one of
- `run`, `measure` and `at_least` or `at_most`: compares the mean over `seeds` with the paper's figure. An accuracy below the
  figure is undecided if its 95 % interval contains the figure;
- `runs` (name -> run), `measure` and `highest` or `lowest`: whether the named run is the highest or lowest. Accuracies are
  compared by McNemar's test for every seed; times must differ by a factor of NOISE;
- `run` and `ensemble: true`: as the first, for the average of the runs' probabilities, one run per seed;
- `resume`: whether a run that is killed after its second epoch and restarted ends like one that was not killed;
- `reason`: why the claim cannot be tested.
`stand_in: true` marks a run on other data than the paper's: it is measured, and the claim stays open. `ours: true` marks a
method that the paper does not describe: a figure that ours reaches holds; otherwise the claim stays open.
Claims whose official files are missing stay open; once the files exist, the same command completes them.
"""

import dataclasses
import functools
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError
from hcrlib.core.registry import did_you_mean
from hcrlib.core.yaml_file import FieldError, Section, Text, read
from hcrlib.datasets import describe
from hcrlib.sweeps import plan

SHARES = "accuracy", "train_accuracy", "share_of_epochs"
WORDS = {
    "accuracy": "accuracy on the test images",
    "train_accuracy": "accuracy on the training images",
    "val_loss": "validation loss",
    "fit_s": "time to fit",
    "predict_us_per_image": "time to predict",
    "share_of_epochs": "share of the epochs allowed that was trained",
}


class Claim(Section):
    """One claim of a paper and the one way in which it is tested."""

    name: Annotated[str, Field(min_length=1)]
    paper: str
    says: Annotated[Text, Field(min_length=1)]
    remark: Text | None = None
    reason: Text | None = Field(None, description="why the claim cannot be tested here")
    run: dict[str, Any] | None = Field(None, description="a configuration, without a seed")
    runs: dict[str, dict[str, Any]] | None = Field(None, description="label -> configuration, to be compared")
    resume: dict[str, Any] | None = Field(None, description="a configuration that is killed and started again")
    seeds: Annotated[list[int], Field(min_length=1)] = [0]
    ensemble: bool = Field(False, description="average the probabilities of the runs, one per seed")
    measure: Literal[*WORDS] | None = None
    at_least: float | None = None
    at_most: float | None = None
    highest: str | None = None
    lowest: str | None = None
    stand_in: bool = Field(False, description="measured on other data than the paper's; the claim stays open")
    ours: bool = Field(False, description="the paper does not describe its method; a figure not reached stays open")

    @property
    def figure(self):
        """The paper's figure, or None."""
        return self.at_most if self.at_least is None else self.at_least

    @functools.cached_property
    def configs(self):
        """Label -> list of RunConfigs, one per seed; the label of a single run is "". ConfigError if one is not valid."""
        groups = self.runs or ({"": self.run} if self.run else {})
        return {label: [resolved(run, seed, self.name) for seed in self.seeds] for label, run in groups.items()}

    @model_validator(mode="after")
    def _check(self):
        given = [key for key in ("run", "runs", "resume", "reason") if getattr(self, key)]
        if len(given) != 1:
            got = f"; got {', '.join(given)}" if given else ""
            raise FieldError("A claim needs exactly one test", hint=f"Give run, runs, resume or reason{got}")
        if len(set(self.seeds)) < len(self.seeds):
            raise FieldError("'seeds' has duplicates", hint="Give each seed once")
        if given[0] in ("run", "runs"):
            self._check_measure()
        return self

    def _check_measure(self):
        if self.measure is None:
            raise FieldError("Missing key 'measure'", hint=did_you_mean("", WORDS))
        if self.ensemble and (self.measure, self.runs) != ("accuracy", None):
            raise FieldError("An ensemble needs one run and the measure 'accuracy'")
        bounds = ("at_least", "at_most") if self.run else ("highest", "lowest")
        given = [key for key in ("at_least", "at_most", "highest", "lowest") if getattr(self, key) is not None]
        if len(given) != 1 or given[0] not in bounds:
            raise FieldError("A claim needs exactly one bound", hint=f"Give {' or '.join(bounds)}")
        value = getattr(self, given[0])
        if self.runs and value not in self.runs:
            raise FieldError(f"'{value}' is not one of the runs", key=given[0], hint=did_you_mean(value, self.runs))
        most, expected = (1, "a share in 0..1") if self.measure in SHARES else (1e9, "a number")
        if self.run and not 0 <= value <= most:
            raise FieldError(f"'{given[0]}' is not valid", key=given[0], expected=expected)


class ClaimsFile(Section):
    """The papers, by short name, and their claims."""

    question: Text | None = None
    papers: dict[str, Text] = {}
    claims: Annotated[list[Claim], Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self):
        names = [claim.name for claim in self.claims]
        if duplicates := {name for name in names if names.count(name) > 1}:
            raise FieldError(f"Duplicate claim '{duplicates.pop()}'")
        for claim in self.claims:
            if claim.paper not in self.papers:
                what = f"Claim '{claim.name}': there is no paper '{claim.paper}'"
                raise FieldError(what, hint=did_you_mean(claim.paper, self.papers))
        return self


@dataclasses.dataclass(frozen=True)
class ClaimSet:
    """A checked claims file. papers: name -> title; claims: list of Claim."""

    path: Path
    question: str
    papers: dict
    claims: list

    def configs(self):
        """Return the distinct RunConfigs whose data are on this machine."""
        every = [config for claim in self.claims for group in claim.configs.values() for config in group]
        available = on_this_machine()
        return list({config.hash: config for config in every if config.dataset in available}.values())


def load(path="params/claims.yml"):
    """Return the ClaimSet of a file; ConfigError, with the claim, for any mistake in it."""
    path = paths.found(path)
    content = read(path, ClaimsFile)
    for claim in content.claims:
        try:
            _check_runs(claim)
        except ConfigError as error:
            raise error.at(f"{path.name}, {claim.name}") from error
    return ClaimSet(path.resolve(), content.question or path.stem, content.papers, content.claims)


def _check_runs(claim):
    if claim.resume:
        epochs = resolved(claim.resume, 0, claim.name).params.get("epochs", 0)
        if epochs < 3:
            raise ConfigError("A run to be resumed has too few epochs", expected="at least 3", got=epochs)
    if len({config.dataset for group in claim.configs.values() for config in group}) > 1:
        raise ConfigError("Runs on different datasets cannot be compared")
    if claim.measure == "share_of_epochs" and "epochs" not in claim.configs[""][0].params:
        raise ConfigError("This classifier has no epochs")


def resolved(run, seed, where):
    """Return the RunConfig of a claim's run for one seed."""
    if "seed" in run:
        raise ConfigError("A run of a claim has no seed", where=where, hint="Give the claim its `seeds`")
    return plan.checked({**run, "seed": seed}, where)


def away(claims):
    """Return the names of the datasets that a ClaimSet needs but that are not on this machine."""
    needed = {config.dataset for claim in claims.claims for group in claim.configs.values() for config in group}
    return sorted(needed - on_this_machine())


def on_this_machine():
    """Return the names of the datasets whose files are on this machine."""
    return {row["name"] for row in describe() if row["here"]}
