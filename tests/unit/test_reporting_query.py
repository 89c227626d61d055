"""Records asked in SQL: every column of a record, parameters by name, and whatever cannot be read left out."""

import json

import pytest

from hcrlib.cli import main
from hcrlib.core.errors import ConfigError
from hcrlib.models import named
from hcrlib.models._base import names
from hcrlib.records import Metric, RunConfig, RunRecord
from hcrlib.reporting import query

MADE = {"utc": "2026-03-01T10:00:00+00:00", "commit": "abc", "cpu": "a chip", "cores": 2, "code_sha256": "cc"}


def record(seed=0, classifier="knn", status="finished", **more):
    config = RunConfig(
        "mnist-5k", classifier, {"k": 3 + seed, "weighted": seed > 0}, ["scale"], seed, 100 * seed or None
    )
    data = {"sha256": "aa", "test_sha256": "bb"}
    measured = {"metrics": {"accuracy": Metric(0.9 + seed / 100)}, "n_errors": 10 - seed, "n_test": 100, "fit_s": 1.5}
    return RunRecord(config=config, status=status, **{**measured, "data": data, "provenance": MADE, **more})


@pytest.fixture
def three():
    """Records of three seeds, written."""
    return [record(seed).write() for seed in range(3)]


def rows(text):
    return [tuple(row) for row in query.sql(text).itertuples(index=False)]


def test_a_row_for_each_record_with_what_was_asked_and_measured(three):
    columns = "id, dataset, classifier, seed, budget, status, accuracy, misses, n_test, fit_s"
    assert rows(f"SELECT {columns} FROM results WHERE seed > 0 ORDER BY seed") == [
        (three[1].id, "mnist-5k", "knn", 1, 100, "finished", 0.91, 9, 100, 1.5),
        (three[2].id, "mnist-5k", "knn", 2, 200, "finished", 0.92, 8, 100, 1.5),
    ]
    assert rows("SELECT seed FROM results WHERE budget IS NULL") == [(0,)]


def test_every_single_measurement_of_a_record_is_a_column(three):
    there = {name for (name, *_) in rows("DESCRIBE results")}
    plain = {name for name, value in three[0].to_dict().items() if value is None or isinstance(value, str | float)}
    assert plain - {"classes", "device"} <= there
    assert {"params", "preprocess", "notes", "history", "provenance", "utc"} <= there


def test_parameters_are_asked_for_by_name(three):
    assert rows("SELECT seed FROM results WHERE params->>'k' = '4'") == [(1,)]
    assert rows("SELECT seed FROM results WHERE CAST(params->>'k' AS INT) > 3 ORDER BY seed") == [(1,), (2,)]
    assert rows("SELECT seed FROM results WHERE (params->>'weighted')::BOOL ORDER BY seed") == [(1,), (2,)]
    assert rows("SELECT count(*) FROM results WHERE params->>'epochs' IS NULL") == [(3,)]
    assert rows("SELECT DISTINCT preprocess->>0 FROM results") == [("scale",)]


def test_parameters_of_all_models_are_columns(three):
    """Also of models without a record here; `select` on them is typed."""
    assert rows("SELECT k, weighted FROM results WHERE k > 3 AND c IS NULL ORDER BY k") == [(4, True), (5, True)]
    there = {name: kind for name, kind, *_ in rows("DESCRIBE results")}
    expected = {"k": "BIGINT", "c": "DOUBLE", "weighted": "BOOLEAN", "optimizer_name": "VARCHAR", "runs": "JSON"}
    assert expected.items() <= there.items()
    assert {name for model in names() for name in named(model).parameters()} <= set(there)
    with pytest.raises(ConfigError, match="kk.*parameters of models, such as k and c; `hcr classifiers MODEL`"):
        query.sql("SELECT kk FROM results")


def test_provenance_histories_notes_and_reasons_are_columns(three):
    asked = "SELECT DISTINCT data_sha256, test_sha256, commit, cpu, cores, code_sha256, epoch(utc)::BIGINT FROM results"
    assert rows(asked) == [("aa", "bb", "abc", "a chip", 2, "cc", 1772359200)]
    assert set(query.sql("SELECT * FROM results").utc.map(str)) == {"2026-03-01 10:00:00"}
    history = [{"epoch": 1, "val_loss": 0.5}, {"epoch": 2, "val_loss": 0.25}]
    reason = "äöü 漢字 \"double\" 'single' \\ back\nline"
    record(7, "svm", "failed", reason=reason, metrics={}, history=history, notes=["one", "two"]).write()
    found = "SELECT unnest(history::JSON[]) AS h FROM results WHERE classifier = 'svm'"
    assert rows(f"SELECT (h->>'epoch')::INT, (h->>'val_loss')::DOUBLE FROM ({found})") == [(1, 0.5), (2, 0.25)]
    failed = "SELECT classifier, reason, notes->>1 FROM results WHERE status = 'failed' AND accuracy IS NULL"
    assert rows(failed) == [("svm", reason, "two")]


@pytest.mark.parametrize("table", query.TABLES)
def test_without_records_the_answer_is_empty_and_has_its_columns(table):
    assert rows(f"SELECT count(*) FROM {table}") == [(0,)]
    found = query.sql(f"SELECT id, accuracy, params FROM {table}")
    assert list(found.columns) == ["id", "accuracy", "params"]
    assert len(found) == 0


@pytest.mark.parametrize("content", [b"", b"{", b'{"id": "x", "config'])
def test_a_damaged_record_is_left_out(three, content):
    (three[1].path / "record.json").write_bytes(content)
    assert rows("SELECT seed FROM results ORDER BY seed") == [(0,), (2,)]


@pytest.mark.parametrize("name", ["it's", 'a "b" c', "a b", "ä ö", "a;b", "a--b", "a*b", "a[b]?"])
def test_a_results_folder_of_any_name(tmp_path, monkeypatch, name):
    monkeypatch.setenv("HCR_RESULTS", str(tmp_path / name))
    record().write()
    assert rows("SELECT count(*) FROM results") == [(1,)]


def test_published_records_know_their_sweep(results):
    for sweep, seeds in (("demo", (0, 1)), ("more", (1, 2, 3))):
        (results / sweep).mkdir(parents=True)
        lines = [json.dumps(record(seed).to_dict()) + "\n" for seed in seeds]
        (results / sweep / "records.jsonl").write_text("".join(lines) + '{"half a li\n\n')
    assert rows("SELECT sweep, count(*) FROM published GROUP BY ALL ORDER BY ALL") == [("demo", 2), ("more", 3)]
    both = "SELECT p.sweep, p.id FROM published p JOIN published o USING (id) WHERE p.sweep > o.sweep"
    assert rows(both) == [("more", record(1).id)]
    assert rows("SELECT count(*) FROM results") == [(0,)]


@pytest.mark.parametrize(
    "text", ["SELEC * FROM results", "SELECT nope FROM results", "SELECT * FROM nowhere", "SELECT", "SELECT 1/'x'"]
)
def test_a_wrong_query_is_refused(three, capsys, text):
    with pytest.raises(ConfigError, match="cannot be run"):
        query.sql(text)
    assert main.main(["results", "--sql", text]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "The tables are results and published" in printed


def test_a_query_writes_no_record(three):
    before = [(one.path / "record.json").read_bytes() for one in three]
    for text in ("DELETE FROM results", "UPDATE results SET seed = 1", "INSERT INTO results SELECT * FROM results"):
        with pytest.raises(ConfigError):
            query.sql(text)
    query.sql("DROP VIEW results")
    assert [(one.path / "record.json").read_bytes() for one in three] == before
    assert rows("SELECT count(*) FROM results") == [(3,)]


def test_the_command_line_prints_the_answer(three, capsys):
    asked = "SELECT seed, misses AS wrong FROM results ORDER BY seed DESC LIMIT 1"
    for form in ("table", "csv", "html"):
        assert main.main(["results", "--sql", asked, "--format", form]) == 0
        printed = capsys.readouterr().out
        assert "wrong" in printed
        assert "8" in printed
    assert main.main(["results", "--sql", "SELECT id FROM results WHERE seed > 9"]) == 0
    assert capsys.readouterr().out == "No rows.\n"
