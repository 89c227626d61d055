"""What is here and what is not: the rows of `hcr data list`, fetching, verifying."""

from dataclasses import dataclass
from pathlib import Path

from hcrlib import paths
from hcrlib.datasets import files, imported
from hcrlib.datasets.catalog import DATASETS, NIST_ZIP_BYTES
from hcrlib.datasets.importers import PARTS
from hcrlib.datasets.loading import load_dataset
from hcrlib.datasets.own import frame_of_own
from hcrlib.errors import DataError


def dataset_names():
    """The names of the catalogue."""
    return DATASETS.names()


def describe():
    """A list of dicts, one a dataset: name, classes, train, test, kind, here, download_bytes, licence, source, traps.

    here: where it would be loaded from, "" where it has to be downloaded. Looks for files without reading them.
    """
    return [_row(DATASETS.get(name)) for name in DATASETS.names()]


def frame_of(name):
    """How the images of a dataset, or of one's own, were framed, "mnist" or "emnist": see runtime.image."""
    return DATASETS.get(name).frame if name in DATASETS.names() else frame_of_own(Path(name))


def fetch(name):
    """The Dataset, complete on this machine: what is missing is downloaded, what is built is built.

    ConfigError for an unknown name; DataError where no mirror answers, the disk is full, or a file differs.
    """
    return load_dataset(DATASETS.get(name).name)


@dataclass(frozen=True)
class Finding:
    """One file or set that was verified. path: where it is, "" where it is missing. problem: "" where all is well."""

    what: str
    path: str
    problem: str = ""


def verify(name):
    """A list of Finding: every file of a dataset against its hash, then the loaded content; downloads nothing."""
    entry = DATASETS.get(name)
    findings = [_finding(file.name, lambda file=file: _place(file)) for file in entry.files]
    for part in PARTS:
        if entry.kind == "official" and imported.present(entry, part):
            findings.append(_finding(f"{part} part", lambda part=part: imported.load(entry, part)[1]))
    if entry.kind == "embedded" or _built(entry):
        findings.append(_finding(f"the content of {name}", lambda: load_dataset(name).source))
    return findings


def _row(entry):
    missing = [file for file in entry.files if not files.present(file)]
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


def _here(entry, missing):
    if entry.kind == "embedded":
        return "embedded"
    if _built(entry):
        return "cache"
    if not missing:
        return ", ".join(sorted({next(files.candidates(file))[0] for file in entry.files}))
    complete = entry.kind == "official" and all(
        imported.present(entry, part) or not set(entry.pair(part)) & set(missing) for part in PARTS
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
    found = files.find(file)
    return str(found[2]) if found else ""
