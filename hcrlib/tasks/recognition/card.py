"""The sections of a recognizer's model card."""

from collections import Counter
from collections.abc import Iterator

from hcrlib.records import RunRecord, load_predictions
from hcrlib.runtime import LineModel

METRIC = "character error rate"
OPTION = "--recognizer"  # of `hcr read`
SHOWN = 8  # rows of the table
LIMITS = """
- It reads an image of one {noun}, cut out: `hcr read --line` reads such an image, `hcr read` those that it finds on a page.
- Characters that it was not trained on are read as others, or not at all.
- It has also learned the spelling of its training texts: words that are spelt differently are read less well.
""".strip()


def summary(model: LineModel) -> str:
    """Return what the model reads, in one sentence."""
    return f"It reads {model.unit} of {len(model.classes)} characters: `{''.join(model.classes)}`"


def results(record: RunRecord, noun: str) -> Iterator[tuple[str, str]]:
    """Yield (name, value) of each measurement: greedy decoding (best path), 95 % intervals in brackets."""
    yield "character error rate", f"{record.cer:.2%} ({record.cer_low:.2%} to {record.cer_high:.2%})"
    yield "word error rate", f"{record.wer:.2%} ({record.wer_low:.2%} to {record.wer_high:.2%})"
    yield f"{noun}s without an error", f"{record.accuracy:.2%} ({record.ci_low:.2%} to {record.ci_high:.2%})"
    yield "character error rate on validation", f"{record.val_cer:.2%}"
    yield "decoding", "greedy (best path)"


def confusions(record: RunRecord, noun: str) -> Iterator[tuple[tuple, list[tuple]]]:
    """Yield (heading, rows) of one table: the texts that are most often read as another."""
    predictions = load_predictions(record)
    pairs = zip(predictions["labels"].tolist(), predictions["predicted"].tolist(), strict=True)
    wrong = Counter((reference, text) for reference, text in pairs if reference != text)
    rows = [(reference, text or "(nothing)", f"{n:,}") for (reference, text), n in wrong.most_common(SHOWN)]
    yield ("written", "read as", f"{noun}s"), rows


def limits(model: LineModel, is_published: bool) -> str:
    """Return what the model cannot do, as a list."""
    return LIMITS.format(noun=model.unit[:-1])
