"""The web app: how many drawings a second it reads, compared with bare calls of the engine, and how accurately."""

import http.client
import io
import json
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import psutil
from PIL import Image, ImageFilter

import hcrlib
from hcrlib.bench.base import Outcome, bench, percentiles, ratio, temporary_folder
from hcrlib.core import paths, timing
from hcrlib.core.errors import HcrError, RunError
from hcrlib.core.rng import seed_for
from hcrlib.datasets import load_dataset, stratified_take
from hcrlib.metrics import scores
from hcrlib.runtime.web.app import create_app
from hcrlib.runtime.web.images import png
from hcrlib.runtime.web.model_store import ModelStore

MODEL = "best-47"
CONNECTIONS, SECONDS = 32, 60
LEAST_A_SECOND, MOST_P99_MS, MOST_GROWTH = 400, 50, 1.1
CALLS = 2000
READ = 2000  # test images of each set
PAIRS = ("mnist", "best-digits"), ("emnist-bymerge-lite", "best-47"), ("emnist-letters-lite", "best-letters")
SIDE = 140  # pixels of the images that the web app sends
POST = """
local file = io.open("{path}", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "image/png"
"""


@bench("page", "How many drawings a second does the web app read, with 32 connections?")
def page(request):
    if not shutil.which("wrk"):
        raise RunError("wrk, the load generator, is not installed", hint="Debian: apt install wrk")
    model = hcrlib.load_model(MODEL)
    with temporary_folder() as folder:
        image_path, script = folder / "drawing.png", folder / "post.lua"
        image_path.write_bytes(_drawn(load_dataset("mnist-5k").val.images[0]))
        script.write_text(POST.format(path=image_path))
        rounds, bare = [], []
        for number in range(request.runs):
            bare.append(_bare(model))
            rounds.append(_load(script))
            measured = f"{rounds[-1]['a_second']:.0f} a second, p99 {rounds[-1]['p99_ms']:.0f} ms"
            request.log(f"round {number + 1} of {request.runs}: {measured}")
    rows = [{"what": f"web app, {CONNECTIONS} connections, {SECONDS} s", **each} for each in rounds]
    calls = [1000 / each["p50"] for each in bare]
    row = {"what": "ONNX Runtime, bare, one after another", **dict.fromkeys(rounds[0])}
    rows.append({**row, **percentiles(bare), "a_second": float(np.median(calls))})
    of = {key: [each[key] for each in rounds] for key in rounds[0]}
    limits = [
        ratio("drawings a second", of["a_second"], 1, at_least=LEAST_A_SECOND),
        ratio("p99, ms", of["p99_ms"], 1, at_most=MOST_P99_MS),
        ratio("errors", of["errors"], 1, at_most=0),
        ratio("a second, web app / bare ONNX Runtime", of["a_second"], calls),
        ratio("memory after / before", of["mb_after"], of["mb_before"], at_most=MOST_GROWTH),
    ]
    note = (
        f"{MODEL}, a PNG of {SIDE} x {SIDE} pixels as the web app sends it; the server with its defaults and wrk share "
        "the cores; memory: of all its processes, first after 5 s of warm-up"
    )
    return Outcome(rows, limits, [note], request.runs)


@bench("page-accuracy", "How accurate is the web app on drawn and photographed characters?")
def page_accuracy(request):
    rows, notes = [], []
    for data_name, model in PAIRS:
        try:
            data = load_dataset(data_name)
        except HcrError as error:
            notes.append(f"{data_name} was skipped: {error.what}")
            continue
        folder = next(str(root / model) for root in paths.zoo_roots() if (root / model).is_dir())
        models = ModelStore(lambda m=model, f=folder: [(m, f)], "onnxruntime", log=lambda line: None)
        client = create_app(models).test_client()
        chosen = stratified_take(data.test.labels, min(READ, len(data.test)), 0, "bench/page")
        images, truth = data.test.images[chosen], [data.classes[i] for i in data.test.labels[chosen]]
        found = {"as it is in the file": models.get().model.predict(images)}
        for what, make in (("drawn", _drawn), ("photographed", _photographed)):
            rng = np.random.default_rng(seed_for(0, f"bench/{what}"))
            found[what] = [_ask(client, make(image, rng)) for image in images]
        for what, answers in found.items():
            right = sum(a == b for a, b in zip(answers, truth, strict=True))
            low, high = scores.wilson(right, len(truth))
            measured = {"accuracy": right / len(truth), "ci_low": low, "ci_high": high}
            rows.append({"what": what, "data": data_name, "model": model, **measured})
            request.log(f"{data_name}, {what}: {right / len(truth):.2%}")
    notes.append(
        f"up to {READ:,} test images of each; every image goes through POST /api/predict. drawn: enlarged to {SIDE} pixels, "
        "with a pen's sharp edge. photographed: the same as ink on gray paper, with perspective, rotation, uneven light, "
        "blur, grain and JPEG compression; rendered, no camera was used"
    )
    return Outcome(rows, [], notes, 1)


def _ask(client, data):
    """Return the most probable class, or None if the server refuses the image."""
    answer = client.post("/api/predict", data=data, content_type="application/octet-stream")
    return answer.json["alternatives"][0]["label"] if answer.status_code == 200 else None


def _bare(model):
    """Return timing.latency_ms of the engine alone, one image after another."""
    x, network = model.pipeline.apply(load_dataset("mnist-5k").val.images[:1]), model.learner
    x = np.ascontiguousarray(x.reshape((1, *network.shape)), np.float32)
    return timing.latency_ms(lambda _: network.session.run(None, {network.input: x}), range(CALLS))


def _load(script):
    command = [sys.executable, "-P", "-m", "hcrlib.runtime.web", "--port", "0", "--no-corrections"]
    folder = next(root / MODEL for root in paths.zoo_roots() if (root / MODEL).is_dir())
    command += ["--bundle", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        server.stdout.readline()
        port = int(re.search(r":(\d+)/", server.stdout.readline())[1])
        address = f"http://127.0.0.1:{port}/api/predict"
        ask = ["wrk", "-t1", f"-c{CONNECTIONS}", "--latency", "-s", str(script)]
        subprocess.run([*ask, "-d5s", address], check=True, capture_output=True)
        before = _memory(server)
        output = subprocess.run([*ask, f"-d{SECONDS}s", address], check=True, capture_output=True, text=True).stdout
        after = _memory(server)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/healthz")
        healthy = json.load(connection.getresponse())["status"]
        connection.close()
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)
    failures = re.findall(r"(?:Non-2xx or 3xx responses:|connect|read|write|timeout) (\d+)", output)
    return {
        "a_second": float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]),
        **{f"p{p}_ms": _milliseconds(output, p) for p in (50, 90, 99)},
        "errors": sum(map(int, failures)) + (healthy != "ok"),
        "mb_before": before,
        "mb_after": after,
    }


def _milliseconds(output, percentile):
    value, unit = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s)\s", output).groups()
    return float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]


def _memory(server):
    """Return the memory of all its processes, in MB."""
    process = psutil.Process(server.pid)
    return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)]) / 1e6


def _ink(glyph, side):
    """Enlarge a glyph to float (side, side) in 0..1, with the sharp edge of a pen."""
    large = np.asarray(Image.fromarray(glyph).resize((side, side), Image.BICUBIC), float)
    return np.clip((large - 96) / 64, 0, 1)


def _drawn(glyph, rng=None):
    return png(np.pad(np.rint(255 * (1 - _ink(glyph, SIDE - 20))), 10, constant_values=255).astype(np.uint8))


def _photographed(glyph, rng):
    side, size = 400, 200
    paper = np.zeros((side, side), np.uint8)
    top, left = rng.integers(40, side - size - 40, 2)
    paper[top : top + size, left : left + size] = 255 * _ink(glyph, size)
    corners = np.array([0, 0, 0, side, side, side, side, 0]) + rng.uniform(-20, 20, 8)
    sheet = Image.fromarray(paper).transform((side, side), Image.QUAD, list(corners), Image.BICUBIC)
    ink = np.asarray(sheet.rotate(rng.uniform(-4, 4), Image.BICUBIC)) / 255
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    light = 1 - rng.uniform(0.1, 0.5) * (np.cos(angle) * x + np.sin(angle) * y + 0.5)
    seen = light * (rng.uniform(190, 245) * (1 - ink) + rng.uniform(20, 90) * ink)
    blur = ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5))
    blurred = Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8)).filter(blur)
    grain = np.asarray(blurred, float) + rng.normal(0, rng.uniform(2, 6), (side, side))
    stream = io.BytesIO()
    tinted = np.clip(grain[..., None] * [1, 0.98, 0.94], 0, 255).astype(np.uint8)
    Image.fromarray(tinted).save(stream, "jpeg", quality=int(rng.integers(50, 90)))
    return stream.getvalue()
