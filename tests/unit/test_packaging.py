"""pyproject.toml is the one list of dependencies; conda's file and the lock follow it."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
ALL = [Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines]
ASKED = {
    "jupyterlab",
    "tensorflow",
    "keras-tuner",
    "scikit-learn",
    "pandas",
    "matplotlib",
    "seaborn",
    "papermill",
    "nbval",
}


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


def test_what_was_asked_for_is_there():
    assert not ASKED - {requirement.name for requirement in ALL}
