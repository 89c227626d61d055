"""Tables of images: CSV, OpenML's ARFF and parquet, a row per image: a label, and its pixels or the path of its file.

`table_columns` tells what each column holds. A header may be there or not, and columns that only count the rows are skipped.
Parquet is read by DuckDB (the extra `sql`), which also reads the encoded images of Hugging Face's files.
"""

import contextlib
import csv
import dataclasses
import gzip
import io
import math
import unicodedata
import zlib
from pathlib import Path

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.core.fileio import encoding_of
from hcrlib.datasets.idx import GZIP_MAGIC, kind_of
from hcrlib.datasets.parquet import read_parquet
from hcrlib.datasets.table_columns import (
    COUNTERS,
    FEWEST_PIXELS,
    FILES,
    HEAD,
    LABELS,
    are_numbers,
    counts_rows,
    is_header,
    is_number,
    is_picture,
    is_square,
    known_columns,
    label_column,
)

MISSING = "", "nan", "NaN", "None", "null", "NULL", "<NA>", "N/A", "NA"
PARQUET = ".parquet", ".pq"
SAVE = "Save it as UTF-8; Excel calls this CSV UTF-8"


@dataclasses.dataclass
class Table:
    """labels: a text per row, "" for none. images: (n, pixels) or (n, h, w), or None if `files` has the path or bytes of each.

    rows: what to call each row. writers: who wrote each, or None. parts: to which part each belongs, as the column part_column
    says, or None. names: what the table calls the files, if those are elsewhere. notes: what was found out about the columns.
    doubt: a sentence if another column could hold the label, else "".
    """

    labels: list
    images: np.ndarray | None = None
    files: list | None = None
    writers: list | None = None
    parts: list | None = None
    part_column: str = ""
    names: list | None = None
    notes: list = dataclasses.field(default_factory=list)
    doubt: str = ""
    first_row: int = 1

    @property
    def rows(self):
        """What to call each row."""
        return [f"row {self.first_row + number}" for number in range(len(self.labels))]


def read_table(path, label=None):
    """Read the Table of a file. label: the name of its column of labels, or its number from 1, negative from the end.

    DataError if it is unreadable, is not a table, or has no column of labels.
    """
    if not path.is_file():
        raise DataError("There is no such table", where=path, hint="Its path in dataset.yml is relative to that file")
    try:
        if _suffix(path) in PARQUET:
            return _normal(_from_columns(path, read_parquet(path), label))
        return _normal(_from_text(path, label))
    except UnicodeDecodeError as error:
        expected, got = "UTF-8, or UTF-16 with its mark", f"bytes that are neither: {error.reason}"
        raise DataError("The table cannot be read", where=path, expected=expected, got=got, hint=SAVE) from error
    except (OSError, ValueError, OverflowError, EOFError, zlib.error, csv.Error) as error:
        expected = "a label and the pixels, or the path, of an image per row"
        raise DataError(f"Invalid table of images: {error}", where=path, expected=expected) from error


def files_of(path, label=None):
    """Return the paths of the images that a table names, relative to it; none if it holds pixels or cannot be read."""
    try:
        has_pixels = _suffix(path) in PARQUET or len(_head(path)[1][0]) >= FEWEST_PIXELS
        return [] if has_pixels else read_table(path, label).files
    except (DataError, OSError, ValueError, EOFError, zlib.error):
        return []


def _from_text(path, label):
    names, head, delimiter, skipped = _head(path)
    columns = list(zip(*head, strict=True))
    if len(head[0]) < FEWEST_PIXELS:
        return _paths(path, names, columns, _rows(path, delimiter, skipped), label, skipped)
    import pandas as pd

    index, _, _ = label_column(path, names, columns, label)
    texts = {number for number, column in enumerate(columns) if not are_numbers(column)} | {index}
    ends = {0, len(columns) - 1}  # either may be the label, written 1 or 1.0
    how = {
        "sep": delimiter,
        "header": None,
        "quotechar": _quote(path),
        "skipinitialspace": True,
        "keep_default_na": False,
    }
    with _opened(path, skipped) as source:
        frame = pd.read_csv(source, dtype=dict.fromkeys(texts | ends, str), low_memory=False, **how)
    held = {name: frame[number].to_numpy() for number, name in enumerate(names or range(len(columns)))}
    table = _from_columns(path, held, label, has_names=bool(names))
    table.first_row = skipped + 1
    return table


def _head(path):
    """Return (names or None, first rows of texts, delimiter, lines before the rows) of a text file."""
    with _opened(path) as source:
        lines, skipped, names = [], 0, None
        for line in source:
            if _suffix(path) == ".arff" and names is None:
                skipped, names = _arff_header(line, source)
                continue
            lines += [line] if line.strip() else []
            skipped += not lines  # blank lines above
            if len(lines) > HEAD:
                break
    start = "".join(lines[:1])
    if kind_of(start.encode())[:2] != "0x" and start:
        raise DataError("This is not a table", where=path, got=kind_of(start.encode()))
    if not lines:
        raise ValueError("it contains no images")
    delimiter = max(",;\t|", key=start.count)
    if not start.count(delimiter):
        delimiter = " " if len(start.split()) > 1 else ","
    rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True, quotechar=_quote(path)))
    rows = [row for row in rows if any(row)]
    if names is None and is_header(rows):
        names, rows, skipped = [name.strip() for name in rows[0]], rows[1:], skipped + 1
    if names:  # each its own
        names = [f"{name} ({index + 1})" if name in names[:index] else name for index, name in enumerate(names)]
    if not rows:
        raise ValueError("it contains no images")
    if rows[0] and len(rows) > 1 and len(rows[-1]) != len(rows[0]) and len(lines) > HEAD:
        rows = rows[:-1]  # cut within a quoted field
    uneven = next((number for number, row in enumerate(rows) if len(row) != len(rows[0])), None)
    if uneven is not None:
        raise ValueError(f"line {skipped + uneven + 1} has {len(rows[uneven])} columns, the first row {len(rows[0])}")
    return names, rows[:HEAD], delimiter, skipped


def _arff_header(line, source):
    """Return (number of lines up to @data, names of the attributes)."""
    names, count = [], 0
    while True:
        count += 1
        keyword, *rest = line.strip().split(None, 1)[:2] or [""]
        if keyword.lower() == "@data":
            return count, names
        if keyword.lower() == "@attribute" and rest:
            words = csv.reader([rest[0].replace("\t", " ")], delimiter=" ", quotechar="'")
            names.append(next(words)[0].strip('"'))
        if not (line := source.readline()):
            raise ValueError("the file ends before @data")


@contextlib.contextmanager
def _opened(path, skipped=0):
    """Yield an open text file, unpacked if it is gzip, after so many lines; UTF-16 if it is marked, as Excel's, else UTF-8."""
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        unpacked = gzip.GzipFile(fileobj=raw) if packed else raw
        source = io.TextIOWrapper(unpacked, encoding=encoding_of(unpacked.peek(2)), newline="")
        for _ in range(skipped):
            source.readline()
        yield source


def _suffix(path):
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _quote(path):
    return "'" if _suffix(path) == ".arff" else '"'


def _rows(path, delimiter, skipped):
    with _opened(path, skipped) as source:
        rows = csv.reader(source, delimiter=delimiter, skipinitialspace=True, quotechar=_quote(path))
        return [row for row in rows if any(row)]


def _from_columns(path, held, label, has_names=True):
    """Return the Table of a dict of columns: arrays of numbers or texts, or lists of images."""
    names, columns = list(held), list(held.values())
    if not len(columns[0]):
        raise ValueError("it contains no images")
    pictures = [index for index, column in enumerate(columns) if isinstance(column, list)]
    if pictures or len(columns) < FEWEST_PIXELS:
        return _of_pictures(path, names, columns, pictures, label)
    shown = [column[: 20 * HEAD] for column in columns]
    index, how, doubt = label_column(path, names if has_names else None, shown, label)
    lowered, writer, part = known_columns(names if has_names else None)
    others = [i for i in range(len(names)) if i not in (index, writer, part)]
    notes = [how] if how else []
    for i in [others[0], others[-1]] if not is_square(len(others)) else ():
        if (has_names and lowered[i] in COUNTERS) or counts_rows(shown[i]):
            others.remove(i)
            notes.append(f"column {i + 1}, which counts the rows, is left out")
    if not is_square(len(others)) and is_square(len(names)):
        raise DataError("There is no column of labels", where=path, expected=f"one beside the {len(names)} pixels")
    if not is_square(len(others)):
        nearest = round(math.sqrt(len(others)))
        what = f"{len(others)} columns beside the labels do not make a square image"
        raise DataError(
            what, where=path, expected=f"784 pixels, or {nearest * nearest} of {nearest} x {nearest}", got=len(others)
        )
    images = np.stack([_numbers(columns[i], names[i] if has_names else i + 1) for i in others], axis=1)
    table = Table(_texts(columns[index]), images, notes=notes, doubt=doubt)
    return _with(table, names, index, writer, part, lambda i: _texts(columns[i]))


def _numbers(column, name):
    """Return a column as numbers. ValueError names the first row with none."""
    import pandas as pd

    numbers = column
    if column.dtype.kind not in "buif":
        numbers = pd.to_numeric(pd.Series(column), errors="coerce").to_numpy()
    if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise ValueError(f"row {row + 1}, column {name}: not a number: '{column[row]}'")
    if numbers.dtype.kind == "i" and len(numbers) and numbers.min() >= 0 and numbers.max() <= 255:
        return numbers.astype(np.uint8)
    return numbers


def _texts(column):
    return ["" if value is None or value != value else str(value) for value in column]


def _paths(path, names, columns, rows, label, skipped):
    """Return the Table of paths of images and their labels."""
    lowered, writer, part = known_columns(names)
    files = [i for i, column in enumerate(columns) if sum(map(is_picture, column)) > len(column) / 2]
    files = files or [i for i, name in enumerate(lowered) if name in FILES]
    if not files:
        n = len(columns)
        raise DataError(
            "The rows do not have 784 pixels", where=path, expected="a label and 784 pixels, or a path", got=n
        )
    file, width = files[0], len(columns)
    others = [i for i in range(width) if i not in (file, writer, part) and not counts_rows(columns[i])]
    if label is None and not LABELS & set(lowered) and len(others) > 1:
        got = ", ".join(names or map(str, range(1, width + 1)))
        hint = "Name the column in dataset.yml: `label: NAME`"
        raise DataError("It is not clear which column holds the labels", where=path, got=got, hint=hint)
    if label is None and not LABELS & set(lowered):
        if not others:
            raise DataError("There is no column of labels", where=path, expected="the path of an image and its label")
        label = others[0] + 1
    index, _, doubt = label_column(path, names, columns, label)
    if short := next((number for number, row in enumerate(rows) if len(row) != width), None):
        raise ValueError(f"row {skipped + short + 1} has {len(rows[short])} columns, the first {width}")
    places = [row[file].strip().replace("\\", "/") for row in rows]
    table = Table([row[index] for row in rows], files=places, doubt=doubt, first_row=skipped + 1)
    return _with(table, names, index, writer, part, lambda i: [row[i] for row in rows])


def _of_pictures(path, names, columns, pictures, label):
    """Return the Table of a column of images, encoded or as lists of lists, and one of labels."""
    if not pictures:
        got = ", ".join(map(str, names))
        raise DataError("There are no pixels or images in this table", where=path, expected="a column `image`", got=got)
    images, (lowered, writer, part) = columns[pictures[0]], known_columns(names)
    rest = [i for i in range(len(names)) if i not in (pictures[0], writer, part)]
    if label is None and not LABELS & set(lowered) and len(rest) == 1:
        label = rest[0] + 1
    index, _, doubt = label_column(path, names, columns, label)
    table = _with(Table(_texts(columns[index]), doubt=doubt), names, index, writer, part, lambda i: _texts(columns[i]))
    if isinstance(images[0], bytes):
        table.files = images
    else:
        table.images = np.array(images)
    return table


def _with(table, names, index, writer, part, values):
    """Return the table with what its columns of writers and parts hold, unless the labels, at `index`, are there.

    values(i): the texts of a column.
    """
    if writer not in (None, index):
        table.writers = [value.strip() for value in values(writer)]
    if part not in (None, index):
        table.parts, table.part_column = values(part), str(names[part])
    return table


def _normal(table):
    """Return the table with labels stripped, composed (NFC), and numbers written in one way; missing ones are ""."""
    labels = [unicodedata.normalize("NFC", label.strip()) for label in table.labels]
    given = {label for label in labels if label not in MISSING}
    values = {label: float(label) for label in given if is_number(label)}
    if given and len(values) == len(given) and all(math.isfinite(v) and v == int(v) for v in values.values()):
        if len(set(values.values())) < len(given):
            table.notes.append("numbers written in several ways, such as 1 and 1.0, are one label")
        if len(set(values.values())) < len(given) or any("." in label for label in given):
            labels = [str(int(values[label])) if label in values else label for label in labels]
    table.labels = labels
    return table
