"""Say what to see in the figures of a comparison of recognizers."""

from hcrlib.metrics import scores
from hcrlib.records import label
from hcrlib.tasks.recognition.figures import NAMES


def captions(records, best, answers):
    """Return {kind of figure: (title, caption)}, in the order of a report; "leaderboard" is the table.

    records: finished, of one dataset. best: that of them which is the best by validation. answers: its predictions, or None.
    """
    name = label(best, records)
    return {
        "leaderboard": (
            "Leaderboard",
            "The lowest character error rate comes first. CER and WER: characters and words that are wrong, missing or "
            "inserted, relative to their number; accuracy is that of whole texts. No dictionary is used.",
        ),
        "rates": (
            "How much is read wrong?",
            "Left is better; bars are 95 % intervals by bootstrap over lines. Words are wrong more often than characters, "
            "since one wrong character spoils a word.",
        ),
        "learning": (
            "Was training long enough?",
            "Characters read wrong on validation after each epoch, down is better. A curve that still falls at its end calls "
            "for more epochs. Rates above 100 % are drawn as 100 %.",
        ),
        "length": (
            "Are long texts read worse?",
            f"Characters that {name} reads wrong, by the length of the text: intervals that overlap show no trend.",
        ),
        "mistaken": (
            "Which characters are confused?",
            f'Of {name}: true → read. "Nothing" on the right is a character left out, on the left one inserted.'
            + (f" Most frequent: {found}." if (found := _confused(answers)) else ""),
        ),
        "worst": (
            "Which lines are read worst?",
            f"Of {name}: true text → what was read. What a person can read is left to learn.",
        ),
    }


def _confused(answers):
    if answers is None:
        return ""
    found = scores.confusion_counts(answers["predicted"], answers["labels"]).most_common(3)
    return "; ".join(f"{NAMES.get(a, a)} → {NAMES.get(b, b)}, {n} times" for (a, b), n in found)
