"""IDX, the file format of MNIST and EMNIST.

A big-endian header - two zero bytes, the type (8 for uint8), the number of dimensions, then each dimension as four
bytes - followed by the numbers, last dimension fastest. Source: LeCun, Cortes, Burges, "The MNIST database", section on
file formats.
"""

import contextlib
import gzip
import struct
import zlib

import numpy as np

from hcrlib.core.errors import DataError

UINT8 = 0x08
GZIP_MAGIC = b"\x1f\x8b"
AGAIN = "Fetch or copy the file again"
BLOCK = 1 << 20  # bytes


def parse_idx(content, where=None):
    """Return uint8 (n,) or (n, h, w), a view of an unpacked file's bytes. DataError: not IDX, too short, too long."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UINT8 or content[3] not in (1, 3):
        expected, got = "0x00000801 (labels) or 0x00000803 (images)", f"0x{bytes(content[:4]).hex()}"
        raise DataError("Not an IDX file", where=where, expected=expected, got=got, hint=AGAIN)
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise DataError("The file ends within its header", where=where, expected=header, got=len(content), hint=AGAIN)
    shape = struct.unpack(f">{content[3]}I", content[4:header])
    length = header + int(np.prod(shape, dtype=np.uint64))
    if len(content) != length:
        what, expected = "The file length does not match its header", f"{length} bytes for shape {shape}"
        raise DataError(what, where=where, expected=expected, got=f"{len(content)} bytes", hint=AGAIN)
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


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
