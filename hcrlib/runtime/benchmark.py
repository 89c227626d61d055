"""`python3 -m runtime.benchmark BUNDLE`: measure how fast a bundle is on this machine, with every engine that works on it.

The golden answers are checked first. Then single images and batches are timed; TensorRT reports its times of copying and
computing, and tegrastats power and energy. Each engine yields one record of the workbench's schema, for `hcr import-record`.
"""

import argparse
import datetime
import importlib.util
import io
import json
import os
import subprocess
import sys
import time
from shutil import which

import numpy as np

from . import board, bundle, models
from ._console import replace_characters
from ._model import GOLDEN_TOLERANCE
from .engines import tensorrt as trt

MIN_QUERIES = 1024  # single images
BATCHES = 1, 8, 32, 128
SECONDS = 1.0  # minimum for each batch size; three times as long for single images, while power is measured
WARM_UP = 20
WORKSPACE_MB = 256  # of TensorRT's tactics; all programs of a Nano share 4 GB
BUILD_S = 1800
LITE = {"litert": "model.tflite", "litert-float16": "model-float16.tflite", "litert-int8": "model-int8.tflite"}
LOSSY = {"litert-int8": 0.5}  # tolerance of a probability, for formats that lose more than half precision
PATHS = "/usr/src/tensorrt/bin/trtexec", "/usr/local/bin/trtexec"


def main(argv=None):
    """Return the exit status: 0; 1 where no engine could be measured or the bundle is incomplete; 2 for usage."""
    replace_characters()
    parser = argparse.ArgumentParser(description="Measure how fast a bundle is on this machine.")
    parser.add_argument("bundle", metavar="BUNDLE", help="a folder that `hcr export` wrote")
    parser.add_argument("--engine", action="append", choices=kinds(), help="repeatable (all that work on this machine)")
    parser.add_argument("--queries", type=int, default=MIN_QUERIES, help="single images (%(default)s, the minimum)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at least, for each batch size (%(default)s)")
    parser.add_argument("--workspace", type=int, default=WORKSPACE_MB, metavar="MB", help="of trtexec (%(default)s)")
    parser.add_argument("--profile", help="name of the board's settings, stored in the records")
    parser.add_argument("--out", default="board-records", metavar="FOLDER", help="for the records (%(default)s)")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)  # one engine of several
    args = parser.parse_args(argv)
    if args.queries < MIN_QUERIES:
        parser.error("--queries must be at least %d for a 99th percentile" % MIN_QUERIES)
    if not args.seconds > 0:
        parser.error("--seconds must be above 0")
    try:
        manifest = bundle.verify(args.bundle)
        kind_of_model = models.kind_of(os.path.join(args.bundle, "model"))
    except ValueError as error:
        sys.stderr.write("benchmark: this bundle cannot be used: %s\n" % error)
        return 1
    facts = board.facts()
    if not args.alone:
        note = "" if board.is_jetson() else ": this is not the board"
        print("%s, %s%s" % (facts["board"], facts["machine"], note))
    wanted = args.engine or [kind for kind in kinds(kind_of_model) if _is_available(kind, manifest)]
    if not wanted:
        sys.stderr.write("benchmark: no engine is installed; see deploy/jetson/README.md\n")
    if len(wanted) != 1:  # each in a separate process: libraries of other engines would count as its memory
        return min([1] + [_run_alone(kind, args) for kind in wanted])
    record = measure(args.bundle, manifest, wanted[0], facts, args)
    name = [manifest["run"].replace("/", "-"), args.profile, wanted[0]]
    path = os.path.join(args.out, "-".join(part for part in name if part) + ".json")
    _write(path, record)
    print(describe(record) + "\n  " + path)
    return 0 if record["status"] == "finished" else 1


def _run_alone(kind, args):
    """Measure one engine in a process of its own; return its exit status."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    bundle, out = os.path.abspath(args.bundle), os.path.abspath(args.out)
    command = [sys.executable, "-m", "runtime.benchmark", bundle, "--alone", "--engine", kind, "--out", out]
    for name in ("queries", "seconds", "workspace", "profile"):
        if getattr(args, name) is not None:
            command += ["--" + name, str(getattr(args, name))]
    sys.stdout.flush()
    path = os.pathsep.join(part for part in (home, os.environ.get("PYTHONPATH")) if part)
    return subprocess.call(command, cwd=home, env=dict(os.environ, PYTHONPATH=path))  # cwd: `-m` imports from it first


def kinds(model=models.CharacterModel):
    """Return what can be measured of a kind of model: TensorRT by precision, ONNX Runtime, LiteRT by format."""
    tensorrt = ["tensorrt-" + precision for precision in trt.PRECISIONS] if "tensorrt" in model.networks else []
    return tensorrt + ["onnxruntime"] + sorted(LITE)


def measure(folder, manifest, kind, facts, args):
    """Return a record, a dict, of one engine; its status is "failed", with the reason, where it cannot be measured.

    args: queries, seconds, workspace (MB) and profile, as of the command line.
    """
    with io.open(os.path.join(str(folder), "record.json"), encoding="utf-8") as file:
        record = json.load(file)
    measured = {"kind": kind, "facts": facts, "profile": args.profile}
    measured.update({"queries": args.queries, "trained": record["provenance"]})
    for key in [key for key in record if key.startswith("predict_")]:
        record[key] = None
    record["engine"] = kind
    record["notes"] = ["accuracy is that of the machine that trained; golden answers were checked on this machine"]
    try:
        _fill(record, measured, str(folder), manifest, args)
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        record["status"], record["reason"] = "failed", str(error)
    record["provenance"] = {
        "utc": datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat(),
        "cpu": facts["board"],
        "cores": facts["cores_online"],
    }
    if record["schema"] == 1:  # bundles of an earlier version
        record["provenance"]["board"] = measured
    else:
        record["device"] = measured
    return record


def describe(record):
    """Return a record in a few lines for a terminal."""
    measured = record.get("device") or record["provenance"]["board"]
    if record["status"] != "finished":
        return "%s: failed. %s" % (measured["kind"], record["reason"])
    times = tuple(record["predict_ms_p%d" % q] for q in (50, 90, 99))
    lines = ["%s (%s): one image p50 %.3f ms, p90 %.3f, p99 %.3f" % ((measured["kind"], record["engine"]) + times)]
    for row in measured["batches"]:
        lines.append("  batch %d: %.0f images a second" % (row["batch"], row["images_per_s"]))
    for row in measured.get("trtexec", []):
        parts = ["%s %.3f ms" % (key, row[key]["median"]) for key in ("h2d", "compute", "d2h") if key in row]
        lines.append("  trtexec, batch %d: %s" % (row["batch"], ", ".join(parts)))
    if measured["power_mw"] is not None:
        lines.append("  %.0f mW, %.3f mJ an image" % (measured["power_mw"], measured["energy_mj_per_image"]))
    lines.append("  golden answers within %.2g" % measured["golden_apart"])
    if measured["peak_rss_mb"] is not None:
        lines[-1] += ", peak memory %.0f MB" % measured["peak_rss_mb"]
    return "\n".join(lines)


def _fill(record, measured, folder, manifest, args):
    start = time.perf_counter()
    model, measured["golden_apart"] = _loaded(measured, folder, manifest, args)
    measured["load_s"] = time.perf_counter() - start
    images, _ = model.read_golden(folder)
    images = [model.stack([image]) for image in images]
    for index in range(WARM_UP):
        model.scores(images[index % len(images)])
    times = np.array([_time(model, images[index % len(images)]) for index in range(args.queries)])
    record.update(("predict_ms_p%d" % q, float(np.percentile(times, q) * 1e3)) for q in (50, 90, 99))
    measured["images_per_s"] = float(1 / times.mean())
    count, start = 0, time.perf_counter()
    with board.Power() as power:
        while time.perf_counter() - start < 3 * args.seconds:
            model.scores(images[count % len(images)])
            count += 1
        elapsed = time.perf_counter() - start
    measured["power_mw"] = power.mean_mw
    measured["energy_mj_per_image"] = None if power.mean_mw is None else power.mean_mw * elapsed / count
    measured["tegrastats"] = power.lines[-1].strip() if power.lines else None
    measured["batches"] = [_time_batch(model, images, size, args.seconds) for size in BATCHES]
    record["predict_us_per_image"] = 1e6 / measured["batches"][-1]["images_per_s"]
    record["engine"] = model.engine
    measured["peak_rss_mb"] = board.peak_rss_mb()
    measured["temperatures_c"] = board.temperatures()


def _loaded(measured, folder, manifest, args):
    """Return (the model behind the engine of measured["kind"], largest difference of its golden answers)."""
    folder_of_model, kind = os.path.join(folder, "model"), measured["kind"]
    of = models.kind_of(folder_of_model)
    if kind not in kinds(of):
        raise ValueError("%s cannot run models of %s; available: %s" % (kind, of.reads, ", ".join(kinds(of))))
    if not kind.startswith("tensorrt"):
        network = of.open_file(os.path.join(folder_of_model, LITE.get(kind, "model.onnx")))
        model = of.with_network(folder_of_model, network)
        return model, model.check_golden(folder, LOSSY.get(kind, GOLDEN_TOLERANCE))
    path, measured["trtexec"] = built(os.path.join(folder_of_model, "model.onnx"), manifest, kind[9:], args.workspace)
    try:
        model = of.with_network(folder_of_model, trt.TensorRTNetwork(path))
        return model, model.check_golden(folder)
    except (OSError, ValueError, RuntimeError):
        os.remove(path)  # `runtime` must not use an inaccurate engine
        raise


def _time(model, images):
    start = time.perf_counter()
    model.scores(images)
    return time.perf_counter() - start


def _time_batch(model, images, size, seconds):
    batch = model.stack([images[index % len(images)][0] for index in range(size)])
    model.scores(batch)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        times.append(_time(model, batch))
    row = {"batch": size, "images_per_s": float(size / np.median(times))}
    row.update(("ms_p%d" % q, float(np.percentile(times, q) * 1e3)) for q in (50, 90, 99))
    return row


def built(onnx, manifest, precision, workspace_mb=WORKSPACE_MB):
    """Return (path of the engine, trtexec's times of it); build it where it is not in the cache.

    Raises RuntimeError with the reason where it cannot be built.
    """
    try:
        import tensorrt
    except ImportError as error:
        raise RuntimeError("%s: TensorRT comes with JetPack (python3-libnvinfer)" % error)
    trtexec = which("trtexec") or next((path for path in PATHS if os.path.isfile(path)), None)
    if trtexec is None:
        raise RuntimeError("there is no trtexec: it comes with JetPack (libnvinfer-bin), in %s" % PATHS[0])
    path = trt.engine_path(onnx, tensorrt.__version__, precision)
    version = [int(part) for part in tensorrt.__version__.split(".")[:2]]
    shape = "x".join(str(size) for size in manifest["input"])
    if not os.path.isfile(path):
        part = path + ".part"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        command = [trtexec, "--onnx=" + onnx, "--saveEngine=" + part]
        for which_shape, n in (("min", 1), ("opt", 1), ("max", BATCHES[-1])):
            command.append("--%sShapes=images:%dx%s" % (which_shape, n, shape))
        command.append(("--memPoolSize=workspace:%d" if version >= [8, 4] else "--workspace=%d") % workspace_mb)
        command.append("--skipInference" if version >= [8, 6] else "--buildOnly")
        command.append("--fp16" if precision == "fp16" else "--noTF32")
        print("building the engine (%s): some minutes, once" % precision)
        _call(command)
        if not os.path.isfile(part):
            raise RuntimeError("trtexec reported success, but wrote no engine")
        os.replace(part, path)
    rows = []
    for batch in BATCHES:
        printed = _call([trtexec, "--loadEngine=" + path, "--shapes=images:%dx%s" % (batch, shape)])
        rows.append(dict(board.parse_trtexec(printed), batch=batch))
    return path, rows


def _call(command):
    """Return what trtexec printed; RuntimeError where it failed."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=BUILD_S)
    except OSError as error:
        raise RuntimeError("%s cannot be started: %s" % (command[0], error))
    except subprocess.TimeoutExpired:
        raise RuntimeError("trtexec did not end within %d minutes" % (BUILD_S // 60))
    printed = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise RuntimeError(board.trtexec_failure(done.returncode, printed))
    return printed


def _is_available(kind, manifest):
    """Return whether that engine's library is installed and its file is in the bundle."""
    if "model/" + LITE.get(kind, "model.onnx") not in manifest["files"]:
        return False
    names = {"tensorrt": ["tensorrt"], "onnxruntime": ["onnxruntime"], "litert": ["ai_edge_litert", "tflite_runtime"]}
    return any(importlib.util.find_spec(name) for name in names[kind.split("-")[0]])


def _write(path, record):
    """Write the record as JSON, in one step."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with io.open(path + ".part", "w", encoding="utf-8") as file:
        file.write(json.dumps(record, indent=1, sort_keys=True) + "\n")
    os.replace(path + ".part", path)


if __name__ == "__main__":
    sys.exit(main())
