"""Figures of page reading: the steps of cleaning, the layout, and the character hypotheses of a word."""

import cv2
import numpy as np
from matplotlib.figure import Figure

from hcrlib.documents import character_segmentation, cleaning
from hcrlib.documents.containers import around

WORD, LINE = (0, 114, 178), (230, 159, 0)  # RGB; Okabe and Ito
SHOWN = 1000  # pixels of an image's longer side, enough for display


def steps(image):
    """Return [(name, image)] of each step of `cleaning.cleaned` on `image`, uint8 (h, w, 3), RGB, and the thinned ink."""
    images = []
    cleaned = cleaning.cleaned(image, seen=lambda name, step: images.append((name, step)))
    return [*images, ("thinned", ~cleaning.thinned(cleaned.ink))]


def with_layout(image, found):
    """Return the image, uint8 (h, w, 3), with frames around the lines (orange) and words (blue) of the Layout `found`."""
    out, thick = image.copy(), max(1, max(image.shape) // 700)
    for row in found.rows:
        cv2.rectangle(out, row.box[:2], row.box[2:], LINE, thick)
        for word in row.words:
            box = around(s.box for s in word)
            cv2.rectangle(out, box[:2], box[2:], WORD, thick)
    return out


def gallery(images, columns=4, width=10):
    """Show [(title, image)] side by side and return the first axes."""
    images = [(title, np.asarray(image)) for title, image in images]
    rows = -(-len(images) // columns)
    tall = max(image.shape[0] / image.shape[1] for _, image in images)
    figure = Figure(figsize=(width, rows * (0.3 + width / columns * tall)), layout="constrained", facecolor="white")
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, (title, image) in zip(axes, images, strict=False):
        share = SHOWN / max(image.shape[:2])
        values = image.astype(np.uint8) * (255 if image.dtype == bool else 1)
        if share < 1:
            values = cv2.resize(values, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        ax.imshow(values, cmap="gray", vmin=0, vmax=255)
        ax.set_title(title, fontsize=9)
    return axes[0]


def hypotheses(reader, cleaned, found, word):
    """Return images, uint8 (n, 28, 28), and captions of all character hypotheses of a word, with the best class of each."""
    pen = character_segmentation.pen_width(cleaned.ink)
    parts = character_segmentation.pieces(word, found.height, found.slant, pen)
    runs = [parts[i:j] for i, j in character_segmentation.spans(parts, found.height)]
    glyphs = np.stack([character_segmentation.glyph(run, 255 - cleaned.grey, reader.model.frame) for run in runs])
    shares, whole = reader.characters.alphabet.probabilities(reader.model.scores(glyphs))
    best = shares.argmax(axis=1)
    return glyphs, [f"{reader.characters.alphabet.texts[c]} {whole[n] * shares[n, c]:.0%}" for n, c in enumerate(best)]


def falls(ax, rows):
    """Plot the error rates and boxes of each degradation, {name: (CER, {level: Found})}, the easiest first."""
    names = sorted(rows, key=lambda name: rows[name][0])
    places = np.arange(len(names))
    ax.plot([rows[name][0] for name in names], places, "o", color="#d55e00", label="characters wrong (CER)")
    for level, mark, tone in (("words", "s", "#0072b2"), ("characters", "^", "#009e73")):
        missed = [1 - rows[name][1][level].f1 for name in names]
        ax.plot(missed, places, mark, color=tone, label=f"{level}' boxes: 1 - F1")
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    ax.set_xlim(left=-0.005)
    ax.grid(axis="x", alpha=0.3)
    ax.set(xlabel="share", title="What each degradation costs")
    ax.legend()
    return ax
