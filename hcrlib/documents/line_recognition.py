"""Words and lines of a page read as wholes, by one of our own recognisers (CRNN with CTC)."""

from hcrlib.core.errors import DataError
from hcrlib.documents.containers import Box, Line, Word, around

MARGIN = 0.35  # of the writing's height, around what is cut out
BATCH = 64  # words or lines at once: bounds the memory


def lines(model, grey, found, unsure_below=0.0):
    """(Line, ...) of a Layout. model: a LineModel. grey: uint8 (h, w), evened. unsure_below: the confidence of "?".

    DataError for a word or a line that is wider than the network takes.
    """
    rows = [[around(stroke.box for stroke in word) for word in row.words] for row in found.rows]
    of_words = model.unit == "words"
    boxes = [box for row in rows for box in row] if of_words else [around(row) for row in rows]
    crops = [_cut(grey, box, round(MARGIN * found.height)) for box in boxes]
    said = [one for at in range(0, len(crops), BATCH) for one in _readings(model, crops[at : at + BATCH])]
    read = iter(zip(boxes, said, strict=True))
    out = []
    for row, boxes_of_row in zip(found.rows, rows, strict=True):
        if of_words:
            words = [_word(*next(read), unsure_below) for _ in boxes_of_row]
        else:
            words = _words(*next(read), boxes_of_row, unsure_below)
        out.append(Line(tuple(words), around(word.box for word in words), row.column))
    return tuple(out)


def _cut(grey, box, margin):
    top, left = max(0, box.top - margin), max(0, box.left - margin)
    return grey[top : box.bottom + margin, left : box.right + margin]


def _readings(model, crops):
    try:
        return model.readings(crops)
    except ValueError as error:
        what = f"This page's {model.unit} are not what the recogniser takes: {error}"
        raise DataError(what, hint="Take another recogniser") from error


def _word(box, one, unsure_below):
    text = "".join(one.text.split()) if one.confidence >= unsure_below else ""
    return Word(text or "?", box, one.confidence)


def _words(box, one, found, unsure_below):
    """The Words of a line that was read as a whole, in the boxes that were found, or where they are likely to be."""
    texts = one.text.split() if one.confidence >= unsure_below else []
    if not texts:
        return [Word("?", box, one.confidence)]
    if len(texts) == len(found):
        return [Word(text, own, one.confidence) for text, own in zip(texts, found, strict=True)]
    words, at, total = [], 0, len(" ".join(texts))
    for text in texts:
        left, right = (box.left + round(box.width * place / total) for place in (at, at + len(text)))
        words.append(Word(text, Box(left, box.top, right, box.bottom), one.confidence))
        at += len(text) + 1
    return words
