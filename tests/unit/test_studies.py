import ast
import shutil
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.models import _keras, named
from hcrlib.records import RunRecord
from hcrlib.reporting import sweep as reports
from hcrlib.runs import notebooks, runner
from hcrlib.studies import (
    _study,
    begin,
    ceiling,
    corruptions,
    learning_curves,
    measured,
    preprocessing,
    seeds,
    small_and_cheap,
    transfer,
)
from hcrlib.sweeps import plan

STUDIES = sorted((paths.project_root() / "params/studies").glob("*.yml"))
N = np.array([100, 300, 1000, 3000, 10_000, 30_000])


def test_a_power_law_is_found_again():
    law = learning_curves.fit(N, 2.0 * N**-0.5 + 0.01)
    assert (law.a, law.b, law.c) == pytest.approx((2.0, 0.5, 0.01), rel=1e-3)
    assert law.r2 == pytest.approx(1)
    assert law(400) == pytest.approx(0.11, rel=1e-3)
    noise = np.random.default_rng(0).normal(0, 0.05, (3, len(N)))
    noisy = learning_curves.fit(np.tile(N, 3), ((2.0 * N**-0.5 + 0.01) * np.exp(noise)).ravel())
    assert abs(noisy.b - 0.5) < 3 * noisy.b_sd < 0.3
    with pytest.raises(ValueError, match="needs 4 numbers of training images, got 3"):
        learning_curves.fit([100, 100, 300, 1000], [0.4, 0.3, 0.2, 0.1])


def test_where_one_law_overtakes_another():
    steep, flat = learning_curves.PowerLaw(8, 0.6, 0, 0, 1), learning_curves.PowerLaw(1, 0.3, 0, 0, 1)
    assert learning_curves.crossing(steep, flat, 100, 60_000) == pytest.approx(8 ** (1 / 0.3), rel=1e-3)  # 1,024
    assert learning_curves.crossing(flat, steep, 100, 60_000) is None, "it is overtaken instead"
    assert learning_curves.crossing(steep, flat, 2000, 60_000) is None, "it is ahead all the time"


def test_the_variance_of_rows_and_columns_is_told_apart():
    rows, columns = np.array([[1.0], [2.0], [6.0]]), np.array([[10.0, 10.5, 12.0, 12.0]])
    parts = seeds.components(rows + columns)
    assert parts == pytest.approx({"weights": rows.var(ddof=1), "order": columns.var(ddof=1), "rest": 0})
    assert seeds.components(np.ones((2, 2))) == {"weights": 0, "order": 0, "rest": 0}
    rng = np.random.default_rng(0)
    drawn = [2 * rng.normal(size=(5, 1)) + rng.normal(size=(1, 5)) + 0.5 * rng.normal(size=(5, 5)) for _ in range(400)]
    means = np.mean([list(seeds.components(cells).values()) for cells in drawn], axis=0)
    np.testing.assert_allclose(means, [4, 1, 0.25], rtol=0.15)


def drawn(rng, chances, shape, sd):
    """Whether runs read images right, (*shape, n): sd is what the seed of a run adds to the chances of all images."""
    return rng.random((*shape, len(chances)), np.float32) < chances + sd * rng.normal(size=(*shape, 1))


def test_the_seeds_that_a_difference_needs():
    """Two equal methods: what their gap varies by is found from the variance of a run, which holds the luck on each image."""
    rng = np.random.default_rng(0)
    chances = rng.uniform(0.2, 0.8, 200)
    variance = 2 * drawn(rng, chances, (2000,), 0.02).mean(axis=1).var()
    claimed = [seeds.smallest_gap(variance, 0.0, k) for k in (1, 5)]
    for k, gap in zip((1, 5), claimed, strict=True):
        one, other = drawn(rng, chances, (2, 1000, k), 0.02).mean(axis=(2, 3))
        assert gap == pytest.approx(2.8016 * (one - other).std(), rel=0.1)
    assert claimed[0] / claimed[1] == pytest.approx(5**0.5)
    assert seeds.smallest_gap(2 * 0.003**2, 4e-6, 5) == pytest.approx(
        2.8016 * (2 * 0.003**2 / 5 + 4e-6) ** 0.5, rel=1e-4
    )
    assert seeds.seeds_needed(2 * 0.003**2, 4e-6, seeds.smallest_gap(2 * 0.003**2, 4e-6, 5) * 1.0001) == 5
    assert seeds.seeds_needed(2 * 0.003**2, 4e-6, 0.005) is None, "no number of seeds shows it on so few images"
    assert seeds.seeds_needed(0.0, 0.0, 0.005) == 1


def test_what_images_add_to_a_gap_is_not_the_luck_of_runs():
    rng = np.random.default_rng(0)
    chances = rng.uniform(0.3, 0.7, 20_000)
    apart = np.where(rng.random(20_000) < 0.5, 0.2, -0.2)
    one, other = (drawn(rng, chances + shift, (5,), 0.01) for shift in (0, apart))
    alike = drawn(rng, chances, (5,), 0.01)
    assert seeds.lasting(one, other) == pytest.approx(0.2**2 / 20_000, rel=0.1)
    assert seeds.lasting(one, alike) < 0.1 * 0.2**2 / 20_000


def test_the_smallest_weights_of_all_kernels_are_pruned():
    weights = [np.array([[1.0, -0.1], [0.3, -2.0]]), np.array([0.01, 5.0]), np.array([[0.2, 0.4]])]
    kept = small_and_cheap.prune(weights, 0.5)
    np.testing.assert_array_equal(kept[0], [[1.0, 0], [0, -2.0]])
    np.testing.assert_array_equal(kept[1], [0.01, 5.0], "biases are not pruned")
    np.testing.assert_array_equal(kept[2], [[0, 0.4]])
    np.testing.assert_array_equal(small_and_cheap.prune(weights, 0)[0], weights[0])


def test_forms_are_checked_and_float32_is_always_one_of_them(monkeypatch):
    def measured(run, settings, measure):
        return [{"form": form, "bytes": 1, "accuracy %": 90.0} for form in settings["forms"]]

    monkeypatch.setattr(small_and_cheap, "measured", measured)
    study = SimpleNamespace(runs=[made("cnn-compact", params={"width": 2})], name=lambda run: "a")
    found = small_and_cheap.table(study, ["int8"], [])
    assert found.form.tolist() == ["float32", "int8"]
    assert small_and_cheap.losses(found).form.tolist() == ["int8"]
    with pytest.raises(ConfigError, match="no form 'int4'.*Did you mean 'int8'"):
        small_and_cheap.table(study, ["int4"], [])


def test_the_front_has_what_nothing_cheaper_beats():
    found = pd.DataFrame({"bytes": [10, 20, 20, 30, 40, None], "accuracy %": [50, 60, 70, 65, 80, 99]})
    assert small_and_cheap.front(found, "bytes").index.tolist() == [0, 2, 4]


def test_the_multiplications_of_a_network():
    layers = [
        SimpleNamespace(weights=[np.zeros((3, 3, 1, 8)), np.zeros(8)], output=np.zeros((1, 26, 26, 8))),
        SimpleNamespace(weights=[], output=np.zeros((1, 5408))),
        SimpleNamespace(weights=[np.zeros((5408, 10)), np.zeros(10)], output=np.zeros((1, 10))),
    ]
    assert small_and_cheap.operations(SimpleNamespace(layers=layers)) == 72 * 26 * 26 + 54_080


def test_confident_learning_finds_the_labels_that_were_changed():
    rng = np.random.default_rng(0)
    true = np.repeat([0, 1, 2], 100)
    probabilities = np.full((300, 3), 0.05)
    probabilities[np.arange(300), true] = 0.9
    probabilities += rng.uniform(0, 0.01, probabilities.shape)
    labels = true.copy()
    labels[[0, 150, 299]] = [2, 0, 1]
    probabilities[50] = [0.4, 0.35, 0.25]  # no class is confident
    other, score = ceiling.suspects(probabilities, labels)
    assert np.flatnonzero(other >= 0).tolist() == [0, 150, 299]
    assert other[[0, 150, 299]].tolist() == [0, 1, 2]
    assert (score[[0, 150, 299]] >= 0.9).all()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_is_a_file_and_a_notebook_of_its_name(path):
    study, smoke = plan.load(path), plan.load(path, smoke=True)
    assert study.notebook == paths.project_root() / f"notebooks/studies/{path.stem}.ipynb"
    assert study.folder == paths.results_root() / "studies" / path.stem
    assert smoke.folder == paths.results_root() / "figures" / path.stem
    assert {config.dataset for config in smoke.configs} == {"mnist-5k"}, "a smoke test needs no files"
    cells = nbformat.read(study.notebook, as_version=4).cells
    [parameters] = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", ())]
    known = {each.target.id: ast.literal_eval(each.value) for each in ast.parse(parameters).body}
    assert known["sweep"] == f"params/studies/{path.stem}.yml"
    assert known["smoke"] is True
    assert set(study.parameters) <= set(known) - {"sweep", "smoke"}


def test_every_notebook_of_a_study_has_its_file():
    there = (paths.project_root() / "notebooks/studies").glob("*.ipynb")
    assert sorted(path.stem for path in there) == [path.stem for path in STUDIES]


@pytest.fixture
def own_study(tmp_path):
    """A file of a study with two runs of seconds, and one more that its smoke test makes."""
    shutil.copy(paths.project_root() / "notebooks/studies/corruptions.ipynb", tmp_path / "own.ipynb")
    path = tmp_path / "own.yml"
    path.write_text(
        f"question: Is it so?\nnotebook: {tmp_path}/own.ipynb\nparameters: {{images: 5}}\n"
        "defaults: {dataset: mnist-5k, budget: 100}\nruns: [{classifier: [dummy, knn]}]\n"
        "smoke: [{dataset: mnist-5k, budget: 100, classifier: dummy, seed: 3}]\n"
    )
    return path


def test_a_study_reports_by_its_own_notebook(own_study, monkeypatch):
    for config in plan.load(own_study).configs:
        runner.run_one(config, log=lambda line: None)
    given, folder = [], paths.results_root() / "studies/own"

    def execute(notebook, out, parameters, *_):
        given.append((notebook.name, parameters))
        shutil.copy(notebook, out)
        out.write_text(out.read_text().replace('"metadata": {\n  "kernel', '"metadata": {"papermill": {},\n  "kernel'))
        reports.write_text(folder / "tables/a.csv", "a\n1\n")

    monkeypatch.setattr(notebooks, "execute", execute)
    written = {path.relative_to(folder).as_posix() for path in reports.write(plan.load(own_study))}
    assert given == [("own.ipynb", {"sweep": str(own_study), "images": 5, "smoke": False})]
    assert written == {"own.ipynb", "tables/a.csv", "leaderboard.md", "leaderboard.csv", "records.jsonl"}
    assert reports.write(plan.load(own_study))
    assert len(given) == 1, "nothing has changed"
    other = own_study.with_name("other") / own_study.name
    other.parent.mkdir()
    other.write_text(own_study.read_text())
    reports.check_owner(plan.load(own_study))
    with pytest.raises(ConfigError, match="holds the results of"):
        reports.check_owner(plan.load(other))
    assert begin(own_study).question == "Is it so?"
    assert len(plan.load(own_study).stored()) == 2


def test_a_notebook_that_is_not_there_is_reported_before_anything_runs(own_study):
    own_study.write_text(own_study.read_text().replace("own.ipynb", "other.ipynb"))
    with pytest.raises(ConfigError, match=r"no such notebook.*other\.ipynb"):
        plan.load(own_study)


def test_what_is_measured_of_a_model_is_measured_once(own_study, monkeypatch):
    [config] = plan.load(own_study, smoke=True).configs
    run, asked = runner.run_one(config, log=lambda line: None), []

    def measure(run, settings):
        asked.append(settings)
        return [{"n": settings["n"]}]

    assert [measured(run, {"n": n}, measure) for n in (1, 1, 2)] == [[{"n": 1}], [{"n": 1}], [{"n": 2}]]
    assert asked == [{"n": 1}, {"n": 2}]
    [damaged, _] = (run.path / "measured").iterdir()
    damaged.write_text("[")
    measured(run, {"n": 1}, measure), measured(run, {"n": 2}, measure)
    assert len(asked) == 3
    again = RunRecord.from_dict({**run.to_dict(), "provenance": {**run.provenance, "utc": "2027-01-01T00:00:00"}})
    measured(again, {"n": 1}, measure)
    assert len(asked) == 4, "the model was trained again"
    monkeypatch.setattr(_study, "files_sha256", lambda: "any module of hcrlib is another one")
    measured(again, {"n": 1}, measure)
    assert len(asked) == 5


def test_a_study_with_a_run_that_did_not_finish_states_nothing(own_study, monkeypatch):
    monkeypatch.setattr(plan, "run", lambda configs: None)
    for status, config in zip(("skipped", "failed"), plan.load(own_study).configs, strict=True):
        RunRecord(config=config, status=status, reason="no luck").write()
    with pytest.raises(RunError, match=r"2 runs of the study did not finish.*failed: no luck.*--rerun-failed"):
        begin(own_study)
    [config] = plan.load(own_study, smoke=True).configs
    RunRecord(config=config, status="skipped", reason="no TensorFlow").write()
    with pytest.raises(RunError, match=r"1 run of the study did not finish.*skipped: no TensorFlow\.$"):
        begin(own_study, smoke=True)


def made(classifier="knn", dataset="mnist-5k", classes="01", **about):
    """A stand-in for a run of a study."""
    config = SimpleNamespace(classifier=classifier, dataset=dataset, id=f"{dataset}/{classifier}/{len(about)}", **about)
    return SimpleNamespace(config=config, data={"name": dataset}, classes=list(classes))


def test_a_judge_that_no_run_is_of_is_reported():
    with pytest.raises(ConfigError, match="judge 'knnn'.*Did you mean 'knn'"):
        ceiling.judged(SimpleNamespace(runs=[made()]), "knnn")


def test_datasets_of_other_classes_are_no_test_sets():
    study = SimpleNamespace(runs=[made(), made(dataset="letters", classes="AB")])
    with pytest.raises(ConfigError, match="mnist-5k and letters do not mean the same.*classes 0 1, got A B"):
        transfer.table(study, 10)


def test_test_sets_that_come_or_change_are_measured_again(monkeypatch):
    there = {}

    def photographs(start):
        if not there:
            raise DataError("There are none")
        return list(there.items())

    monkeypatch.setattr(transfer.fonts, "FONTS", (SimpleNamespace(name="own"),))
    monkeypatch.setattr(transfer.fonts, "read", lambda font: [b"a font"])
    monkeypatch.setattr(transfer.photographs, "photographs", photographs)
    study, seen = SimpleNamespace(runs=[made()]), []
    for value in (None, 0, 1):
        there |= {} if value is None else {"3": np.full((2, 2), value, np.uint8)}
        transfer._photographs.cache_clear()
        seen.append(transfer.available(study))
    transfer._photographs.cache_clear()
    assert [[name for name, _ in each] for each in seen] == [
        ["mnist-5k", "fonts"],
        *2 * [["mnist-5k", "fonts", "photographs"]],
    ]
    assert seen[1][:2] == seen[2][:2]
    assert seen[1] != seen[2]


def test_runs_of_the_same_steps_or_without_a_base_are_no_comparison():
    with pytest.raises(ConfigError, match=r"Two runs of the study have the steps 'blur\(sigma=2\)'"):
        preprocessing.table(
            SimpleNamespace(runs=[made(preprocess=["scale", {"blur": {"sigma": 2}}]) for _ in range(2)])
        )
    with pytest.raises(ConfigError, match=r"a run with `preprocess: \[scale\]`, got deskew"):
        preprocessing.table(SimpleNamespace(runs=[made(preprocess=["scale", "deskew"])]))


@pytest.mark.parametrize(
    ("points", "digits", "words"),
    [
        (0.5, 2, "gains 0.50 points"),
        (-0.5, 1, "costs 0.5 points"),
        (-0.004, 2, "changes nothing"),
        (0, 1, "changes nothing"),
    ],
)
def test_a_change_is_told_as_it_is_rounded(points, digits, words):
    assert _study.change(points, digits) == words


@pytest.mark.parametrize(
    ("rotations", "names"),
    [((0, 10), ["mlp, plain", "mlp, augmented"]), ((5, 10), ["5", "10"]), ((0, 5, 10), ["0", "5", "10"])],
)
def test_two_runs_that_augmentation_sets_apart_are_named_so(rotations, names):
    same = {"budget": None, "seed": 0, "preprocess": ["scale"]}
    runs = [made("mlp-augmented", params={"rotation": rotation}, **same) for rotation in rotations]
    study = SimpleNamespace(runs=runs, name=lambda run: str(run.config.params["rotation"]))
    assert [corruptions.named(study, run) for run in runs] == names


def test_the_best_combination_is_one_that_is_better():
    rows = [
        ("d", "svm", *row)
        for row in (("none", 90, 0, 1, ""), ("blur", 92, 2, 0.2, ""), ("hog", 91, 1, 0.001, "better"))
    ]
    found = pd.DataFrame(rows, columns=["dataset", "classifier", "steps", "accuracy %", "gain", "p", "verdict"])
    assert "svm gains 1.00 points by hog" in preprocessing.answer(found)
    assert "gains nothing" in preprocessing.answer(found[found.verdict == ""])


def test_a_test_set_is_read_in_the_frame_of_the_training_set():
    shares = {"own": 0.9, "mnist": 0.8, "emnist": 0.6}
    rows = [
        {"name": "knn", "classifier": "knn", "trained": "mnist", "tested": tested, "frame": frame, "accuracy": share}
        for tested in ("mnist", "emnist-digits-lite", "fonts")
        for frame, share in shares.items()
        if (tested, frame) != ("fonts", "own")
    ]
    found = pd.DataFrame(rows)
    wide = transfer.matrix(found, "knn").loc["mnist"]
    assert wide.to_dict() == pytest.approx({"mnist": 90, "emnist-digits-lite": 80, "fonts": 80})
    assert transfer.framing(found).cost.item() == pytest.approx(20)
    assert "on fonts by -10.0 (knn of mnist, 80.0 % right)" in transfer.answer(found)


def test_a_character_framed_anew_fills_the_box_of_its_dataset():
    ink = np.zeros((28, 28), np.uint8)
    ink[6:16, 10:14] = 255
    tall = {
        frame: np.ptp(np.flatnonzero(transfer.reframed(ink, frame).max(axis=1) > 128)) + 1
        for frame in ("mnist", "emnist")
    }
    assert tall["mnist"] == pytest.approx(20, abs=1)
    assert tall["emnist"] == pytest.approx(24, abs=1)
    assert not transfer.reframed(np.zeros((28, 28), np.uint8), "mnist").any()


def test_the_first_weights_have_a_seed_of_their_own(monkeypatch):
    asked = []

    def started(seed):
        asked.append(seed)
        raise InterruptedError

    monkeypatch.setattr(_keras, "started", started)
    for params in ({}, {"weights_seed": 0}, {"weights_seed": 5}):
        with pytest.raises(InterruptedError):
            named("mlp").create(params).fit(None, None, None, None, SimpleNamespace(seed=3))
    assert asked == [3, 0, 5]


def test_a_parameter_that_was_added_later_leaves_earlier_ids_alone():
    assert runner.resolve("cnn-basic", dataset="mnist").id == "mnist/cnn-basic/449d1edd7b40"  # of a committed record
    weighted = runner.resolve("cnn-basic", class_weight="balanced").params
    assert weighted["class_weight"] == "balanced"
    assert "weights_seed" not in weighted
    assert runner.resolve("cnn-basic", weights_seed=0).hash != runner.resolve("cnn-basic").hash
