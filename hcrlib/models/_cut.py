"""Cut characters that stand apart out of transcribed lines: the shapes that people write outside of forms and boxes.

The text of a line is aligned with what a recognizer sees on its image. Ink that touches no other ink, with what is above and
below it, is an image of a character if that character's place, and no other's, is within it.
"""

import numpy as np

from hcrlib.runtime.line_pipeline import MARGIN, contrast, row, widened

BATCH = 16  # lines that are read at once
CLEAR = 0.5  # least probability of a character, where it is, to the recognizer
PIECE = 0.25  # of a character's height: nearer ink beside it, of which the text says nothing, is a piece of it
LEAST = 8  # rows, and twice as many pixels: what is smaller is a speck
NEAR = 3  # columns: how far outside of its ink the place of a character may be
OVERLAP = 0.25  # of the narrower of two pieces, side by side, of one character
APART = 0.15  # of its height: farthest that another piece is from the largest one, above or below, but for dots
DOTTED = "ij"


def characters_of(lines, reader):
    """Return ([uint8 (h, w)], [str]): images of single characters, ink 255 on 0 and without margins, and what each is.

    lines: hcrlib.datasets.text.Lines. reader: runtime.LineModel; lines with characters that it does not know are left out.
    """
    label_of = {character: label for label, character in enumerate(reader.classes, start=1)}
    known = [at for at, text in enumerate(lines.texts) if text and label_of.keys() >= set(text)]
    images, characters = [], []
    for start in range(0, len(known), BATCH):
        part = lines.take(known[start : start + BATCH])
        for image, text, lp in zip(part.images, part.texts, reader.log_probabilities(part.images), strict=True):
            labels = np.array([label_of[character] for character in text])
            for at, cut in _alone(image, *_places(image, lp, labels, reader.pipeline), text):
                images.append(cut)
                characters.append(text[at])
    return images, characters


def _places(image, lp, labels, pipeline):
    """Return (columns, probabilities), float (n,) each: where the n characters of a text are on an image, and how surely."""
    from hcrlib.decoding.lines import align  # numba

    steps = align(lp.astype(np.float64), labels)
    prepared, scale, added = pipeline.placed(image)
    stride = widened(prepared.shape[1]) / len(lp)
    columns = ((steps.mean(axis=1) + 0.5) * stride - MARGIN) * scale - added
    surely = [
        np.exp(lp[first : last + 1, label].max(initial=-np.inf))
        for (first, last), label in zip(steps, labels, strict=True)
    ]
    return columns, np.where(steps[:, 0] < 0, 0, surely)


def _alone(image, columns, surely, text):
    """Return [(index, uint8 (h, w))] of the characters of a text that stand apart on an image, and their ink."""
    import cv2

    strength = np.rint(255 * row(contrast(image))).astype(np.uint8)
    level, ink = cv2.threshold(strength, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, owner, (_, *boxes), _ = cv2.connectedComponentsWithStats(ink)
    places = np.array([column if character != " " else np.inf for column, character in zip(columns, text, strict=True)])
    stacks = _stacks(np.array(boxes).reshape(-1, 5))
    holds = [np.flatnonzero((places > left - NEAR) & (places < right + NEAR)) for left, right, _ in stacks]
    found = []
    for number, (left, right, members) in enumerate(stacks):
        if len(holds[number]) != 1 or surely[at := int(holds[number][0])] < CLEAR:
            continue
        members = _near(boxes, members, text[at] in DOTTED)
        top, bottom = (f(boxes[m][1] + e * boxes[m][3] for m in members) for f, e in ((min, 0), (max, 1)))
        beside = [n for n in (number - 1, number + 1) if 0 <= n < len(stacks) and not len(holds[n])]
        pieces = any(max(left - stacks[n][1], stacks[n][0] - right) < PIECE * (bottom - top) for n in beside)
        lacks_dot = text[at] in DOTTED and len(members) == 1
        if bottom - top >= LEAST and top > 0 and bottom < len(ink) and not pieces and not lacks_dot:
            here = np.s_[top:bottom, left:right]
            mask = np.isin(owner[here], np.array(members) + 1).astype(np.uint8)
            whole = np.clip(strength[here] * (127.5 / max(level, 1)), 0, 255).astype(np.uint8)
            found.append((at, whole * cv2.dilate(mask, np.ones((3, 3), np.uint8))))
    return found


def _stacks(boxes):
    """Return [(left, right, indices)] of pieces of ink, from the left; those above one another are together."""
    stacks = []
    for at in np.argsort(boxes[:, 0]):
        left, _, width, _, area = boxes[at].tolist()
        if area < 2 * LEAST:
            continue
        if stacks:
            first, end, members = stacks[-1]
            if end - left > OVERLAP * min(width, end - first):
                stacks[-1] = first, max(end, left + width), [*members, int(at)]
                continue
        stacks.append((left, left + width, [int(at)]))
    return stacks


def _near(boxes, members, dotted):
    """Return those of the pieces that belong to the largest one: not parts of other lines, or of a rule."""
    _, top, _, height, _ = max((boxes[m] for m in members), key=lambda box: box[4])
    reach = (1 if dotted else APART) * height
    return [m for m in members if boxes[m][1] < top + height + reach and boxes[m][1] + boxes[m][3] > top - reach]
