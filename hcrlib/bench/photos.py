"""How well single characters are read on photographs: see hcrlib.datasets.photographs, whose second half is read here."""

import numpy as np

import hcrlib
from hcrlib.bench.base import Outcome, bench
from hcrlib.datasets.photographs import photographs
from hcrlib.metrics import scores

MODELS = "best-62", "best-47", "best-letters", "best-digits"
KINDS = {"all": str.isalnum, "digits": str.isdigit, "capitals": str.isupper, "small letters": str.islower}
SAME_SHAPE = {"0": "o", "1": "l", "i": "l"}  # in lower case: what counts as one shape here; a 5 is no S, a 2 no Z


@bench("photos", "How well is one character read on a photograph?")
def photos(request):
    """Read the photographs with each model of characters; "?" is wrong. request.images: the most photographs."""
    outcome = Outcome()
    shown = photographs(start=1)[: request.images]
    for name in MODELS:
        model = hcrlib.load_model(name)
        known = {each.lower() for each in model.classes}
        readings = [(label, _read(model, image)) for label, image in shown if label.lower() in known]
        request.log(f"{name}: {len(readings)} photographs")
        for what, belongs in KINDS.items():
            some = [(label, reading) for label, reading in readings if belongs(label)]
            if some and (what == "all" or len(some) < len(readings)):
                outcome.rows.append({"what": what, "model": name, "characters": len(some), **measured(some)})
    outcome.notes.append(
        "accuracy: in either case, and 0 O o, and 1 I l i, count as one shape; folded: in either case only"
    )
    outcome.notes.append("lost: of the right shapes, those that are answered with '?'")
    outcome.notes.append(
        "lost_at_99: those that a threshold would lose that leaves 99 % right answers among the others"
    )
    return outcome


def measured(readings):
    """Return the measurements of [(label, Reading or None)]."""
    answered = np.array([reading is not None and not reading.unsure for _, reading in readings])
    pairs = [(label.lower(), reading.alternatives[0][0].lower() if reading else "") for label, reading in readings]
    folded = np.array([one == other for one, other in pairs])
    alike = np.array([SAME_SHAPE.get(one, one) == SAME_SHAPE.get(other, other) for one, other in pairs])
    low, high = scores.wilson(int((alike & answered).sum()), len(pairs))
    return {
        "accuracy": float((alike & answered).mean()),
        "ci_low": low,
        "ci_high": high,
        "folded": float((folded & answered).mean()),
        "unsure": float((~answered).mean()),
        "lost": float((alike & ~answered).sum() / max(1, alike.sum())),
        "lost_at_99": _lost(alike, np.array([reading.shape_probability if reading else 0 for _, reading in readings])),
    }


def _lost(right, sure, least=0.99):
    """Return the share of the right answers below the threshold from which on `least` of the answers are right."""
    right = right[np.argsort(-sure, kind="stable")]
    enough = np.flatnonzero(np.cumsum(right) >= least * np.arange(1, len(right) + 1))
    answered = enough[-1] + 1 if len(enough) else 0
    return float(right[answered:].sum() / max(1, right.sum()))


def _read(model, image):
    try:
        return model.read(image)
    except ValueError:  # it is blank
        return None
