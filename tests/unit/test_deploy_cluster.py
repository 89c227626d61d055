"""What deploy/cluster says is what there is: options of Dask's commands, names in manifests, scripts that parse."""

import importlib.util
import re
import subprocess
from pathlib import Path

import click
import pytest
import yaml
from distributed.cli.dask_scheduler import main as scheduler
from distributed.cli.dask_worker import main as worker

from hcrlib.cluster.backend import THREADS

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "deploy/cluster"
KUBERNETES = CLUSTER / "kubernetes"
FILES = sorted(path for path in CLUSTER.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
SCRIPTS = [path for path in FILES if path.suffix in (".sh", ".sbatch")]
MANIFESTS = [path for path in FILES if path.suffix == ".yaml"]


def options(command):
    return {name for option in command.params if isinstance(option, click.Option) for name in option.opts} | {
        name for option in command.params for name in option.secondary_opts
    }


def used(path):
    """("scheduler" or "worker", option) for every option of such a command in a file, its lines joined where they go on."""
    text = path.read_text()
    if path.suffix == ".yaml":
        for document in yaml.safe_load_all(text):
            for container in pod(document).get("containers", []):
                kind, *rest = container["command"][1:]
                yield from ((kind, part.split("=")[0]) for part in rest if part.startswith("--"))
        return
    if path.name == "start.sh":
        text = text.replace("\n        --nthreads", " --nthreads")  # of an array
    for line in re.sub(r"\\\n", " ", text).splitlines():
        for kind, rest in re.findall(r"dask\"? (scheduler|worker) ([^|`#]*)", line):
            yield from ((kind, option) for option in re.findall(r"(?<!\S)(--[a-z-]+)", rest))


def pod(document):
    """The spec of a manifest's pod, {} where it has none."""
    return document.get("spec", {}).get("template", {}).get("spec", {})


def documents():
    names = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    return [one for name in names for one in yaml.safe_load_all((KUBERNETES / name).read_text())]


def named(kind, name):
    (found,) = [one for one in documents() if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def slurm():
    spec = importlib.util.spec_from_file_location("cluster_on_slurm", CLUSTER / "slurm/cluster.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse(script):
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert script.suffix == ".sbatch" or script.stat().st_mode & 0o111


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CLUSTER).as_posix())
def test_options_of_dask_are_those_of_the_installed_one(path):
    known = {"scheduler": options(scheduler), "worker": options(worker)}
    assert [(kind, option) for kind, option in used(path) if option not in known[kind]] == []


def test_options_are_looked_for_where_they_are():
    found = {path.name: len(list(used(path))) for path in FILES}
    for name in ("scheduler.sh", "workers.sbatch", "start.sh", "scheduler.yaml", "workers.yaml", "README.md"):
        assert found[name] >= 2, name


def test_settings_of_dask_exist():
    import dask

    text = "\n".join(path.read_text() for path in FILES)
    for variable in set(re.findall(r"DASK_(DISTRIBUTED__[A-Z_]+)", text)):
        dask.config.get(variable.lower().replace("__", ".").replace("_", "-"))
    for setting in set(re.findall(r'"(distributed\.[a-z.-]+\.[a-z-]+)":', text)):
        dask.config.get(setting)


def test_every_worker_is_given_its_threads():
    told = [CLUSTER / "slurm/workers.sbatch", CLUSTER / "ssh/start.sh", CLUSTER / "slurm/cluster.py"]
    for path in (*told, KUBERNETES / "workers.yaml"):
        assert {name for name in THREADS if name not in path.read_text()} == set(), path
    (container,) = pod(named("Deployment", "hcr-worker"))["containers"]
    told = {one["name"]: one.get("value") for one in container["env"]}
    assert {told[name] for name in THREADS} == {container["resources"]["limits"]["cpu"]}
    assert container["resources"]["limits"]["cpu"] == container["resources"]["requests"]["cpu"]


def test_every_worker_makes_one_run_and_leaves_memory_to_it():
    for name in ("slurm/workers.sbatch", "ssh/start.sh"):
        assert "--nthreads 1 --memory-limit 0" in re.sub(r"\\\n\s*|\n\s+(?=--)", " ", (CLUSTER / name).read_text())
    (container,) = pod(named("Deployment", "hcr-worker"))["containers"]
    assert {"--nthreads=1", "--memory-limit=0"} <= set(container["command"])


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_parse(path):
    for one in yaml.safe_load_all(path.read_text()):
        assert one["apiVersion"]
        assert one["kind"]


def test_manifests_are_all_applied():
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    assert {*kustomization["resources"], "kustomization.yaml"} == {path.name for path in MANIFESTS}
    assert kustomization["namespace"] == named("Namespace", "hcr")["metadata"]["name"]
    assert {one["name"] for one in kustomization["replicas"]} <= {one["metadata"]["name"] for one in documents()}


def test_names_in_manifests_agree():
    service, head = named("Service", "hcr-scheduler"), named("Deployment", "hcr-scheduler")
    (container,) = pod(head)["containers"]
    labels = head["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    open_there = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == open_there
    assert container["command"][container["command"].index("--port") + 1] == str(open_there["dask"])
    assert container["command"][container["command"].index("--dashboard-address") + 1] == f":{open_there['dashboard']}"

    (hand,) = pod(named("Deployment", "hcr-worker"))["containers"]
    assert f"tcp://{service['metadata']['name']}:{open_there['dask']}" in hand["command"]
    open_here = {port["name"]: port["containerPort"] for port in hand["ports"]}
    assert f"--dashboard-address=:{open_here['health']}" in hand["command"]
    assert f"--worker-port={open_here['worker']}" in hand["command"]
    assert f"--nanny-port={open_here['nanny']}" in hand["command"]

    images = {one["name"] for one in yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["images"]}
    assert {container["image"], hand["image"]} == images


@pytest.mark.parametrize("name", ["hcr-scheduler", "hcr-worker"])
def test_pods_have_no_rights(name):
    deployment = named("Deployment", name)
    labels, spec = deployment["spec"]["template"]["metadata"]["labels"], pod(deployment)
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert named("NetworkPolicy", "hcr")["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert f"USER {spec['securityContext']['runAsUser']}:" in (KUBERNETES / "Dockerfile").read_text()
    assert spec["automountServiceAccountToken"] is False
    volumes = {volume["name"] for volume in spec["volumes"]}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        ports = {port["name"] for port in container["ports"]}
        assert {
            container[f"{probe}Probe"]["httpGet"]["port"] for probe in ("startup", "readiness", "liveness")
        } <= ports
        assert {"limits", "requests"} <= container["resources"].keys()


def test_what_the_image_is_made_of_is_there():
    allowed = [line[1:] for line in (KUBERNETES / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"]
    copied = re.findall(r"^COPY (.*) \S+$", (KUBERNETES / "Dockerfile").read_text(), re.MULTILINE)
    assert sorted(name for line in copied for name in line.split()) == sorted(allowed)
    assert [name for name in allowed if not (ROOT / name).exists()] == []


def test_jobs_of_slurm_end_before_they_are_killed():
    module = slurm()
    for walltime, runs in (("04:00:00", 1), ("1-00:00:00", 3), ("00:10:00", 1)):
        given = module.options(
            module.parser().parse_args(["--walltime", walltime, "--runs", str(runs), "--cores", "2", "--memory", "3G"])
        )
        extra = dict(zip(given["worker_extra_args"][-4::2], given["worker_extra_args"][-3::2], strict=True))
        lifetime, stagger = int(extra["--lifetime"][:-1]), int(extra["--lifetime-stagger"][:-1])
        assert 0 < lifetime + stagger <= module.seconds(walltime) - module.LAST_S
        assert lifetime > stagger
        assert (given["cores"], given["processes"], given["job_cpu"]) == (runs, runs, 2 * runs)
        assert given["memory"] == f"{3 * runs}GiB"
        assert {f"export {name}=2" for name in THREADS} <= set(given["job_script_prologue"])
        assert {one for one in given["worker_extra_args"] if one.startswith("--")} <= options(worker)
    assert module.seconds("1-02:03:04") == 93784
    for wrong in ("90", "4:00"):
        with pytest.raises(SystemExit):
            module.seconds(wrong)


def test_an_account_of_every_file():
    text = (CLUSTER / "README.md").read_text()
    assert [path.name for path in FILES if path.name not in text] == ["README.md", "Dockerfile.dockerignore"]
    assert (CLUSTER / "ssh/hosts").read_text().count("\n") > 3
