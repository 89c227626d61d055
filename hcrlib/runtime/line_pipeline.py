"""Prepare images of words and lines for a recognizer, and decode its output.

Shapes: images are uint8 (h, w), gray, of any size, dark on light; prepared images are float32 (height, width), ink 1 on 0. A
network returns log-probabilities, float32 (steps, k + 1), of the blank (column 0) and the k characters at each time step.
"""

import numpy as np
from PIL import Image

BLANK = 0
HEIGHT = 48  # pixels
SLANTS = range(-30, 50, 5)  # degrees to try
SLOPES = range(-5, 6)  # degrees to try
INK = 0.35  # of the darkest ink: minimum of pixels that determine the slant
FAINT = 0.2  # the same of pixels that determine the row of writing
LEAST = 0.004  # of the width: ink in a line of pixels that is part of a row of writing
SMALL = 32  # rows of the image in which the middle of a line is found
ROUNDS = 3  # times that the middle is estimated
FAR, NEAR = (
    0.35,
    0.2,
)  # of the height: standard deviation of the distances from the middle that count, at first and later
REACH = 5.0  # times the mean distance of ink from the middle of a line
MARGIN = 4  # columns without ink on both sides, as context for convolutions
GRID = 32  # columns: widths are padded to a multiple, so that images share batches


class LinePipeline:
    """A list of steps, each a name or {name: {option: value}}: contrast, row, deslant, straighten, height (the last one).

    ValueError for an unknown step or option and where `contrast` is not first or `height` not last.
    """

    learnt = {}  # as in Pipeline; no step learns

    def __init__(self, steps=("contrast", "deslant", "height")):
        self.steps = [_parsed(step) for step in steps]
        names = [name for name, _ in self.steps]
        if names[:1] != ["contrast"] or names[-1:] != ["height"] or len(set(names)) < len(names):
            raise ValueError("lines need 'contrast' first and 'height' last, once each; got %s" % names)
        self.height = self.steps[-1][1].get("pixels", HEIGHT)

    def fit(self, images):
        """Return self: no step learns."""
        return self

    def apply(self, images):
        """Return a list of float32 (height, width), ink 1, one for each uint8 (h, w)."""
        return [self.prepared(image) for image in images]

    def prepared(self, image):
        """Return float32 (height, width), ink 1, of uint8 (h, w), dark on light. ValueError for another type."""
        return self.placed(image)[0]

    def placed(self, image):
        """Return (prepared(image), scale, left): its column c shows column scale * c - left of the image."""
        if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
            raise ValueError("expected uint8 (h, w), got %s %s" % (image.dtype, image.shape))
        x, scale, left = image, 1.0, 0.0
        for name, options in self.steps:
            width = x.shape[1]
            x = STEPS[name](x, **options)
            if name == "deslant":  # which adds as many columns on both sides
                left = (x.shape[1] - width) / 2.0
            if name == "height":
                scale = width / float(x.shape[1])
        return x, scale, left

    def to_dict(self):
        """Return plain values for JSON, from which from_dict makes an equal pipeline."""
        return {"steps": [{name: options} if options else name for name, options in self.steps], "learnt": {}}

    @classmethod
    def from_dict(cls, values):
        """Return the pipeline that to_dict described."""
        return cls(values["steps"])


def contrast(x):
    """Return float32 (h, w), 0..1: how much darker than the paper a pixel is, the darkest ink 1; all 0 for a blank image."""
    paper, dark = np.percentile(x, [80, 0.5])
    if paper - dark < 8:
        return np.zeros(x.shape, np.float32)
    return np.clip((np.float32(paper) - x) / np.float32(paper - dark), 0, 1).astype(np.float32)


def row(x):
    """Keep one row of writing where rows without ink separate it from others: from labels, rules and cut-off neighbors.

    That is the tallest and longest row, a row that the image's upper or lower edge cuts counting less; parts of less than a
    third of its height close to it, such as accents, stay with it. The rows may slope. Returns the rest of the image with 0 for
    the ink of others, its width unchanged; images that are taller than wide, or of a single row, unchanged.
    """
    tall, wide = x.shape
    rows, columns = np.nonzero(x > FAINT)
    if not len(rows) or tall > wide:
        return x
    slope = np.tan(np.radians(_sharpest(rows, columns - wide / 2.0, SLOPES)))
    level = np.floor(np.arange(tall)[:, None] + slope * (np.arange(wide) - wide / 2.0)).astype(np.int64)
    level -= level.min()
    levels = level[rows, columns]
    bands = _runs(np.bincount(levels) > max(1, LEAST * wide))
    if len(bands) < 2:
        return x
    at_edge = (rows == 0) | (rows == tall - 1)
    sizes = []
    for start, end in bands:
        inside = (levels >= start) & (levels < end)
        inked, cut = (len(np.unique(columns[which])) for which in (inside, inside & at_edge))
        sizes.append(inked * float(end - start) ** 2 * (1 - cut / float(inked)) ** 4)
    top, bottom = _with_accents(bands, int(np.argmax(sizes)))
    kept = (level >= top) & (level < bottom)
    among = np.flatnonzero(kept.any(axis=1))
    return (x * kept)[among[0] : among[-1] + 1]


def deslant(x):
    """Shear the image so that as much ink as possible is in upright columns.

    Source: Vinciarelli and Luettin 2001, "A new normalization technique for cursive handwritten words"; here each column
    counts with the square of its ink.
    """
    rows, columns = np.nonzero(x > INK)
    if not len(rows):
        return x
    middle = x.shape[0] / 2.0
    best = _sharpest(columns, rows - middle, SLANTS)
    if not best:
        return x
    lean = float(np.tan(np.radians(best)))
    wider = int(np.ceil(abs(lean) * x.shape[0]))
    size = (x.shape[1] + wider, x.shape[0])
    shear = (1, -lean, lean * middle - wider / 2.0, 0, 1, 0)  # from a new pixel to an old one
    return np.asarray(Image.fromarray(x).transform(size, Image.AFFINE, shear, Image.BILINEAR))


def straighten(x):
    """Straighten the line and crop it to REACH times the mean distance of its ink from its middle, above and below.

    The middle of each column is the center of the ink around it, found again with what is far away counting less, so that
    strokes of neighboring lines count little; text of one size then has one height, whatever is beside it. Source: Breuel,
    Ul-Hasan, Al-Azawi and Shafait 2013, "High-Performance OCR for Printed English and Fraktur using LSTM Networks", section
    II.B; there the middle is the maximum of the blurred line.
    """
    share = SMALL / float(x.shape[0])
    size = (max(1, int(round(x.shape[1] * share))), SMALL)
    ink = np.asarray(Image.fromarray(x).resize(size, Image.BOX), np.float32)
    if not ink.max() > 0:
        return x
    rows, near, middle = np.arange(SMALL, dtype=np.float32)[:, None], FAR, (SMALL - 1) / 2.0
    for _ in range(ROUNDS):
        weights = ink * ink * np.exp(-0.5 * np.square((rows - middle) / (SMALL * near)))
        count, total = _blurred(weights.sum(axis=0)), _blurred((rows * weights).sum(axis=0))
        faint = 1e-3 * count.max() + 1e-6  # where there is no ink, the middle of the rest
        middle = (total + faint * total.sum() / count.sum()) / (count + faint)
        near = NEAR
    reach = REACH * float((np.abs(rows - middle) * weights).sum() / weights.sum()) / share + 1
    columns = (np.arange(x.shape[1]) + 0.5) * share - 0.5
    middle = (np.interp(columns, np.arange(size[0]), middle) + 0.5) / share - 0.5
    at = middle + np.arange(-reach, reach + 1)[:, None]
    low = np.floor(at).astype(np.int64)
    rest = (at - low).astype(np.float32)
    padded, last = np.pad(x, ((1, 1), (0, 0)), "constant"), x.shape[0] + 1
    low, every = low + 1, np.arange(x.shape[1])
    upper = padded[np.clip(low, 0, last), every]
    return upper + rest * (padded[np.clip(low + 1, 0, last), every] - upper)


def _sharpest(positions, others, angles):
    """Return the angle in degrees at which the sheared `positions + tan(angle) * others` of the ink fall into the fewest bins.

    Each bin counts with the square of its ink; an angle must be 2 % better than a smaller one.
    """
    best, most = 0, -1.0
    for degrees in sorted(angles, key=abs):
        moved = positions + np.tan(np.radians(degrees)) * others
        counts = np.bincount((moved - moved.min()).astype(np.int64))
        gathered = float((counts.astype(np.float64) ** 2).sum())
        if gathered > 1.02 * most:
            best, most = degrees, gathered
    return best


def _runs(mask):
    """Return [(start, end)] of the runs of True in a 1-d array."""
    changes = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(changes[::2], changes[1::2]))


def _with_accents(bands, chosen):
    """Return (top, bottom) of a band, [(start, end)], its small parts above and below, and some of the paper around them."""
    start, end = bands[chosen]
    high = end - start

    def belongs(part, gap):
        return max(part[1] - part[0], gap) < high / 3.0

    first = last = chosen
    while first > 0 and belongs(bands[first - 1], start - bands[first - 1][1]):
        first -= 1
    while last < len(bands) - 1 and belongs(bands[last + 1], bands[last + 1][0] - end):
        last += 1
    top, bottom = bands[first][0] - high // 4, bands[last][1] + high // 4
    if first > 0:
        top = max(top, (bands[first - 1][1] + bands[first][0]) // 2)
    if last < len(bands) - 1:
        bottom = min(bottom, (bands[last][1] + bands[last + 1][0] + 1) // 2)
    return top, bottom


def _blurred(values):
    """Return a 1-d array, blurred by a Gaussian of SMALL elements."""
    around = np.arange(-3 * SMALL, 3 * SMALL + 1)
    return np.convolve(values, np.exp(-0.5 * np.square(around / float(SMALL))), "full")[
        3 * SMALL : len(values) + 3 * SMALL
    ]


def height(x, pixels=HEIGHT):
    """Scale the image to that height, keeping its aspect, at least as wide as a stroke."""
    width = max(4, int(round(x.shape[1] * pixels / float(x.shape[0]))))
    scaled = Image.fromarray(x).resize((width, pixels), Image.BICUBIC if x.shape[0] < pixels else Image.BOX)
    return np.clip(np.asarray(scaled, np.float32), 0, 1)


STEPS = {"contrast": contrast, "row": row, "deslant": deslant, "straighten": straighten, "height": height}
OPTIONS = {"height": ("pixels",)}


def widened(width):
    """Return the number of input columns for an image of that width."""
    return -(-(width + 2 * MARGIN) // GRID) * GRID


def stacked(prepared, width):
    """Return float32 (n, height, width, 1) of prepared images, each after a margin, 0 to its right."""
    out = np.zeros((len(prepared), prepared[0].shape[0], width, 1), np.float32)
    for index, image in enumerate(prepared):
        out[index, :, MARGIN : MARGIN + image.shape[1], 0] = image
    return out


def by_width(prepared, batch, wide=widened):
    """Yield (indices, float32 (n, height, width, 1)): images that share an input width, at most `batch` at once.

    An image's result therefore does not depend on the rest of its batch.
    """
    groups = {}
    for index, image in enumerate(prepared):
        groups.setdefault(wide(image.shape[1]), []).append(index)
    for width in sorted(groups):
        for start in range(0, len(groups[width]), batch):
            indices = groups[width][start : start + batch]
            yield indices, stacked([prepared[index] for index in indices], width)


def log_softmax(logits):
    """Return float32 rows of log-probabilities."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype(np.float32)


def best_path(log_probabilities, classes):
    """Return (text, confidence) of float32 (steps, k + 1): the best label of each step, repeats merged, blanks dropped.

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
        raise ValueError("unknown step '%s' for lines; available: %s" % (name, ", ".join(STEPS)))
    options = dict(options or {})
    unknown = sorted(set(options) - set(OPTIONS.get(name, ())))
    if unknown:
        raise ValueError("'%s' has no option '%s'" % (name, unknown[0]))
    pixels = options.get("pixels", HEIGHT)
    if isinstance(pixels, bool) or not isinstance(pixels, int) or not 16 <= pixels <= 256:
        raise ValueError("'height' takes 16 to 256 pixels, got %r" % (pixels,))
    return name, options
