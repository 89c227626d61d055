"""Render the card of an exported model as Markdown: what it is, its data, its results and its limits.

Source: Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from hcrlib import tasks
from hcrlib.core import paths
from hcrlib.core.provenance import repeat
from hcrlib.datasets import describe
from hcrlib.formats.onnx import OPSET
from hcrlib.records import RunRecord, load_records
from hcrlib.runtime import Model

WIDTH = 72  # characters of a line of a command
STARTED = re.compile(r"started from (?:\d+ layers of )?(\S+?),")  # a note of models with a parameter `start`
REPEATED = re.compile("source: |license: ")  # notes that say what the catalog says
USE = "```\npython3 -m runtime IMAGE...     # in this folder; needs numpy, Pillow and onnxruntime\n```"


def render(
    name: str, record: RunRecord, model: Model, size: int, rows: list[dict], source: str, in_place: bool, why: str = ""
) -> str:
    """Return the card.

    Args:
        name: the title.
        record: the finished run.
        model: the model with its trained learner.
        size: of the model in bytes.
        rows: the formats, as in the manifest; empty for a model in its own format.
        source: the argument of load_model.
        in_place: whether the folder contains the code that reads images with the model.
        why: the reason for choosing this run, as Markdown.
    """
    card, noun, data, about = tasks.of(record).card, model.unit[:-1], record.data["name"], _catalogued(record)
    parameters = f"{record.n_parameters:,} parameters, " if record.n_parameters else ""
    exact = f", ONNX (opset {OPSET}), probabilities within {_bound(rows)} of the trained model's" if rows else ""
    cores, cpu = (record.provenance.get(key) for key in ("cores", "cpu"))
    known = [f"{word}: {about[key]}." for word, key in (("Source", "source"), ("License", "licence")) if about.get(key)]
    notes = [note.replace("licence:", "license:") for note in record.data["notes"]]
    notes = [note for note in notes if not (known and REPEATED.match(note))]
    parts = [
        f"# {name}",
        f"{record.config.classifier}, {parameters}{size / 1e6:.2f} MB{exact}. {card.summary(model)}",
        f'```python\nimport hcrlib\nhcrlib.load_model("{source}").read("a-{noun}.png")\n```',
        f"## Why this model\n\n{why}" * bool(why),
        "## Data",
        f"{data}: {record.n_train:,} {noun}s for training, {record.n_val:,} for validation, {record.n_test:,} for testing. "
        f"Test split: sha256 {record.data['test_sha256'][:12]}.",
        _list([*known, *notes]),
        "## Protocol",
        f"Every choice was made by the validation {noun}s (seed {record.data['val_seed']}); the test split was read once, "
        f"afterwards. Seed {record.config.seed}; preprocessing: `{json.dumps(record.config.preprocess)}`; "
        f"fitted in {_duration(record.fit_s)} on {cores or '?'} cores ({cpu or 'unknown processor'}).",
        *commands(record),
        _list(record.notes),
        "## Results",
        table(("metric", "value"), card.results(record, noun)),
        "## Confusions",
        *(table(heading, lines) for heading, lines in card.confusions(record, noun)),
        "## Limits",
        card.limits(model, bool(about)),
        "## License",
        f"The model is under the project's license (MIT), its training images under their own{', above' * bool(about)}.",
    ]
    if rows:
        heading = "format", "size", card.METRIC, "same answers", "ms per image"
        parts += ["## Formats", table(heading, (_format(row, tasks.of(record).primary) for row in rows))]
    if in_place:
        parts += ["## Use", USE]
    return "\n\n".join(filter(None, parts)) + "\n"


def commands(record: RunRecord) -> list[str]:
    """Return paragraphs of Markdown with the commands that repeat a run, those of the runs that it started from first."""
    origin, config, parts = _origin(record), record.config, []
    if origin:  # by its id: the name of a model in the zoo may have changed its meaning
        config = dataclasses.replace(config, params={**config.params, "start": origin})
        if (first := _stored(origin)) is not None:
            parts = [
                f"First, the run that its weights start from (`{origin}`):",
                *commands(first),
                "Then the run itself:",
            ]
        else:
            parts = [f"It starts from the weights of `{origin}`, a run that is not kept with this project."]
    lines = [""]
    for part in re.split(" (?=--)", repeat(config).replace(config.dataset, record.data["name"])):
        if len(lines[-1]) + len(part) > WIDTH and lines[-1]:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += " " * bool(lines[-1]) + part
    return [*parts, "\n".join(["```sh", *lines, "```"])]


def _origin(record: RunRecord) -> str | None:
    return next((found[1] for note in record.notes if (found := STARTED.match(note))), None)


def _stored(name: str) -> RunRecord | None:
    """Return the record of a run of a committed sweep, or None: a card does not depend on what else a machine holds."""
    return next((run for folder in paths.sweep_folders() for run in load_records(folder) if run.id == name), None)


def table(heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _format(row: dict, metric: str) -> tuple[str, ...]:
    if not row["file"]:
        return row["what"], "left out", "", "", ""
    size, ms = f"{row['bytes'] / 1e6:.2f} MB", f"{row['ms_p50']:.2f}"
    return row["what"], size, f"{row[metric]:.2%}", f"{row['agreement']:.3%}", ms


def _catalogued(record: RunRecord) -> dict[str, Any]:
    """Return the catalog's row of a record's dataset; {} for a custom dataset."""
    return next((row for row in describe() if row["name"] == record.config.dataset), {})


def _bound(rows: list[dict]) -> str:
    return f"{10.0 ** math.ceil(math.log10(max(rows[0]['largest_difference'], 1e-9))):g}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.2g} seconds"
