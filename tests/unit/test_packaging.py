"""pyproject.toml is the one list of dependencies; conda's file and the lock follow it."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hcrlib.core import extras

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {name: lines for name, lines in PROJECT["optional-dependencies"].items() if name != "all"}
ALL = [Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines]
MODULES = {  # distribution -> the module it brings, where that has another name
    "opencv-python-headless": "cv2",
    "scikit-image": "skimage",
    "tensorflow-cpu": "tensorflow",
    "prometheus-client": "prometheus_client",
}


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version, date = PROJECT["version"], str(citation["date-released"])
    assert citation["version"] == version
    assert f"\n## {version} - {date}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"{{{version}}}" in (ROOT / "docs/bibliography.md").read_text(encoding="utf-8")


def test_all_is_every_extra():
    assert PROJECT["optional-dependencies"]["all"] == [f"hcrlib[{','.join(EXTRAS)}]"]


def test_the_environment_of_the_demo_leaves_out_what_it_does_not_need():
    named = re.search(r"^EXTRAS := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split(",")
    assert set(EXTRAS) - set(named) == {"fast", "test", "docs"}
    assert set(named) < set(EXTRAS)


def test_a_missing_library_names_an_extra_that_brings_it():
    """The libraries of `fast` are never missing, and those of `test` and `docs` are not imported."""
    for extra, lines in EXTRAS.items():
        for line in lines if extra not in ("fast", "test", "docs") else ():
            name = Requirement(line).name
            module = MODULES.get(name, name.replace("-", "_"))
            brought_by = [other for other in EXTRAS if line in EXTRAS[other]]
            assert extras.extra_of(module) in brought_by or module in ("tensorboard", "nbval"), module
    named = {*extras.EXTRAS, *extras.BROUGHT_ALONG.values()}
    assert named <= set(EXTRAS)


def test_the_suggested_extra_fits_what_was_being_done_else_it_is_the_smallest():
    assert extras.extra_of("cv2", "train") == "train"
    assert extras.extra_of("cv2") == extras.extra_of("cv2", "serve") == "documents"
    with pytest.raises(extras.MissingExtraError, match=r"hcrlib\[train\]"), extras.explained("train"):
        raise ModuleNotFoundError(name="wordfreq")


def test_every_import_is_of_a_base_library_or_is_explained():
    """What hcrlib imports is always installed, or the error for it names an extra; what is tried first is allowed."""
    base = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    provided = {"PIL": "pillow", "yaml": "pyyaml", "sklearn": "scikit-learn"}
    tried = {"faiss", "sklearnex", "tflite_runtime", "tensorrt", "pillow_heif"}
    for path in (ROOT / "hcrlib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            for top in {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names, "hcrlib"} - tried:
                distribution = canonicalize_name(provided.get(top, top))
                assert distribution in base or extras.extra_of(top), f"{path} imports {top}"


BARE = """
import importlib.abc, sys
from hcrlib.core import extras

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if extras.extra_of(name):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from hcrlib.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["data", "list"], None),
        (["train", "knn", "--budget", "200"], None),
        (["leaderboard"], None),
        (["train", "cnn-basic", "--budget", "200"], "train"),
        (["tune", "knn"], "train"),
        (["read", "page.png"], "documents"),
        (["serve"], "serve"),
        (["sweep", "params/demo.yml"], "cluster"),
        (["results", "--sql", "select 1"], "sql"),
    ],
)
def test_a_bare_install_works_and_names_the_extra_that_a_command_needs(command, extra, results):
    done = subprocess.run([sys.executable, "-c", BARE, *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == (1 if extra else 0), done.stderr
    if extra:
        assert done.stderr.strip().endswith(f'pip install "hcrlib[{extra}]".'), done.stderr
        assert done.stderr.count("\n") == 1


def locked():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_conda_users_get_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in environment if isinstance(entry, dict))
    assert {str(Requirement(line)) for line in pip} == {str(requirement) for requirement in ALL}
    assert f"python{PROJECT['requires-python']}" in environment


def test_the_lock_holds_every_dependency_at_a_version_that_is_allowed():
    pins = {}
    for requirement in locked():
        pins.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    for wanted in ALL:
        found = pins.get(canonicalize_name(wanted.name), [])
        assert found, f"{wanted.name} is not in requirements.lock: make lock"
        for pin in found:
            version = re.fullmatch(r"==(\S+)", str(pin.specifier))
            assert version, f"{pin} is not pinned"
            assert version[1] in wanted.specifier, f"{pin} does not fulfil {wanted}: make lock"


def test_the_lock_names_no_address():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "--index" not in text
