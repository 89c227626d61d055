"""Of two clients on one results folder, one makes a run; the death of a client unlocks its runs."""

import collections
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hcrlib import records
from hcrlib.cluster.results import RunLocks
from hcrlib.core.errors import RunError
from hcrlib.runs import runner

CLIENT = """
import sys
from hcrlib.cluster.results import RunLocks
from hcrlib.records import RunConfig
locks = RunLocks()
print(*[seed for seed in range(40) if locks.take(RunConfig("mnist-5k", "dummy", {}, [], seed))], flush=True)
sys.stdin.readline()
"""


def config(seed=0):
    return records.RunConfig("mnist-5k", "dummy", {}, [], seed)


def client():
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", CLIENT], env=environment, **pipes)


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


def test_processes_take_each_run_once_and_unlock_it_when_killed():
    clients = [client() for _ in range(3)]
    taken = collections.Counter(seed for each in clients for seed in each.stdout.readline().split())
    assert taken == dict.fromkeys(map(str, range(40)), 1)
    locks = RunLocks()
    assert not any(locks.take(config(seed)) for seed in range(40))
    for each in clients:
        each.kill()
        each.communicate()
    assert all(locks.take(config(seed)) for seed in range(40))
