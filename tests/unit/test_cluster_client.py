"""A sweep's client: the order of runs, and what it does about each outcome."""

import contextlib
import dataclasses
import functools
import os
import sys
import time
from unittest.mock import Mock

import pytest
from stand_ins import MEASURED, Workers, config, outcome

from hcrlib import records
from hcrlib.cluster import client
from hcrlib.cluster.backend import Cluster, Dask, started
from hcrlib.cluster.inputs import Input
from hcrlib.cluster.jobs import FAILED, FAULT, LACKING, OTHER_CODE, Outcome
from hcrlib.cluster.results import FAILED_AGAIN
from hcrlib.core.errors import RunError
from hcrlib.runs import notebooks, runner


@pytest.fixture
def sweep(monkeypatch):
    """A function that sweeps on such workers and returns (their records, the workers)."""

    def sweep(configs, answer, cluster=None, slots=1, workers=None):
        there = workers or Workers(answer, slots)
        monkeypatch.setattr(client, "started", lambda *_: contextlib.nullcontext(there))
        monkeypatch.setattr(client.time, "monotonic", functools.partial(quick, time.monotonic()))
        failed = client.run([(each, "10_train.ipynb") for each in configs], cluster or Cluster())
        unmade = {record.config.hash: record for record in failed}
        configs = {each.hash: each for each in configs}
        return [unmade.get(name) or records.find(each) for name, each in configs.items()], there

    def quick(begun, clock=time.monotonic):
        return begun + 50 * (clock() - begun)  # pauses before another try are short

    return sweep


def done(asked, work, number):
    return outcome(asked)


def test_each_configuration_is_made_once(sweep):
    asked = [config(seed=seed) for seed in (0, 1, 0, 2)]
    made, workers = sweep(asked, done)
    assert [(record.config.seed, record.status) for record in made] == [(seed, "finished") for seed in (0, 1, 2)]
    assert all(records.read(record.path) == record for record in made)
    assert len(workers.handed) == 3
    assert sorted(workers.cleaned) == sorted({each.id for each in asked})
    assert client.run([]) == []


def test_fields_of_a_job(sweep):
    _, workers = sweep([config()], done, Cluster(limit_s=60.0, priority=3), slots=4)
    [(work, key, priority)] = workers.works
    assert records.RunConfig.from_dict(work.config) == config()
    assert (work.notebook, work.limit_s, work.at_once, priority) == ("10_train.ipynb", 60, 4, 3)
    assert work.limit_bytes == 7 << 30, "this machine's share"
    assert '"cells"' in work.source
    assert work.inputs == (Input("mnist-5k"),)
    assert key.startswith(config().id)
    _, workers = sweep([config()], done, Cluster(limit_bytes=1000))
    assert workers.works[0][0].limit_bytes == 1000


def test_cheapest_first(sweep, monkeypatch):
    """By earlier records where there are any, else by the number of images."""
    earlier = [
        records.RunRecord(config=config(kind), status="finished", n_train=1000, **{**MEASURED, "fit_s": seconds})
        for kind, seconds in (("knn", 1.0), ("linear", 2.0))
    ]
    monkeypatch.setattr(client, "known", lambda: [record.to_dict() for record in earlier])
    asked = [config("linear"), config("linear", budget=100), config("dummy", budget=1), config("knn")]
    _, workers = sweep(asked, done)
    found = [(c.classifier, c.budget) for c in workers.handed]
    assert found == [("dummy", 1), ("linear", 100), ("knn", None), ("linear", None)]


def test_few_runs_are_handed_out_at_a_time(sweep):
    most = []

    class Counting(Workers):
        def next(self, seconds):
            most.append(len(self.came))
            return super().next(seconds)

    made, _ = sweep([config(seed=seed) for seed in range(30)], None, workers=Counting(done, 3))
    assert len(made) == 30
    assert max(most) == 6


def test_unreadable_data_does_not_stop_other_runs(sweep, monkeypatch):
    def data_of(name):
        if name == "/my/own":
            raise PermissionError(13, "Permission denied")
        return []

    monkeypatch.setattr(client.inputs, "data_of", data_of)
    asked = [dataclasses.replace(config(), dataset="/my/own"), config()]
    made, workers = sweep(asked, done)
    assert [record.status for record in made] == ["failed", "finished"]
    assert "Permission denied" in made[0].reason
    assert records.find(asked[0]) is None
    assert len(workers.handed) == 1


def test_members_before_their_ensemble(sweep):
    members = [config("knn", k=k) for k in (1, 3)]
    both = runner.resolve("ensemble", runs=[member.id for member in members])
    made, workers = sweep([both, *members], done)
    assert [c.classifier for c in workers.handed] == ["knn", "knn", "ensemble"]
    assert {record.status for record in made} == {"finished"}
    names = {one.name for one in workers.works[-1][0].inputs}
    assert names == {"mnist-5k", *(f"runs/{member.id}" for member in members)}


def test_a_run_after_the_one_that_it_starts_from(sweep):
    first = runner.resolve("crnn-small", dataset="mnist-numbers")
    then = runner.resolve("crnn-small", dataset="mnist-numbers", budget=9, start=first.id, planned=[first.id])
    zoo = runner.resolve("crnn-small", dataset="mnist-numbers", budget=10, start="best-lines")
    made, workers = sweep([then, zoo, first], done)
    assert workers.handed == [zoo, first, then]
    assert {record.status for record in made} == {"finished"}
    assert f"runs/{first.id}" in {one.name for one in workers.works[-1][0].inputs}


def test_no_ensemble_of_a_failed_member(sweep):
    member = config("knn")
    both = runner.resolve("ensemble", runs=[member.id])
    made, workers = sweep([both, member], lambda asked, *_: outcome(asked, "failed", "no luck", FAILED))
    assert [c.classifier for c in workers.handed] == ["knn"]
    ensemble = next(record for record in made if record.config == both)
    assert ensemble.status == "failed"
    assert member.id in ensemble.reason
    assert records.find(both) is None, "the next sweep tries again"


@pytest.mark.parametrize(
    ("retries", "faults", "status"), [(0, 0, "finished"), (0, 1, "failed"), (2, 2, "finished"), (2, 3, "failed")]
)
def test_retries_after_faults(sweep, retries, faults, status):
    def answer(asked, work, number):
        fault = dataclasses.replace(outcome(asked, kind=FAULT), reason=f"try {number}")
        return fault if number <= faults else outcome(asked)

    [made], workers = sweep([config()], answer, Cluster(retries=retries))
    assert made.status == status
    assert len(workers.handed) == min(faults, retries) + 1
    assert (records.find(config()) is None) == (status == "failed")
    if status == "failed":
        assert made.reason == f"try {retries + 1}"
        assert (made.path / "log.txt").read_text() == "log.txt of finished"
        assert (made.path / FAILED_AGAIN).exists()


def test_a_fault_does_not_hold_up_other_runs(sweep):
    def answer(asked, work, number):
        return Outcome(FAULT, "once") if asked.seed == 0 and number == 1 else outcome(asked)

    made, workers = sweep([config(seed=seed) for seed in range(5)], answer)
    assert [c.seed for c in workers.handed][-1] == 0
    assert len(made) == 5


def test_a_worker_that_keeps_lacking_its_inputs(sweep):
    lacking = Outcome(LACKING, "mnist-5k", lacking=(Input("mnist-5k"),), worker="tcp://w:1")
    [made], workers = sweep([config()], lambda *_: lacking)
    assert made.status == "failed"
    assert "tcp://w:1 still lacks" in made.reason
    assert {*workers.sent} == {(Input("mnist-5k"), "tcp://w:1")}
    assert len(workers.sent) <= 100


def test_workers_with_other_code_end_the_sweep():
    refused = Mock(**{"result.return_value": Outcome(OTHER_CODE, "a different one", worker="tcp://w:1")})
    with pytest.raises(RunError, match="tcp://w:1 cannot execute these runs.*a different one.*Install the same"):
        Dask(Mock()).outcome(refused)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://1:2"])
def test_unreachable_scheduler(monkeypatch, address, results):
    import distributed

    whole = distributed.Client

    def soon(where, timeout, **more):
        assert timeout <= 60
        return whole(where, timeout=0.5, **more)

    monkeypatch.setattr(distributed, "Client", soon)
    begun = time.monotonic()
    with pytest.raises(RunError, match="The scheduler does not respond"):
        client.run([(config(), "10_train.ipynb")], Cluster(scheduler=address))
    assert time.monotonic() - begun < 15


def test_workers_import_nothing_from_the_current_folder(tmp_path, monkeypatch):
    """Neither the workers of a sweep nor the kernel of its report, whose folders a user's modules may lie in."""
    for name in ("random", "queue", "numpy", "struct"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not Python')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HCR_CACHE", str(tmp_path / "cache"))
    with started(Cluster(workers=1)) as cluster:
        assert cluster.client.submit(os.getenv, "PYTHONSAFEPATH").result(timeout=60) == "1"
    assert "PYTHONSAFEPATH" not in os.environ
    manager = notebooks._own_kernel()["kernel_manager_class"]()
    assert manager.format_kernel_cmd()[:2] == [sys.executable, "-P"]
