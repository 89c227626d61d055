"""From the bytes of an upload to grey pixels, without trusting them.

Only the formats that are named are decoded, bounded in pixels before a pixel is read; what is kept of a picture is its
pixels, never the bytes that came: neither where it was taken nor what was hidden behind its end.
"""

import base64
import binascii
import io
import struct
import threading
import zlib

import numpy as np
from PIL import Image

from ..image import to_grey
from .problems import Problem

FORMATS = ["JPEG", "PNG", "WEBP"]
try:
    import pillow_heif

    pillow_heif.register_heif_opener()
    FORMATS.append("HEIF")
except ImportError:  # HEIC is read where pillow-heif is installed
    pass
MAX_PIXELS = 50 * 1000 * 1000  # a phone's 48 megapixels, as a JPEG: decoded at an eighth
MAX_DECODED = 12 * 1000 * 1000  # in other formats, whose every pixel has to be decoded
MAX_SIDE = 20000
BIG = 4 * 1000 * 1000  # pixels: such are decoded one at a time in each process, which bounds the memory
KEPT = 1024  # of the longer side: a character needs no more
_one_at_a_time = threading.Lock()


def grey(data, side=KEPT):
    """uint8 (h, w), at most `side` on a side, of an image file's bytes. Problem for what is none, or too large."""
    image = opened(data)
    if image.width * image.height <= BIG:
        return _decoded(image, side)
    with _one_at_a_time:
        image.draft("L", (KEPT, KEPT))  # JPEG: decoded at a half, a quarter, an eighth
        return _decoded(image, side)


def opened(data, most=MAX_DECODED, also=()):
    """A PIL image, nothing of it decoded yet. Problem for what is none, or too large.

    most: pixels of what is no JPEG. also: formats that the caller reads besides, for the sentence that tells what is read.
    """
    if not data:
        raise Problem("not-an-image", "The image has no bytes.")
    limits = MAX_PIXELS // 10**6, most // 10**6, MAX_SIDE
    told = "at most %d million (JPEG) or %d million, and %d on a side, are read" % limits
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Problem("too-many-pixels", "The image has too many pixels; %s." % told)
    except Exception:  # Pillow raises many kinds for damaged files, and tells of its inside
        known = FORMATS + list(also)
        known = ", ".join(known[:-1]) + " and " + known[-1]
        raise Problem("not-an-image", "%s are read; these %d bytes are none of them." % (known, len(data)))
    width, height = image.size
    if width * height > (MAX_PIXELS if image.format == "JPEG" else most) or max(width, height) > MAX_SIDE:
        raise Problem("too-many-pixels", "The image has %d x %d pixels; %s." % (width, height, told))
    return image


def _decoded(image, side):
    name = image.format
    try:
        pixels = to_grey(image)
    except (ValueError, MemoryError):
        raise Problem("not-an-image", "The %s file is damaged or incomplete." % name)
    share = max(pixels.shape) / float(side)
    if share <= 1:
        return pixels
    size = tuple(max(1, int(round(n / share))) for n in pixels.shape[::-1])
    return np.array(Image.fromarray(pixels).resize(size, Image.BOX))


def of_data_url(text):
    """bytes of `data:image/png;base64,...`, or of base64 alone."""
    head, comma, tail = text.partition(",")
    if head.lstrip()[:5].lower() == "data:" and not (comma and head.rstrip().lower().endswith(";base64")):
        raise Problem("bad-request", "A data URL of an image reads data:image/png;base64,...")
    try:
        return base64.b64decode("".join((tail if comma else head).split()), validate=True)
    except (binascii.Error, ValueError):
        raise Problem("bad-request", "The image is not valid base64.")


def png(pixels):
    """bytes of a PNG file (RFC 2083), uint8 (h, w): in a fifth of the time that Pillow takes for so small a one."""
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = pixels
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 1)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def data_url(pixels):
    """`data:image/png;base64,...` of uint8 (h, w)."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")
