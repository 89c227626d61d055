"""`python3 -m runtime.benchmark BUNDLE`: how fast a bundle answers on this machine, on every engine that works here.

Golden answers come before any timing. One image at a time, as a person draws them, then batches; what TensorRT's own tool tells
of copies and computing; watts and joules where tegrastats tells them. One record an engine, of the workbench's own schema, for
`hcr import-record`.
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

import numpy as np

from . import board, bundle
from .character_model import TrainedModel
from .engines import select
from .engines import tensorrt as trt
from .engines.tflite import LiteNetwork
from .line_model import is_of_lines

QUERIES, LEAST = 1024, 1024  # single images
BATCHES = 1, 8, 32, 128
BATCH_S, POWER_S = 1.0, 3.0  # how long each batch size, and single images for their power, are repeated at least
WARM_UP = 20
WORKSPACE_MB = 256  # of TensorRT's tactics: a Nano shares 4 GB with everything else
BUILD_S = 1800
LITE = {"litert": "model.tflite", "litert-float16": "model-float16.tflite", "litert-int8": "model-int8.tflite"}
LOSSY = {"litert-int8": 0.5}  # what a format may move a probability by, where that is more than half precision does
PATHS = "/usr/src/tensorrt/bin/trtexec", "/usr/local/bin/trtexec"


def main(argv=None):
    """The exit status: 0; 1 where no engine could be measured or the bundle is not whole; 2 for usage."""
    parser = argparse.ArgumentParser(description="How fast a bundle answers on this machine.")
    parser.add_argument("bundle", metavar="BUNDLE", help="a folder that `hcr export` wrote")
    parser.add_argument("--engine", action="append", choices=kinds(), help="repeatable (all that work here)")
    parser.add_argument("--queries", type=int, default=QUERIES, help="single images (%(default)s, the least)")
    parser.add_argument("--workspace", type=int, default=WORKSPACE_MB, metavar="MB", help="of trtexec (%(default)s)")
    parser.add_argument("--profile", help="kept in the records: under which settings of the board")
    parser.add_argument("--out", default="board-records", metavar="FOLDER", help="of the records (%(default)s)")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)  # one engine of several
    args = parser.parse_args(argv)
    if args.queries < LEAST:
        parser.error("--queries must be at least %d: fewer tell no 99th percentile" % LEAST)
    try:
        manifest = bundle.verify(args.bundle)
        if is_of_lines(os.path.join(args.bundle, "model")):
            raise ValueError("it reads words or lines, and characters are what is timed here")
    except ValueError as error:
        sys.stderr.write("benchmark: this bundle is not used: %s\n" % error)
        return 1
    facts = board.facts()
    if not args.alone:
        print("%s, %s" % (facts["board"], facts["machine"]) + ("" if board.is_jetson() else ": this is not the board"))
    wanted = args.engine or [kind for kind in kinds() if _is_here(kind, manifest)]
    if not wanted:
        sys.stderr.write("benchmark: no engine is installed here; see deploy/jetson/README.md\n")
    if len(wanted) != 1:  # each in a process of its own: a library that was loaded before would count as its memory
        return min([1] + [_alone(kind, args) for kind in wanted])
    record = measure(args.bundle, manifest, wanted[0], facts, args.queries, args.workspace)
    record["provenance"]["board"]["profile"] = args.profile
    name = [manifest["run"].replace("/", "-"), args.profile, wanted[0]]
    path = os.path.join(args.out, "-".join(part for part in name if part) + ".json")
    _written(path, record)
    print(told(record) + "\n  " + path)
    return 0 if record["status"] == "finished" else 1


def _alone(kind, args):
    """The exit status of measuring one engine in a process of its own."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    command = [sys.executable, "-m", "runtime.benchmark", args.bundle, "--alone", "--engine", kind, "--out", args.out]
    command += ["--queries", str(args.queries), "--workspace", str(args.workspace)]
    command += ["--profile", args.profile] if args.profile else []
    sys.stdout.flush()
    path = os.pathsep.join(part for part in (home, os.environ.get("PYTHONPATH")) if part)
    return subprocess.call(command, env=dict(os.environ, PYTHONPATH=path))


def kinds():
    """What can be measured: TensorRT in each precision, ONNX Runtime, LiteRT in each format."""
    return ["tensorrt-" + precision for precision in trt.PRECISIONS] + ["onnxruntime"] + sorted(LITE)


def measure(folder, manifest, kind, facts, queries=QUERIES, workspace_mb=WORKSPACE_MB):
    """A record, a dict, of one engine; status "failed" with the reason where it cannot be measured."""
    with io.open(os.path.join(str(folder), "record.json"), encoding="utf-8") as file:
        record = json.load(file)
    measured = {"kind": kind, "facts": facts, "queries": queries, "trained": record["provenance"]}
    for key in [key for key in record if key.startswith("predict_")]:
        record[key] = None
    record["engine"] = kind
    record["notes"] = ["accuracy as it was measured where the model was trained; here, its golden answers"]
    try:
        _fill(record, measured, str(folder), manifest, kind, queries, workspace_mb)
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        record["status"], record["reason"] = "failed", str(error)
    record["provenance"] = {
        "utc": datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat(),
        "cpu": facts["board"],
        "cores": facts["cores_online"],
        "board": measured,
    }
    return record


def told(record):
    """A record in a few lines for a terminal."""
    measured = record["provenance"]["board"]
    if record["status"] != "finished":
        return "%s: failed. %s" % (measured["kind"], record["reason"])
    lines = [
        "%s (%s): one image p50 %.3f ms, p90 %.3f, p99 %.3f"
        % ((measured["kind"], record["engine"]) + tuple(record["predict_ms_p%d" % q] for q in (50, 90, 99)))
    ]
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


def _fill(record, measured, folder, manifest, kind, queries, workspace_mb):
    model_folder = os.path.join(folder, "model")
    if kind.startswith("tensorrt"):
        path, measured["trtexec"] = built(os.path.join(model_folder, "model.onnx"), manifest, kind[9:], workspace_mb)
    begun = time.perf_counter()
    if kind.startswith("tensorrt"):
        try:
            model = TrainedModel.of(model_folder, trt.TensorRTNetwork(path))
            measured["golden_apart"] = bundle.check_golden(model, folder)
        except (OSError, ValueError, RuntimeError):
            os.remove(path)  # what answers otherwise must not be what `runtime` reads with
            raise
    else:
        network = (
            LiteNetwork(os.path.join(model_folder, LITE[kind])) if kind in LITE else select.network(model_folder, kind)
        )
        model = TrainedModel.of(model_folder, network)
        measured["golden_apart"] = bundle.check_golden(model, folder, LOSSY.get(kind, bundle.GOLDEN_APART))
    measured["load_s"] = time.perf_counter() - begun
    with np.load(os.path.join(folder, "golden.npz"), allow_pickle=False) as golden:
        images = golden["images"]
    for at in range(WARM_UP):
        model.scores(images[at % len(images)][None])
    times = np.empty(queries)
    for at in range(queries):
        begun = time.perf_counter()
        model.scores(images[at % len(images)][None])
        times[at] = time.perf_counter() - begun
    for q in (50, 90, 99):
        record["predict_ms_p%d" % q] = float(np.percentile(times, q) * 1e3)
    measured["images_per_s"] = float(1 / times.mean())
    answered, begun = 0, time.perf_counter()
    with board.Power() as power:
        while time.perf_counter() - begun < POWER_S:
            model.scores(images[answered % len(images)][None])
            answered += 1
        taken = time.perf_counter() - begun
    measured["power_mw"] = power.mean_mw
    measured["energy_mj_per_image"] = None if power.mean_mw is None else power.mean_mw * taken / answered
    measured["tegrastats"] = power.lines[-1].strip() if power.lines else None
    measured["batches"] = [_batch(model, images, size) for size in BATCHES]
    record["predict_us_per_image"] = 1e6 / measured["batches"][-1]["images_per_s"]
    record["engine"] = model.classifier.engine
    measured["peak_rss_mb"] = board.peak_rss_mb()
    measured["temperatures_c"] = board.temperatures()


def _batch(model, images, size):
    batch = np.resize(images, (size,) + images.shape[1:])
    model.scores(batch)
    times, ends = [], time.perf_counter() + BATCH_S
    while time.perf_counter() < ends or len(times) < 5:
        begun = time.perf_counter()
        model.scores(batch)
        times.append(time.perf_counter() - begun)
    times = np.array(times)
    row = {"batch": size, "images_per_s": float(size / np.median(times))}
    row.update(("ms_p%d" % q, float(np.percentile(times, q) * 1e3)) for q in (50, 90, 99))
    return row


def built(onnx, manifest, precision, workspace_mb=WORKSPACE_MB):
    """(path of the engine, what trtexec measured with it), built where it is not in the cache; RuntimeError tells why not."""
    try:
        import tensorrt
    except ImportError as error:
        raise RuntimeError("%s: TensorRT comes with JetPack (python3-libnvinfer)" % error)
    trtexec = _trtexec()
    path = trt.engine_path(onnx, tensorrt.__version__, precision)
    version = [int(part) for part in tensorrt.__version__.split(".")[:2]]
    shape = "x".join(str(size) for size in manifest["input"])
    if not os.path.isfile(path):
        part = path + ".part"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        command = [trtexec, "--onnx=" + onnx, "--saveEngine=" + part]
        for which, n in (("min", 1), ("opt", 1), ("max", BATCHES[-1])):
            command.append("--%sShapes=images:%dx%s" % (which, n, shape))
        command.append(("--memPoolSize=workspace:%d" if version >= [8, 4] else "--workspace=%d") % workspace_mb)
        command.append("--skipInference" if version >= [8, 6] else "--buildOnly")
        command.append("--fp16" if precision == "fp16" else "--noTF32")
        print("building the engine (%s): some minutes, once" % precision)
        _called(command)
        if not os.path.isfile(part):
            raise RuntimeError("trtexec said nothing was wrong, and wrote no engine")
        os.replace(part, path)
    rows = []
    for batch in BATCHES:
        printed = _called([trtexec, "--loadEngine=" + path, "--shapes=images:%dx%s" % (batch, shape)])
        rows.append(dict(board.parse_trtexec(printed), batch=batch))
    return path, rows


def _trtexec():
    from shutil import which

    found = which("trtexec") or next((path for path in PATHS if os.path.isfile(path)), None)
    if found is None:
        raise RuntimeError("there is no trtexec: it comes with JetPack (libnvinfer-bin), in %s" % PATHS[0])
    return found


def _called(command):
    """What trtexec printed; RuntimeError where it did not end well."""
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


def _is_here(kind, manifest):
    """Whether that engine's library can be imported and its file is in the bundle."""
    if "model/" + LITE.get(kind, "model.onnx") not in manifest["files"]:
        return False
    names = {"tensorrt": ["tensorrt"], "onnxruntime": ["onnxruntime"], "litert": ["ai_edge_litert", "tflite_runtime"]}
    return any(importlib.util.find_spec(name) for name in names[kind.split("-")[0]])


def _written(path, record):
    """Writes the record as JSON, in one step."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with io.open(path + ".part", "w", encoding="utf-8") as file:
        file.write(json.dumps(record, indent=1, sort_keys=True) + "\n")
    os.replace(path + ".part", path)


if __name__ == "__main__":
    sys.exit(main())
