"""Of two clients, one makes a run; what a worker returns replaces a record completely or not at all."""

import contextlib
import os
import tarfile

import pytest
from stand_ins import config, outcome

from hcrlib import records
from hcrlib.cluster.jobs import DONE, FAILED, Outcome
from hcrlib.cluster.results import FAILED_AGAIN, RunLocks, write
from hcrlib.core.errors import RunError
from hcrlib.models import CLASSIFIERS
from hcrlib.runs import runner, store


def test_a_failed_attempt_keeps_what_is_finished():
    before = write(config(), outcome(config()))
    failed = write(config(), outcome(config(), "failed", "no luck", FAILED))
    assert failed.reason == "no luck; the results of an earlier run are kept"
    assert records.find(config()) == before
    assert (before.path / FAILED_AGAIN).read_text() == "notebook.ipynb of failed"
    assert (before.path / "notebook.ipynb").read_text() == "notebook.ipynb of finished"
    assert write(config(), outcome(config(), "skipped", "a stand-in")) == before
    again = write(config(), outcome(config(), n_errors=2))
    assert records.find(config()) == again
    assert not (before.path / FAILED_AGAIN).exists()


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_what_did_not_finish_is_replaced(status):
    write(config(), outcome(config(), status, "once"))
    assert write(config(), outcome(config(), "failed", "twice", FAILED)).reason == "twice"
    assert records.find(config()).reason == "twice"
    assert write(config(), outcome(config())).status == "finished"
    assert records.find(config()).status == "finished"


def test_a_kill_in_the_middle_of_a_swap_is_settled(monkeypatch):
    """By the next client, and by `hcr train`, whose failure then does not cost the new results."""
    for settled in (lambda: RunLocks().take(config()), lambda: runner.run_one(config(), log=lambda line: None)):
        write(config(), outcome(config(), n_errors=1))
        whole, moved = os.replace, []

        def killed(source, target, whole=whole, moved=moved):
            moved.append(target)
            if len(moved) == 2:
                raise KeyboardInterrupt
            whole(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", killed)
            with pytest.raises(KeyboardInterrupt):
                write(config(), outcome(config(), n_errors=2))
        assert store.finished(config()) is None, "neither one nor the other"
        with monkeypatch.context() as patch, contextlib.suppress(ZeroDivisionError):
            patch.setattr(CLASSIFIERS.get("dummy"), "fit", lambda *_: 1 / 0)
            settled()
        assert records.find(config()).misses == 2


@pytest.mark.parametrize("earlier", [True, False])
def test_half_a_tar_changes_nothing(earlier):
    before = write(config(), outcome(config())) if earlier else None
    packed = outcome(config(), n_errors=2).packed
    for damaged in (b"", packed[:100], packed[:700], packed[:1536], b"\0" * 10240):
        with pytest.raises((RunError, tarfile.TarError)):
            write(config(), Outcome(DONE, packed=damaged))
        assert records.find(config()) == before
        assert not (records.run_path(config()) / "new").exists()


def test_one_of_two_clients_takes_a_run(results):
    one, two = RunLocks(), RunLocks()
    assert one.take(config())
    assert one.take(config()), "its own"
    assert not two.take(config())
    one.release(config())
    one.release(config())
    assert two.take(config())
    two.release(config())
    assert list(results.rglob("*")) == [results / "runs"]


def test_hcr_train_and_a_sweep_exclude_each_other(monkeypatch):
    asked, locks = runner.resolve("dummy", budget=100), RunLocks()
    monkeypatch.setattr(runner, "PATIENCE_S", 0)
    assert locks.take(asked)
    with pytest.raises(RunError, match="Another process"):
        runner.run_one(asked)
    locks.release(asked)
    assert runner.run_one(asked, log=lambda line: None).status == "finished"
    assert locks.take(asked)
    locks.release(asked)
    assert records.find(asked).status == "finished"
