"""Import downloaded files: NIST's gzip.zip and .mat, IDX with or without .gz, CSV, npz, OpenML's ARFF and parquet, alone, in a
zip or in a folder.

A file whose hash is official is stored as such. For others the counts, the label range, the presence of every class and, by a
reader, the orientation are checked; they are then stored as an import, and the loaded dataset says so. Of an archive, a file
that is none of these is left out and named; images without their labels are not stored.
"""

import contextlib
import hashlib
import io
import re
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import import_store
from hcrlib.datasets import official_files as files
from hcrlib.datasets.array_files import read_arrays
from hcrlib.datasets.catalog import DATASETS, official_files
from hcrlib.datasets.csv_tables import read_table
from hcrlib.datasets.folders import is_hidden
from hcrlib.datasets.idx import kind_of, read_idx, to_idx, unpacked
from hcrlib.datasets.import_checks import PARTS, checked_part

TAKES = "NIST's gzip.zip, emnist-*.mat, IDX files, Kaggle's CSVs, npz, ARFF, parquet, or a zip or folder of these"
IDX = re.compile(r"(images|labels)[-._]idx[13]|ubyte")
SHARD = re.compile(r"-\d{5}(?=-of-\d{5})")  # Hugging Face's: train-00000-of-00002.parquet
LEFT_OUT = "left out"
NOT_DATA = "a web page", "a Git LFS", "a git-annex", "an empty file", "a PDF", "a RAR", "a 7z"


@dataclass(frozen=True)
class Imported:
    """what: a part of a dataset, or an official file. how: "official", "import", "already imported", or "left out".

    dataset: its name, "" for a file that was left out. notes: what was changed, or why it was left out.
    """

    dataset: str
    what: str
    how: str
    notes: tuple = ()


def import_file(path, name=None):
    """Import a file, a zip or a folder and return a list of Imported. name: its dataset, if the file name does not contain it.

    Importing the same file twice changes nothing. DataError: nothing was imported, since the format is unknown, or the content
    damaged or not plausible; rejected parts are not stored.
    """
    path = Path(path)
    if not path.exists():
        raise DataError("No such file", where=path, expected=TAKES)
    if path.is_dir() and (path / "dataset.yml").is_file():
        hint = f"They stay where they are: `hcr train MODEL --data {path}`; `hcr data check {path}` checks them"
        raise DataError("These are your own data, which are not imported", where=path, expected=TAKES, hint=hint)
    with files.as_data_error(path):
        if path.is_dir() or path.suffix.lower() == ".zip":
            return _import_several(path, name)
        return _import_group([path], name)


def missing_parts(name):
    """Return the parts, "train" and "test", of an official dataset that are neither found nor imported."""
    entry = DATASETS.get(name)
    return [
        part
        for part in PARTS
        if not import_store.present(entry, part) and not all(files.present(file) for file in entry.pair(part))
    ]


def _import_several(path, name):
    """Import what a folder or zip holds, group by group; what cannot be imported is left out."""
    done, left = [], []
    with _members(path) as (members, obtained):
        groups = {}
        for member in members:
            groups.setdefault(_group(member), {}).setdefault(_spelled(Path(member).name), member)
        for group in groups.values():
            try:
                done += _import_group([obtained(member) for member in group.values()], name)
            except (DataError, ConfigError) as error:
                left += [Imported("", member, LEFT_OUT, (str(error),)) for member in group.values()]
    if done:
        return done + left
    if left:
        what, got = f"None of {len(left)} files could be imported", f"{left[0].what}: {left[0].notes[0].rstrip('.')}"
        raise DataError(what, where=path, expected=TAKES, got=got)
    hint = None
    if path.is_dir():
        hint = (
            f"Your own data stay where they are: `hcr train MODEL --data {path}`; `hcr data check {path}` checks them"
        )
    raise DataError(
        f"No known file in this {'folder' if path.is_dir() else 'zip'}", where=path, expected=TAKES, hint=hint
    )


@contextlib.contextmanager
def _members(path):
    """Yield (names of the files that may be imported, function from a name to its Path) of a folder or a zip."""
    if path.is_dir():
        names = [str(file.relative_to(path)) for file in sorted(path.rglob("*")) if file.is_file()]
        yield [name for name in names if _is_candidate(name, (path / name).open)], path.__truediv__
        return
    try:
        with zipfile.ZipFile(path) as packed, tempfile.TemporaryDirectory() as folder:
            names = [item.filename for item in packed.infolist() if not item.is_dir()]

            def obtained(name):
                try:
                    return Path(packed.extract(name, folder))
                except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
                    hint = "Fetch or copy the zip again"
                    raise DataError(f"This file of the zip is damaged: {error}", where=name, hint=hint) from error

            yield [name for name in names if _is_candidate(name, lambda _, name=name: packed.open(name))], obtained
    except zipfile.BadZipFile as error:
        with path.open("rb") as file:
            kind = kind_of(file.read(512))
        hint = "Fetch or copy it again"
        raise DataError(f"The zip is damaged: {error}", where=path, got=kind, hint=hint) from error


def _is_candidate(name, opened):
    """Return whether a member may hold data: by its name, or because it begins as an IDX or gzip file."""
    if any(map(is_hidden, Path(name).parts)):
        return False
    if _suffix(name) in READERS or IDX.search(name):
        return True
    with contextlib.suppress(OSError, zipfile.BadZipFile, zlib.error, RuntimeError), opened("rb") as file:
        start = file.read(4)
        return start[:2] in (b"\x1f\x8b", b"\0\0") and len(start) == 4
    return False


def _group(member):
    """Return what the members that are imported together have in common: images and labels, or the parts of a table."""
    name = _spelled(Path(member).name)
    if IDX.search(name):
        return re.sub("images|labels", "", re.sub("idx[13]", "", name.removesuffix(".gz")))
    return SHARD.sub("", member) if SHARD.search(member) else member


def _import_group(paths, name):
    """Import a file, or images and labels, or the parts of a table."""
    for path in paths:
        with path.open("rb") as file:
            _refuse_page(file.read(512), path)
    suffix = _suffix(paths[0].name)
    if suffix not in READERS:
        return _import_idx(paths, name)
    entry, stored = _entry(paths[0], name), []
    held = [READERS[suffix](path) for path in sorted(paths)]
    parts = {}
    for part, pair in (item for each in held for item in each.items()):
        parts[part] = _joined([parts[part], pair]) if part in parts else pair
    if set(parts) == {""}:
        parts = _parts_of(entry, *parts[""], paths[0])
    for part in PARTS:
        if part in parts:
            stored.append(checked_part(entry, part, *parts[part], paths[0]))
    if not stored:
        raise DataError(
            "This file holds neither part", where=paths[0], expected=" or ".join(PARTS), got=", ".join(parts)
        )
    return [_store(*each) for each in stored]


def _refuse_page(start, path):
    """Raise DataError for what servers and tools leave in place of a file."""
    if (kind := kind_of(start)).startswith(NOT_DATA):
        hint = "Download it again, and look at it in a browser or an editor"
        raise DataError("This is not a data file", where=path, expected=TAKES, got=kind, hint=hint)


def _joined(pairs):
    return tuple(np.concatenate(arrays) for arrays in zip(*pairs, strict=True))


def _parts_of(entry, images, labels, path):
    """Return the parts of one table: the one that the file's name says, or both, one after the other."""
    part = next((part for part in PARTS if part in path.name.lower()), None)
    part = part or next((part for part in PARTS if part == path.parent.name.lower()), None)
    for train, test in entry.releases:
        if len(labels) == train + test:
            return {"train": (images[:train], labels[:train]), "test": (images[train:], labels[train:])}
    if part is None:
        raise DataError("The file name does not say which part it is", where=path, expected="'train' or 'test' in it")
    return {part: (images, labels)}


def _read_table(path):
    table = read_table(path)
    labels = np.array(table.labels)
    return {"": (_decoded(table.files, path) if table.images is None else table.images, labels)}


def _decoded(sources, where):
    """Return uint8 (n, h, w) of encoded images of one size."""
    from PIL import Image

    try:
        images = [np.asarray(Image.open(io.BytesIO(source)).convert("L")) for source in sources]
        return np.stack(images)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"The images cannot be decoded: {error}", where=where) from error


READERS = {".mat": read_arrays, ".npz": read_arrays} | dict.fromkeys(
    (".csv", ".tsv", ".arff", ".parquet", ".pq"), _read_table
)


def _import_idx(paths, name):
    """Import official files by their hash; else a part of a dataset, with the other file of the pair beside it."""
    known = [_known(path) for path in paths]
    if all(known):
        return [_store_official(*each) for each in known]
    path = paths[known.index(None)]
    if any(known):
        raise DataError("Not the official file, as the other one of its pair is; neither is stored", where=path)
    entry, part = _pair_of(path, name)
    pair = [_other(path, paths, kind) for kind in ("images", "labels")]
    for file in pair:
        if not file.is_file():
            expected = f"{file.name} beside it"
            raise DataError("Images and labels must be imported together", where=path, expected=expected)
    return [_store(*checked_part(entry, part, *map(read_idx, pair), path))]


def _known(path):
    """Return (official file, bytes, whether they are unpacked), or None if its hash is not known."""
    data = path.read_bytes()
    content = unpacked(io.BytesIO(data), path)
    _refuse_page(content[:512], path)
    digest, content_digest = (hashlib.sha256(b).hexdigest() for b in (data, content))
    for file in official_files():
        if file.sha256 == digest:
            return file, data, False
        if file.content == content_digest:
            return file, content, True
    return None


def _other(path, paths, kind):
    """Return the path of the file with the images or labels of a pair: among those given, or beside it."""
    given = [each for each in paths if kind in each.name]
    return given[0] if given else path.with_name(_renamed(path.name, kind))


def _store(entry, part, images, labels, origin, notes, is_official):
    """Store a part: as official files if their hashes match, else as an import."""
    what = f"{part} part, {len(labels):,} images"
    if is_official:
        arrays = zip(entry.pair(part), (images, labels), strict=True)
        done = [_store_official(file, to_idx(array), bare=True) for file, array in arrays]
        return Imported(entry.name, what, done[0].how, tuple(notes))
    is_new = import_store.save(entry, part, images, labels, origin, notes)
    return Imported(entry.name, what, "import" if is_new else "already imported", tuple(notes))


def _store_official(file, data, bare=False):
    owner = next(name for name in DATASETS.names() if file in DATASETS.get(name).files)
    return Imported(owner, file.name, "official" if files.store(file, data, bare) else "already imported")


def _entry(path, name):
    """Return the official dataset of a name, or else of the file name."""
    official = [known for known in DATASETS.names() if DATASETS.get(known).kind == "official"]
    if name is None:
        stem, above = path.name.lower().replace("_", "-"), path.parent.name.lower().replace("_", "-")
        name = max((known for known in official if known in stem or known == above), key=len, default=None)
    if name is None:
        what, hint = "The file name does not say which dataset it is", "Name it: `hcr data import FILE --name NAME`"
        raise DataError(what, where=path, expected=", ".join(official), hint=hint)
    entry = DATASETS.get(name)
    if entry.kind != "official":
        raise ConfigError(f"{name} cannot be imported from files", hint=f"There are: {', '.join(official)}")
    return entry


def _pair_of(path, name):
    """Return (entry, part) of an IDX file by its name, in either spelling of MNIST's names."""
    stem = _spelled(path.name).removesuffix(".gz")
    for known in [name] if name else DATASETS.names():
        entry = DATASETS.get(known)
        for part in PARTS if entry.kind == "official" else ():
            if f"{stem}.gz" in [file.name for file in entry.pair(part)]:
                return entry, part
    raise DataError("Neither the hash nor the name of this file is known", where=path, expected=TAKES)


def _spelled(name):
    """Return a file name as the official ones are spelled: with "-idx3", not ".idx3"."""
    return name.replace(".idx", "-idx")


def _suffix(name):
    return Path(name.lower().removesuffix(".gz")).suffix


def _renamed(name, kind):
    """Return an IDX file name with "images" and idx3, or "labels" and idx1."""
    other = "labels" if kind == "images" else "images"
    return name.replace(other, kind).replace("idx3", "idx1").replace("idx1", "idx3" if kind == "images" else "idx1")
