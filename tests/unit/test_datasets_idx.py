import gzip
import io

import numpy as np
import pytest

from hcrlib.core.errors import DataError
from hcrlib.datasets.idx import parse_idx, read_idx, to_idx, unpacked

LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])
IMAGES = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(6))


def test_labels_and_images_as_the_format_writes_them():
    assert parse_idx(LABELS).tolist() == [7, 8, 9]
    assert parse_idx(IMAGES).tolist() == [[[0, 1, 2], [3, 4, 5]]]


def test_to_idx_writes_what_parse_idx_reads():
    assert to_idx(np.array([7, 8, 9], np.uint8)) == LABELS
    assert to_idx(np.arange(6, dtype=np.uint8).reshape(1, 2, 3)) == IMAGES


@pytest.mark.parametrize("packed", [False, True])
def test_read_idx_with_and_without_gzip(tmp_path, packed):
    path = tmp_path / "labels"
    path.write_bytes(gzip.compress(LABELS) if packed else LABELS)
    assert read_idx(path).tolist() == [7, 8, 9]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "Not an IDX file"),
        (b"label,1x1\n", "Not an IDX file"),
        (bytes([0, 0, 13, 1]) + LABELS[4:], "Not an IDX file"),  # float32
        (IMAGES[:10], "within its header"),
        (IMAGES[:-1], "22 bytes for shape \\(1, 2, 3\\), got 21 bytes"),
        (IMAGES + b"\0", "got 23 bytes"),
    ],
)
def test_what_is_no_idx_file_is_refused(content, says):
    with pytest.raises(DataError, match=says):
        parse_idx(content, "some file")


def test_gzip_that_ends_early_or_is_damaged():
    packed = gzip.compress(LABELS * 100)
    with pytest.raises(DataError, match="truncated"):
        unpacked(io.BytesIO(packed[:-20]), "f.gz")
    with pytest.raises(DataError, match="damaged"):
        unpacked(io.BytesIO(packed[:-8] + bytes(8)), "f.gz")
