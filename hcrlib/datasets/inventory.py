"""Describe, fetch and verify the datasets of the catalog on this machine."""

from dataclasses import dataclass

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.datasets import fonts, import_store, official_files
from hcrlib.datasets.catalog import DATASETS, NIST_ZIP_BYTES
from hcrlib.datasets.import_checks import PARTS
from hcrlib.datasets.loading import known, load_dataset, load_text
from hcrlib.datasets.text import TEXTS


def describe():
    """Return a list of dicts, one per dataset of characters or of text; looks for files without reading them.

    name; classes, train, test: counts, None for text; kind: "text" for words and lines; here: where it would be loaded from,
    "" if it has to be downloaded; download_bytes; licence; source; caveats; obtain: how to get it. Words and lines also have
    fonts: name, version and licence of each font that they are written with.
    """
    rows = {name: _row(DATASETS.get(name)) for name in DATASETS.names()}
    return [*rows.values(), *(_text_row(name, TEXTS.get(name), rows) for name in TEXTS.names())]


def here(name):
    """Return where a dataset would be loaded from, "" if it has to be downloaded or obtained."""
    characters = TEXTS.get(name).characters if name in TEXTS.names() else name
    if not characters:
        return _text_row(name, TEXTS.get(name), {})["here"]
    entry = DATASETS.get(characters)
    return _here(entry, [file for file in entry.files if not official_files.present(file)])


def fetch(name):
    """Complete a dataset on this machine, and load it: download what is missing, build what is built.

    Of words or lines, return the TextDataset, or the Dataset of the characters they are composed from.

    Raises:
        ConfigError: the name is unknown.
        DataError: no mirror responds, the disk is full, a file differs, or the dataset has to be obtained by hand.
    """
    if known(name) in TEXTS.names():
        characters = TEXTS.get(name).characters
        return load_dataset(characters) if characters else load_text(name)
    return load_dataset(name)


@dataclass(frozen=True)
class Finding:
    """A verified file or dataset. path: where it is, "" if it is missing. problem: "" if it is valid."""

    what: str
    path: str
    problem: str = ""


def verify(name):
    """Check every file of a dataset against its hash, then the loaded content; return Findings. Downloads nothing.

    ConfigError for an unknown name, and for words and lines, whose hashes are not published, unless fonts write them.
    """
    if known(name) in TEXTS.names():
        if made_with := TEXTS.get(name).fonts:
            return [
                _finding(font.archive, lambda font=font: fonts.find(font)[0] and fonts.checked(font))
                for font in made_with
            ]
        hint = f"`hcr data show {name}` reads all of it, and prints damaged files and the hashes"
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
    size = 0 if here else NIST_ZIP_BYTES if archived else sum(file.size for file in missing)
    n_train, n_test = entry.releases[0]
    return {
        "name": entry.name,
        "classes": len(entry.classes),
        "train": n_train,
        "test": n_test,
        "kind": entry.kind,
        "here": here,
        "download_bytes": size,
        "licence": entry.licence,
        "source": entry.source,
        "caveats": " ".join(entry.caveats),
        "obtain": f"hcr data fetch {entry.name}, {size / 1e6:,.0f} MB",
    }


def _text_row(name, entry, characters):
    about = {"licence": entry.licence, "source": entry.source, "caveats": "", "fonts": tuple(map(str, entry.fonts))}
    missing = [font for font in entry.fonts if not fonts.find(font)[0]]
    if entry.fonts:
        here = "" if missing else ", ".join(sorted({fonts.find(font)[0] for font in entry.fonts}))
        obtain = f"hcr data fetch {name}: {len(entry.fonts)} fonts, with npm"
    elif entry.characters:
        here, obtain = characters[entry.characters]["here"], f"hcr data fetch {entry.characters}: its characters"
    else:
        here, obtain = "HCR_DATA" if entry.place() and entry.place().is_dir() else "", entry.obtain
    counts = {"classes": None, "train": None, "test": None}
    size = sum(font.size for font in missing)
    return {"name": name, **counts, "kind": "text", "here": here, "download_bytes": size, **about, "obtain": obtain}


def _here(entry, missing):
    if entry.kind in ("embedded", "plug-in"):
        return entry.kind
    if _built(entry):
        return "cache"
    if not missing:
        return ", ".join(sorted({next(official_files.candidates(file))[0] for file in entry.files}))
    lacking = [part for part in PARTS if set(entry.pair(part)) & set(missing) and not import_store.present(entry, part)]
    return "imported" if entry.kind == "official" and not lacking else ""


def _built(entry):
    return entry.kind == "lite" and (paths.cache_root() / "built" / f"{entry.name}.npz").exists()


def _finding(what, look):
    """look: a function that returns the place, "" if it is missing, or raises DataError if it is not valid."""
    try:
        return Finding(what, look())
    except DataError as error:
        return Finding(what, str(error.where), str(error))


def _place(file):
    found = official_files.find(file)
    return str(found[2]) if found else ""
