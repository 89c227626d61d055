"""Tell what the columns of a table hold: labels, files, writers, parts, or numbers that only count the rows.

The column of labels is found by its name, else by its content: text, or few different numbers where pixels have many or one.
"""

import math

import numpy as np

from hcrlib.core.errors import DataError

HEAD = 50  # rows by which a table is judged
LABELS = {"label", "labels", "class", "classes", "class_label", "class_name", "category", "target", "y"}
LABELS |= {"choice", "letter", "digit", "character", "char", "symbol"}
FILES = {"file", "filename", "file_name", "filepath", "file_path", "path", "img", "img_path"}
FILES |= {"image", "image_path", "image_file", "image_name"}
PARTS = {"split", "subset", "set", "part", "partition", "usage", "ml_use"}
WRITERS = {"writer", "writers", "writer_id", "author", "user", "document", "scribe"}
COUNTERS = ("", "index", "id", "idx", "row", "unnamed: 0")
PICTURES = ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".heic"
FEWEST_PIXELS = 25
MOST_LABELS, ONE_SIDED = 1000, 0.95  # labels: different numbers at most, and the share of the commonest one


def known_columns(names):
    """Return (names in lower case, index of the column of writers, of parts); None for a column that is not there."""
    lowered = [str(name).strip().lower() for name in names or ()]
    writer, part = (next((i for i, name in enumerate(lowered) if name in known), None) for known in (WRITERS, PARTS))
    return lowered, writer, part


def is_header(rows):
    """Return whether the first row names the columns, also by the numbers that pandas gives them."""
    first, second = rows[0], rows[1] if len(rows) > 1 else ()
    named = [cell.strip().lower() for cell in first]
    if len(first) < FEWEST_PIXELS:
        known = LABELS | FILES | WRITERS | PARTS
        pictures = [any(map(is_picture, row)) for row in (first, second)]
        return bool(second) and not pictures[0] and (pictures[1] or len(set(named) & known) > 0)
    texts = sum(not is_number(cell) for cell in first)
    inner = first[2:-1]
    counts = all(map(is_number, inner)) and (np.diff([float(cell) for cell in inner]) == 1).all()
    return texts > len(first) / 2 or bool(counts)


def label_column(path, names, columns, label):
    """Return (index of the column of labels, how it was found, which others could be it); columns: texts or arrays."""
    lowered = [str(name).strip().lower() for name in names or ()]
    n = len(columns)
    if label is not None:
        if str(label).strip().lower() in lowered:
            return lowered.index(str(label).strip().lower()), "", ""
        with_number = str(label).lstrip("-").isdigit() and 1 <= abs(int(label)) <= n
        if not with_number:
            expected = f"one of {', '.join(map(str, (names or ())[:5]))}..., or a number of 1 to {n}"
            raise DataError("There is no such column of labels", where=path, expected=expected, got=label)
        return int(label) - 1 if int(label) > 0 else n + int(label), "", ""
    if called := [index for index, name in enumerate(lowered) if name in LABELS]:
        index, several = called[0], ", ".join(f"'{names[index]}'" for index in called)
        doubt = f"Each of the columns {several} could be the label; the first of them was taken" * (len(called) > 1)
        return index, "" if index == 0 else f"labels are in the column '{names[index]}'", doubt
    both = "Both the first and the last column could be the label; the first was taken"
    texts = [index for index in range(n) if not are_numbers(columns[index])]
    texts = [index for index in texts if not names or lowered[index] not in (*COUNTERS, *PARTS)]
    usual = [index for index in texts if index in (0, n - 1)]
    if usual or (usual := [index for index in texts if _is_mostly_text(columns[index])]):
        index = usual[0]
        how = "" if index == 0 else f"labels are in column {index + 1} of {n}, which holds text"
        return index, how, both * (usual == [0, n - 1])
    is_counter = counts_rows(columns[0]) or (names and lowered[0] in COUNTERS)
    first = 1 if is_counter and n > 1 and not is_square(n - 1) else 0
    alike = [_looks_like_labels(columns[index]) for index in (first, n - 1)]
    if alike[1] and not alike[0]:
        return n - 1, f"labels are in the last of {n} columns: no other holds few different numbers", ""
    return first, "" if first == 0 else "the first column counts the rows", both * all(alike)


def _looks_like_labels(values):
    numbers = np.array([float(value) for value in values if value is not None and str(value).strip()], float)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return False
    found, counts = np.unique(numbers, return_counts=True)
    whole = (numbers == np.floor(numbers)).all() and numbers.min() >= 0
    several = 1 < len(found) <= min(MOST_LABELS, max(2, len(numbers) // 2))
    return bool(whole and several and counts.max() <= ONE_SIDED * len(numbers))


def counts_rows(values):
    """Return whether numbers count the rows, from 0 or 1."""
    try:
        numbers = np.array([float(value) for value in values])
    except (TypeError, ValueError):
        return False
    return len(numbers) > 2 and numbers[0] in (0, 1) and bool((np.diff(numbers) == 1).all())


def is_number(value):
    """Return whether a cell is a number, or empty."""
    try:
        float(value)
    except (TypeError, ValueError):
        return value is None or not str(value).strip()
    return True


def are_numbers(column):
    """Return whether all cells of a column are numbers, or empty."""
    return getattr(column, "dtype", np.dtype(object)).kind in "buif" or all(map(is_number, column))


def _is_mostly_text(column):
    return sum(not is_number(value) for value in column) > len(column) / 2


def is_picture(cell):
    """Return whether a cell is the name of an image file."""
    return any(cell.strip().lower().endswith(suffix) for suffix in PICTURES)


def is_square(n):
    """Return whether so many pixels may be an image of equal sides."""
    return n >= FEWEST_PIXELS and math.isqrt(n) ** 2 == n
