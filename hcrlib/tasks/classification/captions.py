"""Say what to see in the figures of a comparison of classifiers."""

import numpy as np

from hcrlib.metrics import scores, statistics
from hcrlib.records import label
from hcrlib.tasks.classification.figures import confusions


def captions(records, best, answers):
    """Return {kind of figure: (title, caption)}, in the order of a report; "leaderboard" is the table.

    records: finished, of one dataset. best: that of them which is the best by validation. answers: its predictions, or None.
    """
    name = label(best, records)
    readers = [record for record in records if record.config.classifier != "dummy"] or records
    beside = " apart from dummy" if len(readers) < len(records) else ""  # which ignores the image
    fastest = min(readers, key=lambda record: record.fit_s)
    quickest = min(readers, key=lambda record: record.predict_us_per_image)
    return {
        "leaderboard": (
            "Leaderboard",
            "The most accurate comes first. The 95 % interval shows where the accuracy on infinitely many such images may lie. "
            "Balanced: mean over classes; top-3: the label is among the three highest scores; ECE: how far scores are from "
            "being probabilities; val: on the validation images, by which the best is chosen.",
        ),
        "versus": (
            "Who gets more images right?",
            "Each cell: by how many images its row is ahead of its column, and Holm's p. Blue: significantly better; orange: "
            "significantly worse; gray: no evidence of a difference.",
        ),
        "fit": (
            "Accuracy and time to train",
            f"Up is better, left is cheaper; bars are 95 % intervals. {label(fastest, records)} trains fastest{beside}, in "
            f"{fastest.fit_s:.3g} s, and {100 * fastest.accuracy:.2f} % of its answers are right.",
        ),
        "predict": (
            "Accuracy and time to predict",
            "Up is better, left is cheaper, with all test images at once and preprocessing included. "
            f"{label(quickest, records)} is the fastest{beside}: {quickest.predict_us_per_image:.3g} µs per image.",
        ),
        "confusion": (
            "Which classes are confused?",
            f"Answers of {name}: rows are true classes, columns predicted ones, and the diagonal holds the right answers."
            + (f" Most frequent: {found}." if (found := _confused(best, answers)) else ""),
        ),
        "classes": (
            "Are all classes read equally well?",
            "Low recall: the class is taken for others; low precision: others are taken for it."
            + (f" Hardest for {name}: {found}." if (found := _hardest(best, answers)) else ""),
        ),
        "reliability": (
            "How far can a score be trusted?",
            "On the dashed line, scores are probabilities; below it a classifier is overconfident, above it underconfident."
            + _calibrated(records),
        ),
        "rejection": (
            "What does rejecting uncertain images gain?",
            'If the least certain answers are replaced by "?", the others are right more often, the more the steeper the curve.'
            + _rejected(name, answers),
        ),
        "mistakes": (
            "The most confident mistakes",
            f"Of {name}: true class → answer, and its probability. What a person can read is left to learn; a few labels may "
            "be wrong.",
        ),
        "learning": (
            "Was training long enough?",
            "Solid: validation, dotted: training images. A solid line that still rises at its end calls for more epochs; one "
            "that falls while the dotted one rises indicates overfitting. Methods without epochs are not shown.",
        ),
    }


def _confused(best, answers):
    if answers is None:
        return ""
    return "; ".join(
        confusions(scores.confusion(answers["labels"], answers["predicted"], len(best.classes)), best.classes, 3)
    )


def _hardest(best, answers):
    if answers is None:
        return ""
    rows = statistics.by_class(answers, best.classes).query("images > 0 and recall < 1").nsmallest(3, "recall")
    return ", ".join(f"{row['class']} (recall {100 * row.recall:.1f} %)" for _, row in rows.iterrows())


def _calibrated(records):
    known = [
        record for record in records if record.calibration_error is not None and record.config.classifier != "dummy"
    ]
    if len(known) < 2:
        return ""
    ends = (pick(known, key=lambda record: record.calibration_error) for pick in (min, max))
    least, most = (f"{label(record, records)} (ECE {100 * record.calibration_error:.1f} %)" for record in ends)
    return f" Closest to it: {least}; farthest: {most}."


def _rejected(name, answers, share=0.1):
    if answers is None:
        return ""
    table = statistics.rejection(answers)
    kept = table[table.rejected <= share + 1e-9]
    before, after = table.accuracy.iloc[-1], kept.accuracy.iloc[0]
    if not (rejected := np.round(100 * kept.rejected.iloc[0], 1)):
        return ""
    return f" {name} without its least certain {rejected:g} %: {100 * after:.2f} % instead of {100 * before:.2f} %."
