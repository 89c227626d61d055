"""Import downloaded files: NIST's gzip.zip, the .mat files, IDX with or without .gz, Kaggle's CSVs, Keras' mnist.npz.

A file whose hash is official is stored as such. For others the counts, the label range and the presence of every class
are checked; they are then stored as an import, and the loaded dataset says so.
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
    """what: a part of a dataset, or an official file. how: "official", "import" or "already imported"."""

    dataset: str
    what: str
    how: str


def import_file(path, name=None):
    """Import a file and return a list of Imported. name: its dataset, if the file name does not contain it.

    Importing the same file twice changes nothing. DataError: unknown format, damaged or not plausible; rejected parts are
    not stored.
    """
    path = Path(path)
    if path.is_dir():
        hint = f"Your own data stay where they are: `hcr train MODEL --data {path}`; `hcr data show {path}` checks them"
        raise DataError("A folder is not imported", where=path, expected=TAKES, hint=hint)
    if not path.is_file():
        raise DataError("No such file", where=path, expected=TAKES)
    reader = READERS.get(path.suffix.lower(), _import_idx)
    with files.as_data_error(path):
        return reader(path, name)


def missing_parts(name):
    """Return the parts, "train" and "test", of an official dataset that are neither found nor imported."""
    entry = DATASETS.get(name)
    return [
        part
        for part in PARTS
        if not import_store.present(entry, part) and not all(files.present(file) for file in entry.pair(part))
    ]


def _import_zip(path, name):
    """Import the official files of a zip, then its .mat and .csv files one by one."""
    done = [_official(file, "official") for file in unpack(path)]
    with zipfile.ZipFile(path) as packed, tempfile.TemporaryDirectory() as folder:
        for member in packed.namelist():
            if member.lower().endswith((".mat", ".csv")):
                inner = Path(_extracted(packed, member, folder))
                done += import_file(inner, name)
                inner.unlink()
    if not done:
        raise DataError("No known file in this zip", where=path, expected=TAKES)
    return done


def _extracted(packed, member, folder):
    try:
        return packed.extract(member, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        where = f"{packed.filename}, {member}"
        raise DataError(f"The zip is damaged: {error}", where=where, hint="Fetch or copy it again") from error


def _import_mat(path, name):
    """Import one of NIST's MATLAB files: images (n, 784), flattened by columns like the IDX files."""
    from scipy.io import loadmat

    entry = _entry(path, name)
    try:
        held = loadmat(path, simplify_cells=True)["dataset"]
        pairs = {part: (_square(held[part]["images"]), np.ravel(held[part]["labels"])) for part in PARTS}
    except Exception as error:  # scipy raises whatever the bytes lead it to
        raise DataError(f"Not an EMNIST .mat file: {error}", where=path) from error
    return [_store(entry, part, *pairs[part], path) for part in PARTS]


def _import_csv(path, name):
    labels, images = read_csv(path)
    part = next((part for part in PARTS if part in path.name.lower()), None)
    if part is None:
        raise DataError("The file name does not say which part it is", where=path, expected="'train' or 'test' in it")
    try:
        labels = np.array(labels, np.uint8)
    except (ValueError, OverflowError) as error:
        raise DataError(f"The labels are not integers: {error}", where=path) from error
    return [_store(_entry(path, name), part, images, labels, path)]


def _import_npz(path, name):
    names = [f"{axis}_{part}" for part in PARTS for axis in "xy"]
    arrays = files.read_npz(path, names, "Keras' mnist.npz contains x_train, y_train, x_test and y_test")
    return [_store(_entry(path, name), part, *arrays[at : at + 2], path) for part, at in (("train", 0), ("test", 2))]


def _import_idx(path, name):
    """Import an official file by its hash; else a part of a dataset, with the other file of the pair beside it."""
    data = path.read_bytes()
    content = unpacked(io.BytesIO(data), path)
    digest, content_digest = (hashlib.sha256(b).hexdigest() for b in (data, content))
    for file in official_files():
        if file.sha256 == digest:
            return [_store_official(file, data)]
        if file.content == content_digest:
            return [_store_official(file, content, bare=True)]
    entry, part = _pair_of(path, name)
    pair = [path.with_name(_renamed(path.name, kind)) for kind in ("images", "labels")]
    for file in pair:
        if not file.is_file():
            expected = f"{file.name} beside it"
            raise DataError("Images and labels must be imported together", where=path, expected=expected)
    return [_store(entry, part, *map(read_idx, pair), path)]


READERS = {".zip": _import_zip, ".mat": _import_mat, ".csv": _import_csv, ".npz": _import_npz}


def _store(entry, part, images, labels, origin):
    """Store a part: as official files if their hashes match, else as an import if it is plausible."""
    split = to_split(entry, images.copy(), labels, origin)
    labels = labels.astype(np.uint8)
    packed = to_idx(images), to_idx(labels)
    digests = [hashlib.sha256(content).hexdigest() for content in packed]
    pinned = [file.content for file in entry.pair(part)]
    what = f"{part} part, {len(split):,} images"
    if digests == pinned:
        done = [_store_official(file, data, bare=True) for file, data in zip(entry.pair(part), packed, strict=True)]
        return Imported(entry.name, what, done[0].how)
    if all(file.content for file in entry.files):
        wanted = f"sha256 {pinned[0]} (images) and {pinned[1]} (labels)"
        raise DataError(f"This is not {entry.name}", where=origin, expected=wanted, got=" and ".join(digests))
    _check_plausible(entry, part, split, origin)
    is_new = import_store.save(entry, part, images, labels, origin)
    return Imported(entry.name, what, "import" if is_new else "already imported")


def _store_official(file, data, bare=False):
    return _official(file, "official" if files.store(file, data, bare) else "already imported")


def _official(file, how):
    owner = next(name for name in DATASETS.names() if file in DATASETS.get(name).files)
    return Imported(owner, file.name, how)


def _check_plausible(entry, part, split, origin):
    counts = [release[PARTS.index(part)] for release in entry.releases]
    if len(split) not in counts:
        what, wanted = f"This is not the {part} part of {entry.name}", " or ".join(f"{n:,} images" for n in counts)
        raise DataError(what, where=origin, expected=wanted, got=f"{len(split):,}")
    absent = np.setdiff1d(np.arange(len(entry.classes)), split.labels)
    if len(absent):
        what = f"No image of class '{entry.classes[absent[0]]}' in this file"
        n = len(entry.classes)
        raise DataError(what, where=origin, expected=f"{n} classes", got=n - len(absent))


def _entry(path, name):
    """Return the official dataset of a name, or else of the file name."""
    official = [known for known in DATASETS.names() if DATASETS.get(known).kind == "official"]
    if name is None:
        stem = path.name.lower()
        name = max((known for known in official if known in stem), key=len, default=None)
    if name is None:
        what, hint = "The file name does not say which dataset it is", "Name it: `hcr data import FILE --name NAME`"
        raise DataError(what, where=path, expected=", ".join(official), hint=hint)
    entry = DATASETS.get(name)
    if entry.kind != "official":
        raise ConfigError(f"{name} cannot be imported from files", hint=f"There are: {', '.join(official)}")
    return entry


def _pair_of(path, name):
    """Return (entry, part) of an IDX file by its name, in either spelling of MNIST's names."""
    stem = path.name.removesuffix(".gz").replace(".idx", "-idx")
    for known in [name] if name else DATASETS.names():
        entry = DATASETS.get(known)
        for part in PARTS if entry.kind == "official" else ():
            if f"{stem}.gz" in [file.name for file in entry.pair(part)]:
                return entry, part
    raise DataError("Neither the hash nor the name of this file is known", where=path, expected=TAKES)


def _renamed(name, kind):
    """Return an IDX file name with "images" and idx3, or "labels" and idx1."""
    other = "labels" if kind == "images" else "images"
    return name.replace(other, kind).replace("idx3", "idx1").replace("idx1", "idx3" if kind == "images" else "idx1")


def _square(images):
    return images.reshape(-1, SIDE, SIDE)
