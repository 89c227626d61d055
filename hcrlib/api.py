"""The public API, what a person types in a notebook: `import hcrlib as hcr`."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hcrlib import models, records
from hcrlib.core import logs, paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.core.extras import explained
from hcrlib.core.registry import did_you_mean
from hcrlib.datasets import frame_of
from hcrlib.datasets import load as load_any
from hcrlib.records import device
from hcrlib.runs import runner
from hcrlib.runtime import Reading, TrainedModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Reading", "TrainedModel", "load_dataset", "load_model", "results", "train", "zoo"]


@explained("train")
def train(
    classifier: str,
    data: str | Path = "mnist-5k",
    *,
    seed: int = 0,
    budget: int | None = None,
    preprocess: list | None = None,
    say: Callable[[str], object] = logs.say,
    params: Mapping[str, Any] | None = None,
    **more: Any,
) -> records.RunRecord:
    """Train and evaluate; return the RunRecord (run.accuracy, run.misses, run.fit_s, run.path, ...).

    classifier: one of `hcrlib.models.CLASSIFIERS.names()`. data: a dataset's name, or the path of a folder with a
    dataset.yml. seed: every random choice follows from it; on the same machine it gives the same predictions.
    budget: training images to use, stratified; None for all. preprocess: steps, None for the classifier's own.
    say: called with each line of progress. params, more: the classifier's parameters; an unknown one is a ConfigError.

    The record and the model are under run.path.
    """
    if not isinstance(params, Mapping | None):
        hint = "papermill's -p passes text: write -y 'params: {epochs: 2}' instead of -p params '{epochs: 2}'"
        raise ConfigError("'params' is not valid", expected="a mapping of names to values", got=repr(params), hint=hint)
    if not isinstance(data, str | Path):
        what = f"A run is defined by its dataset's name, not by a loaded {type(data).__name__}"
        raise ConfigError(what, hint=f"data={getattr(data, 'name', 'mnist-5k')!r}, or the path of its dataset.yml")
    more = {**(params or {}), **more}
    known = models.named(classifier).parameters()
    if unknown := [name for name in more if name not in known]:
        hint = did_you_mean(unknown[0], [*known, "data", "seed", "budget", "preprocess"])
        raise ConfigError(f"'{unknown[0]}' is not a parameter of {classifier}", hint=hint)
    config = runner.resolve(classifier, dataset=data, seed=seed, budget=budget, preprocess=preprocess, **more)
    return runner.run_one(config, say)


@explained()
def load_dataset(name: str | Path, **how: Any) -> Any:
    """Return a Dataset of characters or a TextDataset of words or lines: see hcrlib.datasets, load_dataset and load_text."""
    return load_any(name, **how)


def results() -> "pd.DataFrame":
    """Return all records as a DataFrame: one row per run, failed and skipped ones too, and per measurement on a board."""
    return records.frame(records.read_all() + device.read_all())


@explained()
def load_model(source: Any) -> Any:
    """Return the model of a zoo name, a run's id or folder, a bundle's folder, or a RunRecord.

    Those of the zoo and of bundles load without TensorFlow. RunError where it is unfinished or not whole; ConfigError, with the
    names there are, where there is no such model.
    """
    if isinstance(source, records.RunRecord):
        source = source.path
    named = *(zoo / str(source) for zoo in paths.zoo_roots()), paths.runs_root() / str(source), Path(source)
    for folder in named:
        if (folder / "record.json").is_file() or (folder / "attempt.json").is_file():
            run = records.read(folder)
            if run.status != "finished":
                raise RunError(f"This run has no model: its status is '{run.status}'", where=source, hint=run.reason)
            is_bundle = any((folder / name).exists() for name in ("manifest.json", "golden.npz", "runtime"))
            if is_bundle:
                with bundle_errors(where=folder):
                    return models.load_bundle(folder)
            return models.load_model(folder / "model", frame=frame_of(run.config.dataset))
    hint = did_you_mean(source, zoo()) if zoo() else paths.outside_hint()
    raise ConfigError(f"There is no model '{source}'", hint=hint)


@contextlib.contextmanager
def bundle_errors(
    hint: str | None = "Copy it again, or export it again: hcr export", where: Path | None = None
) -> Iterator[None]:
    """Turn a ValueError about a bundle's files into a RunError with that hint."""
    try:
        yield
    except ValueError as error:
        raise RunError(f"This bundle cannot be used: {error}", where=where, hint=hint) from error


def zoo() -> list[str]:
    """Return the names of the small trained models: those that come with the project, and those of `hcr zoo add`."""
    return sorted({folder.parent.name for root in paths.zoo_roots() for folder in root.glob("*/model")})
