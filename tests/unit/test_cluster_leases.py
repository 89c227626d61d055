"""Of two clients on one results folder, one makes a run; what a client that died had taken is free."""

import collections
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hcrlib.cluster.leases import Claims
from hcrlib.core import paths
from hcrlib.runs.config import RunConfig

CLIENT = """
import sys, time
from hcrlib.cluster.leases import Claims
from hcrlib.runs.config import RunConfig
with Claims(beat_s=0.05, lease_s=0.5) as claims:
    print(claims.take(RunConfig("mnist-5k", "dummy", {}, [], 0)), flush=True)
    sys.stdin.readline()
    print(claims.take(RunConfig("mnist-5k", "dummy", {}, [], 1)), flush=True)
    sys.stdin.readline()
"""
TAKER = """
import random, sys
from hcrlib.cluster.leases import Claims
from hcrlib.runs.config import RunConfig
runs = [RunConfig("mnist-5k", "dummy", {}, [], seed) for seed in range(200)]
random.Random(int(sys.argv[1])).shuffle(runs)
with Claims() as claims:
    print("ready", flush=True)
    sys.stdin.readline()
    print(*[run.seed for run in runs if claims.take(run)], flush=True)
    sys.stdin.readline()
"""


def config(seed=0):
    return RunConfig("mnist-5k", "dummy", {}, [], seed)


def client(code=CLIENT, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def other():
    """A process that has taken the run of seed 0, and takes that of seed 1 when it reads a line."""
    with client() as process:
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def elsewhere(beat, taken=(), name="a" * 32):
    """What a client on another machine writes."""
    folder = paths.results_root() / ".sweeps" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lock").touch()
    (folder / "alive").write_text(json.dumps({"host": "another", "machine": "another", "beat": beat}))
    os.utime(folder / "alive", ns=(beat + 1, beat + 1))
    for run in taken:
        (folder / run.hash).touch()
    return folder


def test_a_run_is_taken_by_one_of_two(results):
    with Claims() as one, Claims() as two:
        assert one.take(config())
        assert not two.take(config())
        assert two.take(config(1))
        assert not one.take(config(1))
        assert one.take(config()), "its own"
    assert not (results / ".sweeps").exists()


def test_what_is_let_go_is_free(results):
    with Claims() as one, Claims() as two:
        assert one.take(config())
        one.release(config())
        one.release(config())
        assert two.take(config())


def test_what_a_client_that_left_had_taken_is_free(results):
    with Claims() as two:
        with Claims() as one:
            assert one.take(config())
        assert two.take(config())
    assert not (results / ".sweeps").exists()


def test_an_error_leaves_nothing_behind(results):
    with pytest.raises(ZeroDivisionError), Claims() as claims:
        claims.take(config())
        1 / 0  # noqa: B018
    assert not (results / ".sweeps").exists()
    assert not [thread for thread in threading.enumerate() if thread.name == "lease"]


def test_a_client_of_this_machine_that_was_killed_is_dead_at_once(other, results):
    with Claims(lease_s=3600) as claims:
        assert not claims.take(config())
        other.kill()
        other.wait()
        assert claims.take(config())
    assert not (results / ".sweeps").exists()


def test_a_frozen_client_is_dead_after_a_lease(other, results):
    with Claims(beat_s=0.05, lease_s=0.5) as claims:
        assert not claims.take(config())
        time.sleep(0.8)
        assert not claims.take(config()), "it is alive"
        other.send_signal(signal.SIGSTOP)
        frozen = time.monotonic()
        until(lambda: claims.take(config()))
        assert 0.4 < time.monotonic() - frozen < 5


def test_a_client_of_another_machine_is_known_by_its_beat_alone(results):
    with Claims(beat_s=0.05, lease_s=0.4) as claims:
        for beat in range(8):  # longer than a lease, and nobody holds its lock here
            elsewhere(beat, [config()])
            assert not claims.take(config())
            time.sleep(0.1)
        begun = time.monotonic()
        until(lambda: claims.take(config()))
        assert time.monotonic() - begun > 0.2
    assert not (results / ".sweeps").exists()


def test_a_client_that_is_seen_for_the_first_time_lives(results):
    elsewhere(7, [config()])
    with Claims(lease_s=0.5) as claims:
        assert not claims.take(config()), "it had no time yet to beat"
        time.sleep(0.7)
        assert claims.take(config())


@pytest.mark.parametrize("told", [b"", b"{", b"\xff"])
def test_a_damaged_word_of_a_client_is_no_beat(results, told):
    (elsewhere(0, [config()]) / "alive").write_bytes(told)
    with Claims(lease_s=0.2) as claims:
        assert not claims.take(config())
        until(lambda: claims.take(config()))


@pytest.mark.parametrize("jump", [-(10**6), 10**6])
def test_the_wall_clock_plays_no_part(other, monkeypatch, jump):
    now = time.time
    with Claims(beat_s=0.05, lease_s=0.5) as claims:
        assert not claims.take(config())
        monkeypatch.setattr(time, "time", lambda: now() + jump)
        for path in paths.results_root().glob(".sweeps/*/*"):
            os.utime(path, (1, 1))
        for _ in range(4):
            assert not claims.take(config())
            time.sleep(0.2)
        other.send_signal(signal.SIGSTOP)
        until(lambda: claims.take(config()))


def test_a_full_disk_stops_no_beat_of_what_lives(monkeypatch):
    with Claims(beat_s=0.02, lease_s=0.2) as one, Claims(beat_s=0.02, lease_s=5) as two:
        assert one.take(config())
        beats = []

        def full(number):
            beats.append(number)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(one, "_beat", full)
        until(lambda: len(beats) > 5)
        assert not two.take(config())


def test_many_threads_take_each_run_once(results):
    def take(number):
        with Claims() as claims:
            there.wait()
            mine = [seed for seed in range(200) if claims.take(config((seed + 37 * number) % 200))]
            taken.extend((seed + 37 * number) % 200 for seed in mine)
            there.wait()

    there, taken = threading.Barrier(6), []
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(take, range(6)))
    assert sorted(taken) == list(range(200))
    assert not (results / ".sweeps").exists()


def test_many_processes_take_each_run_once(results):
    clients = [client(TAKER, number) for number in range(5)]
    for each in clients:
        assert each.stdout.readline() == "ready\n"
    for each in clients:
        each.stdin.write("\n")
        each.stdin.flush()
    taken = collections.Counter(seed for each in clients for seed in map(int, each.stdout.readline().split()))
    assert taken == dict.fromkeys(range(200), 1)
    for each in clients:
        each.communicate("\n")
        assert each.returncode == 0
    assert not (results / ".sweeps").exists()


def test_clients_may_come_and_go_at_any_time(results):
    def come_and_go(number):
        for _ in range(40):
            with Claims() as claims:
                if claims.take(config()):
                    inside.append(number)
                    assert inside == [number]
                    inside.remove(number)
                    claims.release(config())

    inside = []
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come_and_go, range(4)))
    assert not (results / ".sweeps").exists()
