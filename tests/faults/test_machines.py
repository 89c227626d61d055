"""Two machines, as network namespaces with file systems of their own, that share only the network with the client."""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys

import numpy as np
import pytest
from chaos import TEXT, measured, same, wait_for

from hcrlib import records
from hcrlib.runs import runner

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(400)]
NET = f"10.77.{os.getpid() % 250}"


def command(*words):
    subprocess.run(words, check=True, capture_output=True)


@pytest.fixture
def machines(field, tmp_path):
    """A dict from the workers' names to their network interfaces; the scheduler is on neither machine. Skips without root."""
    mark = secrets.token_hex(2)
    bridge, names = f"hcrb{mark}", {f"hcr{mark}{n}": n for n in (2, 3)}
    with contextlib.ExitStack() as held:
        try:
            command("unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path))
            command("ip", "link", "add", bridge, "type", "bridge")
            held.callback(command, "ip", "link", "del", bridge)
            command("ip", "addr", "add", f"{NET}.1/24", "dev", bridge)
            command("ip", "link", "set", bridge, "up")
            for name, n in names.items():
                command("ip", "netns", "add", name)
                held.callback(command, "ip", "netns", "del", name)
                command("ip", "link", "add", f"{name}h", "type", "veth", "peer", "name", f"{name}n", "netns", name)
                command("ip", "link", "set", f"{name}h", "master", bridge, "up")
                for words in (["addr", "add", f"{NET}.{n}/24", "dev", f"{name}n"], ["link", "set", f"{name}n", "up"]):
                    command("ip", "-n", name, *words)
                command("ip", "-n", name, "link", "set", "lo", "up")
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"network namespaces need root and iproute2: {error}")
        field.host = f"{NET}.1"
        field.start_scheduler()
        for worker, (name, n) in zip(("one", "two"), names.items(), strict=True):
            other = {"one": "two", "two": "one"}[worker]
            hidden = [field.results, *(field.folder / f for f in ("mine", "cache-client", f"cache-{other}"))]
            for folder in hidden:
                folder.mkdir(exist_ok=True)
            mounts = "; ".join(f"mount -t tmpfs -o size=1m tmpfs '{folder}'" for folder in hidden)
            alone = ["ip", "netns", "exec", name, "unshare", "-m", "sh", "-ec", f'{mounts}; exec "$@"', "sh"]
            field.start_worker(worker, alone, f"{NET}.{n}", HCR_DATA="")
        wait_for(lambda: all((field.folder / f"dask-{worker}").exists() for worker in ("one", "two")))
        yield {worker: f"{name}h" for worker, name in zip(("one", "two"), names, strict=True)}


def test_machines_without_a_shared_disk(field, machines, monkeypatch):
    mine = field.folder / "mine"
    rng = np.random.RandomState(0)
    rows = ["label," + ",".join(f"p{i}" for i in range(784))]
    rows += [",".join(map(str, [n % 2, *rng.randint(0, 120 + 120 * (n % 2), 784)])) for n in range(60)]
    (mine / "a.csv").write_text("\n".join(rows))
    (mine / "dataset.yml").write_text("{name: own, format: csv, images: a.csv}")
    members = [runner.resolve("knn", k=k).id for k in (1, 3)]
    text = f"""
runs:
  - {{classifier: dummy, dataset: {mine}}}
  - {{classifier: knn, dataset: {mine}/dataset.yml}}
  - {{classifier: knn, k: 1}}
  - {{classifier: knn, k: 3}}
  - {{classifier: ensemble, runs: [{", ".join(members)}]}}
"""
    field.finish(text)
    assert f"sending {mine}" in field.log()
    assert f"sending runs/{members[0]}" in field.log()
    swept = measured(field.results)
    assert len(swept) == 5
    made = records.read_all(field.results / "runs")
    assert not any(str(mine) in record.data["source"] for record in made), (
        "the workers must read the files that were sent"
    )
    shutil.rmtree(field.results)
    monkeypatch.setenv("HCR_RESULTS", str(field.results))
    for record in sorted(made, key=lambda record: record.config.classifier == "ensemble"):
        runner.run_one(record.config, log=lambda line: None)
    assert measured(field.results) == swept


def test_a_machine_that_is_cut_off_loses_its_run_to_another_one(field, machines, undisturbed):
    with field.hold():
        client = field.begin_sweep(TEXT)
        command("ip", "link", "set", machines["one"], "down")
        wait_for(lambda: "Removing worker" in field.log("scheduler") or "Remove worker" in field.log("scheduler"))
    assert client.wait(timeout=150) == 0, field.log()
    same(field.results, undisturbed)
    command("ip", "link", "set", machines["one"], "up")
    wait_for(lambda: not field.launched(), what="the end of the abandoned run")


if sys.platform != "linux" or os.geteuid() != 0:
    pytestmark.append(pytest.mark.skip(reason="network namespaces need Linux and root"))
