"""Decode uploads to pixels, without trusting them.

Only the formats in FORMATS are decoded, and the number of pixels is checked first. Only pixels are passed on, never the
bytes of the file, which may hold the place where a photo was taken or data hidden behind the image.
"""

import base64
import binascii
import io
import struct
import threading
import zlib

import numpy as np
from PIL import Image

from .. import pictures
from ..image import to_pixels
from .problems import Problem

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF"] + (["HEIF"] if pictures.can_read_heif() else [])
MAX_PIXELS = 50 * 1000 * 1000  # a phone's 48 megapixels, as a JPEG: decoded at an eighth
MAX_DECODED = 12 * 1000 * 1000  # in other formats, which have to be decoded in full
MAX_SIDE = 20000
MAX_FRAMES = 40  # of a TIFF, each a page
LARGE = 4 * 1000 * 1000  # pixels: each process decodes such images one at a time, to bound its memory
LONGER_SIDE = 1024  # pixels: enough for a character
_large = threading.Lock()


def pixels(data, side=LONGER_SIDE):
    """Return uint8 (h, w) or, with colors, (h, w, 3), at most `side` on a side, of an image file's bytes.

    Problem if they are not one, or too large.
    """
    image = open_image(data)
    if image.width * image.height <= LARGE:
        return _decode(image, side)
    with _large:
        image.draft("RGB", (LONGER_SIDE, LONGER_SIDE))  # decodes a JPEG at a half, a quarter or an eighth of its size
        return _decode(image, side)


def grey(data, side=LONGER_SIDE):
    """Return uint8 (h, w), the lightness of `pixels`."""
    found = pixels(data, side)
    return found if found.ndim == 2 else np.array(Image.fromarray(found).convert("L"))


def open_image(data, max_pixels=MAX_DECODED, also=()):
    """Return a PIL image, not decoded yet. Problem if the bytes are not an image, or one that is too large.

    max_pixels: for formats other than JPEG. also: further formats that the caller accepts, for the error message.
    """
    if not data:
        raise Problem("not-an-image", "The image is empty.")
    limits = MAX_PIXELS // 10**6, max_pixels // 10**6, MAX_SIDE
    limits = "the limit is %d million (JPEG) or %d million (other formats), and %d on a side" % limits
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Problem("too-many-pixels", "The image has too many pixels; %s." % limits)
    except Exception:  # damaged files make Pillow raise many kinds of errors, with internals in their messages
        known = FORMATS + list(also)
        known = ", ".join(known[:-1]) + " or " + known[-1]
        raise Problem("not-an-image", "This file (%d bytes) is not a %s file." % (len(data), known))
    for width, height in _sizes(image):
        if width * height > (MAX_PIXELS if image.format == "JPEG" else max_pixels) or max(width, height) > MAX_SIDE:
            raise Problem("too-many-pixels", "The image has %d x %d pixels; %s." % (width, height, limits))
    return image


def _sizes(image):
    """Yield the (width, height) of each frame of a TIFF, or of the image."""
    yield image.size
    if image.format != "TIFF":
        return
    try:
        for index in range(1, MAX_FRAMES + 1):
            image.seek(index)
            yield image.size
    except EOFError:
        image.seek(0)
        return
    except Exception:  # as in open_image
        raise Problem("not-an-image", "The TIFF file is damaged or incomplete.")
    raise Problem("too-large", "The TIFF file has over %d pages." % MAX_FRAMES)


def _decode(image, side):
    name = image.format  # decoding may make another image of it
    try:
        found = to_pixels(image)
    except (ValueError, MemoryError):
        raise Problem("not-an-image", "The %s file is damaged or incomplete." % name)
    factor = max(found.shape[:2]) / float(side)
    if factor <= 1:
        return found
    size = tuple(max(1, int(round(n / factor))) for n in found.shape[1::-1])
    return np.array(Image.fromarray(found).resize(size, Image.BOX))


def from_data_url(text):
    """Return the bytes of `data:image/png;base64,...`, or of plain base64."""
    head, comma, tail = text.partition(",")
    if head.lstrip()[:5].lower() == "data:" and not (comma and head.rstrip().lower().endswith(";base64")):
        raise Problem("bad-request", "The data URL must start like data:image/png;base64,")
    try:
        return base64.b64decode("".join((tail if comma else head).split()), validate=True)
    except (binascii.Error, ValueError):
        raise Problem("bad-request", "The image is not valid base64.")


def png(pixels):
    """Encode uint8 (h, w) or (h, w, 3) as PNG (RFC 2083). For small images it takes a fifth of Pillow's time."""
    height, width = pixels.shape[:2]
    rows = np.zeros((height, pixels[0].size + 1), np.uint8)  # each row begins with its filter type: none
    rows[:, 1:] = pixels.reshape(height, -1)
    kind = 0 if pixels.ndim == 2 else 2  # gray or colors
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 1)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def data_url(pixels):
    """Encode uint8 (h, w) or (h, w, 3) as `data:image/png;base64,...`."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")
