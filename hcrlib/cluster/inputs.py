"""The inputs of a run, identified by hash, so that the client can send a worker what it lacks: they need not share a disk.

Datasets of the catalog are pinned by their hashes, and their files are sent into the worker's cache. Folders (custom datasets,
images of lines, the runs that a run uses) are identified by the hash of their content; a run finds them through HCR_SENT, see
`paths.here`.
"""

import contextlib
import functools
import hashlib
import os
import shutil
import tarfile
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from hcrlib.core import paths
from hcrlib.core.errors import DataError, HcrError
from hcrlib.core.fileio import unpack
from hcrlib.core.names import YAML
from hcrlib.datasets import TEXTS, custom, dataset_names, inventory, official_files, parts_of
from hcrlib.datasets.catalog import DATASETS
from hcrlib.datasets.import_checks import PARTS
from hcrlib.runs import store

STALE_S = 86400  # age of an interrupted transfer that is removed
CHUNK = 4 << 20  # bytes per message, so that messages of other runs are not blocked
CACHED = "files", "built", "imported"  # folders of the cache that a client may add to
MEMBER = "record.json", "predictions.npz", "model"  # the parts of a run that another one reads


class Input(NamedTuple):
    """A dataset or folder that a run reads.

    Attributes:
        name: as in the run's configuration: a dataset of the catalog, a folder's path, "HCR_DATA/<folder>" or "runs/<id>".
        digest: hash of the folder's content, "" for a dataset of the catalog.
    """

    name: str
    digest: str = ""


def of(config, data=None):
    """Return the Inputs of a RunConfig that are on this machine; the run has to find or download any others.

    data: function from a dataset's name to its Inputs; None for `data_of`, which reads all files of a custom dataset.
    """
    items = list((data or data_of)(config.dataset))
    for run in members(config):
        if place := _place(f"runs/{run}"):
            items.append(Input(f"runs/{run}", digest(place, MEMBER)))
    return items


def data_of(name):
    """Return the Inputs of a dataset, or of all parts of a mixture."""
    if parts := parts_of(name):
        return [each for part, _ in parts for each in data_of(part)]
    if name in TEXTS.names():
        entry = TEXTS.get(name)
        if entry.fonts:
            return []  # every machine fetches its own
        name = entry.characters or f"HCR_DATA/{entry.folder}"
    if name in dataset_names():
        return [Input(name)] if inventory.here(name) else []
    place = _place(name)
    return [Input(name, digest(place, _entries(name, place)))] if place else []


def members(config):
    """Return the ids of the runs that a run uses: those that an ensemble combines, or the one that training starts from."""
    runs = config.params.get("runs")
    starts = filter(None, map(config.params.get, store.model_parameters(config.classifier)))
    ids = [name for name in starts if "/" in name and not name.startswith("/")]  # else of the zoo, or a bundle
    return [*runs, *ids] if isinstance(runs, list | tuple) else ids


def lacking(inputs):
    """Return the Inputs that are not on this machine."""
    return [item for item in inputs if where(item) is None]


def where(item):
    """Return the Path of an Input on this machine, or None; for a dataset of the catalog, the cache."""
    if not item.digest:
        return paths.cache_root() if inventory.here(item.name) else None
    if (sent := _sent(item)).is_dir():
        return sent
    with contextlib.suppress(OSError, HcrError):  # another, unreadable folder of that name
        if (place := _place(item.name)) and digest(place, _entries(item.name, place)) == item.digest:
            return place
    return None


def pack(item, file):
    """Write an Input of this machine to an open file, as a tar; return False if none of its files is here."""
    parts = _parts(item)
    with tarfile.open(fileobj=file, mode="w", dereference=True) as tar:
        for name, path in parts:
            tar.add(path, name, recursive=False)
    return bool(parts)


def receive(transfer, chunk, item=None):
    """Append the next bytes of a transfer; the last chunk comes with the Input, which is then unpacked into its place.

    Raises DataError if the content is not that Input, or the disk is full.
    """
    part = paths.cache_root() / "sent" / f"{transfer}.part"
    with official_files.as_data_error(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        whole = False
        try:
            with part.open("ab") as sink:
                sink.write(chunk)
            whole = item is None
            if item is not None:
                _unpack(part, item)
        except tarfile.TarError as error:
            raise DataError(f"The transfer was damaged: {error}", where=item.name) from error
        finally:
            if not whole:
                part.unlink(missing_ok=True)


def clean():
    """Remove the files of interrupted transfers."""
    for left in (paths.cache_root() / "sent").glob("*.*"):  # complete folders have no dot
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_S:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def digest(folder, entries=None):
    """Return the hex SHA-256 of a folder's content: names and bytes of its files, and empty folders.

    entries: names in the folder to which the hash is limited; None for all.
    """
    return _digest(str(folder), tuple((name, *_stamp(path)) for name, path in _listed(folder, entries)))


@functools.lru_cache(maxsize=256)
def _digest(folder, stamp):
    """Hash the files; cached by sizes and times, so that unchanged files are read once."""
    whole = hashlib.sha256()
    for name, *known in stamp:
        content = ""
        if known:
            with Path(folder, name).open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{name}\0{content}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()


def _stamp(path):
    info = path.stat()
    return () if path.is_dir() else (info.st_size, info.st_mtime_ns, info.st_ino)


def _listed(folder, entries=None):
    """Return [(name, Path)] of the files and empty folders in a folder, or in its `entries`, sorted. Follows links."""
    tops = [Path(folder, entry) for entry in entries or ["."]]
    files = [path for top in tops for path in (_below(top) if top.is_dir() else [top] if top.is_file() else [])]
    return sorted({os.path.relpath(path, folder): path for path in files}.items())


def _below(folder, above=()):
    """Yield the Paths of files and empty folders below a folder; links to a parent folder are not followed."""
    real = os.path.realpath(folder)
    if real in above:
        return
    with os.scandir(folder) as listed:
        entries = list(listed)
    if not entries:
        yield Path(folder)
    for entry in entries:
        if entry.is_dir():
            yield from _below(entry.path, (*above, real))
        elif entry.is_file():
            yield Path(entry.path)


def _place(name):
    """Return the Path of the folder of an Input's name, or None if it is not on this machine."""
    if name.startswith("HCR_DATA/"):
        root = paths.data_root()
        place = root and root / name.removeprefix("HCR_DATA/")
    elif name.startswith("runs/"):
        place = paths.runs_root() / name.removeprefix("runs/")
        return place if (place / "record.json").is_file() else None
    else:
        place = Path(name)
        place = place.parent if place.suffix in YAML else place
    return place if place and place.is_dir() else None


def _entries(name, place):
    """Return the entries of an Input's folder that belong to it, or None for all; a dataset.yml names its own."""
    if name.startswith("runs/"):
        return MEMBER
    described = _described(name, place)
    return [described.name, *filter(_travels, custom.named(described))] if described.is_file() else None


def _described(name, place):
    return place / (Path(name).name if Path(name).suffix in YAML else "dataset.yml")


def _travels(name):
    """Return whether a path in a dataset.yml is relative and stays in its folder."""
    return not Path(name).is_absolute() and Path(os.path.normpath(name)).parts[:1] != ("..",)


def _sent(item):
    return paths.cache_root() / "sent" / item.digest


def _parts(item):
    """Return [(name in the tar, Path)] of an Input on this machine."""
    if item.digest:
        place = where(item)
        if place is None:
            raise DataError("An input has changed since the sweep began", where=item.name, hint="Start the sweep again")
        described = _described(item.name, place)
        if described.is_file() and (outside := [name for name in custom.named(described) if not _travels(name)]):
            what = "This dataset names files outside its folder, so it cannot be sent to a worker that lacks it"
            hint = "Move the files into the folder, and name them relative to it"
            raise DataError(what, where=described, got=", ".join(outside), hint=hint)
        return _listed(place, _entries(item.name, place))
    entry, root = DATASETS.get(item.name), paths.cache_root()
    built = root / "built" / f"{entry.name}.npz"
    if built.exists():
        return [(f"built/{built.name}", built)]
    official = filter(None, map(official_files.find, entry.files))
    parts = [(f"files/{path.name}", path) for _, _, path in official]
    for path in (root / "imported" / entry.name / f"{part}{end}" for part in PARTS for end in (".npz", ".json")):
        parts += [(path.relative_to(root).as_posix(), path)] if path.exists() else []
    return parts


def _unpack(part, item):
    root = paths.cache_root()
    new = root / "sent" / f"{uuid.uuid4().hex}.new"
    try:
        with part.open("rb") as file:
            unpack(file, new)
        if item.digest:
            if digest(new) != item.digest:
                raise DataError("The transfer was damaged", where=item.name, expected=f"SHA-256 {item.digest}")
            if not _sent(item).exists():
                os.replace(new, _sent(item))
            return
        for path in (path for folder in CACHED for path in (new / folder).rglob("*") if path.is_file()):
            target = root / path.relative_to(new)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():  # keep the worker's own files
                os.replace(path, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
