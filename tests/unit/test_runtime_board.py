"""The board without the board: its files and programs in the forms they are known to take, and as failing stand-ins."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from stand_ins import until

import hcrlib
from hcrlib import records
from hcrlib.cli import main
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.export import bundle as bundles
from hcrlib.records import device
from hcrlib.runtime import Network, benchmark, board
from hcrlib.runtime.engines import tensorrt

NANO = (
    "RAM 1903/3964MB (lfb 4x4MB) SWAP 0/1982MB (cached 0MB) IRAM 0/252kB(lfb 252kB) CPU [12%@1479,off,off,8%@1479] "
    "EMC_FREQ 2%@1600 GR3D_FREQ 41%@921 APE 25 PLL@31.5C CPU@34C PMIC@100C GPU@32C AO@41C thermal@33C "
    "POM_5V_IN 1750/1628 POM_5V_GPU 40/39 POM_5V_CPU 285/223"
)
ORIN = (
    "10-07-2026 10:45:12 RAM 2489/7620MB (lfb 4x4MB) SWAP 0/3810MB (cached 0MB) CPU [2%@729,0%@729,off,off,1%@729,0%@729] "
    "EMC_FREQ 0%@2133 GR3D_FREQ 7%@[305] NVDEC off NVJPG off VIC off OFA off APE 200 cpu@45.593C soc2@44.312C soc0@44.9C "
    "gpu@-256C tj@45.593C soc1@44.7C VDD_IN 3551mW/3560mW VDD_CPU_GPU_CV 478mW/478mW VDD_SOC 1037mW/1037mW"
)


@pytest.mark.parametrize(
    ("line", "ram", "mhz", "gpu", "sensors", "rail", "board_mw"),
    [
        (
            *(NANO, [1903, 3964], [1479, None, None, 1479], {"percent": 41, "mhz": 921}),
            {"PLL": 31.5, "CPU": 34, "PMIC": 100, "GPU": 32, "AO": 41, "thermal": 33},
            *(("POM_5V_CPU", 285, 223), 1750),
        ),
        (
            *(ORIN, [2489, 7620], [729, 729, None, None, 729, 729], {"percent": 7, "mhz": 305}),
            {"cpu": 45.593, "soc2": 44.312, "soc0": 44.9, "tj": 45.593, "soc1": 44.7},  # the GPU's sensor is off
            *(("VDD_CPU_GPU_CV", 478, 478), 3551),
        ),
    ],
    ids=["Nano", "Orin"],
)
def test_tegrastats_is_parsed(line, ram, mhz, gpu, sensors, rail, board_mw):
    found = board.parse_tegrastats(line)
    assert [found["ram_mb"], found["ram_total_mb"]] == ram
    assert [core and core["mhz"] for core in found["cpu"]] == mhz
    assert found["gpu"] == gpu
    assert found["temperatures_c"] == sensors
    assert found["power_mw"][rail[0]] == {"now": rail[1], "mean": rail[2]}
    assert board.board_power_mw(found) == board_mw


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a board is a Linux machine")


@pytest.mark.parametrize("line", [NANO, ORIN])
def test_a_truncated_line_tells_what_it_holds(line):
    for end in range(len(line)):
        found = board.parse_tegrastats(line[:end])
        assert {*found} >= {"cpu", "temperatures_c", "power_mw"}
        power = board.board_power_mw(found)
        assert power is None or str(power) in line
    assert board.parse_tegrastats("") == {"cpu": [], "temperatures_c": {}, "power_mw": {}}
    assert board.parse_tegrastats("GR3D_FREQ 0%")["gpu"] == {"percent": 0, "mhz": None}


def test_the_power_mode_the_cores_and_the_release():
    assert board.parse_nvpmodel("NV Power Mode: MAXN\n0\n") == {"name": "MAXN", "id": 0}
    assert board.parse_nvpmodel("NVPM WARN: fan mode is not set!\nNV Power Mode: 15W\n2\n") == {"name": "15W", "id": 2}
    assert board.parse_nvpmodel("NVPM ERROR: failed to read") is None
    assert [board.parse_cores(text) for text in ("0-3", "0,3\n", "0-1,3", "0", "", "off")] == [4, 2, 3, 1, None, None]
    text = "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref, EABI: aarch64, DATE: Sat Feb 19"
    assert board.parse_l4t(text) == "32.7.1"
    assert board.parse_l4t("# R36 (release), REVISION: 4.3, GCID: 38968081") == "36.4.3"
    assert board.parse_l4t("") is None


OLD = """
[11/21/2026-10:00:00] [I] === Performance summary ===
[11/21/2026-10:00:00] [I] Throughput: 1034.55 qps
[11/21/2026-10:00:00] [I] Latency: min = 0.91 ms, max = 2.11 ms, mean = 0.98 ms, median = 0.95 ms, percentile(99%) = 1.3 ms
[11/21/2026-10:00:00] [I] End-to-End Host Latency: min = 1 ms, max = 2 ms, mean = 1 ms, median = 1 ms, percentile(99%) = 2 ms
[11/21/2026-10:00:00] [I] Enqueue Time: min = 0.4 ms, max = 1 ms, mean = 0.5 ms, median = 0.5 ms, percentile(99%) = 0.8 ms
[11/21/2026] [I] H2D Latency: min = 0.01 ms, max = 0.1 ms, mean = 0.02 ms, median = 0.015 ms, percentile(99%) = 0.05 ms
[11/21/2026-10:00:00] [I] GPU Compute Time: min = 0.8 ms, max = 2 ms, mean = 0.9 ms, median = 0.85 ms, percentile(99%) = 1.1 ms
[11/21/2026] [I] D2H Latency: min = 0.003 ms, max = 0.02 ms, mean = 0.005 ms, median = 0.004 ms, percentile(99%) = 0.01 ms
"""
NEW = OLD.replace("percentile(99%)", "percentile(90%) = 1.0 ms, percentile(95%) = 1.1 ms, percentile(99%)")


@pytest.mark.parametrize("text", [OLD, NEW])
def test_trtexec_of_both_versions(text):
    found = board.parse_trtexec(text)
    assert found["throughput_qps"] == 1034.55
    assert (found["latency"]["median"], found["latency"]["p99"]) == (0.95, 1.3)
    assert [found[key]["median"] for key in ("h2d", "compute", "d2h")] == [0.015, 0.85, 0.004]
    assert ("p90" in found["compute"]) == (text is NEW)
    for end in range(0, len(text), 7):
        board.parse_trtexec(text[:end])
    assert board.parse_trtexec("") == {}


@pytest.mark.parametrize(
    ("status", "text", "why"),
    [
        (-9, "", "killed, probably because memory ran out"),
        (137, "", "killed, probably because memory ran out"),
        (1, "[E] [TRT] Importer.cpp: ERROR: No importer registered for op: OneHot", "not support the operator OneHot"),
        (1, "Cuda failure: no CUDA-capable device is detected", "there is no GPU"),
        (1, "[E] Error[2]: Out of memory during tactic", "the GPU is Out of memory"),
        (1, "[E] Error[4]: [network.cpp] shapes differ", r"trtexec: \[network.cpp\] shapes differ"),
        (3, "", "ended with status 3 and printed: nothing"),
    ],
)
def test_why_trtexec_failed(status, text, why):
    assert re.search(why, board.trtexec_failure(status, text))


def test_the_facts_of_a_nano_and_of_this_machine(tmp_path, monkeypatch):
    files = {
        "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
        "etc/nv_tegra_release": "# R32 (release), REVISION: 7.1, GCID: 1",
        "sys/devices/system/cpu/online": "0-1\n",
        "sys/devices/system/cpu/present": "0-3\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1479000\n",
        "sys/devices/system/cpu/cpu10/cpufreq/scaling_cur_freq": "918000\n",
        "sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq": "<unknown>\n",
        "sys/class/thermal/thermal_zone0/type": "CPU-therm\n",
        "sys/class/thermal/thermal_zone0/temp": "34500\n",
        "sys/class/thermal/thermal_zone1/type": "off-therm\n",
        "sys/class/thermal/thermal_zone1/temp": "-256000\n",
        "sys/class/thermal/thermal_zone2/type": "broken\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    program(tmp_path / "bin", "nvpmodel", "print('NV Power Mode: 5W'); print(1)", monkeypatch)
    found = board.facts(str(tmp_path))
    assert board.is_jetson(str(tmp_path))
    assert (found["board"], found["l4t"]) == ("NVIDIA Jetson Nano Developer Kit", "32.7.1")
    assert (found["cores_online"], found["cores"], found["cpu_mhz"]) == (2, 4, [1479, 918])
    assert found["temperatures_c"] == {"CPU-therm": 34.5}
    assert found["power_mode"] == {"name": "5W", "id": 1}
    assert not board.is_jetson(str(tmp_path / "nothing"))
    assert board.facts()["cores"] >= 1


TEGRASTATS = f"echo '{NANO}'; while :; do sleep .02; echo '{NANO}'; done"


def program(folder, name, code, monkeypatch, shell=None):
    """A small executable in the place of one of the board's."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    head = f"#!{shell}\n" if shell else f"#!{sys.executable}\nimport os, signal, sys, time\n"
    path.write_text(f"{head}{code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return path


def test_power_is_the_mean_of_what_tegrastats_tells_and_it_is_stopped(tmp_path, monkeypatch):
    program(tmp_path / "bin", "tegrastats", TEGRASTATS, monkeypatch, "/bin/sh")
    with board.Power() as power:
        process = power._process
        until(lambda: power.lines)
    assert power.mean_mw == 1750
    assert process.poll() is not None
    program(tmp_path / "bin", "tegrastats", "sys.exit(1)", monkeypatch)
    with board.Power() as power:
        pass
    assert power.mean_mw is None
    with board.Power(["there-is-no-such-program"]) as power:
        pass
    assert power.mean_mw is None


@pytest.fixture(scope="module")
def made(tiny_cnn, tmp_path_factory):
    """The bundle of a small network."""
    results = shutil.copytree(tiny_cnn[1], tmp_path_factory.mktemp("board") / "results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HCR_RESULTS", str(results))
        return bundles.write(tiny_cnn[0].id, log=lambda line: None)


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(benchmark, "SECONDS", 0.01)
    monkeypatch.setattr(benchmark, "MIN_QUERIES", 10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnxruntime", "litert"])
def test_it_measures_where_it_is_and_says_where(made, kind, tmp_path, capsys, short, monkeypatch):
    program(tmp_path / "bin", "tegrastats", TEGRASTATS, monkeypatch, "/bin/sh")
    call = [str(made), "--engine", kind, "--queries", "30", "--seconds", "0.2", "--out", str(tmp_path / "out")]
    assert benchmark.main(call) == 0
    printed = capsys.readouterr().out
    assert "this is not the board" in printed
    assert "mJ an image" in printed
    [path] = (tmp_path / "out").iterdir()
    record = json.loads(path.read_text())
    measured = record["device"]
    assert (record["status"], measured["kind"], record["schema"]) == ("finished", kind, 2)
    assert record["predict_ms_p50"] <= record["predict_ms_p90"] <= record["predict_ms_p99"]
    assert [row["batch"] for row in measured["batches"]] == [1, 8, 32, 128]
    assert measured["golden_apart"] < 1e-5
    assert measured["power_mw"] == 1750
    assert 0 < measured["energy_mj_per_image"] < 1750
    added = device.add(path)
    assert added.predict_ms_p50 == record["predict_ms_p50"]
    assert added.measured_on.endswith(f", {kind}")


@pytest.mark.slow
def test_what_is_wrong_with_the_call_or_the_bundle(made, tmp_path, capsys):
    with pytest.raises(SystemExit):
        benchmark.main([str(made), "--queries", "100"])
    assert "--queries must be at least 1024" in capsys.readouterr().err
    assert benchmark.main([str(tmp_path)]) == 1
    assert "manifest.json is missing" in capsys.readouterr().err


BUILDS = """
args = dict(a.lstrip('-').split('=', 1) for a in sys.argv[1:] if '=' in a)
with open(os.environ['CALLS'], 'a') as calls:
    calls.write(' '.join(sys.argv[1:]) + '\\n')
if 'saveEngine' in args:
    open(args['saveEngine'], 'w').write('an engine')
else:
    print(os.environ['PRINTED'])
"""


@pytest.fixture
def jetpack(monkeypatch, tmp_path, short):
    """TensorRT 8.2.1 whose engines answer as ONNX Runtime does, and a trtexec that builds them."""
    monkeypatch.setitem(sys.modules, "tensorrt", types.SimpleNamespace(__version__="8.2.1.9"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("PRINTED", OLD)
    program(tmp_path / "bin", "trtexec", BUILDS, monkeypatch)
    return lambda code: program(tmp_path / "bin", "trtexec", code, monkeypatch)


def measured_by(made, tmp_path, kind="tensorrt-fp16"):
    status = benchmark.main([str(made), "--engine", kind, "--queries", "20", "--out", str(tmp_path / "out")])
    [path] = (tmp_path / "out").glob(f"*{kind}.json")
    return status, json.loads(path.read_text())


@pytest.mark.slow
def test_engines_are_built_once_and_timed_apart(made, jetpack, tmp_path, monkeypatch):
    def stand_in(path):
        assert Path(path).read_text() == "an engine"
        network = Network(made / "model/model.onnx")
        network.engine = "TensorRT 8.2.1.9"
        return network

    monkeypatch.setattr(tensorrt, "TensorRTNetwork", stand_in)
    status, record = measured_by(made, tmp_path)
    assert (status, record["engine"]) == (0, "TensorRT 8.2.1.9")
    rows = record["device"]["trtexec"]
    assert [(row["batch"], row["compute"]["median"]) for row in rows] == [(n, 0.85) for n in (1, 8, 32, 128)]
    calls = (tmp_path / "calls").read_text().splitlines()
    assert "--fp16" in calls[0]
    assert "--workspace=256" in calls[0]
    assert "--maxShapes=images:128x28x28x1" in calls[0]
    assert len(calls) == 5
    measured_by(made, tmp_path, "tensorrt-fp32")
    calls = (tmp_path / "calls").read_text().splitlines()
    assert "--fp16" not in calls[5]
    assert "--noTF32" in calls[5]
    measured_by(made, tmp_path)
    assert sum("saveEngine" in line for line in (tmp_path / "calls").read_text().splitlines()) == 2
    for version, skip in (("8.5.2", "--buildOnly"), ("10.3.0", "--skipInference")):
        sys.modules["tensorrt"].__version__ = version
        measured_by(made, tmp_path)
        built = [line for line in (tmp_path / "calls").read_text().splitlines() if "saveEngine" in line][-1]
        assert "--memPoolSize=workspace:256" in built
        assert skip in built


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed, probably because memory ran out"),
        ("print('no CUDA-capable device is detected'); sys.exit(1)", "there is no GPU"),
        ("pass", "wrote no engine"),
    ],
)
def test_a_trtexec_that_fails_is_a_failed_record(made, jetpack, tmp_path, code, why, capsys):
    jetpack(code)
    status, record = measured_by(made, tmp_path)
    assert (status, record["status"]) == (1, "failed")
    assert why in record["reason"]
    assert record["predict_ms_p50"] is None
    assert "failed. " in capsys.readouterr().out
    assert not list((tmp_path / "cache").rglob("*.engine"))


@pytest.mark.slow
def test_the_benchmark_runs_in_a_bundle_alone(made, tmp_path):
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    call = [sys.executable, "-m", "runtime.benchmark", ".", "--seconds", "0.01", "--out", str(tmp_path / "out")]
    done = subprocess.run(call, cwd=made, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    measured = [json.loads(path.read_text())["device"] for path in (tmp_path / "out").glob("*.json")]
    assert {each["kind"] for each in measured} == {"onnxruntime", "litert", "litert-float16", "litert-int8"}
    assert all(each["peak_rss_mb"] < 250 for each in measured)


@pytest.mark.slow
def test_a_missing_or_wrong_engine_is_a_failed_record(made, jetpack, tmp_path, monkeypatch):
    class NoCuda:
        def __init__(self):
            raise RuntimeError("cudaStreamCreate failed with CUDA error 100")

    class Wrong:
        name, engine, n_classes, path = "", "TensorRT 8.2.1.9", 10, ""

        def scores(self, x):
            return np.eye(10, dtype=np.float32)[np.arange(len(x)) % 10]

    def reason():
        status, record = measured_by(made, tmp_path)
        assert status == 1
        assert not list((tmp_path / "cache").rglob("*.engine"))  # nothing reads with it
        return record["reason"]

    monkeypatch.setattr(tensorrt, "_Cuda", NoCuda)
    assert reason() == "cudaStreamCreate failed with CUDA error 100"
    with monkeypatch.context() as patch:
        patch.setattr(tensorrt, "TensorRTNetwork", lambda path: Wrong())
        assert "other answers to" in reason()
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert "TensorRT comes with JetPack" in reason()
    monkeypatch.setitem(sys.modules, "tensorrt", types.SimpleNamespace(__version__="8.2.1"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(benchmark, "PATHS", ("/nowhere",))
    assert "there is no trtexec" in reason()


@pytest.fixture
def measured(tmp_path):
    """A board's record in a file, and its values."""
    old = json.loads((Path(__file__).parents[2] / "results/zoo/words-52/record.json").read_text())
    assert old["schema"] == 1
    facts = {"kind": "litert", "profile": "p", "facts": {"board": "NVIDIA Jetson Nano Developer Kit"}}
    facts |= {"batches": [], "power_mw": None, "golden_apart": 0.0, "peak_rss_mb": None}
    values = {**old, "provenance": {"board": facts}, **{f"predict_ms_p{q}": float(q) for q in (50, 90, 99)}}
    (tmp_path / "one.json").write_text(json.dumps(values))
    return tmp_path / "one.json", values


def test_a_boards_record_is_imported_and_listed(measured, capsys):
    for _ in range(2):  # twice is once
        assert main.main(["import-record", str(measured[0])]) == 0
    [record] = device.read_all()
    records.RunRecord.from_dict({**measured[1], "provenance": {}}).write()  # the run itself
    assert (record.measured_on, record.cer) == ("NVIDIA Jetson Nano Developer Kit, p, litert", measured[1]["cer"])
    assert [*hcrlib.results().measured_on] == ["", record.measured_on]
    capsys.readouterr()
    assert main.main(["leaderboard", "--wide"]) == 0
    assert f"crnn-small on {record.measured_on}" in capsys.readouterr().out


def test_other_files_are_not_imported_and_no_folder_is_left(measured, tmp_path):
    path, values = measured
    path.write_text(json.dumps({**values, "config": {**values["config"], "classifier": "../../.."}}))
    device.add(path)
    assert list(device.root().parent.glob("*.json")) == []
    assert list(device.root().iterdir()) == [device.root() / "nvidia-jetson-nano-developer-kit"]
    for content, why in (
        (json.dumps({**values, "provenance": {}}), "not written by the benchmark"),
        (json.dumps({**values, "provenance": {"board": {"facts": ["board"], "kind": "x"}}}), "not written by the"),
        ("{", "cannot be read"),
        ("{}", "cannot be read"),
    ):
        path.write_text(content)
        with pytest.raises((ConfigError, RunError), match=why):
            device.add(path)
    with pytest.raises(RunError, match="No such file"):
        device.add(tmp_path / "none.json")
