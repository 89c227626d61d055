"""The configuration that defines a run. Runs with equal RunConfigs are the same run: its hash names their folder."""

import dataclasses
import functools
import hashlib
import json
from typing import Any

from hcrlib.core.errors import ConfigError
from hcrlib.core.names import dataset_name
from hcrlib.core.registry import did_you_mean


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """One complete configuration. Every default is written out, so that a changed default makes another run, except those of
    parameters that came later (`hcrlib.models._base.later`), so that runs made before them keep their ids.

    dataset, classifier: names. params: the classifier's parameters, all of them. preprocess: the pipeline's steps, each a
    name or {name: {option: value}}. seed: >= 0. budget: training images to use, stratified, or None for all.
    """

    dataset: str
    classifier: str
    params: dict
    preprocess: list
    seed: int = 0
    budget: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("budget", 1)):
            value = getattr(self, name)
            if name == "budget" and value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(f"'{name}' is not valid", expected=f"a whole number >= {least}", got=repr(value))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RunConfig":
        """Return a RunConfig from to_dict's output. Unknown or missing keys raise ConfigError."""
        known = cls.__dataclass_fields__
        for key in values:
            if key not in known:
                raise ConfigError(f"'{key}' is not part of a run's configuration", hint=did_you_mean(key, known))
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"The configuration is not complete: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return dataclasses.asdict(self)

    def canonical(self) -> str:
        """Return JSON with sorted keys and no spaces: equal configurations are equal texts."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))

    @functools.cached_property
    def hash(self) -> str:
        """The first 12 hex digits of the canonical JSON's SHA-256."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]

    @functools.cached_property
    def id(self) -> str:
        """'<dataset>/<classifier>/<hash>': the run's name, and its folder under results/runs."""
        return f"{dataset_name(self.dataset)}/{self.classifier}/{self.hash}"
