"""IDX, the file format of MNIST and EMNIST.

A big-endian header - two zero bytes, the type (8 for uint8, as in the official files), the number of dimensions, then
each dimension as four bytes - followed by the numbers, last dimension fastest. Source: LeCun, Cortes, Burges, "The MNIST
database", section on file formats.
"""

import contextlib
import gzip
import struct
import zlib

import numpy as np

from hcrlib.core.errors import DataError

UINT8 = 0x08
TYPES = {UINT8: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 4  # colored images
GZIP_MAGIC = b"\x1f\x8b"
AGAIN = "Fetch or copy the file again"
BLOCK = 1 << 20  # bytes
KINDS = {  # how files begin that are saved under another one's name
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "a parquet file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"version https://git-lfs": "a Git LFS pointer, without the file itself",
    b"version https://git-annex": "a git-annex pointer, without the file itself",
    GZIP_MAGIC: "a gzip file",
}
PAGES = b"<!doctype html", b"<html", b"<head", b"<?xml"


def parse_idx(content, where=None):
    """Return the array of an unpacked file as a view of its bytes, 1 to 4 dimensions. DataError: not IDX, too short or long."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES or not 1 <= content[3] <= MOST_DIMENSIONS:
        expected = "0x00000801 (labels) or 0x00000803 (images)"
        raise DataError("Not an IDX file", where=where, expected=expected, got=kind_of(content), hint=AGAIN)
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise DataError("The file ends within its header", where=where, expected=header, got=len(content), hint=AGAIN)
    shape, dtype = struct.unpack(f">{content[3]}I", content[4:header]), np.dtype(TYPES[content[2]])
    length = header + int(np.prod(shape, dtype=np.uint64)) * dtype.itemsize
    if len(content) != length:
        what, expected = "The file length does not match its header", f"{length} bytes for shape {shape}"
        raise DataError(what, where=where, expected=expected, got=f"{len(content)} bytes", hint=AGAIN)
    return np.frombuffer(content, dtype, offset=header).reshape(shape)


def kind_of(content):
    """Return what a file is by its first bytes, such as "a web page (HTML)"; those bytes in hex if that is unknown."""
    start = bytes(content[:512]).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not content:
        return "an empty file"
    if start.lower().startswith(PAGES):
        return "a web page (HTML), which servers send in place of a file: an error, or a page to log in on"
    known = (kind for magic, kind in KINDS.items() if bytes(content[: len(magic)]) == magic)
    return next(known, f"0x{bytes(content[:4]).hex()}")


def to_idx(array):
    """Return a uint8 array, (n,) or (n, h, w), as the bytes of an unpacked IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, UINT8, array.ndim, *array.shape) + np.ascontiguousarray(array).tobytes()


def unpacked(source, where=None):
    """Return the bytes of an open file as a bytearray, decompressed if it is gzip. DataError: truncated or damaged."""
    packed = source.read(2) == GZIP_MAGIC
    source.seek(0)
    content = bytearray()  # grows in place, so nothing is held twice, and arrays can view it
    try:
        with gzip.open(source) if packed else contextlib.nullcontext(source) as plain:
            while block := plain.read(BLOCK):
                content += block
        return content
    except EOFError as error:
        raise DataError("The gzip file is truncated", where=where, hint=AGAIN) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"The gzip file is damaged: {error}", where=where, hint=AGAIN) from error


def read_idx(path):
    """Read the array of an IDX file, with or without gzip. DataError if it is unreadable, damaged or not IDX."""
    try:
        with path.open("rb") as source:
            content = unpacked(source, path)
    except OSError as error:
        raise DataError(f"The file cannot be read: {error.strerror}", where=path) from error
    return parse_idx(content, path)
