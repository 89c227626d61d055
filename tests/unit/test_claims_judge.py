"""The ledger of claims: mistakes in it are refused, and each claim is judged by its runs or left open."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import hcrlib as hcr
from hcrlib import records
from hcrlib.claims import judge, ledger, resume_check, spec
from hcrlib.claims.ledger import FAILS, HOLDS, OPEN, UNDECIDED
from hcrlib.cli import main
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.runs import runner, store
from hcrlib.sweeps import plan

PAPERS = "papers: {a: A paper}\n"


def figure(name="x", run="dummy, budget: 200", measure="accuracy", at_least=0.05, more=""):
    """Return a claim that a run reaches a figure."""
    row = f"{{name: {name}, paper: a, says: It is good, run: {{classifier: {run}}}, {more}measure: {measure}"
    return f"{row}, at_least: {at_least}}}"


FIGURE = figure()


@pytest.fixture
def write(tmp_path):
    def write(*rows, papers=PAPERS):
        (tmp_path / "c.yml").write_text(papers + "claims:\n" + "".join(f"  - {row}\n" for row in rows))
        return tmp_path / "c.yml"

    return write


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A function that makes a run in a results folder: each configuration is trained once in the session, then copied."""
    root = tmp_path_factory.mktemp("claims")

    def make(config):
        target = records.run_path(config)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HCR_RESULTS", str(root))
            source = records.run_path(config)
            if not store.finished(config):
                runner.run_one(config, log=lambda line: None)
        shutil.copytree(source, target)
        return store.finished(config)

    return make


@pytest.fixture
def judged(trained):
    def judged(path):
        claims = spec.load(path)
        for config in judge.missing(claims):
            trained(config)
        return claims, judge.judge(claims, say=lambda line: None)

    return judged


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (FIGURE.replace("at_least", "at_lest"), "Did you mean 'at_least'"),
        (FIGURE.replace("paper: a", "paper: b"), "no paper 'b'"),
        (FIGURE.replace("accuracy", "acuracy"), "'measure' is not valid.*'acuracy'.*Did you mean 'accuracy'"),
        (FIGURE.replace("at_least: 0.05", "highest: y"), "needs exactly one bound"),
        (FIGURE.replace("dummy", "dumy"), "c.yml, x.*Did you mean 'dummy'"),
        (FIGURE.replace("0.05", "86.857"), "at_least.*a share in 0..1"),
        (FIGURE.replace("0.05", "'99 %'"), "'at_least' is not valid"),
        (FIGURE.replace("accuracy", "fit_s, ensemble: true"), "An ensemble needs one run"),
        (FIGURE.replace("budget: 200", "seed: 5"), "has no seed.*Give the claim its `seeds`"),
        (FIGURE.replace("measure", "seeds: [0, 0], measure"), "'seeds' has duplicates"),
        (FIGURE.replace("measure", "seeds: 3, measure"), "'seeds' is not valid.*a list, got 3"),
        (FIGURE.replace("{classifier: dummy, budget: 200}", "dummy"), "'run' is not valid.*a mapping"),
        (FIGURE.replace("accuracy", "share_of_epochs"), "has no epochs"),
        ("{name: x, paper: a, says: s, resume: {classifier: kn}}", "Did you mean 'knn'"),
        ("{name: x, paper: a, says: s, resume: {classifier: mlp, epochs: 2}}", "at least 3, got 2"),
        ("{name: x, paper: a, says: s, resume: 3}", "'resume' is not valid.*a mapping"),
        (FIGURE.replace("run:", "reason: none, run:"), "needs exactly one test"),
        ("{name: x, paper: a, says: s}", "needs exactly one test"),
        ("{name: x, paper: a, says: s, runs: {A: {classifier: knn}}, measure: fit_s, lowest: B}", "'B' is not one"),
        (f"{FIGURE}\n  - {FIGURE}", "Duplicate claim 'x'"),
    ],
)
def test_a_mistake_in_the_ledger_is_refused(write, row, says):
    with pytest.raises(ConfigError, match=says):
        spec.load(write(row))


def test_a_figure_that_is_reached_and_one_that_is_not(write, judged):
    _, rows = judged(write(FIGURE, figure("y", at_least=0.5), figure("z", at_least=0.101)))
    assert [row["verdict"] for row in rows] == [HOLDS, FAILS, UNDECIDED]
    assert rows[0]["measured"][0]["text"] == "dummy: 10.00 % (900 misses of 1,000, 8.29 to 12.02); 1 seed"
    assert rows[1]["reason"] == "accuracy on the test images is below 50 %"
    assert "cannot tell the two apart" in rows[2]["reason"]
    run = rows[0]["measured"][0]["runs"][0]
    assert run["repeat"].startswith("hcr train dummy")
    assert run["cpu"]


THREE = "K: {classifier: knn}, D: {classifier: dummy}, L: {classifier: linear, budget: 300}"
NEARLY = "A: {classifier: knn}, B: {classifier: knn, k: 4}"
EQUAL = "A: {classifier: knn, budget: 300, k: 1}, B: {classifier: knn, budget: 300}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runs", "measure", "verdict", "reason"),
    [
        (THREE, "accuracy, highest: K", HOLDS, "McNemar's test, Holm, seed 0: K is better than D"),
        (THREE, "accuracy, highest: L", FAILS, "K is better than L"),
        (THREE, "fit_s, lowest: L", FAILS, "by a factor of"),
        *((NEARLY, f"accuracy, highest: {name}", UNDECIDED, "no evidence of a difference") for name in "AB"),
        *((EQUAL, f"train_accuracy, highest: {name}", FAILS, "are equal") for name in "AB"),
    ],
)
def test_a_lead_is_tested_image_by_image(write, judged, runs, measure, verdict, reason):
    claims, [row] = judged(write(f"{{name: x, paper: a, says: s, runs: {{{runs}}}, measure: {measure}}}"))
    assert row["verdict"] == verdict
    assert reason in row["reason"]
    assert judge.missing(claims) == []


@pytest.mark.slow
def test_times_that_are_close_decide_nothing(write, monkeypatch, judged):
    asked, [row] = judged(write(f"{{name: x, paper: a, says: s, runs: {{{THREE}}}, measure: fit_s, lowest: D}}"))
    assert row["verdict"] == HOLDS
    monkeypatch.setattr(judge, "NOISE", 1e9)
    assert judge.judge(asked, say=lambda line: None)[0]["verdict"] == UNDECIDED


@pytest.mark.slow
def test_seeds_are_averaged_and_their_spread_is_given(write, judged):
    claims, [row] = judged(write(figure(run="linear, budget: 300", more="seeds: [0, 1], ")))
    found = [store.finished(config) for config in claims.claims[0].configs[""]]
    assert row["measured"][0]["value"] == pytest.approx((found[0].accuracy + found[1].accuracy) / 2)
    assert "on average; 2 seeds, sd" in row["measured"][0]["text"]


@pytest.mark.slow
def test_an_ensemble_averages_its_members_scores(write, trained):
    """The first member is wrong everywhere, the second one surer and right."""
    claims = spec.load(write(figure(run="linear, budget: 300", more="seeds: [0, 1], ensemble: true, ")))
    runs = [trained(config) for config in claims.configs()]
    labels = records.load_predictions(runs[0])["labels"]
    for run, (wrong, right) in zip(runs, ((0.6, 0.4), (0.1, 0.9)), strict=True):
        scores = np.zeros((1000, 10), np.float32)
        scores[np.arange(1000), labels] = right
        scores[np.arange(1000), (labels + 1) % 10] = wrong
        records.save_predictions(run.path, labels=labels, predicted=scores.argmax(axis=1), scores=scores)
    [row] = judge.judge(claims, say=lambda line: None)
    assert row["measured"][0]["text"].startswith("linear: 2 averaged: 100.00 % (0 misses of 1,000")
    assert [run["alone"] for run in row["measured"][0]["runs"]] == [run.accuracy for run in runs]


@pytest.mark.parametrize(
    ("key", "at_least", "verdict", "reason"),
    [
        ("stand_in", 0.05, OPEN, "not the paper's data; on these, accuracy on the test images is at least 5 %"),
        ("ours", 0.05, HOLDS, "accuracy on the test images is at least 5 %"),
        ("ours", 0.5, OPEN, "the method is not described; of ours, accuracy"),
    ],
)
def test_other_data_decide_nothing_and_our_method_refutes_nothing(write, judged, key, at_least, verdict, reason):
    _, [row] = judged(write(figure(at_least=at_least, more=f"{key}: true, ")))
    assert row["verdict"] == verdict
    assert row["reason"].startswith(reason)
    assert row["measured"]


def test_one_claim_that_cannot_be_judged_does_not_cost_the_others(write, judged):
    path = write(FIGURE, figure("y", "knn, budget: 300", "train_accuracy"))
    claims, _ = judged(path)
    model = store.finished(claims.configs()[1]).path / "model"
    (model / "knn.npz").unlink()
    (model.parent / "train_accuracy.json").unlink()
    rows = judge.judge(claims, say=lambda line: None)
    assert [row["verdict"] for row in rows] == [HOLDS, OPEN]
    assert "cannot be loaded" in rows[1]["reason"]


def test_what_was_measured_elsewhere_is_kept_where_the_runs_are_not(write, results, judged):
    asked, rows = judged(write(FIGURE))
    shutil.rmtree(results / "runs")
    said = []
    assert judge.judge(asked, said.append, rows) == rows
    assert said[0].startswith("x: kept: holds")
    changed = spec.load(write(figure(at_least=0.06)))
    assert judge.judge(changed, said.append, rows)[0]["verdict"] == OPEN


def test_training_accuracy_is_of_the_images_it_was_trained_on(monkeypatch):
    run = hcr.train("knn", budget=300, say=lambda line: None)
    assert judge.train_accuracy(run) == 1  # the nearest image is the image itself
    kept = json.loads((run.path / "train_accuracy.json").read_text())
    assert (kept["hits"], kept["n"]) == (300, 300)
    (run.path / "train_accuracy.json").unlink()
    other = dataclasses.replace(run, data={**run.data, "sha256": "feed"})
    with pytest.raises(RunError, match="feed"):
        judge.train_accuracy(other)


def test_without_the_files_a_claim_is_left_open(write, monkeypatch, judged):
    for module in (judge, spec):
        monkeypatch.setattr(module, "on_this_machine", lambda: {"mnist-5k"})
    path = write(FIGURE.replace("classifier", "dataset: emnist-byclass, classifier"))
    asked, [row] = judged(path)
    assert asked.configs() == []
    assert row["verdict"] == OPEN
    assert "hcr data fetch emnist-byclass" in row["reason"]


def test_a_run_that_failed_leaves_its_claim_open(write):
    asked = spec.load(write(FIGURE))
    [config] = asked.configs()
    records.RunRecord(config=config, status="failed", reason="no luck").write()
    [row] = judge.judge(asked, say=lambda line: None)
    assert (row["verdict"], "no luck" in row["reason"]) == (OPEN, True)


@pytest.mark.parametrize(
    ("lines", "change", "verdict"),
    [
        (["resumed after epoch 2 of 3"], 0, HOLDS),
        (["epoch 1/3"], 0, FAILS),
        (["resumed after epoch 2 of 3"], 1, FAILS),
    ],
)
def test_a_resumed_run_must_go_on_and_end_the_same(write, monkeypatch, lines, change, verdict):
    """The killed processes themselves are those of tests/faults/test_training_faults.py."""
    roots = []

    def train(config, root, wait):
        roots.append(root)
        folder = Path(root, "runs", config.id)
        folder.mkdir(parents=True, exist_ok=True)
        scores = np.eye(3) + (change if len(set(roots)) == 2 else 0)
        np.savez(folder / "predictions.npz", predicted=np.arange(3), scores=scores)
        return lines if wait == "continue" and len(roots) == 2 else []

    monkeypatch.setattr(resume_check, "_train", train)
    row = "{name: x, paper: a, says: s, resume: {classifier: mlp, budget: 200, epochs: 3}}"
    [row] = judge.judge(spec.load(write(row)), say=lambda line: None)
    assert row["verdict"] == verdict
    resumed = lines[0].startswith("resumed")
    assert row["reason"].startswith(f"training {'resumed' if resumed else 'did not resume'} from")
    assert row["reason"].endswith("the same as without the kill") is not bool(change)


@pytest.mark.slow
def test_the_process_of_the_resume_check_trains(tmp_path):
    config = runner.resolve("dummy", budget=200)
    resume_check._train(config, str(tmp_path), "continue")
    assert (tmp_path / "runs" / config.id / "record.json").exists()


def test_the_command_writes_the_ledger_twice_the_same(write, results, capsys, monkeypatch):
    path = str(write(FIGURE, "{name: y, paper: a, says: It flies, reason: nobody has one}"))

    def here(configs, cluster):
        for config in configs:
            runner.run_one(config, log=lambda line: None)
        return []

    monkeypatch.setattr(plan, "run", here)
    assert main.main(["claims", path, "--dry-run"]) == 0
    assert "mnist-5k/dummy/" in capsys.readouterr().out
    assert main.main(["claims", path]) == 0
    first = (results / "c.md").read_text()
    assert main.main(["claims", path]) == 0
    assert (results / "c.md").read_text() == first
    assert "1 of 2 claims holds, 0 do not, 0 are undecided, 1 cannot be tested here." in first
    assert "| It flies | - | **not testable here**: nobody has one |" in first
    assert ledger.render(json.loads((results / "c.json").read_text())) == first


def test_the_committed_file_is_valid():
    asked = spec.load(paths.project_root() / "params/claims.yml")
    assert {claim.paper for claim in asked.claims} == set(asked.papers)
