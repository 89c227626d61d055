"""Taking what people have: NIST's gzip.zip, the .mat files, IDX with or without .gz, Kaggle's CSVs, Keras' mnist.npz.

What turns out to be an official file by its hash is kept as one. Of the rest, the counts, the label range and the
presence of every class are checked; it is then kept as an import, and the loaded dataset says so.
"""

import hashlib
import io
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import import_store
from hcrlib.datasets import official_files as files
from hcrlib.datasets.base import SIDE, to_split
from hcrlib.datasets.catalog import DATASETS, official_files
from hcrlib.datasets.csv_tables import read_csv
from hcrlib.datasets.download import unpack
from hcrlib.datasets.idx import read_idx, to_idx, unpacked

TAKES = "NIST's gzip.zip, emnist-*.mat, IDX files under their official names, Kaggle's CSVs or Keras' mnist.npz"
PARTS = "train", "test"


@dataclass(frozen=True)
class Imported:
    """what: a part of a dataset, or an official file. how: "official", "import" or "there already"."""

    dataset: str
    what: str
    how: str


def import_file(path, name=None):
    """A list of Imported. name: the dataset it belongs to, where the file's name does not tell.

    Importing the same file twice changes nothing. DataError: not one of the known kinds, damaged, or not plausible;
    a part that is refused is not kept.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("There is no such file", where=path, expected=TAKES)
    reader = READERS.get(path.suffix.lower(), _import_idx)
    with files.as_data_error(path):
        return reader(path, name)


def missing_parts(name):
    """Those of ("train", "test") of an official set that are neither found nor imported."""
    entry = DATASETS.get(name)
    return [
        part
        for part in PARTS
        if not import_store.present(entry, part) and not all(files.present(file) for file in entry.pair(part))
    ]


def _import_zip(path, name):
    """The official files in it; then, one after the other, its .mat and .csv files."""
    done = [_official(file, "official") for file in unpack(path)]
    with zipfile.ZipFile(path) as packed, tempfile.TemporaryDirectory() as folder:
        for member in packed.namelist():
            if member.lower().endswith((".mat", ".csv")):
                inner = Path(_extracted(packed, member, folder))
                done += import_file(inner, name)
                inner.unlink()
    if not done:
        raise DataError("Nothing in this zip is known", where=path, expected=TAKES)
    return done


def _extracted(packed, member, folder):
    try:
        return packed.extract(member, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        where = f"{packed.filename}, {member}"
        raise DataError(f"The zip is damaged: {error}", where=where, hint="Fetch or copy it again") from error


def _import_mat(path, name):
    """NIST's MATLAB files: images are (n, 784), flattened by columns, as the IDX files are."""
    from scipy.io import loadmat

    entry = _entry(path, name)
    try:
        held = loadmat(path, simplify_cells=True)["dataset"]
        pairs = {part: (_square(held[part]["images"]), np.ravel(held[part]["labels"])) for part in PARTS}
    except Exception as error:  # scipy raises whatever the bytes lead it to
        raise DataError(f"This is no EMNIST .mat file: {error}", where=path) from error
    return [_keep(entry, part, *pairs[part], path) for part in PARTS]


def _import_csv(path, name):
    labels, images = read_csv(path)
    part = next((part for part in PARTS if part in path.name.lower()), None)
    if part is None:
        raise DataError("The file's name does not say which part it is", where=path, expected="'train' or 'test' in it")
    try:
        labels = np.array(labels, np.uint8)
    except (ValueError, OverflowError) as error:
        raise DataError(f"The labels are not whole numbers: {error}", where=path) from error
    return [_keep(_entry(path, name), part, images, labels, path)]


def _import_npz(path, name):
    names = [f"{axis}_{part}" for part in PARTS for axis in "xy"]
    arrays = files.read_npz(path, names, "Keras' mnist.npz holds x_train, y_train, x_test and y_test")
    return [_keep(_entry(path, name), part, *arrays[at : at + 2], path) for part, at in (("train", 0), ("test", 2))]


def _import_idx(path, name):
    """An official file by its hash; else, with the other file of its pair beside it, one part of a set."""
    data = path.read_bytes()
    content = unpacked(io.BytesIO(data), path)
    digest, content_digest = (hashlib.sha256(b).hexdigest() for b in (data, content))
    for file in official_files():
        if file.sha256 == digest:
            return [_keep_official(file, data)]
        if file.content == content_digest:
            return [_keep_official(file, content, bare=True)]
    entry, part = _pair_of(path, name)
    pair = [path.with_name(_renamed(path.name, kind)) for kind in ("images", "labels")]
    for file in pair:
        if not file.is_file():
            raise DataError("Images and labels are needed together", where=path, expected=f"{file.name} beside it")
    return [_keep(entry, part, *map(read_idx, pair), path)]


READERS = {".zip": _import_zip, ".mat": _import_mat, ".csv": _import_csv, ".npz": _import_npz}


def _keep(entry, part, images, labels, origin):
    """Keeps one part: as official files where their hashes say so, else as an import if it is plausible."""
    split = to_split(entry, images.copy(), labels, origin)
    labels = labels.astype(np.uint8)
    packed = to_idx(images), to_idx(labels)
    digests = [hashlib.sha256(content).hexdigest() for content in packed]
    pinned = [file.content for file in entry.pair(part)]
    what = f"{part} part, {len(split):,} images"
    if digests == pinned:
        done = [_keep_official(file, data, bare=True) for file, data in zip(entry.pair(part), packed, strict=True)]
        return Imported(entry.name, what, done[0].how)
    if all(file.content for file in entry.files):
        wanted = f"sha256 {pinned[0]} (images) and {pinned[1]} (labels)"
        raise DataError(f"This is not {entry.name}", where=origin, expected=wanted, got=" and ".join(digests))
    _check_plausible(entry, part, split, origin)
    return Imported(
        entry.name, what, "import" if import_store.save(entry, part, images, labels, origin) else "there already"
    )


def _keep_official(file, data, bare=False):
    return _official(file, "official" if files.keep(file, data, bare) else "there already")


def _official(file, how):
    owner = next(name for name in DATASETS.names() if file in DATASETS.get(name).files)
    return Imported(owner, file.name, how)


def _check_plausible(entry, part, split, origin):
    counts = [release[PARTS.index(part)] for release in entry.releases]
    if len(split) not in counts:
        wanted = " or ".join(f"{count:,} images" for count in counts)
        raise DataError(
            f"This is not the {part} part of {entry.name}", where=origin, expected=wanted, got=f"{len(split):,}"
        )
    absent = np.setdiff1d(np.arange(len(entry.classes)), split.labels)
    if len(absent):
        what = f"No image of class '{entry.classes[absent[0]]}' is in it"
        raise DataError(
            what, where=origin, expected=f"{len(entry.classes)} classes", got=len(entry.classes) - len(absent)
        )


def _entry(path, name):
    """The official set that a name, or else the file's name, means."""
    official = [known for known in DATASETS.names() if DATASETS.get(known).kind == "official"]
    if name is None:
        stem = path.name.lower()
        name = max((known for known in official if known in stem), key=len, default=None)
    if name is None:
        hint = "Say it: `hcr data import FILE --name NAME`"
        raise DataError(
            "The file's name does not say which dataset it is", where=path, expected=", ".join(official), hint=hint
        )
    entry = DATASETS.get(name)
    if entry.kind != "official":
        raise ConfigError(
            f"{name} is not read from files that can be imported", hint=f"There are: {', '.join(official)}"
        )
    return entry


def _pair_of(path, name):
    """(entry, part) of an IDX file by its name; both spellings of MNIST's names are known."""
    stem = path.name.removesuffix(".gz").replace(".idx", "-idx")
    for known in [name] if name else DATASETS.names():
        entry = DATASETS.get(known)
        for part in PARTS if entry.kind == "official" else ():
            if f"{stem}.gz" in [file.name for file in entry.pair(part)]:
                return entry, part
    raise DataError("This file is not known by its hash or by its name", where=path, expected=TAKES)


def _renamed(name, kind):
    """An IDX file's name with "images" and 3 dimensions, or "labels" and 1."""
    other = "labels" if kind == "images" else "images"
    return name.replace(other, kind).replace("idx3", "idx1").replace("idx1", "idx3" if kind == "images" else "idx1")


def _square(images):
    return images.reshape(-1, SIDE, SIDE)
