"""Bring arrays of images, as other libraries hold them, to gray levels of 28x28 pixels, and say what was done."""

import numpy as np
from PIL import Image

SIDE = 28
LEAST_SIDE = 5  # pixels of an image that is given as a row
CHUNK = 4096  # images converted at once
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue: ITU-R BT.601, as Pillow's "L"
SMALL = 1, 3, 7, 15, 16  # the largest level of pixels of 1 to 4 bits, and of scikit-learn's 8x8 digits
WIDE = 1023, 4095, 16383, 65535  # of 10 to 16 bits


def to_images(array, levels=None):
    """Return (uint8 (n, 28, 28), notes): what was changed, as a list of texts. Whatever is that already is not copied.

    array: (n, h, w), (n, h, w, c), (n, c, h, w) with 1 or 3 colors, or (n, h * h); booleans, integers or floats. levels: the
    pair that stands for 0 and 255; None for `levels_of`. Pixels stay as dark or bright as they are. Raises ValueError for
    other shapes and ranges.
    """
    array = np.asarray(array)
    images, notes = _shaped(array)
    low, high = levels_of(array) if levels is None else levels
    if images.dtype != np.uint8 or (low, high) != (0, 255):
        if (low, high) != (0, 255):
            notes.append("pixels of %g to %g were scaled to 0 to 255" % (low, high))
        images = _scaled(images, low, high)
    if images.shape[1:] != (SIDE, SIDE):
        images, how = _resized(images)
        notes.append(how)
    return images, notes


def levels_of(array):
    """Return the levels (low, high) of black and white that the values of an array suggest. ValueError for others."""
    array = np.asarray(array)
    if array.dtype.kind not in "buif":
        raise ValueError("expected numbers, got an array of %s" % array.dtype)
    if not array.size or array.dtype == np.bool_:
        return 0, 1 if array.dtype == np.bool_ else 255
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("some pixels are not numbers: nan or infinite")
    if low >= 0 and high <= 255 and (high <= 1 or high > SMALL[-1] or high.is_integer()):  # 1.02 is 1, enlarged badly
        return 0, 255 if high == 0 else next((most for most in SMALL if high <= most), 255)
    if -1 <= low < 0 and high <= 1 and array.dtype.kind == "f":
        return -1, 1
    if low >= 0 and array.dtype == np.uint16:
        return 0, next(most for most in WIDE if high <= most)
    raise ValueError("expected pixels of 0 to 255, 0 to 1 or -1 to 1, got %g to %g (%s)" % (low, high, array.dtype))


def _shaped(array):
    """Return (n, h, w), gray, and a list of notes."""
    shape = array.shape
    if array.ndim == 2:
        side = int(round(shape[1] ** 0.5))
        if side * side == shape[1] and side >= LEAST_SIDE:
            return array.reshape(-1, side, side), []
    if array.ndim == 3 and min(shape[1:]) >= LEAST_SIDE:
        return array, []
    if array.ndim == 4 and (shape[3] in (1, 3) or shape[1] in (1, 3)):
        array = array if shape[3] in (1, 3) else np.moveaxis(array, 1, 3)
        if array.shape[3] == 1:
            return array[..., 0], []
        parts = [array[i : i + CHUNK].astype(np.float32).dot(GREY) for i in range(0, len(array), CHUNK)]
        return np.concatenate(parts) if parts else array[..., 0], ["colors were turned to gray"]
    message = (
        "expected images of shape (n, h, w), (n, h, w, 1 or 3) or (n, h * h), got %s; one image alone is images[None]"
    )
    raise ValueError(message % (shape,))


def _scaled(images, low, high):
    out = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK].astype(np.float32)
        out[start : start + CHUNK] = np.rint(np.clip((part - low) * (255.0 / (high - low)), 0, 255))
    return out


def _resized(images):
    """Return uint8 (n, 28, 28) of uint8 (n, h, w), and how: an even margin is cut off, other images are scaled."""
    height, width = images.shape[1:]
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    if min(top, left) > 0 and _is_even_around(images, top, left):
        cut = images[:, top : top + SIDE, left : left + SIDE]
        return np.ascontiguousarray(cut), "the even margin of %d x %d pixels was cut off" % (height, width)
    side, out = max(height, width), np.empty((len(images), SIDE, SIDE), np.uint8)
    for index, image in enumerate(images):
        if height != width:
            ground = np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]))
            square = np.full((side, side), ground, np.uint8)
            top, left = (side - height) // 2, (side - width) // 2
            square[top : top + height, left : left + width] = image
            image = square
        out[index] = Image.fromarray(np.ascontiguousarray(image)).resize((SIDE, SIDE), Image.LANCZOS)
    return out, "images of %d x %d pixels were resized to 28 x 28" % (height, width)


def _is_even_around(images, top, left):
    """Return whether all pixels outside the 28x28 in the middle are of one level."""
    around = np.ones(images.shape[1:], bool)
    around[top : top + SIDE, left : left + SIDE] = False
    margin = images[:, around]
    return len(margin) > 0 and margin.min() == margin.max()
