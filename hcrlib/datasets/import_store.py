"""Parts of official datasets that were imported in another format, for which there is no pinned hash.

`imported/<dataset>/<part>.npz` in the cache holds the arrays as the official files store them; `<part>.json` beside it,
written last, records their origin and content hash.
"""

import hashlib
import json

from hcrlib.core import paths
from hcrlib.core.errors import DataError
from hcrlib.datasets.base import Split, content_sha256, to_split
from hcrlib.datasets.official_files import read_npz, write_npz, writing

AGAIN = "Delete it and import the file again"


def present(entry, part):
    """Return whether this part has been imported."""
    return _path(entry, part, ".json").exists()


def save(entry, part, images, labels, origin, notes=()):
    """Store a part. images: uint8 (n, 28, 28), labels: uint8 (n,), both as official files store them. origin: its file.

    notes: what was changed, for readers of results.

    Return False if the same part is already stored. DataError if a different one is, or if the disk is full.
    """
    digest = content_sha256(Split(images, labels))
    if present(entry, part):
        held = _manifest(entry, part)
        if held["content"] == digest:
            return False
        what, where = f"Another import of the {part} part of {entry.name} already exists", _path(entry, part, ".npz")
        hint = "Delete it first, with the .json beside it"
        raise DataError(what, where=where, expected=held["content"], got=digest, hint=hint)
    write_npz(_path(entry, part, ".npz"), images=images, labels=labels)
    about = {"origin": origin.name, "origin_sha256": _sha256_of(origin), "content": digest, "images": len(labels)}
    about |= {"notes": list(notes)} if notes else {}
    with writing(_path(entry, part, ".json")) as held:
        held.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return True


def load(entry, part):
    """Return (Split, source) of an imported part. DataError if it is damaged or has changed."""
    about, path = _manifest(entry, part), _path(entry, part, ".npz")
    images, labels = read_npz(path, ("images", "labels"), AGAIN)
    if (digest := content_sha256(Split(images, labels))) != about["content"]:
        raise DataError("This import has changed", where=path, expected=about["content"], got=digest, hint=AGAIN)
    return to_split(entry, images, labels, path), f"imported from {about['origin']}"


def notes(entry, part):
    """Return what was changed when a part was imported, as a list of texts."""
    return _manifest(entry, part).get("notes", [])


def _manifest(entry, part):
    path = _path(entry, part, ".json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"This import's description is damaged: {error}", where=path, hint=AGAIN) from error


def _path(entry, part, suffix):
    return paths.cache_root() / "imported" / entry.name / f"{part}{suffix}"


def _sha256_of(path):
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
