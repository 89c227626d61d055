"""What is here and what is not: the rows of `hcr data list`, finding by name, fetching, verifying."""

from dataclasses import dataclass
from pathlib import Path

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.core.registry import did_you_mean
from hcrlib.datasets import import_store, official_files
from hcrlib.datasets.catalog import DATASETS, NIST_ZIP_BYTES
from hcrlib.datasets.custom import frame_of_custom
from hcrlib.datasets.importers import PARTS
from hcrlib.datasets.loading import is_text, load, load_dataset, load_text, names
from hcrlib.datasets.text import TEXTS


def describe():
    """A list of dicts, one a dataset: name, classes, train, test, kind, here, download_bytes, licence, source, traps.

    here: where it would be loaded from, "" where it has to be downloaded. Looks for files without reading them.
    """
    return [_row(DATASETS.get(name)) for name in DATASETS.names()]


def describe_texts():
    """A list of dicts, one a set of words or lines: name, here, source, licence, obtain.

    here: as in `describe`, for a composed set where its characters are. obtain: how it is come by.
    """
    characters = {row["name"]: row["here"] for row in describe()}
    return [_text_row(name, TEXTS.get(name), characters) for name in TEXTS.names()]


def here(name):
    """Where a set of the catalogue would be loaded from, "" where it has to be downloaded; looks without reading."""
    entry = DATASETS.get(name)
    return _here(entry, [file for file in entry.files if not official_files.present(file)])


def known(name):
    """The name itself; ConfigError, with a suggestion, where it is one of no dataset, of characters or of texts."""
    if name not in names():
        raise ConfigError(f"There is no dataset '{name}'", hint=did_you_mean(name, names()))
    return name


def find(name):
    """The Dataset or TextDataset of a name, or of a folder with a dataset.yml or with a TSV of texts.

    ConfigError where there is no such name or folder; DataError where the folder has neither, or its files are wrong.
    """
    folder = Path(name)
    if is_text(name):
        return load(name)
    if not folder.exists():
        return load_dataset(known(name))
    if name not in DATASETS.names() and folder.is_dir() and not (folder / "dataset.yml").is_file():
        raise DataError(
            "This folder is no dataset",
            where=folder,
            expected="a dataset.yml, or a *.tsv in it or in its train/",
            got=", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "an empty folder",
            hint="A TSV of words or lines has the columns file and text; characters are described by a dataset.yml",
        )
    return load_dataset(name)


def frame_of(name):
    """How the images of a dataset, or of one's own, were framed, "mnist" or "emnist": see runtime.image."""
    return DATASETS.get(name).frame if name in DATASETS.names() else frame_of_custom(paths.here(name))


def fetch(name):
    """The Dataset, complete on this machine: what is missing is downloaded, what is built is built.

    Of a set of words or lines the TextDataset or, where it is composed, the Dataset of its characters. ConfigError for an
    unknown name; DataError where no mirror answers, the disk is full, a file differs, or words are to be obtained by hand.
    """
    if known(name) in TEXTS.names():
        made_of = TEXTS.get(name).characters
        return load_dataset(made_of) if made_of else load_text(name)
    return load_dataset(name)


@dataclass(frozen=True)
class Finding:
    """One file or set that was verified. path: where it is, "" where it is missing. problem: "" where all is well."""

    what: str
    path: str
    problem: str = ""


def verify(name):
    """A list of Finding: every file of a dataset against its hash, then the loaded content; downloads nothing.

    ConfigError for an unknown name, and for words and lines, whose hashes nobody publishes.
    """
    if known(name) in TEXTS.names():
        hint = f"`hcr data show {name}` reads all of it, and prints what is damaged and its hashes"
        raise ConfigError(f"{name} has no published hashes to verify", hint=hint)
    entry = DATASETS.get(name)
    findings = [_finding(file.name, lambda file=file: _place(file)) for file in entry.files]
    for part in PARTS:
        if entry.kind == "official" and import_store.present(entry, part):
            findings.append(_finding(f"{part} part", lambda part=part: import_store.load(entry, part)[1]))
    if entry.kind in ("embedded", "plug-in") or _built(entry):
        findings.append(_finding(f"the content of {name}", lambda: load_dataset(name).source))
    return findings


def _row(entry):
    missing = [file for file in entry.files if not official_files.present(file)]
    here = _here(entry, missing)
    archived = any(file.archive for file in missing)
    n_train, n_test = entry.releases[0]
    return {
        "name": entry.name,
        "classes": len(entry.classes),
        "train": n_train,
        "test": n_test,
        "kind": entry.kind,
        "here": here,
        "download_bytes": 0 if here else NIST_ZIP_BYTES if archived else sum(file.size for file in missing),
        "licence": entry.licence,
        "source": entry.source,
        "traps": " ".join(entry.traps),
    }


def _text_row(name, entry, characters):
    if entry.characters:
        here, obtain = characters[entry.characters], f"hcr data fetch {entry.characters}: it is all that it is made of"
    else:
        here, obtain = "HCR_DATA" if entry.place() and entry.place().is_dir() else "", entry.obtain
    return {"name": name, "here": here, "source": entry.source, "licence": entry.licence, "obtain": obtain}


def _here(entry, missing):
    if entry.kind in ("embedded", "plug-in"):
        return entry.kind
    if _built(entry):
        return "cache"
    if not missing:
        return ", ".join(sorted({next(official_files.candidates(file))[0] for file in entry.files}))
    complete = entry.kind == "official" and all(
        import_store.present(entry, part) or not set(entry.pair(part)) & set(missing) for part in PARTS
    )
    return "imported" if complete else ""


def _built(entry):
    return entry.kind == "lite" and (paths.cache_root() / "built" / f"{entry.name}.npz").exists()


def _finding(what, look):
    """look: a function that answers where it is, "" where it is not, or raises DataError where it is wrong."""
    try:
        return Finding(what, look())
    except DataError as error:
        return Finding(what, str(error.where), str(error))


def _place(file):
    found = official_files.find(file)
    return str(found[2]) if found else ""
