"""Load the pages of a file one at a time: JPEG, PNG, TIFF, WebP, BMP and PDF."""

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from hcrlib.core.errors import DataError
from hcrlib.runtime import pictures

SUFFIXES = ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".pdf"
MAX_PIXELS = 178_000_000  # per page; Pillow rejects over 178,956,970 as a decompression bomb
PAGED = ("TIFF",)  # in other formats further frames are an animation or a thumbnail: the first is the page
PDF_DPI = 200
PDF_LONGEST = 5000  # pixels of a PDF's page at most, whatever its nominal size
LEAST_SIDE = 16  # pixels: smaller images cannot contain a character
READ = "Supported formats: JPEG, PNG, TIFF, WebP, BMP and PDF"


def pages(source):
    """Yield each page as uint8 (h, w, 3), RGB, rotated as EXIF says, with transparency over white.

    Args:
        source: a path or bytes.

    Raises:
        DataError: if the file is not an image or PDF, or is damaged, encrypted, empty, too small or too large.
    """
    data, where = _bytes(source)
    if not data:
        raise DataError("The file is empty", where=where, expected="an image or a PDF", hint=READ)
    images = _of_pdf(data, where) if b"%PDF" in data[:1024] else _of_image(data, where)
    for number, image in enumerate(images, start=1):
        if min(image.shape[:2]) < LEAST_SIDE:
            what, expected = f"Page {number} is too small to hold a character", f"at least {LEAST_SIDE} x {LEAST_SIDE}"
            raise DataError(what, where=where, expected=expected, got=f"{image.shape[1]} x {image.shape[0]} pixels")
        yield image


def count(source):
    """Return the number of pages of a file; raise DataError like `pages` if an error shows without decoding them."""
    data, where = _bytes(source)
    if b"%PDF" in data[:1024]:
        with _opened_pdf(data, where) as document:
            return len(document)
    return _frames(_opened(data, where), where)


def _bytes(source):
    """Return (bytes, path or None)."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), None
    path = Path(source)
    if path.is_dir():
        hint = "hcr read --watch reads files as they are put into a folder"
        raise DataError("Expected a file, got a folder", where=path, hint=hint)
    try:
        return path.read_bytes(), path
    except OSError as error:
        raise DataError(f"The file cannot be read: {error.strerror}", where=path) from error


def _opened(data, where):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # size limits are checked below; bad tags are harmless
            return Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise _too_large(where) from error
    except Exception as error:  # Pillow raises many kinds
        got = f"{len(data):,} bytes beginning with {data[:8]!r}"
        raise DataError("The file is not a readable image", where=where, got=got, hint=READ) from error


def _too_large(where, got=None):
    return DataError("The image has too many pixels", where=where, expected=f"at most {MAX_PIXELS:,}", got=got)


def _frames(image, where):
    with _decoding(where):
        return image.n_frames if image.format in PAGED else 1


def _of_image(data, where):
    image = _opened(data, where)
    for index in range(_frames(image, where)):
        with _decoding(where):
            image.seek(index)
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(where, f"{image.width:,} x {image.height:,}")
            page = _rgb(image)
        yield page


@contextlib.contextmanager
def _decoding(where):
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
    with _opened_pdf(data, where) as document:
        for index in range(len(document)):
            try:
                page = document[index]
                scale = min(PDF_DPI / 72, PDF_LONGEST / max(page.get_size()))
                yield np.ascontiguousarray(page.render(scale=scale).to_numpy()[..., 2::-1])
            except Exception as error:  # pdfium has no specific exceptions
                what = f"Page {index + 1} of the PDF cannot be rendered"
                raise DataError(what, where=where, got=str(error) or None) from error


def _opened_pdf(data, where):
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            what, hint = "The PDF is encrypted", "Save a copy without its password and read that"
        else:
            what, hint = "The PDF is damaged or has no pages", READ
        raise DataError(what, where=where, hint=hint) from error
