"""The runtime imports only what a board has; TensorFlow is imported only to train networks.

Which package may import which is a contract in pyproject.toml that `make lint` checks.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "hcrlib"
ENGINES = {"onnxruntime", "ai_edge_litert", "tflite_runtime", "tensorrt"}
SERVER = {"flask", "werkzeug", "waitress", "prometheus_client"}


def test_runtime_imports_only_what_a_board_has():
    for path in (ROOT / "runtime").rglob("*.py"):
        allowed = {*sys.stdlib_module_names, "numpy", "PIL", "pillow_heif"} | (
            SERVER if path.parent.name == "web" else ENGINES
        )
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            foreign = {name.split(".")[0] for name in names} - allowed
            assert not foreign, f"{path.relative_to(ROOT)} imports {foreign}"


def test_runtime_is_for_python_3_6():
    done = subprocess.run(
        [Path(sys.executable).with_name("vermin"), "--target=3.6-", "--violations", "--no-tips", str(ROOT / "runtime")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_onnx_runtime_reports_nothing_and_leaves_no_file(tmp_path):
    code = "from hcrlib import runtime; runtime.bundle.load('results/zoo/best-digits', 'onnxruntime')"
    folders = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    environment = {**os.environ, **folders}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-B", "-c", code], check=True, cwd=ROOT.parent, env=environment)
    assert not list(tmp_path.rglob("*"))


CHILD = """
import sys
import hcrlib as hcr
from hcrlib import cli
image = hcr.load_dataset("mnist-5k").val.images[0]
for name in ("dummy", "linear", "knn", "svm"):
    run = hcr.train(name, data="mnist-5k", budget=300, say=lambda line: None)
    hcr.load_model(run).read(image)
    print(name, sorted(m for m in ("tensorflow", "keras", "torch", "jax") if m in sys.modules))
"""


@pytest.mark.slow
def test_classical_runs_start_without_tensorflow():
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["dummy []", "linear []", "knn []", "svm []"]
