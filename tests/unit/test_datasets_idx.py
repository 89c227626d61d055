import gzip
import io

import numpy as np
import pytest

from hcrlib.core.errors import DataError
from hcrlib.datasets.idx import parse_idx, read_idx, to_idx, unpacked

LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])
IMAGES = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(6))


@pytest.mark.parametrize(
    ("content", "array"),
    [(LABELS, np.array([7, 8, 9], np.uint8)), (IMAGES, np.arange(6, dtype=np.uint8).reshape(1, 2, 3))],
)
def test_idx_is_read_and_written_with_and_without_gzip(tmp_path, content, array):
    assert to_idx(array) == content
    for packed in (content, gzip.compress(content)):
        (tmp_path / "file").write_bytes(packed)
        assert (read_idx(tmp_path / "file") == array).all()
    for damaged, says in ((packed[:-10], "truncated"), (packed[:-8] + bytes(8), "damaged")):
        with pytest.raises(DataError, match=says):
            unpacked(io.BytesIO(damaged), "f.gz")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "Not an IDX file"),
        (b"label,1x1\n", "Not an IDX file"),
        (bytes([0, 0, 7, 1]) + LABELS[4:], "Not an IDX file"),  # no type
        (bytes([0, 0, 13, 1]) + LABELS[4:], "20 bytes for shape"),  # float32
        (IMAGES[:10], "within its header"),
        (IMAGES[:-1], "22 bytes for shape \\(1, 2, 3\\), got 21 bytes"),
        (IMAGES + b"\0", "got 23 bytes"),
    ],
)
def test_what_is_no_idx_file_is_refused(content, says):
    with pytest.raises(DataError, match=says):
        parse_idx(content, "some file")
