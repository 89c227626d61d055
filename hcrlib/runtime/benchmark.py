"""`python3 -m runtime.benchmark BUNDLE`: how fast a bundle answers on this machine, on every engine that works here.

Golden answers come before any timing. One image at a time, as a person draws them, then batches; what TensorRT's own tool tells
of copies and computing; watts and joules where tegrastats tells them. One record an engine, of the workbench's own schema, for
`hcr import-record`.
"""

import argparse
import datetime
import io
import json
import os
import subprocess
import sys
import time

import numpy as np

from . import board, bundle, trt
from .engines import ORDER
from .model import TrainedModel

QUERIES, LEAST = 1024, 1024  # single images
BATCHES = 1, 8, 32, 128
BATCH_S, POWER_S = 1.0, 3.0  # how long each batch size, and single images for their power, are repeated at least
WARM_UP = 20
WORKSPACE_MB = 256  # of TensorRT's tactics: a Nano shares 4 GB with everything else
BUILD_S = 1800
PATHS = "/usr/src/tensorrt/bin/trtexec", "/usr/local/bin/trtexec"


class FailedError(Exception):
    """An engine that could not be measured; its text is the reason in the record."""


def main(argv=None):
    """The exit status: 0; 1 where no engine could be measured or the bundle is not whole; 2 for usage."""
    parser = argparse.ArgumentParser(description="How fast a bundle answers on this machine.")
    parser.add_argument("bundle", metavar="BUNDLE", help="a folder that `hcr export` wrote")
    parser.add_argument("--engine", action="append", choices=kinds(), help="repeatable (all that work here)")
    parser.add_argument("--queries", type=int, default=QUERIES, help="single images (%(default)s, the least)")
    parser.add_argument("--workspace", type=int, default=WORKSPACE_MB, metavar="MB", help="of trtexec (%(default)s)")
    parser.add_argument("--profile", help="kept in the records: under which settings of the board")
    parser.add_argument("--out", default="board-records", metavar="FOLDER", help="of the records (%(default)s)")
    args = parser.parse_args(argv)
    if args.queries < LEAST:
        parser.error("--queries must be at least %d: fewer tell no 99th percentile" % LEAST)
    try:
        manifest = bundle.verify(args.bundle)
    except ValueError as error:
        sys.stderr.write("benchmark: this bundle is not used: %s\n" % error)
        return 1
    facts = board.facts()
    print("%s, %s" % (facts["board"], facts["machine"]) + ("" if board.is_jetson() else ": this is not the board"))
    wanted = args.engine or [kind for kind in kinds() if _is_here(kind)]
    finished = 0
    for kind in wanted:
        record = measure(args.bundle, manifest, kind, facts, args.queries, args.workspace)
        record["provenance"]["board"]["profile"] = args.profile
        path = os.path.join(args.out, "%s-%s.json" % (manifest["run"].replace("/", "-"), kind))
        _written(path, record)
        finished += record["status"] == "finished"
        print(told(record))
        print("  " + path)
    if not wanted:
        sys.stderr.write("benchmark: no engine is installed here; see deploy/jetson/README.md\n")
    return 0 if finished else 1


def kinds():
    """What can be measured: an engine, TensorRT in each precision."""
    return ["tensorrt-" + precision for precision in trt.PRECISIONS] + [each for each in ORDER if each != "tensorrt"]


def measure(folder, manifest, kind, facts, queries=QUERIES, workspace_mb=WORKSPACE_MB):
    """A record, a dict, of one engine; status "failed" with the reason where it cannot be measured."""
    with io.open(os.path.join(str(folder), "record.json"), encoding="utf-8") as file:
        record = json.load(file)
    measured = {"kind": kind, "facts": facts, "queries": queries, "trained_on": record["provenance"].get("cpu")}
    for key in [key for key in record if key.startswith("predict_")]:
        record[key] = None
    record["notes"] = ["accuracy as it was measured where the model was trained; here, its golden answers"]
    try:
        _fill(record, measured, str(folder), manifest, kind, queries, workspace_mb)
    except FailedError as error:
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
    lines.append(
        "  golden answers within %.2g, peak memory %.0f MB" % (measured["golden_apart"], measured["peak_rss_mb"])
    )
    return "\n".join(lines)


def _fill(record, measured, folder, manifest, kind, queries, workspace_mb):
    model_folder = os.path.join(folder, "model")
    if kind.startswith("tensorrt"):
        path, measured["trtexec"] = built(os.path.join(model_folder, "model.onnx"), manifest, kind[9:], workspace_mb)
    begun = time.perf_counter()
    try:
        if kind.startswith("tensorrt"):
            model = TrainedModel.of(model_folder, trt.TensorRTNetwork(path))
        else:
            model = TrainedModel.load(model_folder, kind)
        measured["golden_apart"] = bundle.check_golden(model, folder)
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        raise FailedError(str(error))
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
    measured["temperatures_c"] = board.facts()["temperatures_c"]


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
    """(path of the engine, what trtexec measured with it), built where it is not in the cache; FailedError tells why not."""
    try:
        import tensorrt
    except ImportError as error:
        raise FailedError("%s: TensorRT comes with JetPack (python3-libnvinfer)" % error)
    trtexec = _trtexec()
    path = trt.engine_path(onnx, tensorrt.__version__, precision)
    newer = [int(part) for part in tensorrt.__version__.split(".")[:2]] >= [8, 4]
    shape = "x".join(str(size) for size in manifest["input"])
    if not os.path.isfile(path):
        part = path + ".part"
        _folder(path)
        command = [trtexec, "--onnx=" + onnx, "--saveEngine=" + part]
        for which, n in (("min", 1), ("opt", 1), ("max", BATCHES[-1])):
            command.append("--%sShapes=images:%dx%s" % (which, n, shape))
        command += ["--memPoolSize=workspace:%d" % workspace_mb if newer else "--workspace=%d" % workspace_mb]
        command += ["--skipInference" if newer else "--buildOnly"]
        print("building the engine (%s): some minutes, once" % precision)
        _called(command + (["--fp16"] if precision == "fp16" else []))
        if not os.path.isfile(part):
            raise FailedError("trtexec said nothing was wrong, and wrote no engine")
        os.rename(part, path)
    rows = []
    for batch in BATCHES:
        printed = _called([trtexec, "--loadEngine=" + path, "--shapes=images:%dx%s" % (batch, shape)])
        rows.append(dict(board.parse_trtexec(printed), batch=batch))
    return path, rows


def _trtexec():
    from shutil import which

    found = which("trtexec") or next((path for path in PATHS if os.path.isfile(path)), None)
    if found is None:
        raise FailedError("there is no trtexec: it comes with JetPack (libnvinfer-bin), in %s" % PATHS[0])
    return found


def _called(command):
    """What trtexec printed; FailedError where it did not end well."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=BUILD_S
        )
    except OSError as error:
        raise FailedError("%s cannot be started: %s" % (command[0], error))
    except subprocess.TimeoutExpired:
        raise FailedError("trtexec did not end within %d minutes" % (BUILD_S // 60))
    if done.returncode:
        raise FailedError(board.trtexec_failure(done.returncode, done.stdout))
    return done.stdout


def _is_here(kind):
    """Whether the library of that engine can be imported."""
    import importlib

    names = {"tensorrt": ["tensorrt"], "onnxruntime": ["onnxruntime"], "litert": ["ai_edge_litert", "tflite_runtime"]}
    for name in names[kind.split("-")[0]]:
        try:
            importlib.import_module(name)
            return True
        except ImportError:
            pass
    return False


def _written(path, record):
    """Writes the record as JSON, in one step."""
    _folder(path)
    with io.open(path + ".part", "w", encoding="utf-8") as file:
        file.write(json.dumps(record, indent=1, sort_keys=True) + "\n")
    os.rename(path + ".part", path)


def _folder(path):
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        os.makedirs(folder)


if __name__ == "__main__":
    sys.exit(main())
