"""The runtime stands alone, and TensorFlow is imported by what trains networks only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "hcrlib"
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
