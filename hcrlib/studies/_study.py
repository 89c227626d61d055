"""What all studies share: their runs, the folder of what they find, and what is measured of a trained model once."""

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hcrlib.core.code_hash import files_sha256
from hcrlib.core.errors import RunError
from hcrlib.core.fileio import write_text
from hcrlib.notebook import tables
from hcrlib.plotting import style
from hcrlib.records import RunRecord, label
from hcrlib.sweeps import plan


@dataclass(frozen=True)
class Study:
    """The finished runs of a study, and where its answer, tables and figures are written."""

    question: str
    runs: list[RunRecord]
    folder: Path

    def name(self, run: RunRecord) -> str:
        """Return the name of a run's configuration among the runs of the study."""
        return label(run, self.runs)

    def answer(self, text: str) -> Any:
        """Return the answer as Markdown for a notebook, below the question; also write it to answer.md."""
        from IPython.display import Markdown

        text = f"**{self.question}** {text}"
        write_text(self.folder / "answer.md", text + "\n")
        return Markdown(text)

    def table(self, frame: pd.DataFrame, name: str, **options: Any) -> Any:
        """Return a DataFrame as a table for a notebook; also write it to tables/<name>.csv. options: as of `tables.grid`."""
        write_text(self.folder / f"tables/{name}.csv", frame.to_csv(index=False, float_format="%.6g"))
        return tables.grid(frame, **{"floatfmt": ".2f", **options})

    def figure(self, ax: Axes, name: str) -> Any:
        """Return a figure as an image for a notebook; also write it to figures/<name>.png."""
        return style.save(ax, self.folder / f"figures/{name}.png")


def begin(sweep: str | Path, smoke: bool = False) -> Study:
    """Execute the missing runs of a study's file and return the Study. smoke: the runs of its smoke test.

    Raises RunError, with the reason, if a run has failed or was skipped: what a study states is of all of its runs.
    """
    made = plan.ensure(sweep, smoke)
    known = plan.load(sweep, smoke)
    if rest := sorted((run for run in made if run.status != "finished"), key=lambda run: run.status != "failed"):
        what = f"{len(rest)} {'run' if len(rest) == 1 else 'runs'} of the study did not finish"
        hint = f"hcr sweep {sweep} --rerun-failed" if rest[0].status == "failed" else None
        raise RunError(what, where=rest[0].config.id, got=f"{rest[0].status}: {rest[0].reason}", hint=hint)
    return Study(known.question, made, known.folder)


def measured(run: RunRecord, settings: dict, measure: Callable[[RunRecord, dict], list[dict]]) -> list[dict]:
    """Return measure(run, settings), rows of plain values, or what it returned for this model earlier by the same code.

    The rows are kept beside the run, so that an interrupted study continues where it was. settings: plain values, which hold
    whatever else the rows depend on, such as the hashes of other data than the run's. measure: a function of hcrlib or a
    plug-in, all of whose code counts; of another one its own source does.
    """
    made_from = json.dumps([run.to_dict(), settings, files_sha256(), inspect.getsource(measure)], sort_keys=True)
    key = hashlib.sha256(made_from.encode()).hexdigest()[:12]
    path = run.path / "measured" / f"{measure.__name__}-{key}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not measured yet, or the file is damaged
        rows = measure(run, settings)
        write_text(path, json.dumps(rows))
        return rows


def change(points: float, digits: int = 2) -> str:
    """Return how an accuracy changes by some points: "gains 0.50 points", "costs 0.50 points" or "changes nothing"."""
    points = round(points, digits)
    return f"{'costs' if points < 0 else 'gains'} {abs(points):.{digits}f} points" if points else "changes nothing"


def accuracy(model: Any, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images, uint8 (n, 28, 28), for which a model's most probable class is the label, int (n,)."""
    return float((model.scores(images).argmax(axis=1) == labels).mean())
