"""All records as one table, asked in SQL: DuckDB reads the JSON files where they lie."""

import glob
import types
import typing

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError
from hcrlib.records import RunRecord
from hcrlib.records.record import FLAT

TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE"}
CONFIG = {"dataset": "VARCHAR", "classifier": "VARCHAR", "seed": "BIGINT", "budget": "BIGINT"}
NESTED = {  # column -> where it is in a record, and as what it is read
    "params": ("$.config.params", "JSON"),
    "preprocess": ("$.config.preprocess", "JSON"),
    "data_sha256": ("$.data.sha256", "VARCHAR"),
    "test_sha256": ("$.data.test_sha256", "VARCHAR"),
    **{name: (f"$.provenance.{name}", kind) for name, kind in (("utc", "TIMESTAMP"), ("commit", "VARCHAR"))},
    **{name: (f"$.provenance.{name}", kind) for name, kind in (("cpu", "VARCHAR"), ("cores", "BIGINT"))},
    "code_sha256": ("$.provenance.code_sha256", "VARCHAR"),
    **{name: (f"$.{name}", "JSON") for name in ("notes", "history", "provenance", "metrics")},
}
TEXT = "TRY(decode(content))"  # NULL where it is not UTF-8
TABLES = "results", "published"


def sql(text):
    """Return a DataFrame: the answer to a query of the tables `results` and `published`. ConfigError for what is not valid SQL.

    results: a row for each record in results/runs. published: a row for each in results/*/records.jsonl, with `sweep`, its
    folder's name. Columns are what a record holds, and params, preprocess, notes, history and provenance as JSON, whose parts
    are asked for as `params->>'k'`. Records that cannot be read are left out.
    """
    import duckdb

    with duckdb.connect() as connection:
        runs = f"{glob.escape(str(paths.runs_root()))}/*/*/*/record.json"
        stored = f"{glob.escape(str(paths.results_root()))}/*/records.jsonl"
        lines = f"unnest(string_split({TEXT}, chr(10)))"
        _table(connection, "results", runs, TEXT, "")
        _table(connection, "published", stored, lines, "parse_filename(parse_dirpath(filename)) AS sweep, ")
        try:
            return connection.execute(text).df()
        except AttributeError as error:
            raise ConfigError("This is no query", got=repr(text)) from error
        except duckdb.Error as error:
            told = " ".join(str(error).strip().partition("\n\n")[0].split())  # without the place, which the query shows
            hint = f"The tables are {' and '.join(TABLES)}; DESCRIBE results lists the columns"
            raise ConfigError(f"This query cannot be answered: {told}", got=text, hint=hint) from error


def _table(connection, name, files, each, more):
    """Make a view of the records in these files; each: an expression of a record's text."""
    columns = ", ".join(f"{_column(path, kind)} AS {column}" for column, (path, kind) in _columns().items())
    if not glob.glob(files):  # noqa: PTH207 - DuckDB refuses patterns of nothing
        source = "(SELECT NULL::VARCHAR AS filename, NULL::JSON AS record WHERE false)"
    else:
        quoted = files.replace("'", "''")
        source = f"(SELECT filename, TRY_CAST({each} AS JSON) AS record FROM read_blob('{quoted}'))"
    connection.execute(f"CREATE VIEW {name} AS SELECT {more}{columns} FROM {source} WHERE json_type(record) = 'OBJECT'")


def _column(path, kind):
    """Return the SQL of a value. path: where it is in a record, or several places, of which the first that is there counts."""
    if kind == "JSON":
        return f"json_extract(record, '{path}')"
    places = [path] if isinstance(path, str) else path
    texts = [f"json_extract_string(record, '{place}')" for place in places]
    text = f"COALESCE({', '.join(texts)})"
    return text if kind == "VARCHAR" else f"TRY_CAST({text} AS {kind})"


def _columns():
    """Return column -> (JSON path, type). Metrics are read in records of schema 1, too."""
    found = {"id": ("$.id", "VARCHAR"), **{name: (f"$.config.{name}", kind) for name, kind in CONFIG.items()}}
    for name, hint in typing.get_type_hints(RunRecord).items():
        kinds = [
            kind for kind in (typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)) if kind in TYPES
        ]
        if kinds and name != "schema":
            found[name] = f"$.{name}", TYPES[kinds[0]]
    for name, (metric, part) in FLAT.items():
        found[name] = (f"$.metrics.{metric}.{part}", f"$.{name}"), "DOUBLE"
    errors = ("$.n_errors", "$.misses"), "BIGINT"
    return found | {"misses": errors, "n_errors": errors} | NESTED
