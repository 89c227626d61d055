"""Dependencies point one way, and TensorFlow is imported by what trains networks only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "hcrlib"
# A module may import from its own tier and from those before it.
TIERS = [
    {"errors", "paths", "seeds", "registry", "files", "runtime", "commands", "code_hash"},
    {"config", "metrics", "timing", "provenance", "augment"},
    {"datasets"},
    {"models"},
    {"records", "ctc", "ctc_search"},
    {
        "evaluate",
        "evaluate_lines",
        "boards",
        "plots",
        "line_plots",
        "leaderboard",
        "stats",
        "explore",
        "ledger",
        "claim_plots",
    },
    {"face", "pad", "page"},
    {"sweep", "report", "graph", "export", "cluster", "query"},
    {
        "resuming",
        "rerun",
        "summary",
        "tune",
        "tuning_trials",
        "tuning_plots",
        "tune_commands",
        "sweep_commands",
        "zoo",
        "zoo_lines",
        "zoo_commands",
    },
    {
        "claim_file",
        "claims",
        "bench",
        "bench_commands",
        "bundle",
        "bundle_commands",
        "compose_commands",
        "corrections",
        "serve_commands",
    }
    | {"read_commands", "library_commands"},
    {"cli"},
]
RANK = {name: tier for tier, names in enumerate(TIERS) for name in names}


def top_level(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path):
    """The hcrlib modules that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "hcrlib":
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("hcrlib."))


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_arrow_points_back(path):
    name = top_level(path)
    for other in imported(path):
        if name != "__init__" and other in RANK:
            assert RANK[other] <= RANK[name], f"{name} imports {other}"


def test_every_module_has_a_tier():
    assert {top_level(p) for p in ROOT.rglob("*.py")} - {"__init__"} == set(RANK)


ENGINES = {"onnxruntime", "ai_edge_litert", "tflite_runtime", "tensorrt"}
SERVER = {"flask", "werkzeug", "waitress", "prometheus_client", "pillow_heif"}


@pytest.mark.parametrize("path", sorted((ROOT / "runtime").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_runtime_stands_alone(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        allowed = {*sys.stdlib_module_names, "numpy", "PIL"} | (SERVER if path.parent.name == "web" else ENGINES)
        assert {n.split(".")[0] for n in names} <= allowed


def test_runtime_is_for_python_3_6():
    done = subprocess.run(
        [Path(sys.executable).with_name("vermin"), "--target=3.6-", "--violations", "--no-tips", str(ROOT / "runtime")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


CHILD = """
import sys
import hcrlib as hcr
from hcrlib import cli
run = hcr.train({name!r}, data="mnist-5k", budget=300, say=lambda line: None)
hcr.load_model(run).read(hcr.load_dataset("mnist-5k").val.images[0])
print(sorted(m for m in ("tensorflow", "keras", "torch", "jax") if m in sys.modules))
"""


@pytest.mark.parametrize("name", ["dummy", "linear", "knn", "svm"])
def test_classical_runs_start_without_tensorflow(name):
    done = subprocess.run([sys.executable, "-c", CHILD.format(name=name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
