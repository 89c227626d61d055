"""Query all records in SQL: DuckDB reads the JSON files directly."""

import dataclasses
import glob
import types
import typing

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError
from hcrlib.models import named
from hcrlib.models._base import names
from hcrlib.records import RunRecord
from hcrlib.records.record import FLAT

TYPES = {bool: "BOOLEAN", str: "VARCHAR", int: "BIGINT", float: "DOUBLE"}
CONFIG = {"dataset": "VARCHAR", "classifier": "VARCHAR", "seed": "BIGINT", "budget": "BIGINT"}
NESTED = {  # column -> (JSON path in a record, SQL type)
    "params": ("$.config.params", "JSON"),
    "preprocess": ("$.config.preprocess", "JSON"),
    "data_sha256": ("$.data.sha256", "VARCHAR"),
    "test_sha256": ("$.data.test_sha256", "VARCHAR"),
    **{name: (f"$.provenance.{name}", kind) for name, kind in (("utc", "TIMESTAMP"), ("commit", "VARCHAR"))},
    **{name: (f"$.provenance.{name}", kind) for name, kind in (("cpu", "VARCHAR"), ("cores", "BIGINT"))},
    "code_sha256": ("$.provenance.code_sha256", "VARCHAR"),
    **{name: (f"$.{name}", "JSON") for name in ("notes", "history", "provenance", "metrics")},
}
TEXT = "TRY(decode(content))"  # NULL unless it is UTF-8
TABLES = "results", "published"


def sql(text):
    """Run a query on the tables `results` and `published`; return a DataFrame. Raises ConfigError for invalid SQL.

    results: one row per record in results/runs. published: one row per record of sweeps and studies, with `sweep`, the name
    of its folder. Columns are a record's fields and the parameters of all models, such as k and c, NULL where a model has none
    of that name; params, preprocess, notes, history and provenance are JSON, whose parts are accessed as `params->>'k'`.
    Unreadable records are omitted.
    """
    import duckdb

    with duckdb.connect() as connection:
        runs = [f"{glob.escape(str(paths.runs_root()))}/*/*/*/record.json"]
        folders = paths.sweep_folders(paths.results_root())
        stored = [f"{glob.escape(str(folder))}/records.jsonl" for folder in folders]
        lines = f"unnest(string_split({TEXT}, chr(10)))"
        _table(connection, "results", runs, TEXT, "")
        _table(connection, "published", stored, lines, "parse_filename(parse_dirpath(filename)) AS sweep, ")
        try:
            return connection.execute(text).df()
        except AttributeError as error:
            raise ConfigError("The query is not valid", expected="SQL text", got=repr(text)) from error
        except duckdb.Error as error:
            reason = " ".join(str(error).strip().partition("\n\n")[0].split())  # without the position
            hint = f"The tables are {' and '.join(TABLES)}; `DESCRIBE results` lists their columns, among them the parameters"
            hint += " of models, such as k and c; `hcr classifiers MODEL` explains those"
            raise ConfigError(f"This query cannot be run: {reason}", got=text, hint=hint) from error


def _table(connection, name, files, each, more):
    """Create a view of the records in these files. each: SQL expression for a record's text."""
    columns = ", ".join(f'{_column(path, kind)} AS "{column}"' for column, (path, kind) in _columns().items())
    if not any(map(glob.glob, files)):  # DuckDB refuses patterns without a match
        source = "(SELECT NULL::VARCHAR AS filename, NULL::JSON AS record WHERE false)"
    else:
        quoted = ", ".join("'" + pattern.replace("'", "''") + "'" for pattern in files)
        source = f"(SELECT filename, TRY_CAST({each} AS JSON) AS record FROM read_blob([{quoted}]))"
    connection.execute(f"CREATE VIEW {name} AS SELECT {more}{columns} FROM {source} WHERE json_type(record) = 'OBJECT'")


def _column(path, kind):
    """Return the SQL of a value. path: its JSON path in a record, or several, of which the first non-null one counts."""
    if kind == "JSON":
        return f"json_extract(record, '{path}')"
    places = [path] if isinstance(path, str) else path
    texts = [f"json_extract_string(record, '{place}')" for place in places]
    text = f"COALESCE({', '.join(texts)})"
    return text if kind == "VARCHAR" else f"TRY_CAST({text} AS {kind})"


def _columns():
    """Return column -> (JSON path, type). Metrics are also read from records of schema 1."""
    columns = {"id": ("$.id", "VARCHAR"), **{name: (f"$.config.{name}", kind) for name, kind in CONFIG.items()}}
    for name, hint in typing.get_type_hints(RunRecord).items():
        parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        kinds = [kind for kind in parts if kind in TYPES]
        if kinds and name != "schema":
            columns[name] = f"$.{name}", TYPES[kinds[0]]
    for name, (metric, part) in FLAT.items():
        columns[name] = (f"$.metrics.{metric}.{part}", f"$.{name}"), "DOUBLE"
    errors = ("$.n_errors", "$.misses"), "BIGINT"
    columns |= {"misses": errors, "n_errors": errors} | NESTED
    return columns | {name: value for name, value in _parameters().items() if name not in columns}


def _parameters():
    """Return parameter of any model -> (JSON path, type); JSON where models take values of several kinds for it."""
    kinds = {}
    for field in (field for name in names() for field in dataclasses.fields(named(name))):
        given = {*getattr(field.type, "__args__", (field.type,))} - {types.NoneType}
        kinds.setdefault(field.name, set()).update({float} if given == {int, float} else given)
    typed = {name: TYPES.get(*found) if len(found) == 1 else None for name, found in kinds.items()}
    return {name: (f"$.config.params.{name}", kind or "JSON") for name, kind in typed.items()}
