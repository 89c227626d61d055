"""Recognisers of words and lines among the models to keep: written as ONNX, with golden lines and a card."""

import math
import shutil
from collections import Counter

import numpy as np

from hcrlib import records
from hcrlib.core.provenance import repeat
from hcrlib.datasets import load_text
from hcrlib.export import formats
from hcrlib.models import load_model
from hcrlib.runtime.models import unit_of

GOLDEN = {"words": 8, "lines": 3}  # validation pictures whose answers every engine has to give
CHECKED = 200  # validation pictures that the network in ONNX must answer like the trained one
SHOWN = 8  # rows of the card's table
LIMITS = """
- It reads what is one {unit}, cut out: `hcr read --line` a picture of one, `hcr read` those that it finds on a page.
- Characters that it was not trained on are read as others, or not at all.
- It has learnt how its training texts are spelt, too: words that are spelt otherwise are read less well.
""".strip()


def fill(record, new):
    """Fills a folder with model/, labels.txt and golden.npz; (bytes of model/, largest difference of ONNX's probabilities)."""
    model = new / "model"
    model.mkdir(parents=True)
    fitted = load_model(record.path / "model")
    recogniser, pipeline = fitted.learner, fitted.pipeline
    val = load_text(record.config.dataset, val_seed=record.data["val_seed"]).val
    pictures = pipeline.apply(val.images[:CHECKED])
    expected = formats.probabilities(recogniser, pictures)
    apart = formats.write_onnx_of_lines(recogniser, model / "model.onnx", pictures, expected)
    describe(new, record, val, expected)
    return sum(file.stat().st_size for file in model.rglob("*") if file.is_file()), apart


def describe(folder, record, val, expected):
    """Writes model.json, labels.txt and golden.npz. expected: the trained network's probabilities, of val's first lines."""
    shutil.copy(record.path / "model/model.json", folder / "model/model.json")
    (folder / "labels.txt").write_text("\n".join(record.classes) + "\n", encoding="utf-8")
    golden = {}
    for at, image in enumerate(val.images[: GOLDEN[unit_of(folder / "model")]]):
        text = np.array(formats.best_text(expected[at], record.classes))
        golden |= {f"image-{at}": image, f"scores-{at}": expected[at], f"text-{at}": text}
    np.savez_compressed(folder / "golden.npz", **golden)


def card(name, record, size, apart, source=None):
    """The model's card, Markdown. size: of model.onnx or model/, in bytes; apart, source: see zoo.card."""
    unit = unit_of(record.path / "model").rstrip("s")
    bound = 10.0 ** math.ceil(math.log10(max(apart, 1e-9)))
    parts = [
        f"# {name}",
        f"{record.config.classifier}, {record.n_parameters:,} parameters, {size / 1e6:.2f} MB, ONNX (opset {formats.OPSET}), "
        f"probabilities within {bound:g} of the trained network's. It reads {unit}s of {len(record.classes)} characters: "
        f"`{''.join(record.classes)}`",
        f'```python\nimport hcrlib\nhcrlib.load_model("{source or name}").read("a-{unit}.png")\n```',
        "## Data",
        f"{record.data['name']}: {record.n_train:,} {unit}s to train on, {record.n_val:,} to choose by, {record.n_test:,} to "
        f"test. Test {unit}s: sha256 {record.data['test_sha256'][:12]}.",
        listed(record.data["notes"]),
        "## Protocol",
        f"Every choice was made by the validation {unit}s; the test split was read once, after it. Seed {record.config.seed}; "
        f"{duration(record.fit_s)} on {record.provenance.get('cores', '?')} cores "
        f"({record.provenance.get('cpu') or 'unknown processor'}).",
        f"```\n{repeat(record.config).replace(record.config.dataset, record.data['name'])}\n```",
        listed(record.notes),
        "## Figures",
        "Greedy decoding (best path), 95 % intervals in brackets.",
        table(("figure", "value"), _figures(record, unit)),
        "## Confusions",
        table(("written", "read as", f"{unit}s"), _confusions(record)),
        "## Limits",
        LIMITS.format(unit=unit),
        "## Licence",
        "The model is under the project's licence (MIT), its training pictures under their own, above.",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _figures(record, unit):
    yield "character error rate", f"{record.cer:.2%} ({record.cer_low:.2%} to {record.cer_high:.2%})"
    yield "word error rate", f"{record.wer:.2%} ({record.wer_low:.2%} to {record.wer_high:.2%})"
    yield f"{unit}s without an error", f"{record.accuracy:.2%} ({record.ci_low:.2%} to {record.ci_high:.2%})"
    yield "character error rate on validation", f"{record.val_cer:.2%}"


def _confusions(record):
    answers = records.load_predictions(record)
    pairs = zip(answers["labels"].tolist(), answers["predicted"].tolist(), strict=True)
    wrong = Counter((truth, said) for truth, said in pairs if truth != said)
    for (truth, said), n in wrong.most_common(SHOWN):
        yield truth, said or "(nothing)", f"{n:,}"


def table(heading, rows):
    """A table in Markdown."""
    rows = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows)


def listed(lines):
    """A list in Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def duration(seconds):
    """How long it took to fit, in words."""
    return f"fitted in {seconds / 60:.1f} minutes" if seconds >= 60 else f"fitted in {seconds:.2g} seconds"
