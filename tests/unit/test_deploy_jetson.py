"""The scripts for a Jetson: the board's profile, and what the installer does on other machines."""

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

JETSON = Path(__file__).resolve().parents[2] / "deploy/jetson"
NANO = {"board": "NVIDIA Jetson Nano Developer Kit", "machine": "aarch64", "l4t": "32.7.1", "cores_online": 4}
OTHER = {"machine": "aarch64", "l4t": None, "cores_online": 4}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("jetson_benchmark", JETSON / "benchmark.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.mark.parametrize(
    ("facts", "mode", "name"),
    [
        (NANO, 0, "jetson-nano-10w"),
        (NANO, 1, "jetson-nano-5w"),
        (NANO, None, "jetson-nano-10w"),
        ({**OTHER, "board": "Raspberry Pi 5"}, None, "generic-arm64"),
        ({**OTHER, "board": "NVIDIA Jetson Orin Nano Developer Kit"}, None, "jetson-orin-nano"),
        ({**OTHER, "board": "x86_64", "machine": "x86_64"}, None, "generic-x86"),
        ({**OTHER, "board": "arm64", "machine": "arm64"}, None, "generic-arm64"),
    ],
)
def test_the_profile_is_that_of_the_board_and_its_power_mode(script, facts, mode, name):
    power = None if mode is None else {"name": "M", "id": mode}
    assert script.chosen(script.profiles(), {**facts, "power_mode": power})["name"] == name


def test_advice_is_given_where_the_board_is_set_otherwise(script, tmp_path, capsys):
    right = {**NANO, "power_mode": {"name": "MAXN", "id": 0}}
    profile = script.chosen(script.profiles(), right)
    assert list(script.advice(profile, right)) == []
    advice = script.advice(profile, {**NANO, "power_mode": None, "l4t": "32.4.3", "cores_online": 2})
    assert [line.split(",")[0] for line in advice] == ["power mode unknown", "L4T 32.4.3", "2 cores are online"]
    assert script.main([]) == 2
    assert script.main([str(tmp_path)]) == 1
    assert "is not a complete bundle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("machine", "release", "status", "words"),
    [
        ("x86_64", None, 1, "install.sh: this is x86_64, not a Jetson: on a PC, pip install numpy pillow onnxruntime"),
        ("aarch64", None, 1, "there is no /etc/nv_tegra_release"),
        ("aarch64", "# R28 (release), REVISION: 5.0, GCID", 1, "L4T 28.5.0 is neither"),
        ("aarch64", "# R32 (release), REVISION: 7.1, GCID", 0, "numpy==1.19.5 pillow==8.4.0 onnxruntime==1.10.0"),
        ("aarch64", "# R36 (release), REVISION: 4.3, GCID", 0, "ai-edge-litert"),
    ],
)
def test_the_installer_refuses_other_machines_and_check_changes_nothing(tmp_path, machine, release, status, words):
    (tmp_path / "etc").mkdir()
    if release:
        (tmp_path / "etc/nv_tegra_release").write_text(release)
    (tmp_path / "uname").write_text(f"#!/bin/sh\necho {machine}\n")
    (tmp_path / "uname").chmod(0o755)
    places = {"HCR_ROOT": str(tmp_path), "HOME": str(tmp_path), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([JETSON / "install.sh", "--check"], capture_output=True, text=True, env=os.environ | places)
    assert done.returncode == status
    assert words in done.stdout + done.stderr
    assert not (tmp_path / ".profile").exists()
