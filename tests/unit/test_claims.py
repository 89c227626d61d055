"""The ledger: what is wrong in it is refused, what is measured is judged as the paper said it, what cannot be is left open."""

import dataclasses
import json

import pytest

import hcrlib as hcr
from hcrlib import claims, cli, evaluate, paths, records, sweep
from hcrlib.errors import ConfigError, RunError

PAPERS = "papers: {a: A paper}\n"
FIGURE = (
    "{name: x, paper: a, says: It is good, run: {classifier: dummy, budget: 200}, measure: accuracy, at_least: 0.05}"
)


@pytest.fixture
def write(tmp_path):
    def write(*rows, papers=PAPERS):
        (tmp_path / "c.yml").write_text(papers + "claims:\n" + "".join(f"  - {row}\n" for row in rows))
        return tmp_path / "c.yml"

    return write


def judged(path):
    ledger = claims.load(path)
    for config in claims.missing(ledger):
        evaluate.run_one(config, say=lambda line: None)
    return ledger, claims.judge(ledger, say=lambda line: None)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("1", "needs a name"),
        (FIGURE.replace("at_least", "at_lest"), "Did you mean 'at_least'"),
        (FIGURE.replace("paper: a", "paper: b"), "no paper 'b'"),
        (FIGURE.replace("accuracy", "acuracy"), "'acuracy' is no measure.*Did you mean 'accuracy'"),
        (FIGURE.replace("at_least: 0.05", "highest: y"), "says one thing"),
        (FIGURE.replace("dummy", "dumy"), "c.yml, x.*Did you mean 'dummy'"),
        (FIGURE.replace("run:", "reason: none, run:"), "tested in one way"),
        ("{name: x, paper: a, says: s}", "tested in one way"),
        (
            "{name: x, paper: a, says: s, runs: {A: {classifier: knn}}, measure: fit_s, lowest: B}",
            "'B' is none of the runs",
        ),
    ],
)
def test_what_is_wrong_is_told(write, row, says):
    with pytest.raises(ConfigError, match=says):
        claims.load(write(row))


def test_two_of_one_name_are_refused(write):
    with pytest.raises(ConfigError, match="two claims 'x'"):
        claims.load(write(FIGURE, FIGURE))


def test_a_figure_that_is_reached_and_one_that_is_not(write):
    path = write(
        FIGURE, FIGURE.replace("x,", "y,").replace("0.05", "0.5"), FIGURE.replace("x,", "z,").replace("0.05", "0.101")
    )
    _, rows = judged(path)
    assert [row["verdict"] for row in rows] == [claims.HOLDS, claims.FAILS, claims.FAILS]
    assert rows[0]["measured"][0]["text"] == "dummy: 10.00 % (900 misses of 1,000, 8.29 to 12.02); 1 seed"
    assert rows[1]["reason"] == "accuracy on the test images is below 50 %"
    assert "cannot tell the two apart" in rows[2]["reason"]
    run = rows[0]["measured"][0]["runs"][0]
    assert run["repeat"].startswith("hcr train dummy")
    assert run["cpu"]


def test_who_is_best_is_asked_of_every_image(write):
    runs = (
        "{name: %s, paper: a, says: s, runs: {K: {classifier: knn}, D: {classifier: dummy}, L: {classifier: linear}}, "
    )
    path = write(
        runs % "right" + "measure: accuracy, highest: K}",
        runs % "wrong" + "measure: accuracy, highest: L}",
        runs % "time" + "measure: fit_s, lowest: L}",
    )
    ledger, rows = judged(path)
    assert [row["verdict"] for row in rows] == [claims.HOLDS, claims.FAILS, claims.FAILS]
    assert "McNemar, Holm, seed 0: K is better than D" in rows[0]["reason"]
    assert claims.missing(ledger) == []


def test_a_lead_that_may_be_chance_does_not_hold(write):
    path = write(
        "{name: x, paper: a, says: s, runs: {A: {classifier: knn}, B: {classifier: knn, k: 4}}, measure: accuracy, highest: A}",
        "{name: y, paper: a, says: s, runs: {A: {classifier: knn}, B: {classifier: knn, k: 4}}, measure: accuracy, highest: B}",
    )
    _, rows = judged(path)
    assert [row["verdict"] for row in rows] == [claims.FAILS, claims.FAILS]
    assert "no evidence of a difference" in rows[0]["reason"]


def test_seeds_are_averaged_and_their_spread_is_told(write):
    text = FIGURE.replace("dummy, budget: 200", "linear, budget: 300").replace("measure", "seeds: [0, 1], measure")
    _, [row] = judged(write(text))
    found = [evaluate.finished(c) for c in claims.load(write(text)).claims[0]["configs"][""]]
    assert row["measured"][0]["value"] == pytest.approx((found[0].accuracy + found[1].accuracy) / 2)
    assert "on average; 2 seeds, sd" in row["measured"][0]["text"]


def test_an_ensemble_averages_what_its_members_answered(write):
    text = FIGURE.replace("dummy, budget: 200", "linear, budget: 300").replace(
        "measure", "seeds: [0, 1, 2], ensemble: true, measure"
    )
    _, [row] = judged(write(text))
    assert "3 averaged" in row["measured"][0]["text"]
    single = [run["value"] for run in row["measured"][0]["runs"]]
    assert single == [row["measured"][0]["value"]] * 3


def test_training_accuracy_is_of_the_images_it_was_trained_on(monkeypatch):
    run = hcr.train("knn", budget=300, say=lambda line: None)
    assert claims.train_accuracy(run) == 1  # the nearest image is the image itself
    kept = json.loads((run.path / "train_accuracy.json").read_text())
    assert (kept["hits"], kept["n"]) == (300, 300)
    (run.path / "train_accuracy.json").unlink()
    other = dataclasses.replace(run, data={**run.data, "sha256": "feed"})
    with pytest.raises(RunError, match="feed"):
        claims.train_accuracy(other)


def test_without_the_files_a_claim_is_left_open(write, monkeypatch):
    monkeypatch.setattr(claims, "_here", lambda: {"mnist-5k"})
    path = write(FIGURE.replace("classifier", "dataset: emnist-byclass, classifier"))
    ledger, [row] = judged(path)
    assert ledger.configs() == []
    assert row["verdict"] == claims.OPEN
    assert "hcr data fetch emnist-byclass" in row["reason"]


def test_a_run_that_failed_leaves_its_claim_open(write):
    ledger = claims.load(write(FIGURE))
    [config] = ledger.configs()
    records.RunRecord(config=config, status="failed", reason="no luck").write()
    [row] = claims.judge(ledger, say=lambda line: None)
    assert (row["verdict"], "no luck" in row["reason"]) == (claims.OPEN, True)


@pytest.mark.slow
def test_resuming_is_tried(write):
    row = "{name: x, paper: a, says: s, resume: {classifier: mlp, budget: 200, epochs: 3}}"
    _, [row] = judged(write(row))
    assert row["verdict"] == claims.HOLDS
    assert row["reason"].startswith("went on from epoch 2")


def test_the_command_writes_the_ledger_twice_the_same(write, results, capsys, monkeypatch):
    path = str(write(FIGURE, "{name: y, paper: a, says: It flies, reason: nobody has one}"))
    monkeypatch.setattr(sweep, "run", lambda configs: [evaluate.run_one(c, say=lambda line: None) for c in configs])
    assert cli.main(["claims", path, "--dry-run"]) == 0
    assert "mnist-5k/dummy/" in capsys.readouterr().out
    assert cli.main(["claims", path]) == 0
    first = (results / "c.md").read_text()
    assert cli.main(["claims", path]) == 0
    assert (results / "c.md").read_text() == first
    assert "Of 2 claims 1 hold, 0 do not, 1 cannot be tested here." in first
    assert "| It flies | - | **not testable here**: nobody has one |" in first
    assert claims.render(json.loads((results / "c.json").read_text())) == first


def test_the_committed_file_is_valid():
    ledger = claims.load(paths.project_root() / "params/claims.yml")
    assert {claim["paper"] for claim in ledger.claims} == set(ledger.papers)
