"""Latency of single images, as the web app and boards need them: our runtime, the bare engine, and Keras."""

import json
from pathlib import Path

from PIL import Image

import hcrlib
from hcrlib.bench import inputs
from hcrlib.bench.base import Outcome, bench, in_child, percentiles, ratio, side_by_side, temporary_folder
from hcrlib.core import timing
from hcrlib.datasets import load_dataset
from hcrlib.formats import onnx
from hcrlib.models import CLASSIFIERS
from hcrlib.runtime import CharacterModel, Pipeline

NETWORK = "cnn-compact"
IMAGES = 300
DRAWING = "runtime: read, a drawing of 400 x 400 pixels"
COMPARED = "ONNX Runtime, bare", "runtime: scores", "keras.Model.predict", DRAWING
MOST, LEAST = 1.5, 100  # at most this multiple of the bare call; at least this many times as fast as Keras
DRAWING_MS = 1.5  # at most, to read a drawing
START_S = 1.0  # from a cold start to the first result
START = """
import sys
sys.path.insert(0, sys.argv[1])
from runtime import CharacterModel
CharacterModel.load(sys.argv[2]).read(sys.argv[3])
assert "tensorflow" not in sys.modules
"""


@bench("one-image", "How long does one image take, beside a bare call of the engine and Keras' predict?")
def one_image(request):
    """Time one image by each way of running the same network, and a cold start of the runtime."""
    data = load_dataset("mnist-5k")
    pipeline = Pipeline(CLASSIFIERS.get(NETWORK).preprocess).fit(data.train.images)
    images = data.val.images[:IMAGES]
    drawings = [inputs.picture(inputs.strokes_of(image), None) for image in images]
    x = pipeline.apply(images)[..., None]
    classifier = CLASSIFIERS.get(NETWORK).create({})
    classifier.prepare()
    classifier.n_classes = len(data.classes)
    classifier.model = classifier.network(x.shape[1:], classifier.n_classes)  # untrained weights take the same time
    with temporary_folder() as folder:
        onnx.write(classifier, folder / "model.onnx", x[:32])
        about = {"classifier": NETWORK, "pipeline": pipeline.to_dict(), "classes": data.classes}
        (folder / "model.json").write_text(json.dumps(about))
        model = CharacterModel.load(folder)
        image_file = folder / "image.png"
        Image.fromarray(images[0]).save(image_file)
        start = {"a start": lambda: in_child("-c", START, Path(hcrlib.__file__).parent, folder, image_file)}
        cold = side_by_side(start, request.runs, request.log)["a start"]
    session, given = model.learner.session, model.learner.input
    calls = {
        "ONNX Runtime, bare": lambda i: session.run(None, {given: x[i : i + 1]}),
        "runtime: scores": lambda i: model.scores(images[i : i + 1]),
        "runtime: read": lambda i: model.read(images[i]),
        DRAWING: lambda i: model.read(drawings[i]),
        "Keras, one compiled step": lambda i: classifier.scores(x[i : i + 1]),
        "keras.Model.predict": lambda i: classifier.model.predict(x[i : i + 1], verbose=0),
    }
    found = {name: [] for name in calls}
    for index in range(request.runs):
        for name, call in calls.items():
            found[name].append(timing.latency_ms(call, range(len(images))))
        request.log(f"round {index + 1} of {request.runs}: {found['runtime: scores'][-1]['p50']:.3f} ms")
    rows = [{"what": name, **percentiles(rounds)} for name, rounds in found.items()]
    bare, scores, predict, drawn = ([each["p50"] for each in found[name]] for name in COMPARED)
    limits = [
        ratio("runtime: scores / ONNX Runtime, bare", scores, bare, at_most=MOST),
        ratio("keras.Model.predict / runtime: scores", predict, scores, at_least=LEAST),
        ratio(f"milliseconds, {DRAWING}", drawn, 1, at_most=DRAWING_MS),
        ratio("seconds from a cold start to the first result", cold, 1, at_most=START_S),
    ]
    note = (
        f"{NETWORK}, {len(images)} images one by one; scores: preprocessing and network; read: any image, framed first"
    )
    return Outcome(rows, limits, [note], request.runs)
