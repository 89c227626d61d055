"""The sections of a classifier's model card."""

from collections.abc import Iterator

import numpy as np

from hcrlib.metrics import scores as metrics
from hcrlib.metrics import statistics
from hcrlib.records import RunRecord, load_predictions
from hcrlib.runtime import CharacterModel
from hcrlib.runtime.character_model import ALIKE

METRIC = "accuracy"
OPTION = "--character --model"  # of `hcr read`
SHOWN = 10  # rows of the tables
LIMITS = """
- It returns one of its classes for any image: a character of another alphabet, a blot, two touching characters. An
  answer is shown as "?" if the classes of its shape have less than {threshold:.3g} % together, unless `read` is given another
  threshold.
- It was trained on characters that were cut out, boxed and centered. `read` does the same to any image of one character; it
  cannot read a page.
""".strip()
WRITERS = """
- The writers were employees of the US Census Bureau and American high-school students of about 1990: people elsewhere write
  1, 7 or 9 in other ways.
""".strip()


def summary(model: CharacterModel) -> str:
    """Return what the model reads, in one sentence."""
    return f"{len(model.classes)} classes: {' '.join(model.classes)}"


def results(record: RunRecord, noun: str) -> Iterator[tuple[str, str]]:
    """Yield (name, value) of each measurement."""
    yield (
        "accuracy",
        f"{record.accuracy:.2%}: {record.n_errors:,} miss{'es' * (record.n_errors != 1)} of {record.n_test:,}",
    )
    yield "95 % interval (Wilson)", f"{record.ci_low:.2%} to {record.ci_high:.2%}"
    for name, metric in (
        ("correct class among the first three", "top3_accuracy"),
        ("mean recall of the classes", "balanced_accuracy"),
        ("calibration error (ECE)", "calibration_error"),
        ("accuracy on validation images", "val_accuracy"),
    ):
        value = getattr(record, metric)
        yield name, "not measured" if value is None else f"{value:.2%}"


def confusions(record: RunRecord, noun: str) -> Iterator[tuple[tuple, list[tuple]]]:
    """Yield (heading, rows) of tables: the most frequent confusions, the classes with the lowest recall."""
    predictions, classes = load_predictions(record), record.classes
    counts = metrics.confusion(predictions["labels"], predictions["predicted"], len(classes))
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    most = [np.unravel_index(index, counts.shape) for index in np.argsort(-counts, axis=None, kind="stable")[:SHOWN]]
    most = [(i, j, counts[i, j]) for i, j in most if counts[i, j]]
    rows = [(classes[i], classes[j], f"{n:,}", f"{n / totals[i]:.1%}") for i, j, n in most]
    yield ("written", "read as", "images", "of that class"), rows
    frame = statistics.by_class(predictions, classes).sort_values("recall", kind="stable")
    worst = frame[frame.images > 0].head(min(SHOWN, len(classes) // 2)).itertuples()
    rows = [(row[1], f"{row.recall:.1%}", f"{row.precision:.1%}", f"{row.images:,}") for row in worst]
    yield ("least often found", "recall", "precision", "images"), rows


def limits(model: CharacterModel, is_published: bool) -> str:
    """Return what the model cannot do, as a list. is_published: whether its data are in the catalog."""
    groups = [[name for name in group if name in model.classes] for group in ALIKE]
    named = ", ".join(" ".join(group) for group in groups if len(group) > 1)
    same = f"- Some classes can have the same shape; only neighboring characters tell them apart: {named}."
    parts = [LIMITS.format(threshold=100 * model.unsure_below), WRITERS * is_published, same if named else ""]
    return "\n".join(filter(None, parts))
