"""Decode pictures of every bit depth and color mode, upright; only numpy and Pillow. Of an animation, the first frame."""

import io
import os

import numpy as np
from PIL import Image, ImageOps

LIGHT = 200  # of 255: what is visible on a transparent ground and at least as light is meant for a dark one
MOSTLY = 0.5  # of the picture
SAMPLE = 256  # pixels a side, from which the color below what is transparent is chosen


def opened(source):
    """Return a PIL image, not decoded yet, of a path, bytes or a file object. ValueError if it is not an image."""
    stream = io.BytesIO(source) if isinstance(source, (bytes, bytearray)) else source
    if not isinstance(stream, (str, os.PathLike)) and not hasattr(stream, "read"):
        raise ValueError("expected a path, bytes, a PIL image or an array, got %s" % type(source).__name__)
    try:
        if not hasattr(stream, "read"):  # Pillow 13.0 scrambles some TIFFs that it opens by path and turns
            with open(stream, "rb") as file:
                stream = io.BytesIO(file.read())
        try:
            return Image.open(stream)
        except Image.UnidentifiedImageError:
            if not can_read_heif():
                raise
            stream.seek(0)
            return Image.open(stream)
    except FileNotFoundError:
        raise ValueError("there is no file %s" % source)
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise ValueError("Pillow cannot read this image: %s" % error)


def pixels_of(image, page=False):
    """Return uint8 (h, w) if all its colors are gray, else (h, w, 3), of a PIL image, turned as its EXIF says.

    What is transparent becomes white, or black if all that is visible is light, or, where most is opaque, the median of that; a
    page's margins never become the latter. Raises what Pillow raises for damaged files.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        return _eight_bits(np.asarray(image), image.mode)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            image = Image.alpha_composite(Image.new("RGBA", image.size, _below(image, page) + (255,)), image)
    if image.mode in ("1", "L"):
        return np.array(image.convert("L"))
    pixels = np.array(image.convert("RGB"))
    first = pixels[:, :, 0]
    if (first == pixels[:, :, 1]).all() and (first == pixels[:, :, 2]).all():
        return np.ascontiguousarray(first)
    return pixels


def _below(image, page):
    """Return the color (r, g, b) on which what is visible of an RGBA image is seen."""
    values = np.asarray(image.resize([min(n, SAMPLE) for n in image.size], Image.NEAREST)).reshape(-1, 4)
    opaque = values[values[:, 3] > 250, :3]
    if not page and len(opaque) > MOSTLY * len(values):
        return tuple(int(n) for n in np.median(opaque, axis=0))
    visible = values[values[:, 3] > 127, :3]
    is_light = len(visible) and np.percentile(visible.dot((0.299, 0.587, 0.114)), 10) >= LIGHT
    return (0, 0, 0) if is_light and len(visible) < MOSTLY * len(values) else (255, 255, 255)


def _eight_bits(values, mode):
    """Return uint8 of integers or floats whose white is the least of the usual ones that none exceeds."""
    values = values.astype(np.float64)
    values = np.where(np.isfinite(values), values, 0)
    low, high = float(values.min()), float(values.max())
    if low < 0:
        values, high = values - low, high - low
    usual = (1.0, 255.0, 1023.0, 4095.0, 65535.0) if mode == "F" else (255.0, 1023.0, 4095.0, 65535.0)
    white = next((each for each in usual if high <= each), high)
    return np.clip(values * (255 / white), 0, 255).astype(np.uint8)


def can_read_heif():
    """Let Pillow read the HEIC files of phones if pillow-heif is installed; return whether it is."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True
