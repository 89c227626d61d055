"""The page that is mailed holds all of it, says what the records say, and loads nothing."""

import dataclasses
import json
import re
import time

import numpy as np
import pytest
from PIL import Image

import hcrlib as hcr
from hcrlib import records
from hcrlib.cli import main
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.metrics.statistics import compare
from hcrlib.plotting import style
from hcrlib.records import Metric, RunConfig, RunRecord
from hcrlib.reporting import answer, html, origin
from hcrlib.runs import comparison
from hcrlib.tasks.classification import figures
from hcrlib.tasks.classification.captions import captions

EMPTY = dict.fromkeys(("remark", "measure", "figure"), None) | {"paper": "a", "measured": []}
CLAIMS = {
    "question": "Does it hold?",
    "papers": {"a": "Paper <A>"},
    "claims": [
        {**EMPTY, "name": "x", "says": "It is `good`", "verdict": "holds", "reason": "yes"},
        {**EMPTY, "name": "y", "says": "s", "remark": "r", "verdict": "not testable here", "reason": "no"},
    ],
}


def stored(folder, runs, question="Is it <better>?"):
    """Write what a sweep writes of its runs."""
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_text("".join(json.dumps(run.to_dict()) + "\n" for run in runs))
    (folder / "leaderboard.md").write_text(f"# {question}\n\n### mnist-5k\n")


def made_up(classifier, misses, fit_s=1.0, predictions=True, **config):
    """Return the record of a run that reads all but the first `misses` of 1,000 images."""
    config = RunConfig("mnist-5k", classifier, config.pop("params", {}), ["scale"], config.pop("seed", 0), 500)
    value = 1 - misses / 1000
    metrics = {"accuracy": Metric(value, value - 0.02, value + 0.02), "val_accuracy": Metric(value)}
    sizes = {"n_train": 500, "n_val": 400, "n_test": 1000, "n_errors": misses, "size_bytes": 1, "engine": "e"}
    times = {"fit_s": fit_s, "predict_us_per_image": fit_s, "predict_ms_p50": fit_s / 10}
    made = {"utc": "2026-11-30T08:00:00+00:00", "commit": "a" * 40, "cpu": "EPYC", "cores": 2, "python": "3.11"}
    data, classes = {"name": "mnist-5k", "test_sha256": "c" * 64}, list("01")
    parts = {"metrics": metrics, "provenance": made, "data": data, "classes": classes, **sizes, **times}
    run = RunRecord(config=config, status="finished", task="classification", **parts)
    if predictions:
        run.path.mkdir(parents=True)
        labels = np.arange(1000) % 2
        predicted = np.where(np.arange(1000) < misses, 1 - labels, labels)
        scores = np.where(np.arange(2) == predicted[:, None], 0.9, 0.1)
        records.save_predictions(run.path, labels=labels, predicted=predicted, scores=scores)
    return run


@pytest.fixture
def made(results):
    """results/ with a sweep of one run and a ledger."""
    run = hcr.train("dummy", say=lambda line: None)
    stored(results / "tiny", [run])
    (results / "tiny/figures").mkdir()
    for name in ("mnist-5k-fit", "other"):
        Image.new("RGB", (2, 2)).save(results / f"tiny/figures/{name}.png")
    (results / "claims.json").write_text(json.dumps(CLAIMS))
    return run


def test_everything_is_in_the_one_file(made, results, capsys):
    assert main.main(["report"]) == 0
    assert capsys.readouterr().out.strip() == str(results / "report.html")
    page = (results / "report.html").read_text()
    texts = ["<h1>Is it &lt;better&gt;?</h1>", "hcr train dummy --data mnist-5k", "<b>Accuracy and time to train</b>"]
    for text in (*texts, made.id.replace("/", "/<wbr>"), made.data["test_sha256"], made.provenance["cpu"]):
        assert text in page
    assert page.count("<figure><img ") == 2
    assert not re.search(r'(src|href)="(?!data:|#)|url\(|@import', page)
    targets = re.findall(r'href="#([^"]+)"', page)
    assert targets
    assert all(page.count(f'id="{target}"') == 1 for target in targets)


def test_the_images_behind_the_confusions_of_the_two_best_are_shown(results):
    stored(
        results / "tiny", [hcr.train(name, budget=100, say=lambda line: None) for name in ("dummy", "linear", "knn")]
    )
    page = html.write().read_text()
    fragment = page[page.index("Which images are confused?") :]
    assert re.search("<b>A</b>: (.*?), <b>B</b>: (.*?)\\. Rows", fragment).groups() in (
        ("knn", "linear"),
        ("linear", "knn"),
    )
    assert "A alone: " in fragment
    assert len(page) < 600_000


def test_claims_of_papers_are_shown_where_asked_for_after_the_own_results(made, results, capsys):
    assert main.main(["report"]) == 0
    assert "Does it hold?" not in (results / "report.html").read_text()
    assert main.main(["report", "--claims"]) == 0
    page = (results / "report.html").read_text()
    for text in ("Paper &lt;A&gt;", "<code>good</code>"):
        assert page.index("Is it &lt;better&gt;?") < page.index(text)


def test_own_results_come_first_then_the_newest_and_runs_in_no_sweep_are_reported(results):
    old, new = made_up("linear", 20, predictions=False), made_up("knn", 10, predictions=False)
    new.provenance["utc"] = "2026-12-01T08:00:00+00:00"
    stored(results / "a", [old], "Old?")
    stored(results / "b", [new], "New?")
    assert re.findall("<h2 id.*?>(.*?)</h2>", html.write().read_text()) == ["New?", "Old?"]
    old.write()
    own = made_up("dummy", 900).write()
    heads = re.findall("<h2 id.*?>(.*?)</h2>", html.write().read_text())
    assert (len(heads), heads[-1]) == (3, "New?"), "of another machine"
    assert own.id.replace("/", "/<wbr>") in (results / "report.html").read_text()


def test_nothing_to_report_is_an_error(made, monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match=r"no results of 'none'.*There are: .*tiny"):
        html.write(sweeps=["none"])
    monkeypatch.setenv("HCR_RESULTS", str(tmp_path / "empty"))
    with pytest.raises(RunError, match="nothing to report"):
        html.write()


def test_committed_results_are_reported_wherever_own_ones_lie(tmp_path):
    page = html.write(tmp_path / "mnist.html", ["mnist"]).read_text()
    assert "<h1>How good is each classifier on all of MNIST, and what does it cost?</h1>" in page
    assert "Who gets more images right?" in page
    assert "predictions of some runs are not at hand" in page
    assert "The figure of all pairs shows tests that were made where the predictions are." in page


@pytest.mark.parametrize("heading", ["# tiny\n\nx", "", None])
def test_a_sweep_without_a_question_is_named(results, heading):
    stored(results / "tiny", [made_up("linear", 20)])
    table = results / "tiny/leaderboard.md"
    table.write_text(heading) if heading is not None else table.unlink()
    assert "<title>Results of the sweep tiny</title>" in html.write().read_text()


def test_the_answer_names_the_best_the_evidence_and_the_time():
    runs = [made_up("linear", 30, 2.0), made_up("knn", 20, 5.0), made_up("mlp", 18, 300.0), made_up("svm", 21, 4.0)]
    assert answer.sentences(runs) == [
        "`mlp` is the best of 4 configurations by validation: 98.20 % accuracy (95 % interval 96.20 to 100.20 %; 18 of "
        "1,000 images wrong).",
        "On the same images, `mlp` is significantly better than `linear`; there is no evidence of a difference from `knn` "
        "and `svm` (McNemar's exact test with Holm's correction, level 0.05).",
        "Training `mlp` took 5 min (longer than any other), and reading one image 30 ms (longer than any other).",
    ]
    runs[2].metrics["val_accuracy"] = Metric(0.5)
    assert answer.sentences(runs)[0].startswith("`knn` is the best"), "chosen by validation"
    assert "(longer: `mlp` 5 min)" in answer.sentences(runs)[2]


def test_seeds_of_a_configuration_are_answered_by_their_mean():
    runs = [made_up("linear", misses, seed=seed) for seed, misses in enumerate((20, 30, 40))] + [made_up("dummy", 900)]
    first, second, _ = answer.sentences(runs)
    assert "`linear` is the best of 2 configurations" in first
    assert "97.00 % accuracy, the mean over 3 seeds (sd 1.00 %; seed 0: 95 % interval 96.00 to 100.00 %)" in first
    assert "`linear` is significantly better than `dummy` (min F' over images and seeds" in second


def test_the_best_seed_by_test_images_is_not_the_one_that_is_shown():
    runs = [made_up("linear", misses, seed=seed) for seed, misses in enumerate((40, 20))] + [made_up("dummy", 900)]
    assert [run.config.seed for run in comparison.best_runs(runs[::-1])] == [0, 1]


def test_each_pair_is_tested_by_the_test_that_is_named():
    runs = [made_up("linear", 20), made_up("knn", 30), *(made_up("mlp", 300 + seed, seed=seed) for seed in range(2))]
    assert "(McNemar's exact test or, with several seeds, min F' over" in answer.sentences(runs)[1]
    assert "(McNemar's exact test with Holm's" in answer.sentences(runs[:2])[1]


def test_without_predictions_the_intervals_are_the_evidence():
    runs = [made_up(name, misses, predictions=False) for name, misses in (("knn", 10), ("svm", 20), ("linear", 90))]
    assert answer.sentences(runs)[1] == (
        "The predictions of some runs are not at hand, so intervals are compared: that of `knn` lies on the better side of "
        "that of `linear` and overlaps that of `svm`."
    )
    assert answer.sentences(runs, tested=True)[1].endswith(f"`svm`.{answer.FIGURE}")


def test_one_run_and_no_finished_run_have_an_answer(results):
    one = made_up("linear", 20)
    assert answer.sentences([one])[:2] == [
        "`linear` reaches 98.00 % accuracy (95 % interval 96.00 to 100.00 %; 20 of 1,000 images wrong).",
        "There is no other configuration to compare it with.",
    ]
    failed = RunRecord(config=dataclasses.replace(one.config, seed=1), status="failed", reason="It <broke>")
    assert answer.sentences([failed]) == ["No run has finished, so there is no answer yet."]
    stored(results / "tiny", [failed])
    page = html.write().read_text()
    assert "mnist-5k: no finished run" in page
    assert "It &lt;broke>" in page
    stored(results / "both", [failed, one])
    assert "1 of 2 runs did not finish" in html.write(sweeps=["both"]).read_text()


def test_recognizers_are_answered_by_their_character_error_rate():
    rates = {"cer": Metric(0.05, 0.04, 0.06), "val_cer": Metric(0.05)}
    config = RunConfig("mnist-numbers", "crnn-small", {}, [], 0, None)
    run = dataclasses.replace(made_up("linear", 20), config=config, task="recognition", metrics=rates)
    worse = {"cer": Metric(0.5, 0.4, 0.6), "val_cer": Metric(0.5)}
    other = dataclasses.replace(run, config=dataclasses.replace(config, params={"epochs": 1}), metrics=worse)
    first, second, third = answer.sentences([other, run])
    assert "5.00 % CER (95 % interval 4.00 to 6.00 %; 20 of 1,000 lines wrong)" in first
    assert "lies on the better side of that of `crnn-small epochs=1`" in second
    assert third.endswith("reading one line 0.1 ms.")


def test_several_commits_and_machines_are_told():
    one, other = made_up("linear", 20), made_up("knn", 20)
    assert origin.cautions([one, other]) == []
    other.provenance.update(commit="b" * 40, cpu="Xeon", dirty=True, runs_at_once=2)
    other.data = {**other.data, "notes": ["Seen before."]}
    assert origin.cautions([one, other]) == [
        "The runs were made by 2 different commits; the origin of each is at the end.",
        "The runs were made on 2 different machines, whose times are not comparable.",
        "The code had uncommitted changes during 1 of 2 runs.",
        "Up to 2 runs shared a machine, so times are upper bounds.",
        "mnist-5k: Seen before.",
    ]
    facts = origin.facts([one, other])
    assert facts["commit"] == "aaaaaaaaaa (1 run); bbbbbbbbbb (1 run)"
    assert facts["machine"] == "EPYC, 2 cores (1 run); Xeon, 2 cores (1 run)"
    assert facts["software"] == "Python 3.11"


def test_captions_say_what_is_in_the_figures():
    runs = [made_up("linear", 20, 2.0), made_up("knn", 10, 5.0)]
    texts = captions(runs, runs[1], records.load_predictions(runs[1]))
    assert "linear trains fastest, in 2 s, and 98.00 % of its answers are right" in texts["fit"][1]
    assert "Most frequent: 0 as 1: 5 times; 1 as 0: 5 times." in texts["confusion"][1]
    assert "Hardest for knn: 0 (recall 99.0 %)" in texts["classes"][1]
    assert "Most frequent" not in captions(runs, runs[1], None)["confusion"][1]


def test_figures_of_many_stay_legible():
    labels = np.zeros(25, int)
    found = compare({f"run {n}": {"labels": labels, "predicted": np.arange(25) < n} for n in range(25)})
    ax = figures.versus(style.figure(24, 15), found)
    assert [text.get_text() for text in ax.get_yticklabels()] == [f"run {n}" for n in range(20)]
    assert ax.get_xlabel() == "the 20 best of 25"
    assert ax.figure.get_size_inches()[0] == 20
    ax = style.figure()
    runs = [made_up("linear", k, predictions=False, params={"max_iter": k}) for k in range(1, 61)]
    style.save(figures.accuracy_against(ax, runs, "fit_s"))  # a warning, and so an error, if the axes have no room
    assert ax.get_position().width * ax.figure.get_size_inches()[0] > 3


def test_a_hundred_runs_are_reported_in_seconds(results):
    runs = [made_up("linear", k, predictions=False, params={"max_iter": k}) for k in range(1, 101)]
    stored(results / "many", runs)
    begun = time.process_time()
    assert html.write().stat().st_size < 200_000
    assert time.process_time() - begun < 10
