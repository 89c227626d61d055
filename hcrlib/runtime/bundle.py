"""A bundle: one folder with a trained model in several formats, and the proof that it is whole.

manifest.json names every file with its size and SHA-256; golden.npz holds images (n, 28, 28), uint8, and the probabilities
that the trained model answered, float32 (n, k). Nothing is unpickled.
"""

import hashlib
import io
import json
import os

import numpy as np

from .character_model import TrainedModel
from .engines.select import networks
from .line_model import LineModel, is_of_lines
from .line_pipeline import best_path

FORMAT = "hcr-bundle 1"
NEEDED = "model/model.json", "model/model.onnx", "golden.npz"
GOLDEN_APART = 0.02  # of a probability: what half precision may change
BLOCK = 1 << 20  # bytes


def load(folder, engine=None, threads=None):
    """A TrainedModel, or a LineModel, from a bundle; engine, threads: see their `load`.

    ValueError names the file that is not as it was.
    """
    verify(folder)
    model = _path(str(folder), "model")
    return _kind(model).load(model, engine, threads)


def verify(folder):
    """The manifest of a bundle, a dict. ValueError, with the file's name, for one that is missing, damaged or another's."""
    folder = str(folder)
    manifest = _manifest(folder)
    for name in NEEDED:
        if name not in manifest["files"]:
            raise ValueError(
                "%s does not list %s: it is no manifest of a bundle" % (_path(folder, "manifest.json"), name)
            )
    for name, told in sorted(manifest["files"].items()):
        path = _path(folder, name)
        if not os.path.isfile(path):
            raise ValueError("%s is missing: the bundle is incomplete" % path)
        if os.path.getsize(path) != told["bytes"]:
            raise ValueError("%s has %d bytes, not %d: it is damaged" % (path, os.path.getsize(path), told["bytes"]))
        if sha256(path) != told["sha256"]:
            raise ValueError("%s is damaged or of another bundle: its SHA-256 is not the manifest's" % path)
    return manifest


def seal(folder, **about):
    """Writes manifest.json, which makes a folder a bundle: every file with its size and SHA-256, and what `about` tells."""
    folder, files = str(folder), {}
    for place, _, names in sorted(os.walk(folder)):
        for path in sorted(os.path.join(place, name) for name in names):
            name = os.path.relpath(path, folder).replace(os.sep, "/")
            files[name] = {"bytes": os.path.getsize(path), "sha256": sha256(path)}
    with io.open(_path(folder, "manifest.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(dict(about, format=FORMAT, files=files), indent=1))


def check_engines(folder, engine=None):
    """[(model, largest difference)], what check_golden finds with each engine that is here, or with the named one.

    ValueError as check_golden, and where none is here or one cannot load its file.
    """
    model = _path(str(folder), "model")
    kind = _kind(model)
    found = [] if engine else [kind.of(model, one) for one in networks(model, kind.engines)]
    return [(one, check_golden(one, folder)) for one in found or [kind.load(model, engine)]]


def check_golden(model, folder, most=GOLDEN_APART):
    """The largest difference of a probability from what the trained model answered to the golden images.

    ValueError where it answers a label that was more than `most` less probable, or a probability that is further away.
    """
    with np.load(_path(str(folder), "golden.npz"), allow_pickle=False) as golden:
        if isinstance(model, LineModel):
            return _check_lines(model, golden, most)
        images, expected = golden["images"], golden["scores"]
    answered = model.scores(images)
    apart = float(np.abs(answered - expected).max())
    wrong = otherwise(expected, answered, most)
    if wrong or not apart <= most:
        told = (model.classifier.engine, wrong, len(images), apart)
        raise ValueError("%s answers %d of %d golden images otherwise, probabilities up to %.2g apart" % told)
    return apart


def _check_lines(model, golden, most):
    """As check_golden, of lines: image-0, text-0, scores-0 and so on, scores being probabilities (steps, k + 1)."""
    count = sum(name.startswith("image-") for name in golden.files)
    images = [golden["image-%d" % at] for at in range(count)]
    answers = model.log_probabilities(images)
    answered = [np.exp(one) for one in answers]
    expected = [golden["scores-%d" % at] for at in range(count)]
    apart = max(float(np.abs(a - b).max()) if a.shape == b.shape else 1.0 for a, b in zip(answered, expected))
    texts = [str(golden["text-%d" % at]) for at in range(count)]
    wrong = sum(best_path(one, model.classes)[0] != text for one, text in zip(answers, texts))
    if wrong or not apart <= most:
        told = (model.recogniser.engine, wrong, count, apart)
        raise ValueError("%s answers %d of %d golden lines otherwise, probabilities up to %.2g apart" % told)
    return apart


def otherwise(expected, answered, tie):
    """How many rows of answers name another class: one that was more than `tie` less probable than the expected one."""
    lost = expected.max(axis=1) - expected[np.arange(len(expected)), answered.argmax(axis=1)]
    return int(np.count_nonzero(lost > tie))


def sha256(path):
    """Of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with io.open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def _kind(model):
    """The class of what a model/ folder holds."""
    return LineModel if is_of_lines(model) else TrainedModel


def _manifest(folder):
    path = _path(folder, "manifest.json")
    if not os.path.isfile(path):
        raise ValueError("%s is missing: %s is no bundle, or an incomplete one" % (path, folder))
    try:
        with io.open(path, encoding="utf-8") as file:
            manifest = json.load(file)
        right = manifest["format"] == FORMAT and all(
            _inside(name) and isinstance(told["bytes"], int) and isinstance(told["sha256"], type(""))
            for name, told in manifest["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("%s cannot be read: %s: %s" % (path, type(error).__name__, error))
    if not right:
        raise ValueError("%s is no manifest of the format '%s'" % (path, FORMAT))
    return manifest


def _inside(name):
    """Whether a path of the manifest stays within the bundle."""
    return not os.path.isabs(name) and ".." not in name.split("/") and "\\" not in name


def _path(folder, name):
    return os.path.join(folder, *name.split("/"))
