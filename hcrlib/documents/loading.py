"""Load the pages of a file one at a time: JPEG, PNG, TIFF, WebP, BMP, HEIC (with pillow-heif) and PDF."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from hcrlib.core.errors import DataError
from hcrlib.runtime import pictures

SUFFIXES = ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".heic", ".heif", ".pdf"
MAX_PIXELS = 178_000_000  # per page; Pillow rejects over 178,956,970 as a decompression bomb
PAGED = ("TIFF",)  # in other formats further frames are an animation or a thumbnail: the first is the page
PDF_DPI = 200
PDF_LONGEST = 5000  # pixels of a PDF's page at most, whatever its nominal size
LEAST_SIDE = 16  # pixels: smaller images cannot contain a character
READ = "Supported formats: JPEG, PNG, TIFF, WebP, BMP, HEIC with pillow-heif, and PDF"


class Scan(NamedTuple):
    """A page of a file.

    Attributes:
        image: uint8 (h, w, 3), RGB, rotated as EXIF says, with transparency over white and square pixels.
        size: its width and height in pixels of the file, which differ from the image's if those are not square.
    """

    image: np.ndarray
    size: tuple


def pages(source):
    """Yield the image of each Scan; see `scans`."""
    return (scan.image for scan in scans(source))


def scans(source):
    """Yield a Scan of each page.

    Args:
        source: a path or bytes.

    Raises:
        DataError: if the file is not an image or PDF, or is damaged, encrypted, empty, too small or too large.
    """
    data, where = contents(source), _path(source)
    if not data:
        raise DataError("The file is empty", where=where, expected="an image or a PDF", hint=READ)
    found = _of_pdf(data, where) if is_pdf(data) else _of_image(data, where)
    for number, scan in enumerate(found, start=1):
        if min(scan.size) < LEAST_SIDE:
            what, expected = f"Page {number} is too small to hold a character", f"at least {LEAST_SIDE} x {LEAST_SIDE}"
            raise DataError(what, where=where, expected=expected, got=f"{scan.size[0]} x {scan.size[1]} pixels")
        yield scan


def count(source):
    """Return the number of pages of a file; raise DataError like `pages` if an error shows without decoding them."""
    data, where = contents(source), _path(source)
    if is_pdf(data):
        with opened_pdf(data, where) as document:
            return len(document)
    return _frames(opened(data, where), where)


def is_pdf(data):
    """Return whether bytes are a PDF, which may begin with some of another kind."""
    return b"%PDF" in data[:1024]


def contents(source):
    """Return the bytes of a path or of bytes; raise DataError if the file cannot be read."""
    path = _path(source)
    if path is None:
        return bytes(source)
    if path.is_dir():
        hint = "hcr read --watch reads files as they are put into a folder"
        raise DataError("Expected a file, got a folder", where=path, hint=hint)
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"The file cannot be read: {error.strerror}", where=path) from error


def _path(source):
    return None if isinstance(source, bytes | bytearray | memoryview) else Path(source)


def opened(data, where=None):
    """Return a PIL image, not decoded yet, of the bytes of a file; raise DataError if they are none."""
    stream = io.BytesIO(data)
    pictures.can_read_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # size limits are checked below; bad tags are harmless
            return Image.open(stream)
    except Image.DecompressionBombError as error:
        raise _too_large(where) from error
    except Exception as error:  # Pillow raises many kinds
        got, hint = f"{len(data):,} bytes beginning with {data[:8]!r}", READ
        if pictures.is_heif(data):
            hint = f"HEIC needs pillow-heif: {pictures.INSTALL}"
        raise DataError("The file is not a readable image", where=where, got=got, hint=hint) from error


def _too_large(where, got=None):
    return DataError("The image has too many pixels", where=where, expected=f"at most {MAX_PIXELS:,}", got=got)


def _frames(image, where):
    with decoding(where):
        return image.n_frames if image.format in PAGED else 1


def _of_image(data, where):
    image = opened(data, where)
    for index in range(_frames(image, where)):
        with decoding(where):
            image.seek(index)
            aspect = pictures.aspect_of(image)
            if image.width * image.height * max(aspect, 1 / aspect) > MAX_PIXELS:
                raise _too_large(where, f"{image.width:,} x {image.height:,}")
            page = _rgb(image)
            scan = Scan(pictures.squared(page, aspect), page.shape[1::-1])
        yield scan


@contextlib.contextmanager
def decoding(where):
    """Turn Pillow's many kinds of errors for damaged files into DataError and ignore its warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(where) from error
    except Exception as error:
        raise DataError("The image is damaged or incomplete", where=where, got=str(error) or None) from error


def _rgb(image):
    pixels = pictures.pixels_of(image, page=True)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def _of_pdf(data, where):
    with opened_pdf(data, where) as document:
        for index in range(len(document)):
            try:
                page = document[index]
                scale = min(PDF_DPI / 72, PDF_LONGEST / max(page.get_size()))
                image = np.ascontiguousarray(page.render(scale=scale).to_numpy()[..., 2::-1])
                yield Scan(image, image.shape[1::-1])
            except Exception as error:  # pdfium has no specific exceptions
                what = f"Page {index + 1} of the PDF cannot be rendered"
                raise DataError(what, where=where, got=str(error) or None) from error


def opened_pdf(data, where=None):
    """Return the pypdfium2.PdfDocument of the bytes of a file; raise DataError if it is encrypted or damaged."""
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            what, hint = "The PDF is encrypted", "Save a copy without its password and read that"
        else:
            what, hint = "The PDF is damaged or has no pages", READ
        raise DataError(what, where=where, hint=hint) from error
