"""Load and verify bundles: folders with a trained model in several formats.

manifest.json lists every file with its size and SHA-256; golden.npz holds images and the trained model's probabilities.
Nothing is unpickled.
"""

import io
import json
import os

from . import models
from ._files import sha256

FORMAT = "hcr-bundle 1"
REQUIRED = "model/model.json", "model/model.onnx", "golden.npz"


def load(folder, engine=None, threads=None):
    """Load a bundle as a CharacterModel or a LineModel: see Model.load.

    Raises ValueError that names the first file that is missing or damaged.
    """
    verify(folder)
    return models.load(_path(folder, "model"), engine, threads)


def verify(folder):
    """Return a bundle's manifest, a dict.

    Raises ValueError, with the file's name, for one that is missing, damaged or of another bundle.
    """
    manifest = _manifest(folder)
    for name in REQUIRED:
        if name not in manifest["files"]:
            message = "%s does not list %s: it is not the manifest of a bundle"
            raise ValueError(message % (_path(folder, "manifest.json"), name))
    for name, listed in sorted(manifest["files"].items()):
        path = _path(folder, name)
        if not os.path.isfile(path):
            raise ValueError("%s is missing: the bundle is incomplete" % path)
        if os.path.getsize(path) != listed["bytes"]:
            raise ValueError("%s has %d bytes, not %d: it is damaged" % (path, os.path.getsize(path), listed["bytes"]))
        if sha256(path) != listed["sha256"]:
            raise ValueError("%s is damaged or of another bundle: its SHA-256 differs from the manifest's" % path)
    return manifest


def write_manifest(folder, **about):
    """Write manifest.json, which makes a folder a bundle: every file with its size and SHA-256, and `about`."""
    folder, files = str(folder), {}
    for place, _, names in sorted(os.walk(folder)):
        for path in sorted(os.path.join(place, name) for name in names):
            name = os.path.relpath(path, folder).replace(os.sep, "/")
            files[name] = {"bytes": os.path.getsize(path), "sha256": sha256(path)}
    with io.open(_path(folder, "manifest.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(dict(about, format=FORMAT, files=files), indent=1))


def check_engines(folder, engine=None):
    """Check the golden answers with each engine that works on this machine, or with the named one.

    Returns [(model, largest difference of a probability)]. Raises ValueError as Model.check_golden does, and if no engine works
    or an engine cannot load its file.
    """
    model = _path(folder, "model")
    kind = models.kind_of(model)
    loaded = [] if engine else kind.load_all(model)
    return [(each, each.check_golden(folder)) for each in loaded or [kind.load(model, engine)]]


def _manifest(folder):
    path = _path(folder, "manifest.json")
    if not os.path.isfile(path):
        raise ValueError("%s is missing: %s is not a bundle, or an incomplete one" % (path, folder))
    try:
        with io.open(path, encoding="utf-8") as file:
            manifest = json.load(file)
        valid = manifest["format"] == FORMAT and all(
            _is_inside(name) and isinstance(listed["bytes"], int) and isinstance(listed["sha256"], str)
            for name, listed in manifest["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("%s cannot be read: %s: %s" % (path, type(error).__name__, error))
    if not valid:
        raise ValueError("%s is not a manifest of the format '%s'" % (path, FORMAT))
    return manifest


def _is_inside(name):
    """Return whether a path of the manifest stays within the bundle."""
    return not os.path.isabs(name) and ".." not in name.split("/") and "\\" not in name


def _path(folder, name):
    return os.path.join(str(folder), *name.split("/"))
