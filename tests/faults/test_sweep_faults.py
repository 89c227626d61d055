"""Faults during sweeps on two workers; afterwards every run has one record, equal to that of an undisturbed sweep."""

import os
import shutil
import signal
import subprocess
import time

import psutil
import pytest
from chaos import CLOCK, TEXT, fill, measured, same, tmpfs, wait_for

from hcrlib import records

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(400)]
FEW = "defaults: {dataset: mnist-5k, budget: 300}\ngrid: {classifier: [dummy, knn, linear]}"


def kill(process):
    os.kill(process.pid, signal.SIGKILL)


def ended(process, seconds=120):
    """Wait for a process and return its exit status."""
    return process.wait(timeout=seconds)


def test_kill_9_of_each_process_of_a_run(field, undisturbed):
    """A worker, then a kernel, an executor, a fork server, and a worker with its nanny, each while a cell is executing."""
    field.both()
    with field.hold():
        client = field.begin_sweep(TEXT, "--retries", "9")
        kill(field.worker_processes("one")[0])
        for n_ran, process in ((3, 2), (4, 1), (5, 0)):
            wait_for(lambda n_ran=n_ran: len(field.ran()) == n_ran, what=f"attempt {n_ran}")
            kill(field.launched()[0][process])
        wait_for(lambda: len(field.ran()) == 6, what="attempt 6")
        nanny = psutil.Process(field.workers["two"].pid)
        for process in (nanny, *nanny.children(recursive=True)):
            process.kill()
        field.start_worker("two")
        wait_for(lambda: len(field.ran()) == 7, what="attempt 7")
    assert ended(client) == 0, field.log()
    for reason in ("Kernel died", "ended by SIGKILL", "the fork server ended"):
        assert reason in field.log()
    same(field.results, undisturbed)


def test_kill_9_of_the_client(field, undisturbed):
    field.both()
    client = field.sweep(TEXT)
    wait_for(lambda: len(measured(field.results)) >= 2 if (field.results / "runs").exists() else False)
    with field.hold():
        before = len(field.ran())
        wait_for(lambda: len(field.ran()) >= before + 1 or len(field.ran()) == 6)
        kill(client)
        wait_for(lambda: not field.launched(), what="the end of runs that nobody waits for")
    made = measured(field.results)
    again = field.finish(TEXT)
    assert f"6 runs, {len(made)} already finished" in again
    same(field.results, undisturbed)


def test_kill_9_of_the_scheduler(field, undisturbed):
    field.both()
    with field.hold():
        client = field.begin_sweep(TEXT)
        kill(field.scheduler)
        wait_for(lambda: all(worker.poll() is not None for worker in field.workers.values()), what="the workers' end")
        field.scheduler.wait()
        field.both()  # as a service manager restarts it
    if ended(client) != 0:
        assert "The scheduler is gone" in field.log()
        field.finish(TEXT)
    same(field.results, undisturbed)


def test_a_frozen_worker_loses_its_run_to_another_one(field, undisturbed):
    field.both()
    with field.hold():
        client = field.begin_sweep(TEXT)
        frozen = psutil.Process(field.workers["one"].pid)
        frozen = [frozen, *frozen.children()]
        for process in frozen:
            process.suspend()
    assert ended(client) == 0, field.log()
    same(field.results, undisturbed)
    for process in frozen:
        process.resume()
    wait_for(lambda: field.left_files() == [], what="the end of a run that nobody waits for")


def test_a_full_disk_of_a_worker_is_a_fault(field, undisturbed):
    if not tmpfs(field.folder / "cache-one", "1m"):
        pytest.skip("mounting a small disk takes root")
    try:
        ballast = fill(field.folder / "cache-one")
        field.start_scheduler()
        field.start_worker("one")
        client = field.sweep(FEW)
        assert ended(client) == 1, field.log()
        assert "No space left" in field.log()
        assert measured(field.results) == {}
        ballast.unlink()
        field.start_worker("two")
        field.finish(TEXT)
        same(field.results, undisturbed)
    finally:
        subprocess.run(["umount", "-l", field.folder / "cache-one"], check=True)


def test_a_full_disk_of_the_client(field, undisturbed):
    if not tmpfs(field.results, "8m"):
        pytest.skip("mounting a small disk takes root")
    try:
        field.both()
        with field.hold():
            client = field.begin_sweep(TEXT)
            ballast = fill(field.results)
        assert ended(client) == 1
        assert "No space left" in field.log()
        assert "start the sweep again" in field.log()
        ballast.unlink()
        field.finish(TEXT)
        same(field.results, undisturbed)
        assert field.left_files() == []
    finally:
        subprocess.run(["umount", "-l", field.results], check=True)


def test_damaged_records_are_made_anew(field, undisturbed):
    shutil.copytree(undisturbed, field.results)
    damage = b"", b"{", b"[1]", b"\xff\xfe"
    for path, content in zip(sorted(field.results.glob("runs/*/*/*/record.json")), damage, strict=False):
        path.write_bytes(content)
    field.finish(TEXT, local=True)
    assert len(field.ran()) == len(damage)
    same(field.results, undisturbed)


def test_jumps_of_the_clock(field, undisturbed):
    """The clock of all processes is set forward by two days, then back by three."""
    (field.folder / "clocks").mkdir()
    (field.folder / "clocks/sitecustomize.py").write_text(CLOCK)
    field.python_path = [str(field.folder / "clocks")]
    field.both()
    with field.hold():
        client = field.sweep(TEXT)
        wait_for(lambda: len(field.ran()) >= 2)
        (field.folder / "clock").write_text("172800")
        time.sleep(1)
    wait_for(lambda: len(field.ran()) >= 4)
    (field.folder / "clock").write_text("-86400")
    try:
        made = ended(client, 60) == 0
    except subprocess.TimeoutExpired:  # Dask's messages wait for a time that is far away again
        made = False
        for process in (client, *field.workers.values(), field.scheduler):
            process.terminate()
            process.wait(timeout=60)
        field.both()
    if not made:
        field.finish(TEXT)
    same(field.results, undisturbed)


def test_two_clients_on_one_results_folder_share_the_runs(field, undisturbed):
    field.both()
    clients = [field.sweep(TEXT, name=name) for name in ("client", "other")]
    assert [ended(client) for client in clients] == [0, 0], field.log() + field.log("other")
    assert sorted(field.ran()) == sorted(set(field.ran()))
    same(field.results, undisturbed)


def test_ctrl_c_once_and_twice(field, undisturbed):
    with field.hold():
        client = field.begin_sweep(TEXT, local=True)
        client.send_signal(signal.SIGINT)
        wait_for(lambda: "stopping when" in field.log())
    assert ended(client) == 130
    assert len(field.ran()) <= 4
    assert len(measured(field.results)) == len(field.ran())
    with field.hold():
        before = len(field.ran())
        client = field.sweep(TEXT, local=True)
        wait_for(lambda: len(field.ran()) >= before + 1)
        client.send_signal(signal.SIGINT)
        wait_for(lambda: field.log().count("stopping when") == 2)
        client.send_signal(signal.SIGINT)
        assert ended(client, 30) == 130
    assert "Traceback" not in field.log()
    assert field.left_processes() == []
    field.finish(TEXT, local=True)
    same(field.results, undisturbed)


def test_sigterm_ends_a_sweep_and_its_runs(field):
    with field.hold():
        client = field.begin_sweep(FEW, local=True)
        client.terminate()
        assert ended(client, 30) == 143
        assert field.left_processes() == []
    assert measured(field.results) == {}


def test_kill_9_of_a_client_ends_its_own_cluster_with_it(field):
    with field.hold():
        client = field.begin_sweep(FEW, local=True)
        kill(client)
        ended(client)
        assert field.left_processes() == []
    field.finish(FEW, local=True)
    assert len(measured(field.results)) == 3


def test_failing_code_is_not_retried_and_runs_over_a_limit_are_recorded(field):
    (field.folder / "wrong").touch()
    client = field.sweep(FEW, "--memory-limit", "500M", "--time-limit", "25s", local=True)
    assert ended(client) == 1
    assert sorted(field.ran()) == [("dummy", "0"), ("knn", "0"), ("linear", "0")]
    reasons = {record.config.classifier: record.reason for record in records.read_all(field.results / "runs")}
    assert reasons["dummy"] == "cell 3: ValueError: no luck"
    assert "over its limit of 500 MiB" in reasons["linear"]
    assert reasons["knn"] == "it was stopped after its limit of 25 s"
    (field.folder / "wrong").unlink()
    field.finish(FEW, "--rerun-failed", local=True)
    assert {values["status"] for values, _ in measured(field.results).values()} == {"finished"}
