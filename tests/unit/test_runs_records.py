"""What comes back from a worker takes the place of a record whole or not at all."""

import os
import tarfile

import pytest
from test_cluster_client import config, outcome

from hcrlib import records
from hcrlib.cluster import results
from hcrlib.cluster.jobs import DONE, FAILED, Outcome
from hcrlib.cluster.results import FAILED_AGAIN
from hcrlib.core.errors import RunError
from hcrlib.runs import store


def test_a_failed_attempt_keeps_what_is_finished():
    before = results.write(config(), outcome(config()))
    failed = results.write(config(), outcome(config(), "failed", "no luck", FAILED))
    assert failed.reason == "no luck; the results of an earlier run are kept"
    assert records.find(config()) == before
    assert (before.path / FAILED_AGAIN).read_text() == "notebook.ipynb of failed"
    assert (before.path / "notebook.ipynb").read_text() == "notebook.ipynb of finished"
    assert results.write(config(), outcome(config(), "skipped", "a stand-in")) == before
    again = results.write(config(), outcome(config(), n_errors=2))
    assert records.find(config()) == again
    assert not (before.path / FAILED_AGAIN).exists()


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_what_did_not_finish_is_replaced(status):
    results.write(config(), outcome(config(), status, "once"))
    assert results.write(config(), outcome(config(), "failed", "twice", FAILED)).reason == "twice"
    assert records.find(config()).reason == "twice"
    assert results.write(config(), outcome(config())).status == "finished"
    assert records.find(config()).status == "finished"


def test_a_kill_in_the_middle_of_a_swap_is_settled(monkeypatch):
    results.write(config(), outcome(config(), n_errors=1))
    whole, moved = os.replace, []

    def killed(source, target):
        moved.append(target)
        if len(moved) == 2:
            raise KeyboardInterrupt
        whole(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            results.write(config(), outcome(config(), n_errors=2))
    assert store.finished(config()) is None, "neither one nor the other"
    assert results.RunLocks().take(config())
    failed = results.write(config(), outcome(config(), "failed", "no luck", FAILED))
    assert "are kept" in failed.reason
    assert records.find(config()).misses == 2


@pytest.mark.parametrize("earlier", [True, False])
def test_half_a_tar_changes_nothing(earlier):
    before = results.write(config(), outcome(config())) if earlier else None
    packed = outcome(config(), n_errors=2).packed
    for damaged in (b"", packed[:100], packed[:700], packed[:1536], b"\0" * 10240):
        with pytest.raises((RunError, tarfile.TarError)):
            results.write(config(), Outcome(DONE, packed=damaged))
        assert records.find(config()) == before
        assert not (records.run_path(config()) / "new").exists()


def test_a_full_disk_is_told_and_changes_nothing(monkeypatch):
    before = results.write(config(), outcome(config()))
    extract = tarfile.TarFile.makefile

    def full(self, about, path):
        if about.name == "log.txt":
            raise OSError(28, "No space left on device", path)
        extract(self, about, path)

    monkeypatch.setattr(tarfile.TarFile, "makefile", full)
    with pytest.raises(RunError, match="No space left on device.*Free some space and start the sweep again"):
        results.write(config(), outcome(config(), n_errors=2))
    assert records.find(config()) == before
    assert not (before.path / "new").exists()
