"""Errors, seeds, registry, configuration, files, metrics: hand-computed cases."""

import pickle

import numpy as np
import pytest

import hcrlib as hcr
from hcrlib.claims import ledger
from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, DataError, RunError
from hcrlib.core.fileio import atomic, write_text
from hcrlib.core.registry import Registry
from hcrlib.core.rng import frozen_rng, seed_for
from hcrlib.core.timing import latency_ms
from hcrlib.metrics import scores
from hcrlib.models._augmentation import shifted
from hcrlib.records import RunConfig
from hcrlib.runs import notebooks


def config(**changes):
    return RunConfig(
        **{"dataset": "mnist-5k", "classifier": "knn", "params": {"k": 3}, "preprocess": ["scale"]} | changes
    )


def test_an_error_says_what_where_expected_got_and_next():
    error = DataError("It differs", where="a.gz", expected="sha 1", got="sha 2", hint="Delete it")
    assert str(error) == "It differs (a.gz). Expected sha 1, got sha 2. Delete it."
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_seeds_depend_on_purpose_and_stay():
    assert seed_for(0, "shuffle") != seed_for(0, "dropout")
    assert seed_for(0, "shuffle") == 1864311941
    assert frozen_rng(0, "x").randint(0, 1000, 3).tolist() == frozen_rng(0, "x").randint(0, 1000, 3).tolist()


def test_registry_suggests_and_refuses_a_second():
    register = Registry("fruit")
    register.add("apple", object())
    with pytest.raises(ConfigError, match="Did you mean 'apple'"):
        register.get("appel")
    with pytest.raises(ConfigError, match="already exists"):
        register.add("apple", object())


def test_config_hash_is_of_the_content():
    assert config().hash == config(params={"k": 3}).hash
    assert config().hash != config(params={"k": 5}).hash
    assert config().hash != config(budget=10).hash
    assert RunConfig.from_dict(config().to_dict()) == config()


@pytest.mark.parametrize(
    "bad", [{"seed": -1}, {"seed": "0"}, {"seed": True}, {"budget": 0}, {"budget": 1.5}, {"sed": 1}]
)
def test_config_refuses(bad):
    with pytest.raises(ConfigError, match="'seed'" if "sed" in bad else next(iter(bad))):
        RunConfig.from_dict(config().to_dict() | bad)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write_text(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError), atomic(tmp_path / "a") as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_outside_a_checkout_what_the_package_lacks_is_said_and_inside_it_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site/hcrlib/core/paths.py"))
    monkeypatch.chdir(tmp_path)
    assert paths.project_root() == tmp_path
    needing = {paths.found: "params/smoke.yml", hcr.load_model: "best-digits", notebooks.path: "10_train.ipynb"}
    for find, name in {**needing, ledger.stored: None}.items():
        with pytest.raises((ConfigError, RunError), match="start in a checkout of the project"):
            find(name)
    for name in ("params", "notebooks"):
        (tmp_path / "project" / name).mkdir(parents=True)
    (tmp_path / "project/notebooks/10_train.ipynb").touch()
    monkeypatch.chdir(tmp_path / "project/notebooks")
    assert paths.project_root() == tmp_path / "project"
    assert paths.outside_hint() is None


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 500), (500, 500), (9762, 10000), (3, 7)])
def test_wilson_interval_is_that_of_scipy(hits, n):
    from scipy.stats import binomtest

    theirs = binomtest(hits, n).proportion_ci(0.9, method="wilson")
    assert scores.wilson(hits, n, 0.9) == pytest.approx((theirs.low, theirs.high), abs=1e-15)


def test_latency_counts_only_after_the_warm_up():
    calls = []
    times = latency_ms(calls.append, list(range(5)), warm_up=2)
    assert calls == [0, 1, 0, 1, 2, 3, 4]
    assert 0 <= times["p50"] <= times["p90"] <= times["p99"]


def test_shifts_move_ink_by_whole_pixels():
    x = np.zeros((50, 28, 28, 1), np.float32)
    x[:, 14, 14] = 1
    moved = shifted(x, 2, np.random.RandomState(0))
    rows, columns = np.nonzero(moved[..., 0])[1:]
    assert moved.shape == x.shape
    assert moved.sum() == 50
    assert set(rows) == set(columns) == {12, 13, 14, 15, 16}
