"""RapidOCR's networks (PP-OCR, run by ONNX Runtime): find text in photos of walls, signs and screens, and read words.

Needs the extra: pip install 'hcrlib[photos]'; the models are in its wheel. The detector serves the same purpose as EAST (Zhou
et al. 2017); the recognizer is a convolutional network with CTC, pretrained on print and handwriting.
"""

import functools
import logging

import numpy as np

from hcrlib.core.errors import ConfigError
from hcrlib.documents.containers import Box


@functools.cache
def _engine():
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise ConfigError("rapidocr is not installed", hint="pip install 'hcrlib[photos]'") from error
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    return RapidOCR(params={"Global.log_level": "error"})


def _result(image, detect=False, classify=False, recognize=False):
    """Return the engine's result. It keeps the settings of its last call, so that all three are passed."""
    pixels = np.ascontiguousarray(image[..., ::-1])
    return _engine()(pixels, use_det=detect, use_cls=classify, use_rec=recognize)


def regions(image):
    """Return the Box of each line of text detected in `image`, uint8 (h, w, 3), RGB."""
    detection = _result(image, detect=True)
    corners = [] if detection.boxes is None else np.asarray(detection.boxes)
    return [
        Box(*np.floor(c.min(axis=0)).astype(int).tolist(), *np.ceil(c.max(axis=0)).astype(int).tolist())
        for c in corners
    ]


def text(image):
    """Return (text, confidence 0..1) of the word or line in `image`, uint8 (h, w, 3), RGB; ("", 0.0) for no text."""
    read = _result(image, recognize=True)
    if not read.txts:
        return "", 0.0
    return read.txts[0].strip(), float(read.scores[0])


def page(image):
    """Return the text of a whole page as RapidOCR alone reads it, lines from top to bottom, as a baseline."""
    read = _result(image, detect=True, classify=True, recognize=True)
    if read.boxes is None:
        return ""
    corners = np.asarray(read.boxes)
    rows, height = [], np.median(np.ptp(corners[..., 1], axis=1))
    lefts, middles = corners[..., 0].min(axis=1), corners[..., 1].mean(axis=1)
    for n in np.argsort(middles, kind="stable"):
        if not rows or middles[n] - rows[-1][0] > 0.5 * height:
            rows.append((middles[n], []))
        rows[-1][1].append((lefts[n], read.txts[n]))
    return "\n".join(" ".join(words for _, words in sorted(row)) for _, row in rows)
