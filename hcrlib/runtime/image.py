"""Convert a path, bytes, a PIL image or an array to pixels, and frame the ink of a character as datasets do.

MNIST's own recipe (LeCun, Cortes, Burges, "The MNIST database", section on the original NIST images): the ink's box is scaled
into 20x20 keeping its aspect, then placed in 28x28 with its center of mass in the middle. EMNIST's recipe (Cohen et al. 2017,
II-A): the box is scaled into 24x24 and placed in the middle. Images should be framed like those that the model was trained on.
"""

import numpy as np
from PIL import Image

from . import pictures

SIDE = 28
BOX = 20
FRAMES = "mnist", "emnist"
EMNIST_BOX = 24  # 28 less the 2 pixels that are left on each side
INK_THRESHOLD = 32  # of 255: fainter marks count as paper
_RANGE = np.arange(SIDE)
MAX_PIXELS = 100 * 1000 * 1000  # a page scanned at 1,200 dpi fits; a decompression bomb does not


def to_pixels(anything, square=True):
    """Return uint8 (h, w) if it is gray, else (h, w, 3), upright as EXIF says; transparency: see `pictures.pixels_of`.

    anything: path, bytes, PIL image, or array (h, w), (h, w, 3) or (h, w, 4), uint8 in 0..255 or float in 0..1.
    square: whether pixels that its resolution says are oblong become squares.
    Raises ValueError if it is not an image, or has over 100 million pixels.
    """
    if isinstance(anything, np.ndarray):
        return _pixels_of_array(anything)
    image = anything if hasattr(anything, "convert") else pictures.opened(anything)
    if image.size[0] * image.size[1] > MAX_PIXELS:
        raise ValueError("the image has %d x %d pixels; at most %d are read" % (image.size + (MAX_PIXELS,)))
    try:
        aspect = pictures.aspect_of(image) if square else 1.0
        return pictures.squared(pictures.pixels_of(image), aspect)
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise ValueError("the image%s cannot be decoded: %s" % (pictures.name_of(anything), error))


def to_grey(anything, square=True):
    """Return uint8 (h, w), the lightness of `to_pixels`. Raises as it does."""
    pixels = to_pixels(anything, square)
    return pixels if pixels.ndim == 2 else np.array(Image.fromarray(pixels).convert("L"))


def ink_boxed(image, box=BOX, resample=Image.LANCZOS):
    """Return the ink's bounding box of uint8 (h, w), ink bright, scaled to (box, box) keeping its aspect, amid 28x28."""
    out, inked = np.zeros((SIDE, SIDE), np.uint8), image > INK_THRESHOLD
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if not len(rows):
        return out
    crop = Image.fromarray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = box / float(max(crop.size))
    width, height = (max(1, int(round(n * scale))) for n in crop.size)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    out[top : top + height, left : left + width] = np.array(crop.resize((width, height), resample))
    return out


def centred(image):
    """Return uint8 (28, 28), moved by whole pixels so that the center of mass of its ink is in the middle; no ink is lost."""
    total = int(image.sum(dtype=np.int64))
    if total == 0:
        return image
    out = np.zeros_like(image)
    slices = []
    for axis in (0, 1):
        profile = image.sum(axis=1 - axis, dtype=np.int64)
        shift = int(round((SIDE - 1) / 2.0 - int((profile * _RANGE).sum()) / total))
        inked = np.flatnonzero(profile)
        shift = min(max(shift, -int(inked[0])), SIDE - 1 - int(inked[-1]))
        slices.append((slice(inked[0], inked[-1] + 1), slice(inked[0] + shift, inked[-1] + 1 + shift)))
    (rows, to_rows), (columns, to_columns) = slices
    out[to_rows, to_columns] = image[rows, columns]
    return out


def _pixels_of_array(array):
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if not is_image or not 0 < array.size <= 4 * MAX_PIXELS:
        raise ValueError("expected an array of shape (h, w), (h, w, 3) or (h, w, 4), got %s" % (array.shape,))
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ValueError("expected float pixels in 0..1")
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        if array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 255:
            raise ValueError("expected pixels in 0..255, got %s" % array.dtype)
        array = array.astype(np.uint8)
    return array if array.ndim == 2 else pictures.pixels_of(Image.fromarray(array))
