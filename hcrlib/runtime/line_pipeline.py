"""Pictures of words and lines as a recogniser takes them, and its answers as text.

Shapes: a picture is uint8 (h, w), grey, of any size, dark on light; prepared it is float32 (height, width), ink 1 on 0. A
network answers log-probabilities, float32 (steps, k + 1), of the blank (column 0) and the k characters at each time step.
"""

import numpy as np
from PIL import Image

BLANK = 0
HEIGHT = 48  # pixels
SLANTS = range(-30, 50, 5)  # degrees that are tried
INK = 0.35  # of the darkest: from here on a pixel counts for the slant
MARGIN = 4  # columns without ink on both sides: a network that looks around itself needs some
GRID = 32  # columns: pictures are widened to a multiple, so that several fit into one batch


class LinePipeline:
    """A list of steps, each a name or {name: {option: value}}: contrast, deslant, height (the last one).

    ValueError for an unknown step or option and where `contrast` is not first or `height` not last.
    """

    learnt = {}  # nothing is: see Pipeline

    def __init__(self, steps=("contrast", "deslant", "height")):
        self.steps = [_parsed(step) for step in steps]
        names = [name for name, _ in self.steps]
        if names[:1] != ["contrast"] or names[-1:] != ["height"] or len(set(names)) < len(names):
            raise ValueError("lines are prepared by 'contrast' first and 'height' last, once each; got %s" % names)
        self.height = self.steps[-1][1].get("pixels", HEIGHT)

    def fit(self, images):
        """Itself: no step learns."""
        return self

    def apply(self, images):
        """A list of float32 (height, width), ink 1, of uint8 (h, w) each."""
        return [self.prepared(image) for image in images]

    def prepared(self, image):
        """float32 (height, width), ink 1, of uint8 (h, w), dark on light. ValueError for an empty one or another type."""
        if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
            raise ValueError("expected uint8 (h, w), got %s %s" % (image.dtype, image.shape))
        x = image
        for name, options in self.steps:
            x = STEPS[name](x, **options)
        return x

    def to_dict(self):
        """Plain values for JSON; from_dict makes an equal pipeline of them."""
        return {"steps": [{name: options} if options else name for name, options in self.steps], "learnt": {}}

    @classmethod
    def from_dict(cls, values):
        """The pipeline that to_dict described."""
        return cls(values["steps"])


def contrast(x):
    """float32 (h, w), 0..1: how much darker than the paper a pixel is, the darkest ink 1; all 0 for a blank picture."""
    paper, dark = np.percentile(x, [80, 0.5])
    if paper - dark < 8:
        return np.zeros(x.shape, np.float32)
    return np.clip((np.float32(paper) - x) / np.float32(paper - dark), 0, 1).astype(np.float32)


def deslant(x):
    """The picture sheared until as much ink as can be stands in upright columns.

    Source: Vinciarelli and Luettin 2001, "A new normalization technique for cursive handwritten words"; here every column
    counts by the square of its ink.
    """
    rows, columns = np.nonzero(x > INK)
    if not len(rows):
        return x
    middle = x.shape[0] / 2.0
    best, most = 0, -1.0
    for degrees in sorted(SLANTS, key=abs):  # of two that are as good, the smaller one
        moved = columns + np.tan(np.radians(degrees)) * (rows - middle)
        counts = np.bincount((moved - moved.min()).astype(np.int64))
        upright = float((counts.astype(np.float64) ** 2).sum())
        if upright > 1.02 * most:
            best, most = degrees, upright
    if not best:
        return x
    lean = float(np.tan(np.radians(best)))
    wider = int(np.ceil(abs(lean) * x.shape[0]))
    size = (x.shape[1] + wider, x.shape[0])
    shear = (1, -lean, lean * middle - wider / 2.0, 0, 1, 0)  # from a new pixel to an old one
    return np.asarray(Image.fromarray(x).transform(size, Image.AFFINE, shear, Image.BILINEAR))


def height(x, pixels=HEIGHT):
    """The picture scaled to that height, its aspect kept, at least as wide as a stroke."""
    width = max(4, int(round(x.shape[1] * pixels / float(x.shape[0]))))
    scaled = Image.fromarray(x).resize((width, pixels), Image.BICUBIC if x.shape[0] < pixels else Image.BOX)
    return np.clip(np.asarray(scaled, np.float32), 0, 1)


STEPS = {"contrast": contrast, "deslant": deslant, "height": height}
OPTIONS = {"height": ("pixels",)}


def widened(width):
    """How many columns a picture of that width is given to a network with."""
    return -(-(width + 2 * MARGIN) // GRID) * GRID


def stacked(prepared, width):
    """float32 (n, height, width, 1) of prepared pictures, each after a margin, 0 to its right."""
    out = np.zeros((len(prepared), prepared[0].shape[0], width, 1), np.float32)
    for at, one in enumerate(prepared):
        out[at, :, MARGIN : MARGIN + one.shape[1], 0] = one
    return out


def by_width(prepared, batch, wide=widened):
    """Yields (indices, float32 (n, height, width, 1)): pictures that are given the same width, at most `batch` at once.

    What is answered to a picture does so not depend on the others it is asked with.
    """
    groups = {}
    for at, one in enumerate(prepared):
        groups.setdefault(wide(one.shape[1]), []).append(at)
    for width in sorted(groups):
        for start in range(0, len(groups[width]), batch):
            some = groups[width][start : start + batch]
            yield some, stacked([prepared[at] for at in some], width)


def best_path(log_probabilities, classes):
    """(text, confidence) of float32 (steps, k + 1): the best label of each step, repeats merged, blanks dropped.

    Source: Graves et al. 2006, section 3.2. confidence: the least probable character's, 0..1; 1 for an empty text.
    """
    labels = log_probabilities.argmax(axis=1)
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    text, least = [], 0.0
    for start, end in zip(starts, np.append(starts[1:], len(labels))):
        if labels[start] != BLANK:
            text.append(classes[labels[start] - 1])
            least = min(least, float(log_probabilities[start:end, labels[start]].max()))
    return "".join(text), float(np.exp(least))


def _parsed(step):
    name, options = (step, {}) if isinstance(step, str) else next(iter(dict(step).items()), ("", {}))
    if name not in STEPS or (isinstance(step, dict) and len(step) != 1):
        raise ValueError("there is no step '%s' for lines; there are: %s" % (name, ", ".join(STEPS)))
    options = dict(options or {})
    unknown = sorted(set(options) - set(OPTIONS.get(name, ())))
    if unknown:
        raise ValueError("'%s' has no option '%s'" % (name, unknown[0]))
    pixels = options.get("pixels", HEIGHT)
    if isinstance(pixels, bool) or not isinstance(pixels, int) or not 16 <= pixels <= 256:
        raise ValueError("'height' takes 16 to 256 pixels, got %r" % (pixels,))
    return name, options
