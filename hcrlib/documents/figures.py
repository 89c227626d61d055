"""What page reading does, as pictures: each step of cleaning, the layout, and what may be characters in a word."""

import cv2
import numpy as np
from matplotlib.figure import Figure

from hcrlib.documents import character_segmentation, cleaning
from hcrlib.documents.containers import around

WORD, LINE = (0, 114, 178), (230, 159, 0)  # RGB; Okabe and Ito
SHOWN = 1000  # pixels of a picture's longer side: more is not seen


def steps(image):
    """[(what was done, picture)] of uint8 (h, w, 3), RGB: each step of `clean.cleaned`, and the ink thinned."""
    pictures = []
    found = cleaning.cleaned(image, seen=lambda name, picture: pictures.append((name, picture)))
    return [*pictures, ("thinned", ~cleaning.thinned(found.ink))]


def with_layout(image, found):
    """uint8 (h, w, 3): the picture with frames around the lines (orange) and words (blue) of a Layout."""
    out, thick = image.copy(), max(1, max(image.shape) // 700)
    for row in found.rows:
        cv2.rectangle(out, row.box[:2], row.box[2:], LINE, thick)
        for word in row.words:
            box = around(s.box for s in word)
            cv2.rectangle(out, box[:2], box[2:], WORD, thick)
    return out


def gallery(pictures, columns=4, width=10):
    """Axes of pictures side by side, [(title, picture)]; the first of them, for plots.keep."""
    pictures = [(title, np.asarray(picture)) for title, picture in pictures]
    rows = -(-len(pictures) // columns)
    tall = max(one.shape[0] / one.shape[1] for _, one in pictures)
    figure = Figure(figsize=(width, rows * (0.3 + width / columns * tall)), layout="constrained", facecolor="white")
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, (title, picture) in zip(axes, pictures, strict=False):
        share = SHOWN / max(picture.shape[:2])
        values = picture.astype(np.uint8) * (255 if picture.dtype == bool else 1)
        if share < 1:
            values = cv2.resize(values, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        ax.imshow(values, cmap="gray", vmin=0, vmax=255)
        ax.set_title(title, fontsize=9)
    return axes[0]


def hypotheses(reader, cleaned, found, word):
    """(uint8 (n, 28, 28), captions) of all that may be characters in a word of a Layout, with the first answer to each."""
    parts = character_segmentation.pieces(
        word, found.height, found.slant, character_segmentation.pen_width(cleaned.ink)
    )
    runs = [parts[i:j] for i, j in character_segmentation.spans(parts, found.height)]
    glyphs = np.stack([character_segmentation.glyph(run, 255 - cleaned.grey, reader.model.frame) for run in runs])
    shares, whole = reader.characters.alphabet.probabilities(reader.model.scores(glyphs))
    best = shares.argmax(axis=1)
    return glyphs, [f"{reader.characters.alphabet.texts[c]} {whole[n] * shares[n, c]:.0%}" for n, c in enumerate(best)]


def falls(ax, rows):
    """Error rates and boxes found of each look: {name: (CER, {level: Found})}, the easiest first."""
    names = sorted(rows, key=lambda name: rows[name][0])
    places = np.arange(len(names))
    ax.plot([rows[name][0] for name in names], places, "o", color="#d55e00", label="characters wrong (CER)")
    for level, mark, tone in (("words", "s", "#0072b2"), ("characters", "^", "#009e73")):
        ax.plot(
            [1 - rows[name][1][level].f1 for name in names], places, mark, color=tone, label=f"{level}' boxes: 1 - F1"
        )
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    ax.set_xlim(left=-0.005)
    ax.grid(axis="x", alpha=0.3)
    ax.set(xlabel="share", title="What each degradation costs")
    ax.legend()
    return ax
