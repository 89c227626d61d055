"""The preprocessing pipeline: named steps from uint8 glyphs to the input of a classifier.

The same class serves training, notebooks, the web app and boards. It is fitted to training images only and stored as plain
JSON (`to_dict`). Shapes: images uint8 (n, 28, 28), ink 255; in between float32 (n, 28, 28); out float32
(n, 28, 28) or (n, d) after `hog`.
"""

import numpy as np

from . import image as glyphs


class Pipeline:
    """A list of steps, each a name or {name: {option: value}}; 'scale' comes first, since the others work on [0, 1].

    Raises ValueError for an unknown step or option and for a step in the wrong place.
    """

    def __init__(self, steps=("scale",), learnt=None):
        self.steps = [_parsed(step) for step in steps]
        names = [name for name, _ in self.steps]
        if names[:1] != ["scale"] or "scale" in names[1:]:
            raise ValueError("a pipeline begins with the step 'scale', once; got %s" % names)
        if "hog" in names[:-1]:
            raise ValueError("'hog' turns images into features: it must be the last step, got %s" % names)
        self.learnt = dict(learnt or {})

    def fit(self, images):
        """Learn what steps need (only 'standardize' does) from training images, uint8 (n, 28, 28), and return self."""
        self.learnt = {}
        if any(name in LEARNERS for name, _ in self.steps):
            x = images
            for name, options in self.steps:
                if name in LEARNERS:
                    self.learnt[name] = LEARNERS[name](x)
                x = self._step(x, name, options)
        return self

    def apply(self, images, chunk=4096):
        """Return float32 (n, 28, 28) or (n, d) of uint8 (n, 28, 28). chunk: images at once, to bound the memory."""
        if images.ndim != 3 or images.dtype != np.uint8:
            raise ValueError("expected uint8 images (n, h, w), got %s %s" % (images.dtype, images.shape))
        if len(images) == 0:  # the shape of the features is that of any image's
            return self._chunk(np.zeros((1,) + images.shape[1:], np.uint8))[:0]
        parts = [self._chunk(images[i : i + chunk]) for i in range(0, len(images), chunk)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def to_dict(self):
        """Return plain values for JSON, from which from_dict makes an equal pipeline."""
        return {"steps": [{name: options} if options else name for name, options in self.steps], "learnt": self.learnt}

    @classmethod
    def from_dict(cls, values):
        """Return the pipeline that to_dict described."""
        return cls(values["steps"], values["learnt"])

    def _chunk(self, x):
        for name, options in self.steps:
            x = self._step(x, name, options)
        return np.ascontiguousarray(x, dtype=np.float32)

    def _step(self, x, name, options):
        if name not in LEARNERS:
            return STEPS[name](x, **options)
        if name not in self.learnt:
            raise ValueError("the step '%s' has not been fitted" % name)
        return STEPS[name](x, *self.learnt[name], **options)


def scale(x):
    """Convert pixels 0..255 to float32 in [0, 1]."""
    return x.astype(np.float32) / np.float32(255)


def ink_box(x, box):
    """Return the ink's box scaled to fit box x box, in the middle: MNIST's size normalization, for images that lack it."""
    out = [glyphs.ink_boxed(np.round(one * 255).astype(np.uint8), box) for one in x]
    return np.stack(out).astype(np.float32) / np.float32(255)


def center(x):
    """Move each image by whole pixels so that the center of mass is in the middle."""
    out = [glyphs.centred(np.round(one * 255).astype(np.uint8)) for one in x]
    return np.stack(out).astype(np.float32) / np.float32(255)


def deskew(x):
    """Shear each image upright by second moments (LeCun et al. 1998, section III-A), and center its mass.

    The slant is cov(row, column) / var(row) of the ink; rows are moved by whole and part pixels (linear interpolation).
    """
    n, h, w = x.shape
    rows, columns = np.arange(h, dtype=np.float32), np.arange(w, dtype=np.float32)
    mass = np.maximum(x.sum(axis=(1, 2)), 1e-6)
    by_row = x.sum(axis=2)
    mean_row = by_row @ rows / mass
    mean_column = x.sum(axis=1) @ columns / mass
    from_mean = rows - mean_row[:, None]  # (n, h)
    variance = (by_row * from_mean**2).sum(axis=1) / mass
    covariance = (from_mean * (x @ columns - by_row * mean_column[:, None])).sum(axis=1) / mass
    slant = np.where(variance > 1e-3, covariance / np.maximum(variance, 1e-3), 0.0)
    x = _rows_moved(x, slant[:, None] * from_mean + (mean_column - (w - 1) / 2.0)[:, None])
    down = np.broadcast_to((mean_row - (h - 1) / 2.0)[:, None], (n, w))
    return _rows_moved(x.transpose(0, 2, 1), down).transpose(0, 2, 1)


def blur(x, sigma):
    """Blur with a Gaussian: two products with a 28x28 matrix of weights, whose rows sum to 1."""
    at = np.arange(x.shape[1], dtype=np.float32)
    weights = np.exp(-0.5 * ((at[:, None] - at) / sigma) ** 2)
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights @ x @ weights.T


def standardize(x, mean, deviation):
    """Subtract the mean of all training pixels, and divide by their standard deviation."""
    return (x - np.float32(mean)) / np.float32(deviation)


def hog(x, cell, orientations):
    """Compute histograms of oriented gradients (Dalal and Triggs 2005): unsigned, cells of 4x4, blocks of 2x2, L2-hys.

    (n, 28, 28) to (n, 6 * 6 * 36) = (n, 1296) with the defaults; each pixel's vote is split over two neighboring bins.
    """
    n, h, w = x.shape
    if h % cell or w % cell or min(h, w) < 2 * cell:
        raise ValueError("cells of %d pixels make no 2x2 blocks of %d x %d pixels" % (cell, h, w))
    gy, gx = np.zeros_like(x), np.zeros_like(x)
    gy[:, 1:-1], gx[:, :, 1:-1] = x[:, 2:] - x[:, :-2], x[:, :, 2:] - x[:, :, :-2]
    strength = np.sqrt(gx**2 + gy**2)
    at = np.mod(np.arctan2(gy, gx), np.pi) * np.float32(orientations / np.pi)
    bins = np.empty((n, h // cell, w // cell, orientations), np.float32)
    for k in range(orientations):
        away = np.abs(at - (k + 0.5))
        vote = strength * np.clip(1 - np.minimum(away, orientations - away), 0, 1)
        bins[..., k] = vote.reshape(n, h // cell, cell, w // cell, cell).sum(axis=(2, 4))
    blocks = np.concatenate([bins[:, :-1, :-1], bins[:, :-1, 1:], bins[:, 1:, :-1], bins[:, 1:, 1:]], axis=-1)
    blocks = np.minimum(_unit(blocks), 0.2)
    return _unit(blocks).reshape(n, -1)


def _unit(blocks):
    return blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 1e-6)


def _rows_moved(x, by):
    """Return each row of x (n, h, w) read from `by` (n, h) pixels further right, linearly between pixels, 0 outside."""
    w = x.shape[2]
    at = np.arange(w, dtype=np.float32) + by[:, :, None].astype(np.float32)
    left = np.floor(at)
    part = at - left
    left = left.astype(np.int32) + 1  # the padding on the left
    padded = np.pad(x, ((0, 0), (0, 0), (1, 2)))
    low = np.take_along_axis(padded, np.clip(left, 0, w + 1), axis=2)
    high = np.take_along_axis(padded, np.clip(left + 1, 0, w + 2), axis=2)
    inside = (left >= 0) & (left <= w)
    return np.where(inside, low * (1 - part) + high * part, 0).astype(np.float32)


def _mean_and_deviation(x):
    return [float(x.mean(dtype=np.float64)), max(float(x.std(dtype=np.float64)), 1e-6)]


def _parsed(step):
    """Return (name, options) of 'blur' or {'blur': {'sigma': 1}}."""
    name, options = (step, {}) if isinstance(step, str) else _single(step)
    if name not in STEPS:
        raise ValueError("there is no preprocessing step '%s'; there are: %s" % (name, ", ".join(STEPS)))
    complete = dict(OPTIONS.get(name, {}))
    for option, value in options.items():
        if option not in complete:
            raise ValueError("the step '%s' has no option '%s'" % (name, option))
        kind = type(complete[option])
        if isinstance(value, bool) or not isinstance(value, (int, kind)) or value <= 0:
            wanted = "a whole number" if kind is int else "a number"
            raise ValueError("'%s' of the step '%s' must be %s above 0, got %r" % (option, name, wanted, value))
        complete[option] = kind(value)
    return name, complete


def _single(step):
    if not isinstance(step, dict) or len(step) != 1 or not isinstance(list(step.values())[0] or {}, dict):
        raise ValueError("a step is a name or {name: {option: value}}, got %r" % (step,))
    [(name, options)] = step.items()
    return name, options or {}


STEPS = {f.__name__: f for f in (scale, ink_box, center, deskew, blur, standardize, hog)}
OPTIONS = {"ink_box": {"box": 20}, "blur": {"sigma": 0.7}, "hog": {"cell": 4, "orientations": 9}}  # and their defaults
LEARNERS = {"standardize": _mean_and_deviation}
