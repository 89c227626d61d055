"""The pages of a file: JPEG, PNG, TIFF, WebP, and PDF with as many pages as it has, one at a time."""

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from hcrlib.core.errors import DataError

SUFFIXES = ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".pdf"
MAX_PIXELS = 178_000_000  # of one page: Pillow opens none with more than 178,956,970; a decompression bomb has more
PAGED = ("TIFF",)  # other formats' frames are an animation or a thumbnail: the first is the page
PDF_DPI = 200
PDF_LONGEST = 5000  # pixels of a PDF's page, whatever size it gives itself
LEAST_SIDE = 16  # pixels: nothing that is smaller holds a character
READ = "JPEG, PNG, TIFF, WebP, BMP and PDF are read"


def pages(source):
    """Yields uint8 (h, w, 3), RGB, EXIF rotation honoured, transparency over white: one for each page.

    source: a path or bytes. DataError for what is no picture, damaged, encrypted, empty, too small or too large.
    """
    data, where = _bytes(source)
    if not data:
        raise DataError("This file is empty", where=where, expected="a picture or a PDF", hint=READ)
    found = _of_pdf(data, where) if b"%PDF" in data[:1024] else _of_image(data, where)
    for number, image in enumerate(found, start=1):
        if min(image.shape[:2]) < LEAST_SIDE:
            got = f"{image.shape[1]} x {image.shape[0]} pixels"
            raise DataError(
                f"Page {number} is too small to hold a character",
                where=where,
                expected=f"at least {LEAST_SIDE} x {LEAST_SIDE}",
                got=got,
            )
        yield image


def count(source):
    """How many pages a file has. DataError as of `pages`, for what is seen without decoding them."""
    data, where = _bytes(source)
    if b"%PDF" in data[:1024]:
        with _opened_pdf(data, where) as document:
            return len(document)
    return _frames(_opened(data, where), where)


def _bytes(source):
    """(bytes, what to call them)."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), None
    path = Path(source)
    if path.is_dir():
        raise DataError(
            "This is a folder, not a file", where=path, hint="hcr read --watch reads what is put into a folder"
        )
    try:
        return path.read_bytes(), path
    except OSError as error:
        raise DataError(f"This file cannot be read: {error.strerror}", where=path) from error


def _opened(data, where):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of many pixels: the limit is checked below; of tags: the picture shows it
            return Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise _too_large(where) from error
    except Exception as error:  # Pillow raises many kinds
        raise DataError("This is no picture that can be read", where=where, got=_kind(data), hint=READ) from error


def _too_large(where, got=None):
    return DataError("This picture has too many pixels", where=where, expected=f"at most {MAX_PIXELS:,}", got=got)


def _kind(data):
    return f"{len(data):,} bytes that begin with {data[:8]!r}"


def _frames(image, where):
    with _decoding(where):
        return image.n_frames if image.format in PAGED else 1


def _of_image(data, where):
    image = _opened(data, where)
    for at in range(_frames(image, where)):
        with _decoding(where):
            image.seek(at)
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(where, f"{image.width:,} x {image.height:,}")
            page = _rgb(image)
        yield page


@contextlib.contextmanager
def _decoding(where):
    """Pillow raises many kinds of errors for damaged files, and warns of what it does without: here it is a DataError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(where) from error
    except Exception as error:
        raise DataError("This picture is damaged or incomplete", where=where, got=str(error) or None) from error


def _rgb(image):
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float64)
        values = values * (255 / _white(values.max(), image.mode))
        return np.repeat(np.clip(values, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _white(most, mode):
    """The value of white in a picture whose largest is this: of the depths that scanners and programs write."""
    depths = (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 4095.0, 65535.0)
    return next((white for white in depths if most <= white), most)


def _of_pdf(data, where):
    with _opened_pdf(data, where) as document:
        for at in range(len(document)):
            try:
                page = document[at]
                scale = min(PDF_DPI / 72, PDF_LONGEST / max(page.get_size()))
                yield np.ascontiguousarray(page.render(scale=scale).to_numpy()[..., 2::-1])
            except Exception as error:  # pdfium names no kinds
                raise DataError(
                    f"Page {at + 1} of this PDF cannot be drawn", where=where, got=str(error) or None
                ) from error


def _opened_pdf(data, where):
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            what, hint = "This PDF is encrypted", "Save a copy without its password, and read that"
        else:
            what, hint = "This PDF is damaged, or has no pages", READ
        raise DataError(what, where=where, hint=hint) from error
