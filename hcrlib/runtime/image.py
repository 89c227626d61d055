"""Convert a path, bytes, a PIL image or an array to the 28x28 glyph that a classifier expects.

MNIST's own recipe (LeCun, Cortes, Burges, "The MNIST database", section on the original NIST images): the ink's box is scaled
into 20x20 keeping its aspect, then placed in 28x28 with its center of mass in the middle. EMNIST's recipe (Cohen et al. 2017,
II-A): the box is scaled into 24x24 and placed in the middle. Images should be framed like those that the model was trained on.
"""

import io
import os

import numpy as np
from PIL import Image, ImageOps

from . import binarize

SIDE = 28
BOX = 20
FRAMES = "mnist", "emnist"
EMNIST_BOX = 24  # 28 less the 2 pixels that are left on each side
INK_THRESHOLD = 32  # of 255: fainter marks count as paper
_RANGE = np.arange(SIDE)
_INKED = [0] * (INK_THRESHOLD + 1) + [255] * (255 - INK_THRESHOLD)
MAX_PIXELS = 100 * 1000 * 1000  # a page scanned at 1,200 dpi fits; a decompression bomb does not


def to_glyph(anything, ink="auto", frame="mnist"):
    """Return uint8 (28, 28), upright, ink 255 on 0: the largest extent of ink, boxed, scaled and centered.

    anything: path, bytes, PIL image, or array (h, w), (h, w, 3) or (h, w, 4), uint8 in 0..255 or float in 0..1.
    ink: "dark" or "light" on its ground, or "auto": the ground is what most of the border is. frame: whose recipe, "mnist" or
    "emnist".
    Raises ValueError if it is not an image, has over 100 million pixels, or contains no ink.
    """
    grey = to_grey(anything)
    if ink not in ("auto", "dark", "light"):
        raise ValueError("ink must be 'auto', 'dark' or 'light', got %r" % (ink,))
    if frame not in FRAMES:
        raise ValueError("frame must be 'mnist' or 'emnist', got %r" % (frame,))
    dark = ink == "dark" or (ink == "auto" and _ground(grey) > 127)
    bright = binarize.flattened(255 - grey if dark else grey) if binarize.is_photo(grey) else _stretched(grey, dark)
    if not bright.any():
        raise ValueError("the image holds no ink: it is blank")
    return centred(ink_boxed(bright)) if frame == "mnist" else ink_boxed(bright, EMNIST_BOX, Image.BICUBIC)


def to_grey(anything):
    """Return uint8 (h, w) as it is stored, EXIF rotation honored, transparency over white.

    Raises ValueError if it is not an image.
    """
    if isinstance(anything, np.ndarray):
        return _grey_of_array(anything)
    image = anything if hasattr(anything, "convert") else _opened(anything)
    if image.size[0] * image.size[1] > MAX_PIXELS:
        raise ValueError("the image has %d x %d pixels; at most %d are read" % (image.size + (MAX_PIXELS,)))
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            if image.getextrema()[3][0] < 255:
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return _sixteen_to_eight(image) if image.mode.startswith("I") else np.array(image.convert("L"))
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise ValueError("the image cannot be decoded: %s" % error)


def ink_boxed(image, box=BOX, resample=Image.LANCZOS):
    """Return the ink's bounding box of uint8 (h, w), ink bright, scaled to (box, box) keeping its aspect, amid 28x28."""
    out, picture = np.zeros((SIDE, SIDE), np.uint8), Image.fromarray(image)
    extent = picture.point(_INKED).getbbox()
    if not extent:
        return out
    crop = picture.crop(extent)
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


def _stretched(grey, dark):
    """Return uint8 (h, w), ink up to 255 on 0, of a drawing or a scan, whose ground is even; all 0 where it is blank."""
    levels, ground = np.arange(256, dtype=np.float32), float(_ground(grey))
    if dark:
        levels, ground, peak = 255 - levels, 255 - ground, 255 - int(grey.min())
    else:
        peak = int(grey.max())
    if peak - ground < INK_THRESHOLD:
        return np.zeros_like(grey)
    table = np.clip((levels - np.float32(ground)) * np.float32(255.0 / (peak - ground)), 0, 255).astype(np.uint8)
    return np.frombuffer(grey.tobytes().translate(table.tobytes()), np.uint8).reshape(grey.shape)


def _ground(grey):
    """Return the median of the border, the level of the background."""
    border = np.sort(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]))
    # np.median takes ten times as long
    return (int(border[(len(border) - 1) // 2]) + int(border[len(border) // 2])) / 2.0


def _opened(anything):
    source = io.BytesIO(anything) if isinstance(anything, (bytes, bytearray)) else anything
    if not isinstance(source, (str, os.PathLike)) and not hasattr(source, "read"):
        raise ValueError("expected a path, bytes, a PIL image or an array, got %s" % type(anything).__name__)
    try:
        if not hasattr(source, "read"):  # Pillow 13.0 scrambles some TIFFs that it opens by path and turns
            with open(source, "rb") as file:
                source = io.BytesIO(file.read())
        return Image.open(source)
    except FileNotFoundError:
        raise ValueError("there is no file %s" % source)
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise ValueError("Pillow cannot read this image: %s" % error)


def _sixteen_to_eight(image):
    """Reduce 16-bit gray, as written by scanners, to 8 bits; Pillow's conversion would clip it to white."""
    values = np.array(image)
    return np.clip(values // (257 if values.max() > 255 else 1), 0, 255).astype(np.uint8)


def _grey_of_array(array):
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
    return array if array.ndim == 2 else to_grey(Image.fromarray(array))
