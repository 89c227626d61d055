"""Parquet files, read by DuckDB: pandas would need pyarrow, a large library that nothing else here uses."""

import numpy as np

from hcrlib.core.errors import DataError
from hcrlib.core.extras import explained
from hcrlib.datasets.idx import kind_of


@explained("sql")
def read_parquet(path):
    """Return a dict of the columns of a file: arrays, or lists of bytes or of nested lists.

    DataError: damaged, or another kind of file. MissingExtraError: DuckDB is not installed.
    """
    import duckdb

    with path.open("rb") as file:
        if (start := file.read(512))[:4] != b"PAR1":
            raise DataError("Not a parquet file", where=path, got=kind_of(start))
    connection = duckdb.connect()
    try:
        types = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        held, plain = {}, [name for name, kind, *_ in types if not _is_nested(kind)]
        for name, kind, *_ in types:
            if _is_nested(kind):
                field = _quoted(name) + (".bytes" if kind.startswith("STRUCT") else "")
                rows = connection.execute(f"SELECT {field} FROM read_parquet(?)", [str(path)]).fetchall()
                held[name] = [row[0] for row in rows]
        quoted = ", ".join(map(_quoted, plain))
        arrays = connection.execute(f"SELECT {quoted} FROM read_parquet(?)", [str(path)]).fetchnumpy() if plain else {}
    except duckdb.Error as error:
        raise DataError(f"The parquet file cannot be read: {str(error).splitlines()[0]}", where=path) from error
    arrays = {name: np.asarray(_without_mask(array)) for name, array in arrays.items()}
    return {name: held[name] if name in held else arrays[name] for name, *_ in types}


def _quoted(name):
    return '"' + name.replace('"', '""') + '"'


def _without_mask(array):
    """Return an array with None where DuckDB masks a missing value."""
    return np.ma.filled(array.astype(object), None) if np.ma.is_masked(array) else array


def _is_nested(kind):
    return kind.startswith("STRUCT") or kind == "BLOB" or kind.endswith("]")
