"""Shared by the web app's tests: the zoo's models, a client, drawn characters as files."""

import base64
import io
import json
import re
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from hcrlib.core import paths
from hcrlib.notebook.drawing_pad import rasterised
from hcrlib.runtime import LinePipeline, bundle
from hcrlib.runtime.web import STATIC
from hcrlib.runtime.web.app import create_app
from hcrlib.runtime.web.corrections import Corrections
from hcrlib.runtime.web.model_store import ModelStore

ZOO = paths.project_root() / "results/zoo"
OPENAPI = json.loads((Path(STATIC) / "openapi.json").read_text(encoding="utf-8"))
EIGHT = [
    [
        (0.62, 0.24), (0.5, 0.18), (0.38, 0.25), (0.4, 0.38), (0.52, 0.47), (0.63, 0.58), (0.64, 0.74), (0.5, 0.83),
        (0.37, 0.75), (0.38, 0.6), (0.5, 0.47), (0.62, 0.36), (0.62, 0.24),
    ]
]  # fmt: skip
ZERO = [[(0.5 + 0.25 * np.cos(turn), 0.5 + 0.3 * np.sin(turn)) for turn in np.linspace(0, 2 * np.pi, 24)]]
BARS = [[(x, 0.3), (x + 0.02, 0.7)] for x in (0.3, 0.4, 0.5, 0.6, 0.7)]  # not one character
DASH = [[(0.2, 0.5), (0.8, 0.52)]]  # much wider than high
CAPITAL_A = [[(0.26, 0.84), (0.5, 0.14), (0.74, 0.84)], [(0.35, 0.58), (0.65, 0.58)]]


def picture(strokes, kind="png", size=280):
    """Draw strokes of points in 0..1, black on white, as an image file's bytes."""
    ink = rasterised([[(x * size, y * size) for x, y in stroke] for stroke in strokes], size)
    return encoded(Image.fromarray(255 - ink), kind)


def encoded(image, kind="png", **options):
    """Encode a PIL image."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def data_url(data, kind="png"):
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def recognizer_bundle(folder, unit="words", letter="a", width="width"):
    """Make a bundle whose recognizer reads `letter` wherever there is ink without a gap. width: of the network."""
    from onnx import TensorProto, helper, numpy_helper, save

    constants = {"weights": [[-8, 8]], "bias": [4, -4]}  # of the blank and the letter
    nodes = [
        helper.make_node("ReduceMax", ["lines"], ["ink"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["ink", "weights"], ["raw"]),
        helper.make_node("Add", ["raw", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "reads ink",
        [helper.make_tensor_value_info("lines", TensorProto.FLOAT, ["n", 48, width, 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", width, 2])],
        [numpy_helper.from_array(np.float32(values), name) for name, values in constants.items()],
    )
    about = {"classifier": "told", "pipeline": LinePipeline().to_dict(), "classes": [letter]}
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    (folder / "model").mkdir(parents=True)
    save(network, folder / "model/model.onnx")
    (folder / "model/model.json").write_text(json.dumps({**about, "reads": "lines", "unit": unit}))
    np.savez(folder / "golden.npz")
    bundle.write_manifest(folder)
    return folder


def validate(value, schema):
    """Check a value against one of the schemas of the API's description."""
    jsonschema.validate(value, {**OPENAPI, "$ref": f"#/components/schemas/{schema}"})


def problem(response, name, status):
    """Check that a response is this problem, in the form of RFC 9457, and return its members."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.mimetype == "application/problem+json"
    body = json.loads(response.data)
    validate(body, "Problem")
    assert (body["type"], body["status"]) == (f"/api/docs#{name}", status)
    assert body["detail"]
    assert "Traceback" not in body["detail"]
    allowed = r"(image|multipart|application|text)/|at /, |/api/docs|https?://"
    assert "/" not in re.sub(allowed, "", body["detail"])  # no path of this machine
    return body


@pytest.fixture(scope="session")
def zoo():
    """Two of the zoo's models, the default first."""
    bundles = [(name, str(ZOO / name)) for name in ("best-47", "best-digits")]
    return ModelStore(lambda: bundles, "onnxruntime", threads=1, log=lambda line: None)


@pytest.fixture(scope="module")  # not session: its event loop would run under other tests
def browser():
    from .browsing import CHROMIUM, playwright

    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def kept(tmp_path):
    return Corrections(tmp_path / "kept" / "corrections.sqlite")


@pytest.fixture
def client(zoo, kept):
    return create_app(zoo, kept, ("localhost",)).test_client()


@pytest.fixture
def copy(tmp_path):
    """A copy of a bundle that tests may change."""
    return shutil.copytree(ZOO / "best-digits", tmp_path / "bundles" / "mine")
