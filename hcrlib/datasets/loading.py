"""Load datasets by name: characters as a Dataset, words and lines as a TextDataset."""

import contextlib
from pathlib import Path

from hcrlib.core import paths
from hcrlib.core.errors import ConfigError, DataError
from hcrlib.core.names import YAML, dataset_name
from hcrlib.core.registry import did_you_mean
from hcrlib.datasets import checks, mixture, orientation, pages, tsv
from hcrlib.datasets.base import Dataset, content_sha256, parted
from hcrlib.datasets.catalog import DATASETS
from hcrlib.datasets.custom import examine, frame_of_custom, keys_of_table, load_custom
from hcrlib.datasets.lite import load_lite
from hcrlib.datasets.official import load_embedded, load_official
from hcrlib.datasets.splits import cut_validation
from hcrlib.datasets.text import TEXTS, cut_by_writer

TABLES = ".csv", ".tsv", ".arff", ".parquet", ".pq"
LOADERS = {"embedded": load_embedded, "official": load_official, "lite": load_lite}


def dataset_names():
    """Return the names of the datasets of characters."""
    return DATASETS.names()


def text_names():
    """Return the names of the datasets of words and lines."""
    return TEXTS.names()


def names():
    """Return the names of all datasets."""
    return [*DATASETS.names(), *TEXTS.names()]


def load(name, *, val_seed=0):
    """Load a Dataset of characters or a TextDataset of words or lines; see load_dataset and load_text."""
    name = _spelled(name)
    return (load_text if is_text(name) else load_dataset)(name, val_seed=val_seed)


def load_dataset(name, *, val_fraction=0.1, val_seed=0):
    """Load a dataset of characters.

    Args:
        name: one of `dataset_names()`, or the path of a `dataset.yml` or of the folder that holds it.
        val_fraction: stratified share of the published training split that becomes validation. The test split is never
            touched.
        val_seed: chooses the validation images.

    Returns:
        A Dataset with .train, .val and .test, each with .images uint8 (n, 28, 28), upright, ink 255, and .labels int64 (n,).

    Raises:
        ConfigError: the name is unknown.
        DataError: files are missing, damaged or not the official ones.
    """
    if str(name) not in DATASETS.names() and _is_path(name):
        return _cut(load_custom(paths.here(name), own_name(name)), val_fraction, val_seed)
    entry = DATASETS.get(str(name))
    return _cut((entry.load or LOADERS[entry.kind])(entry), val_fraction, val_seed)


def check(name):
    """Return (dataset, Findings) of the name or path of a dataset: what loading notes, and the errors that it would raise.

    Of own characters, the dataset is a Published. Raises as `find` for what cannot be read at all.
    """
    name = _spelled(name)
    if is_table(name):
        data, findings = examine(Path(name), own_name(name))
        return data, [
            *findings,
            checks.Finding(checks.NOTE, "A table alone cannot be trained on", hint=_how_to_use(name)),
        ]
    if not is_text(name) and str(name) not in DATASETS.names() and is_own(paths.here(name)):
        return examine(paths.here(name), own_name(name))
    data = find(name)
    found = [checks.Finding(checks.NOTE, note) for note in data.notes]
    found += [checks.Finding(checks.WARNING, f"Left out: {reason}", str(file)) for file, reason in data.damaged]
    if isinstance(data, Dataset):
        found += checks.of_orientation(orientation.look(data.train.images, data.train.labels, data.classes))
        found += checks.inspect({"train": data.train, "validation": data.val, "test": data.test}, data.classes)
    return data, found


def load_text(name, *, val_seed=0):
    """Load a TextDataset.

    Args:
        name: one of `text_names()`, the path of a folder of images with a TSV of their texts or of pages with ALTO or PAGE XML,
            or a mixture of them, such as `lines-copiste+lines-hooker:0.5` (see hcrlib.datasets.mixture), or a file with one.
        val_seed: chooses the validation lines, by writer.

    Raises:
        ConfigError: the name is unknown.
        DataError: files are missing or not valid.
    """
    name = _spelled(name)
    if parts := parts_of(name):
        return mixture.mix(str(name), _loaded(parts, val_seed))
    if str(name) not in TEXTS.names() and is_text(name):
        return tsv.load_folder(paths.here(name), own_name(name), val_seed=val_seed)
    entry = TEXTS.get(str(name))
    if entry.characters:
        return entry.load(str(name), val_seed, load_dataset(entry.characters, val_seed=val_seed))
    return entry.load(str(name), val_seed)


def parts_of(name):
    """Return the (name, share) of each part if this is the name of a mixture and of no file or folder, else ()."""
    with contextlib.suppress(OSError):  # longer than a file's name can be
        if paths.here(name).exists():
            return ()
    return mixture.parts(name)


def is_text(name):
    """Return whether a name or path is of words or lines: a name in TEXTS, or a folder with a TSV in it or in its train/,
    or with ALTO or PAGE XML in it; or a mixture, or the file of one.

    A folder with a dataset.yml holds characters.
    """
    folder = paths.here(name)
    if str(name) in TEXTS.names() or parts_of(name) or _mixture_file(name):
        return True
    if not folder.is_dir() or (folder / "dataset.yml").is_file():
        return False
    return any(any(place.glob("*.tsv")) for place in (folder, folder / "train")) or pages.are_in(folder)


def is_own(path):
    """Return whether a path is that of a custom dataset: a dataset.yml, a folder with one, or one of words or lines."""
    path = Path(path)
    described = path.is_file() if path.suffix in YAML else (path / "dataset.yml").is_file()
    return described or (path.exists() and is_text(path))


def own_name(path):
    """Return what your own data at a path is called, here and in the ids of its runs."""
    return dataset_name(str(Path(path).resolve()))


def is_table(name):
    """Return whether this is the path of a table, such as a CSV."""
    return Path(name).suffix.lower() in TABLES and Path(name).is_file()


def _how_to_use(table):
    """Return how a table becomes a dataset."""
    keys = ", ".join(f"{key}: {value}" for key, value in keys_of_table(Path(table)).items())
    return f"Write `{{{keys}}}` into a dataset.yml beside it, and name that folder"


def _of_folders(folder):
    """Return what describes a folder of folders, each of which holds the images of a class; "" for another one."""
    inner = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    if not inner:
        return ""
    is_below = len(inner) == 1 and any(path.is_dir() for path in inner[0].iterdir())
    lines = f"{{name: {folder.resolve().name}, format: folders, images: {inner[0].name if is_below else '.'}}}"
    return f"; of folders of images, named by their class, it holds `{lines}`"


def is_pinned(name):
    """Return whether the content of a dataset is fixed by its name, so that it need not be hashed to be known."""
    if parts := parts_of(name):
        return all(is_pinned(part) for part, _ in parts)
    entry = TEXTS.get(name) if name in TEXTS.names() else None
    return name in DATASETS.names() or bool(entry and (entry.characters or entry.fonts))


def resolve(name):
    """Return the name of a dataset as it is, or the absolute path of a custom one, relative to the current or project folder.

    A mixture's file is replaced by the name that it spells. ConfigError, with a suggestion, if there is no such dataset.
    """
    if name in names() or paths.here(name) != Path(str(name)):
        return name
    name = _spelled(name)
    if parts_of(name):
        return mixture.renamed(name, resolve)
    for path in (Path(str(name)), paths.project_root() / str(name)):
        if is_own(path):
            return str(path.resolve())
    if is_table(name):
        raise ConfigError("A table alone is not a dataset", where=name, hint=_how_to_use(name))
    if len(Path(str(name)).parts) > 1 or Path(str(name)).exists():
        hint = "Your own data are named by the folder that holds the dataset.yml, the TSV of texts or pages with XML"
        hint += _of_folders(Path(str(name)))
        expected = "a dataset.yml, a *.tsv, or ALTO or PAGE XML"
        raise ConfigError("There is no dataset here", where=name, expected=expected, hint=hint)
    return known(name)


def beside(name, folder):
    """Return the path of a custom dataset that a file in `folder` names; a name of the catalog, or unknown there, as it is."""
    return str(folder / name) if name not in names() and is_own(folder / name) else name


def known(name):
    """Return the name itself; ConfigError with a suggestion if no dataset, of characters or of text, has it."""
    if name not in names():
        if is_own(name):
            hint = f"`hcr data show {name}` reads all of it, and prints damaged files and its hashes"
            raise ConfigError(f"{name} is your own dataset, which has no entry in the catalog", hint=hint)
        here = [path.name for path in sorted(Path().iterdir()) if path.is_dir() and is_own(path)]
        raise ConfigError(f"There is no dataset '{name}'", hint=did_you_mean(name, [*here, *names()]))
    return name


def find(name):
    """Load the dataset of a name, or of a folder with a dataset.yml, a TSV of texts, or pages with XML.

    Raises:
        ConfigError: there is no such name or folder.
        DataError: the folder has none of these, or its files are not valid.
    """
    folder = Path(name)
    if is_text(name):
        return load(name)
    if not folder.exists() or is_table(name):
        return load_dataset(resolve(name))
    if name not in DATASETS.names() and folder.is_dir() and not (folder / "dataset.yml").is_file():
        expected = "a dataset.yml, or a *.tsv in it or in its train/, or ALTO or PAGE XML"
        got = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "an empty folder"
        hint = f"A TSV of words or lines has the columns file and text; a dataset.yml describes characters{_of_folders(folder)}"
        raise DataError("This folder is not a dataset", where=folder, expected=expected, got=got, hint=hint)
    return load_dataset(name)


def frame_of(name):
    """Return how the images of a dataset, or of a path, are framed: "mnist" or "emnist"; see runtime.image."""
    return DATASETS.get(name).frame if name in DATASETS.names() else frame_of_custom(paths.here(name))


def _spelled(name):
    """Return the name of the mixture that a YAML file spells, alone or as a part; other names as they are."""
    parts = parts_of(name) or [(str(name), 1.0)]
    files = {part: place for part, _ in parts if (place := _mixture_file(part))}
    if not files:
        return name
    from hcrlib.datasets import mixture_file

    read = {part: mixture_file.read(place, _resolved_beside) for part, place in files.items()}
    pairs = []
    for part, share in parts:
        for each, more in read.get(part, [(part, 1.0)]):
            if share * more > mixture.MOST:
                got, expected = f"{share:g} times {more:g}", f"at most {mixture.MOST}"
                raise ConfigError(f"The share of {each} is too large", where=files[part], expected=expected, got=got)
            pairs.append((each, share * more))
    return mixture.written(pairs)


def _mixture_file(name):
    """Return the Path of the YAML file of a mixture, in the current or the project's folder, or None."""
    path = Path(str(name))
    if path.suffix not in YAML:
        return None
    from hcrlib.datasets import mixture_file  # pydantic is slow to import

    place = next((place for place in (path, paths.project_root() / path) if place.is_file()), None)
    return place if place and mixture_file.is_one(place) else None


def _resolved_beside(name, folder):
    name = beside(name, folder)
    if _mixture_file(name):
        raise ConfigError("A mixture's file names another one", expected="datasets", hint="Name its datasets instead")
    return resolve(name)


def _loaded(parts, val_seed):
    """Return (name, share, TextDataset or training Lines, damaged) of each part; those written with fonts are loaded last."""
    loaded = {part: _part(part, val_seed) for part, _ in parts if not _is_written(part)}
    texts = [text for data, _ in loaded.values() for text in mixture.transcriptions(data)]
    for part in (part for part, _ in parts if part not in loaded):
        loaded[part] = TEXTS.get(part).load(part, val_seed, texts).train, ()
    return [(part, share, *loaded[part]) for part, share in parts]


def _is_written(name):
    """Return whether the lines of a dataset are written with fonts."""
    return name in TEXTS.names() and bool(TEXTS.get(name).fonts)


def _part(name, val_seed):
    """Return (TextDataset, damaged) of a part of a mixture; its Lines instead if it has none to test on."""
    place = TEXTS.get(name).place() if name in TEXTS.names() else paths.here(name)
    if place and place.is_dir() and (found := tsv.training_lines(place)):
        return found
    data = load_text(name, val_seed=val_seed)
    return data, data.damaged


def _is_path(name):
    path = Path(name)
    return len(path.parts) > 1 or path.suffix in YAML or (path / "dataset.yml").is_file()


def _cut(published, val_fraction, val_seed):
    sha256 = published.sha256  # before its memory is reused
    train, val = published.train, published.val
    if val is None:
        train, val = parted(train, *_chosen(published, val_fraction, val_seed))
    else:
        val_fraction = len(val) / (len(train) + len(val))
    names = "name", "classes", "test", "source", "comparable", "notes", "damaged"
    about = {key: getattr(published, key) for key in names} | {"sha256": sha256, "val_seed": val_seed}
    digest = content_sha256(published.test)
    return Dataset(train=train, val=val, test_sha256=digest, val_fraction=val_fraction, **about)


def _chosen(published, val_fraction, val_seed):
    """Return the indices of training and validation images: by writer if all classes stay, else stratified."""
    labels, writers = published.train.labels, published.writers
    if val_fraction and writers is not None and len(set(writers)) > 1:
        train, val = cut_by_writer(writers, val_fraction, val_seed)
        if set(labels[train]) == set(labels):
            return train, val
    return cut_validation(labels, val_fraction, val_seed)
