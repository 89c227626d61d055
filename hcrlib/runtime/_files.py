"""Checksums of files, and the model.json that describes a model."""

import hashlib
import io
import json
import os

BLOCK = 1 << 20  # bytes


def sha256(path):
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with io.open(str(path), "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def read_model_json(folder):
    """Return the dict in a model/ folder's model.json; ValueError where it is missing or not a JSON object."""
    try:
        with io.open(os.path.join(str(folder), "model.json"), encoding="utf-8") as file:
            about = json.load(file)
        if not isinstance(about, dict):
            raise ValueError("expected a JSON object")
    except (OSError, ValueError) as error:
        raise ValueError("model.json cannot be read: %s: %s" % (type(error).__name__, error))
    return about
