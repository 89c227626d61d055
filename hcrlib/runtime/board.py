"""Identify a Jetson or any Linux machine, measure its power, and parse the output of vendor tools.

Parsers take the printed text and omit what is missing; none raises for an unknown line.
"""

import io
import os
import platform
import re
import subprocess
import threading

NAMES = "/proc/device-tree/model"  # of a board; ends with a zero byte
RAILS = "POM_5V_IN", "VDD_IN"  # power of the whole board: Nano; Orin Nano, Orin NX, Xavier NX
NUMBER = r"(-?\d+(?:\.\d+)?)"


def facts(root="/"):
    """Return what a timing depends on: board, L4T, power mode, online cores, clocks in MHz, temperatures in degrees Celsius."""
    return {
        "board": name(root),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "l4t": parse_l4t(_text(root, "etc/nv_tegra_release")),
        "power_mode": parse_nvpmodel(_printed(["nvpmodel", "-q"])),
        "cores_online": parse_cores(_text(root, "sys/devices/system/cpu/online")),
        "cores": parse_cores(_text(root, "sys/devices/system/cpu/present")),
        "cpu_mhz": _clocks(root),
        "temperatures_c": temperatures(root),
    }


def temperatures(root="/"):
    """Return {sensor: degrees Celsius}, without sensors that are off."""
    folder, values = os.path.join(root, "sys/class/thermal"), {}
    for zone in sorted(_listed(folder)):
        kind, value = _text(folder, zone + "/type").strip(), _text(folder, zone + "/temp").strip()
        if kind and re.match(r"^-?\d+$", value) and int(value) > -200000:
            values[kind] = int(value) / 1000.0
    return values


def name(root="/"):
    """Return the board's own name, such as "NVIDIA Jetson Nano Developer Kit"; else the machine's architecture."""
    return _text(root, NAMES.lstrip("/")).rstrip("\0\n") or platform.machine()


def is_jetson(root="/"):
    """Return whether this is one of NVIDIA's Jetson boards."""
    return "jetson" in name(root).lower()


def parse_l4t(text):
    """Return '32.7.1' of '# R32 (release), REVISION: 7.1, GCID: ...' in /etc/nv_tegra_release, or None."""
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text)
    return "%s.%s" % found.groups() if found else None


def parse_nvpmodel(text):
    """Return {"name", "id"} of 'NV Power Mode: MAXN' and the number under it, or None."""
    found = re.search(r"NV Power Mode: *(\S+)\s+(\d+)", text)
    return {"name": found.group(1), "id": int(found.group(2))} if found else None


def parse_cores(text):
    """Return the number of CPUs in a list such as '0-1,3', or None."""
    if not re.match(r"^\d+(-\d+)?(,\d+(-\d+)?)*$", text.strip()):
        return None
    ends = [part.split("-") for part in text.strip().split(",")]
    return sum(int(pair[-1]) - int(pair[0]) + 1 for pair in ends)


def parse_tegrastats(line):
    """Return the measurements in one line of tegrastats, as far as it has them.

    ram_mb, ram_total_mb; cpu: a list of {"percent", "mhz"}, None for a core that is off; gpu: {"percent", "mhz"}, the clock
    None where it is not reported; temperatures_c: sensor to degrees; power_mw: rail to {"now", "mean"}.
    """
    values = {"cpu": [], "temperatures_c": {}, "power_mw": {}}
    ram = re.search(r"RAM (\d+)/(\d+)MB", line)
    if ram:
        values["ram_mb"], values["ram_total_mb"] = int(ram.group(1)), int(ram.group(2))
    cores = re.search(r"CPU \[([^\]]*)\]", line)
    if cores:
        values["cpu"] = [_core(core) for core in cores.group(1).split(",")]
    gpu = re.search(r"GR3D_FREQ (\d+)%(?:@\[?(\d+))?", line)
    if gpu:
        values["gpu"] = {"percent": int(gpu.group(1)), "mhz": int(gpu.group(2)) if gpu.group(2) else None}
    for sensor, degrees in re.findall(r"\b([A-Za-z]\w*)@" + NUMBER + r"C\b", line):
        if float(degrees) > -200:  # a sensor that is off reports -256
            values["temperatures_c"][sensor] = float(degrees)
    for rail, now, mean in re.findall(r"\b((?:POM|VDD|VIN)\w*) (\d+)(?:mW)?/(\d+)(?:mW)?(?=\s|$)", line):
        values["power_mw"][rail] = {"now": int(now), "mean": int(mean)}
    return values


def board_power_mw(values):
    """Return the power of the whole board in a parsed line of tegrastats, or None."""
    return next((values["power_mw"][rail]["now"] for rail in RAILS if rail in values["power_mw"]), None)


def parse_trtexec(text):
    """Return throughput_qps and, for each of its times, min, max, mean, median and percentiles in ms, as trtexec printed them.

    Keys of the times: latency, h2d, compute, d2h. 8.2 reports the 99th percentile only, later versions the 90th and 95th, too.
    """
    values = {}
    found = re.search(r"Throughput: " + NUMBER + " qps", text)
    if found:
        values["throughput_qps"] = float(found.group(1))
    for key, words in (
        ("latency", r"\] Latency|^Latency"),
        ("h2d", "H2D Latency"),
        ("compute", "GPU Compute(?: Time)?"),
        ("d2h", "D2H Latency"),
    ):
        line = re.search("(?:%s): (min = .*)" % words, text, re.MULTILINE)
        if line:
            values[key] = {
                _statistic(word): float(value)
                for word, value in re.findall(r"([\w()%]+) = " + NUMBER + " ms", line.group(1))
            }
    return values


def trtexec_failure(status, text):
    """Return one sentence: why trtexec ended with that status."""
    if status in (-9, 137):
        return "trtexec was killed, probably because memory ran out: close programs, add swap, or lower --workspace"
    for pattern, why in (
        (r"No importer registered for op: (\w+)", "TensorRT's parser does not support the operator %s"),
        (r"(?i)(no CUDA-capable device|CUDA_ERROR_NO_DEVICE|CUDA initialization failure)", "there is no GPU: %s"),
        (r"(?i)(out of memory)", "the GPU is %s: close other programs, or lower --workspace"),
        (r"\[E\] (?:Error\[\d+\]: )?(.+)", "trtexec: %s"),
    ):
        found = re.search(pattern, text)
        if found:
            return why % found.group(1).strip()
    last = (text.strip().splitlines() or ["nothing"])[-1]
    return "trtexec ended with status %s and printed: %s" % (status, last.strip())


class Power:
    """Measure a board's power while a block runs: `with Power() as power: ...`, then power.mean_mw, None without tegrastats."""

    def __init__(self, command=("tegrastats", "--interval", "100")):
        self.command, self.lines, self.mean_mw = list(command), [], None

    def __enter__(self):
        try:
            self._process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        except OSError:
            self._process = None
            return self
        self._reader = threading.Thread(target=self._read)
        self._reader.daemon = True
        self._reader.start()
        return self

    def __exit__(self, *_):
        if self._process is None:
            return
        self._process.terminate()
        self._reader.join(5)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        drawn = [board_power_mw(parse_tegrastats(line)) for line in self.lines]
        drawn = [value for value in drawn if value is not None]
        self.mean_mw = sum(drawn) / float(len(drawn)) if drawn else None

    def _read(self):
        for line in self._process.stdout:
            self.lines.append(line.decode("utf-8", "replace"))


def peak_rss_mb():
    """Return this process's peak memory in MB, or None where the system does not report it."""
    found = re.search(r"VmHWM:\s*(\d+) kB", _text("/", "proc/self/status"))
    return int(found.group(1)) * 1024 / 1e6 if found else None


def _core(text):
    found = re.match(r"\s*(\d+)%@(\d+)", text)
    return {"percent": int(found.group(1)), "mhz": int(found.group(2))} if found else None


def _statistic(word):
    """Return 'p99' for 'percentile(99%)', and any other word unchanged."""
    found = re.match(r"percentile\((\d+)%\)", word)
    return "p" + found.group(1) if found else word


def _clocks(root):
    folder = os.path.join(root, "sys/devices/system/cpu")
    cores = sorted((n for n in _listed(folder) if re.match(r"cpu\d+$", n)), key=lambda n: int(n[3:]))
    read = [_text(folder, core + "/cpufreq/scaling_cur_freq").strip() for core in cores]
    return [int(khz) // 1000 for khz in read if khz.isdigit()]


def _listed(folder):
    return os.listdir(folder) if os.path.isdir(folder) else []


def _text(root, path):
    """Return the text of a file, "" where it cannot be read."""
    try:
        with io.open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            return file.read()
    except (OSError, IOError):
        return ""


def _printed(command):
    """Return what a program printed, "" where it is missing or hangs."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")
