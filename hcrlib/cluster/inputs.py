"""What a run reads, named by hash: workers share no disk with the client, which sends what they lack, once.

Sets of the catalogue are pinned by their hashes and sent as the files that the client has, into the worker's cache. Folders (a
person's own data, pictures of lines, the members of an ensemble) are named by the hash of their content; a run finds them by
HCR_SENT, see `paths.here`.
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
from hcrlib.datasets import TEXTS, custom, dataset_names, inventory, official_files
from hcrlib.datasets.catalog import DATASETS
from hcrlib.datasets.importers import PARTS

STALE_S = 86400
CHUNK = 4 << 20  # bytes a message: those of other runs pass in between
YAML = ".yml", ".yaml"
CACHED = "files", "built", "imported"  # folders of the cache that a client may add to
MEMBER = "record.json", "predictions.npz", "model"  # of a run that another is made of


class Input(NamedTuple):
    """name: as a run names it: a set of the catalogue, a folder's path, "HCR_DATA/<folder>" or "runs/<id>".

    digest: the hash of a folder's content, "" for a set of the catalogue.
    """

    name: str
    digest: str = ""


def of(config, data=None):
    """The Inputs of a RunConfig, as they are on this machine; what is not here, a run has to find, or to download, itself.

    data: what answers for a dataset's name; None: `data_of`, which reads a person's own data whole.
    """
    found = list((data or data_of)(config.dataset))
    for run in members(config):
        if place := _place(f"runs/{run}"):
            found.append(Input(f"runs/{run}", digest(place, MEMBER)))
    return found


def data_of(name):
    """The Inputs of a dataset."""
    if name in TEXTS.names():
        entry = TEXTS.get(name)
        name = entry.characters or f"HCR_DATA/{entry.folder}"
    if name in dataset_names():
        return [Input(name)] if inventory.here(name) else []
    place = _place(name)
    return [Input(name, digest(place, _entries(name, place)))] if place else []


def members(config):
    """The ids of the runs that a run is made of."""
    runs = config.params.get("runs")
    return list(runs) if isinstance(runs, list | tuple) else []


def lacking(inputs):
    """Those of these Inputs that are not on this machine."""
    return [one for one in inputs if where(one) is None]


def where(one):
    """The Path where an Input lies on this machine, None where it does not; of a set of the catalogue any Path."""
    if not one.digest:
        return paths.cache_root() if inventory.here(one.name) else None
    kept = _sent(one)
    if kept.is_dir():
        return kept
    with contextlib.suppress(OSError, HcrError):  # what lies there cannot be read: it is not this
        if (place := _place(one.name)) and digest(place, _entries(one.name, place)) == one.digest:
            return place
    return None


def packed(one, file):
    """Writes an Input of this machine to an open file, as a tar; False where there is nothing of it here."""
    parts = _parts(one)
    with tarfile.open(fileobj=file, mode="w", dereference=True) as tar:
        for name, path in parts:
            tar.add(path, name, recursive=False)
    return bool(parts)


def receive(transfer, chunk, one=None):
    """Takes the next bytes of a transfer; with the last ones comes the Input, which is then put in its place.

    DataError where what came is not what was named, or where the disk is full.
    """
    part = paths.cache_root() / "sent" / f"{transfer}.part"
    with official_files.as_data_error(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        whole = False
        try:
            with part.open("ab") as sink:
                sink.write(chunk)
            whole = one is None
            if one is not None:
                _unpack(part, one)
        except tarfile.TarError as error:
            raise DataError(f"This came otherwise than it was sent: {error}", where=one.name) from error
        finally:
            if not whole:
                part.unlink(missing_ok=True)


def clean():
    """Removes what is left of transfers that were broken off."""
    for left in (paths.cache_root() / "sent").glob("*.*"):  # what is whole has no dot
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_S:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def digest(folder, entries=None):
    """Hex SHA-256 of a folder's content by names and bytes of its files, and empty folders; entries: of these alone."""
    return _digest(str(folder), tuple((name, *_stamp(path)) for name, path in _listed(folder, entries)))


@functools.lru_cache(maxsize=256)
def _digest(folder, stamp):
    """By what the files looked like, so that unchanged ones are read once."""
    whole = hashlib.sha256()
    for name, *known in stamp:
        content = ""
        if known:
            with Path(folder, name).open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{name}\0{content}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()


def _stamp(path):
    about = path.stat()
    return () if path.is_dir() else (about.st_size, about.st_mtime_ns, about.st_ino)


def _listed(folder, entries=None):
    """[(name, Path)] of files and empty folders in a folder, or in these entries of it, by name; links are followed."""
    tops = [Path(folder, entry) for entry in entries or ["."]]
    found = [path for top in tops for path in (_below(top) if top.is_dir() else [top] if top.is_file() else [])]
    return sorted({os.path.relpath(path, folder): path for path in found}.items())


def _below(folder, above=()):
    """The Paths of files and empty folders below a folder, but for links that lead back."""
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
    """The Path of a folder on this machine, None where there is none."""
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
    """What belongs to an Input of that name, of the folder it lies in: None for all. A dataset.yml's is what it names."""
    if name.startswith("runs/"):
        return MEMBER
    described = _described(name, place)
    return [described.name, *filter(_travels, custom.named(described))] if described.is_file() else None


def _described(name, place):
    return place / (Path(name).name if Path(name).suffix in YAML else "dataset.yml")


def _travels(name):
    """Whether what a dataset.yml names lies in its folder, wherever that is."""
    return not Path(name).is_absolute() and Path(os.path.normpath(name)).parts[:1] != ("..",)


def _sent(one):
    return paths.cache_root() / "sent" / one.digest


def _parts(one):
    """(name in the tar, Path) of all that an Input is on this machine."""
    if one.digest:
        place = where(one)
        if place is None:
            raise DataError("This has changed since the sweep began", where=one.name, hint="Start the sweep again")
        described = _described(one.name, place)
        if described.is_file() and (away := [name for name in custom.named(described) if not _travels(name)]):
            what = "This names what lies outside its folder, and cannot be sent to a worker that lacks it"
            hint = "Move it into the folder, and name it relative to that"
            raise DataError(what, where=described, got=", ".join(away), hint=hint)
        return _listed(place, _entries(one.name, place))
    entry, root = DATASETS.get(one.name), paths.cache_root()
    built = root / "built" / f"{entry.name}.npz"
    if built.exists():
        return [(f"built/{built.name}", built)]
    right = filter(None, map(official_files.find, entry.files))
    found = [(f"files/{path.name}", path) for _, _, path in right]
    for path in (root / "imported" / entry.name / f"{part}{end}" for part in PARTS for end in (".npz", ".json")):
        found += [(path.relative_to(root).as_posix(), path)] if path.exists() else []
    return found


def _unpack(part, one):
    root = paths.cache_root()
    fresh = root / "sent" / f"{uuid.uuid4().hex}.new"
    try:
        with part.open("rb") as packed:
            unpack(packed, fresh)
        if one.digest:
            if digest(fresh) != one.digest:
                raise DataError("This came otherwise than it was sent", where=one.name, expected=one.digest)
            if not _sent(one).exists():
                os.replace(fresh, _sent(one))
            return
        for path in (path for folder in CACHED for path in (fresh / folder).rglob("*") if path.is_file()):
            target = root / path.relative_to(fresh)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():  # what is there is the worker's own
                os.replace(path, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
