"""Tables by hand: order, names, units, what is listed underneath, and what is refused."""

import dataclasses
import io
import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from hcrlib import records
from hcrlib.cli import main
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.models import CLASSIFIERS, RECOGNIZERS
from hcrlib.plotting import style
from hcrlib.records import Metric, RunRecord
from hcrlib.reporting import leaderboard
from hcrlib.runs import runner
from hcrlib.runtime.glyph import Steps
from hcrlib.tasks.classification import figures


def record(classifier, misses=100, fit_s=1.0, status="finished", test="a" * 64, reason=None, **asked):
    """A record of 1,000 test images; the interval is not what is tested here."""
    made = RunRecord(config=runner.resolve(classifier, **asked), status=status, reason=reason)
    if status == "finished":
        made.data = {"name": made.config.dataset, "test_sha256": test}
        made.n_train, made.n_test, made.n_errors, accuracy = 3600, 1000, misses, 1 - misses / 1000
        made.metrics = {"accuracy": Metric(accuracy, accuracy - 0.01, accuracy + 0.01), "val_accuracy": Metric(0.9)}
        made.fit_s, made.predict_us_per_image, made.predict_ms_p50 = fit_s, 12.5, 0.00012
        made.size_bytes, made.engine, made.n_parameters = 2_500_000, "numpy", 7850
        made.provenance = {"cpu": "a processor", "cores": 2}
    return made


FLOOR = [record("dummy", 900), record("linear", 80)]


def test_the_most_accurate_comes_first_and_ties_go_by_time():
    frame = leaderboard.table([*FLOOR, record("svm", 20, 3.0), record("knn", 20, 2.0)])
    assert list(frame.classifier) == ["knn", "svm", "linear", "dummy"]
    assert list(frame.misses) == [20, 20, 80, 900]
    assert frame.accuracy[0] == 0.98


def test_datasets_keep_their_order_and_are_tested_on_the_same_images():
    runs = [record("knn", 90, dataset="mnist"), record("knn", 20), record("svm", 10, dataset="mnist")]
    assert list(leaderboard.table(runs).dataset) == ["mnist", "mnist", "mnist-5k"]
    with pytest.raises(RunError, match="tested on different data"):
        leaderboard.table([*runs, record("knn", 20, test="b" * 64)])


def test_equal_names_get_what_sets_them_apart():
    runs = [record("knn", 20), record("knn", 30, k=1), record("knn", 40, seed=2, budget=500), record("svm", 50, c=1.0)]
    assert list(leaderboard.table(runs).classifier) == [
        "knn k=3 budget=all",
        "knn k=1 budget=all",
        "knn k=3 budget=500",
        "svm",
    ]
    runs = [record("knn", 20), record("knn", 30, k=1), record("svm", 50), record("svm", 60, class_weight="balanced")]
    swept = ["knn k=3", "knn k=1", "svm class_weight=null", "svm class_weight=balanced"]
    assert list(leaderboard.table(runs).classifier) == swept, "a value that was swept is shown, be it the default"


def test_a_row_is_written_with_its_units():
    text = leaderboard.render([record("linear", 1000 - 987, fit_s=123.4)])
    row = next(line for line in text.splitlines() if line.startswith("linear"))
    cells = "linear 98.70 97.70 to 99.70 13 of 1,000 90.00 3,600 123 12.5 < 0.001 7,850 2.5 numpy"
    assert row.split() == cells.split()
    frame = pd.read_csv(io.StringIO(leaderboard.render([*FLOOR, record("knn", 17)], "csv")))
    assert frame.accuracy[0] == 1 - 17 / 1000, "the raw number"
    assert {"fit_s", "predict_us_per_image", "predict_ms_p50", "size_bytes", "id"} <= set(frame.columns)


@pytest.mark.parametrize("width", [30, 80, 100, 120])
def test_a_table_fits_the_terminal(width):
    steps = record("svm", 70, preprocess=["scale", "deskew", "hog"], gamma=0.06), record("svm", 90)
    runs = [*FLOOR, record("knn", 17), *steps, *(record("mlp", 30 + seed, seed=seed) for seed in range(3))]
    text = leaderboard.render(runs[: 3 if width < 80 else None], width=width)
    table = text.partition("\n\n- ")[0]
    assert max(map(len, table.splitlines()[2:])) <= width
    assert "classifier" in table
    assert "accuracy %" in table
    assert "engine" in " ".join(text.split()).partition("Not shown, for width: ")[2]
    assert "`hcr leaderboard --wide`" in text
    assert "Not shown" not in leaderboard.render(FLOOR)


def test_the_best_is_bold_and_costs_are_aligned_at_their_points():
    lines = leaderboard.render([*FLOOR, record("knn", 17, fit_s=123.4)], bold=True).splitlines()
    assert [line.startswith("\x1b[1mknn") and line.endswith("\x1b[0m") for line in lines[4:7]] == [True, False, False]
    assert "\x1b" not in "".join(lines[5:])
    lines = leaderboard.render([record("linear", 80, fit_s=1.25), record("knn", 17, fit_s=123.4)]).splitlines()
    assert lines[4].index("123") + 3 == lines[5].index("1.25") + 1
    assert "\x1b" not in leaderboard.render(FLOOR, "markdown", bold=True)


def test_a_short_table_has_the_first_rows():
    runs = [*FLOOR, *(record("knn", 10 + k, k=k) for k in range(1, 9))]
    text = leaderboard.render(runs, "markdown", compact=True, most=leaderboard.SHORT)
    assert text.count("| knn k=") + text.count("| knn ") >= 5
    assert "dummy" not in text
    many = [*runs, record("svm", 1), *(record(name, 5, dataset="mnist") for name in ("svm", "mlp", "linear", "dummy"))]
    assert leaderboard.overview(many, 2).count("\n| ") == 3 - 1


def test_the_best_by_validation_is_named_where_the_test_puts_another_first():
    runs = [record("knn", 20), record("svm", 10)]
    assert "Best by validation" not in leaderboard.render([record("svm", 10)])
    runs[0].metrics["val_accuracy"] = Metric(0.95)
    assert "Best by validation: knn; the table is sorted by test results." in leaderboard.render(runs)


def test_ensembles_of_as_many_runs_are_told_apart():
    runs = [record("svm")]
    for members in (["x", "y"], ["x", "z"], ["x", "y", "z"]):
        runs.append(record("svm"))
        runs[-1].config = dataclasses.replace(runs[-1].config, classifier="ensemble", params={"runs": members})
    names = [records.label(run, runs) for run in runs]
    ids = [run.config.hash[:6] for run in runs]
    assert names == ["svm", f"ensemble runs=2 id={ids[1]}", f"ensemble runs=2 id={ids[2]}", "ensemble runs=3"]


def test_the_names_of_data_are_no_html():
    made = record("knn")
    made.config = dataclasses.replace(made.config, dataset="<img src=x>")
    text = leaderboard.render([made], "html")
    assert "<h3>&lt;img src=x" in text
    assert "<img" not in text


def test_failed_and_skipped_runs_and_a_missing_floor_are_listed():
    failed = record("svm", status="failed", reason="no luck")
    runs = [*FLOOR[:1], failed, record("mlp", status="skipped", reason="a | b <")]
    text = leaderboard.render(runs, "markdown")
    assert text.count("| ") > 10
    assert ": failed: no luck" in text
    assert ": skipped: a | b <" in text
    assert "- mnist-5k: no linear run to use as a baseline" in text
    assert "a | b &lt;" in leaderboard.render(runs, "html")
    assert leaderboard.render([]) == "\n"
    assert leaderboard.render([failed]).count("no luck") == 1


def test_many_datasets_are_one_overview():
    thin = record("svm", 10, dataset="mnist")
    thin.n_train = 1000
    text = leaderboard.overview([*FLOOR, record("linear", 70, dataset="mnist"), thin, record("svm", 30)])
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert rows[0] == ["accuracy %", "mnist-5k", "mnist"]
    assert rows[2:] == [
        ["svm", "97.00 ± 1.00", "99.00* ± 1.00"],
        ["linear", "92.00 ± 1.00", "93.00 ± 1.00"],
        ["dummy", "10.00 ± 1.00", "-"],
    ]


def test_an_empty_table_has_the_columns_of_the_task_it_would_show():
    failed = [record("crnn-small", status="failed", reason="no luck")]
    assert {"cer", "wer"} <= set(leaderboard.table(failed).columns)
    assert not {"cer", "accuracy"} & set(leaderboard.table([]).columns)


@pytest.fixture
def readme(tmp_path):
    """A README with marks, beside a results folder with one sweep in it."""
    (tmp_path / "results/mnist").mkdir(parents=True)
    lines = "".join(json.dumps(run.to_dict()) + "\n" for run in [*FLOOR, record("knn", 20)])
    (tmp_path / "results/mnist/records.jsonl").write_text(lines)
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- leaderboard:begin mnist -->\nold\n<!-- leaderboard:end -->\nafter\n")
    return readme


def test_the_readme_is_rewritten_between_its_marks_only(readme, monkeypatch, capsys):
    monkeypatch.setattr(paths, "project_root", lambda: readme.parent)
    assert main.main(["leaderboard", "--readme", "--check"]) == 1
    assert "old" in readme.read_text()
    assert main.main(["leaderboard", "--readme"]) == 0
    text = readme.read_text()
    assert text.startswith("before\n<!-- leaderboard:begin mnist -->\n### mnist-5k: 1,000 test images")
    assert text.endswith("<!-- leaderboard:end -->\nafter\n")
    assert "| knn " in text
    assert "a processor, 2 cores" in text
    assert "old" not in text
    capsys.readouterr()
    assert main.main(["leaderboard", "--readme", "--check"]) == 0
    assert "up to date" in capsys.readouterr().out


def test_the_readme_may_show_the_best_of_each_dataset(readme):
    readme.write_text(readme.read_text().replace("begin mnist", "begin best of mnist"))
    assert not leaderboard.update_readme(readme, readme.parent / "results")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in readme.read_text().splitlines()
        if "mnist-5k" in line
    ]
    link = "[knn](results/mnist/leaderboard.md)"
    assert rows == [["mnist-5k", "", "1,000 images", link, "accuracy 98.00 %", "97.00 to 99.00"]]


def test_a_readme_without_marks_and_broken_records_are_reported(readme):
    (readme.parent / "results/mnist/records.jsonl").write_text("{")
    with pytest.raises(RunError, match=r"records\.jsonl"):
        leaderboard.update_readme(readme, readme.parent / "results")
    readme.write_text("nothing")
    with pytest.raises(ConfigError, match="leaderboard.s markers"):
        leaderboard.update_readme(readme, readme.parent / "results")


def test_no_two_classifiers_look_the_same():
    names = [*CLASSIFIERS.names(), *RECOGNIZERS.names()]
    assert len({style.style(name) for name in names}) == len(names)


def test_models_of_other_packages_have_colors_of_their_own(monkeypatch):
    """A plug-in's once was that of another one, or nearly knn's green."""
    more = [f"mine-{number}" for number in range(12)]
    before = {name: style.style(name) for name in CLASSIFIERS.names()}
    monkeypatch.setattr(CLASSIFIERS, "_items", {**CLASSIFIERS._items, **{name: type(name, (), {}) for name in more}})
    found = {name: to_rgb(style.style(name)[0]) for name in CLASSIFIERS.names()}
    assert before == {name: style.style(name) for name in before}, "installing one changes no other"
    for name in more:
        assert min(style._distance(found[name], found[other]) for other in found if other != name) > 0.3**2, name
    assert style.style("gone") == style.style("gone")


def test_a_perfect_score_has_its_place_on_a_logarithmic_axis():
    perfect = record("svm", 0)
    perfect.ci_high = 1.0
    ax = figures.accuracy_against(style.figure(), [perfect, *FLOOR], "fit_s")
    low, high = sorted(ax.get_ylim())
    assert low < 0.0005 < 0.9 < high
    assert ax.yaxis_inverted()
    labels = {tick: ax.yaxis.get_major_formatter()(tick, 0) for tick in ax.get_yticks()}
    assert labels[0.0005] == "100"
    assert (0.0005 in ax.get_yticks(), 0.0002 in ax.get_yticks(), labels[0.01]) == (True, False, "99")


def test_the_surest_mistake_comes_first():
    import numpy as np

    scores = np.array([[0.4, 0.6], [0.1, 0.9], [0.2, 0.8]], np.float16)
    predictions = {"labels": np.array([0, 0, 1]), "predicted": scores.argmax(axis=1), "scores": scores}
    ax = figures.mistakes(style.figure(), np.zeros((3, 28, 28), np.uint8), predictions, ("a", "b"))
    assert [text.get_text() for text in ax.texts] == ["a → b, 90%", "a → b, 60%"]
    counts = np.array([[1, 2], [0, 1]])
    assert figures.confusions(counts, ("a", "b")) == ["a as b: 2 times"]


SEEDS = [
    *(record("mlp", misses, seed=seed) for seed, misses in enumerate((100, 110, 111))),
    *(record("knn", 120, seed=seed) for seed in range(3)),
    record("cnn-basic", 50),
]


def test_a_configuration_is_a_row_with_the_mean_over_its_seeds():
    text = leaderboard.render([*FLOOR, *SEEDS])
    rows = {line.split()[0]: line.split() for line in text.splitlines() if "of 1,000" in line}
    assert rows["mlp"][1:4] == ["89.30", "0.61", "3"]
    assert rows["mlp"][7:10] == ["107", "of", "1,000"]
    assert rows["knn"][1:4] == ["88.00", "deterministic", "3"]
    assert rows["cnn-basic"][1:3] == ["95.00", "1"], "nothing is known of its spread"
    assert "One seed" not in text
    assert "sd" not in leaderboard.render(FLOOR).split()
    unfolded = leaderboard.render([*FLOOR, *SEEDS], runs=True)
    assert [line.split()[1] for line in unfolded.splitlines() if line.startswith("mlp")] == ["0", "1", "2"]
    assert leaderboard.render(FLOOR, runs=True).splitlines()[2].split()[:2] == ["classifier", "seed"], (
        "of one seed each, too"
    )
    frame = leaderboard.table(SEEDS)
    assert frame[frame.classifier == "mlp"].seed.tolist() == [0, 1, 2]
    assert leaderboard.overview(SEEDS).count("| mlp") == 1
    assert "| mlp          | 89.30 ± 1.00 |" in leaderboard.overview(SEEDS)


def test_what_a_board_measured_is_no_further_seed():
    board = dataclasses.replace(record("mlp"), device={"facts": {"board": "Nano"}, "kind": "onnx"})
    text = leaderboard.render([record("mlp"), board])
    assert "seeds" not in text.splitlines()[2]
    assert "mlp on Nano, onnx" in text


@pytest.mark.parametrize(
    ("low", "high", "least"), [(0.0005, 0.9, 8), (0.03, 0.07, 3), (0.05, 0.25, 3), (0.0081, 0.0084, 3)]
)
def test_an_axis_of_accuracy_has_ticks_to_read_it_by(low, high, least):
    ax = style.figure()
    ax.set_ylabel("accuracy (%)")
    figures._error_axis(ax)
    ax.set_ylim(high, low)
    ticks = ax.yaxis.get_majorticklocs()
    labels = [ax.yaxis.get_major_formatter()(tick) for tick in ticks]
    assert least <= len(ticks) <= 13
    assert len(set(labels)) == len(labels)
    assert ax.get_ylabel() == "accuracy (%), logarithmic in the errors"


def test_figures_have_a_mark_for_each_configuration_and_a_dot_for_each_seed():
    ax = figures.accuracy_against(style.figure(), SEEDS, "fit_s")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["cnn-basic", "mlp", "knn"]
    dots = [line.get_xydata() for line in ax.lines if line.get_marker() == "."]
    assert [len(points) for points in dots] == [3, 3]
    assert dots[0][:, 1] == pytest.approx([0.1, 0.11, 0.111])
    scores = np.eye(2)[[0, 0, 1, 1] * 5] * 0.8 + 0.1
    answers = {"labels": np.array([0, 1] * 10), "predicted": scores.argmax(axis=1), "scores": scores}
    for draw in (figures.reliability, figures.rejection):
        ax = draw(style.figure(), SEEDS, [answers] * len(SEEDS))
        assert [t.get_text().split(",")[0] for t in ax.get_legend().get_texts()][-3:] == ["mlp", "knn", "cnn-basic"]
    for run in SEEDS:
        run.history = [{"epoch": epoch, "accuracy": 0.9, "val_accuracy": 0.8} for epoch in (1, 2)]
    ax = figures.learning_curves(style.figure(), SEEDS[:3])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mlp, validation", "mlp, training"]
    assert len(ax.lines) == 6


def test_balanced_accuracy_is_shown_where_it_says_something_else():
    run = record("linear")
    assert "top-3 %" not in leaderboard.render([run])
    more = {"balanced_accuracy": run.accuracy, "top3_accuracy": 0.97, "calibration_error": 0.1}
    run.metrics |= {name: Metric(value) for name, value in more.items()}
    assert "balanced %" not in leaderboard.render([run])  # as where classes are equally frequent
    assert "top-3 %" in leaderboard.render([run])
    other = dataclasses.replace(run, metrics={**run.metrics, "balanced_accuracy": Metric(run.accuracy - 0.02)})
    assert "balanced %" in leaderboard.render([other])
    assert "balanced accuracy %" in leaderboard.overview([other])


def test_what_was_found_on_pictures_is_drawn_in_columns():
    glyph, color = np.zeros((28, 28), np.uint8), np.full((40, 60, 3), 200, np.uint8)
    steps = [Steps(glyph, color[..., 0], color[..., 0], (0, 0, 60, 40), 2.0, True, 0.0, 1) for _ in range(2)]
    steps[1] = steps[1]._replace(picture=color)
    ax = figures.found(style.figure(), steps, ["thin", "a shadow with an edge"], ["1", "?"])
    assert len(ax.images) == 6
    words = [text.get_text() for text in ax.texts]
    assert {"thin", "1", "?", "picture", "ink", "glyph", "answer"} < set(words)
