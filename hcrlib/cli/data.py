"""`hcr data ...`: what there is, fetching, verifying, importing and looking at it."""

import functools

from hcrlib.cli._common import add_command
from hcrlib.datasets import dataset_names, importers, inventory
from hcrlib.datasets.text import TextDataset


def add_parser(subparsers):
    """Add `data` and its five commands to an argparse subparsers object; each sets `func(args) -> exit code`."""
    data = subparsers.add_parser(
        "data",
        help="list, fetch, verify, import and show datasets",
        description="Datasets come from HCR_DATA, the cache or a download, always against pinned SHA-256.",
    )
    commands = data.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = functools.partial(add_command, commands)
    add("list", _list, "the catalogue, and what is on this machine", "hcr data list emnist-letters").add_argument(
        "name", nargs="?", help="one dataset, with licence, source and traps, or how it is obtained"
    )
    add(
        "fetch", _fetch, "download and build a dataset, or say how it is obtained", "hcr data fetch mnist"
    ).add_argument("name", help=NAME)
    add("verify", _verify, "check a dataset's files against their hashes", "hcr data verify mnist").add_argument(
        "name", nargs="?", help=f"{NAME}; all where left out"
    )
    import_ = add("import", _import, "take a file that was downloaded by hand", "hcr data import ~/Downloads/gzip.zip")
    import_.add_argument("file", help=importers.TAKES)
    import_.add_argument("--name", help="the dataset it belongs to, where the file's name does not tell")
    says = "draw a labelled sheet and the class balance, or lines with their texts"
    show = add("show", _show, says, "hcr data show emnist-balanced-lite --out a.png")
    show.add_argument("name", help=f"{NAME}, or a folder with a dataset.yml or a TSV of texts")
    show.add_argument("--out", help="the PNG to write; results/figures/dataset-NAME.png where left out")
    show.add_argument(
        "--per-class", type=int, default=12, metavar="N", help="images of each class, or lines (default: 12)"
    )


NAME = "a dataset's name, as `hcr data list` gives it"


def _list(args):
    rows, texts = inventory.describe(), inventory.describe_texts()
    if args.name:
        name = inventory.known(args.name)
        for key, value in next(row for row in rows + texts if row["name"] == name).items():
            print(f"{key:15} {value}")
        return 0
    from tabulate import tabulate

    shown = [[row["name"], row["classes"], row["train"], row["test"], row["here"] or _size(row)] for row in rows]
    print(tabulate(shown, headers=["name", "classes", "train", "test", "here"], intfmt=","))
    shown = [[row["name"], row["source"], row["here"] or "no"] for row in texts]
    print(f"\n{tabulate(shown, headers=['words, lines', 'source', 'here'])}")
    print(
        "\n`hcr data list NAME` gives licence, source and traps of one; `hcr data import FILE` takes downloaded files;"
        "\n`hcr data fetch NAME` downloads, or says how words and lines are obtained."
    )
    return 0


def _size(row):
    return f"no, {row['download_bytes'] / 1e6:,.0f} MB to download"


def _fetch(args):
    data = inventory.fetch(args.name)
    print(f"{data.name}: {len(data.train) + len(data.val):,} to train on, {len(data.test):,} to test; {data.source}")
    _say_rest(data)
    if data.name != args.name:
        print(f"{args.name} is composed from {data.name} while training takes it: nothing else has to be fetched")
    return 0


def _say_rest(data):
    print(f"sha256 {data.sha256}, of the test split {data.test_sha256}")
    for note in data.notes:
        print(f"- {note}")
    if data.damaged:
        print(f"images left out, because they cannot be read: {len(data.damaged)}")
    for file, reason in data.damaged:
        print(f"  {file}: {reason}")


def _verify(args):
    wrong = 0
    for name in [args.name] if args.name else dataset_names():
        for finding in inventory.verify(name):
            state = "not here" if not finding.path else "WRONG" if finding.problem else "ok"
            wrong += state == "WRONG"
            print(f"{state:9} {finding.what} {finding.path}")
            if finding.problem:
                print(f"          {finding.problem}")
    absent = args.name and not next(row for row in inventory.describe() if row["name"] == args.name)["here"]
    return 1 if wrong or absent else 0


def _import(args):
    done = importers.import_file(args.file, args.name)
    for one in done:
        print(f"{one.dataset}: {one.what}: {one.how}")
    for name in sorted({one.dataset for one in done}):
        missing = importers.missing_parts(name)
        print(f"{name} " + (f"still lacks its {' and '.join(missing)} part" if missing else "is complete"))
    return 0


def _show(args):
    from hcrlib.datasets.preview import write

    data = inventory.find(args.name)
    if isinstance(data, TextDataset):
        _say_texts(data)
    print(write(data, args.out, args.per_class))
    return 0


def _say_texts(data):
    parts = {"to train on": data.train, "to validate": data.val, "to test": data.test}
    longest = max((text for part in parts.values() for text in part.texts), key=len)
    print(f"{data.name}: {_each(parts, len)}; {data.source}")
    known = all(part.writers for part in parts.values())
    print(f"writers: {_each(parts, lambda part: len(set(part.writers))) if known else 'not known'}")
    print(f"{data.n_classes} characters: {''.join(data.classes)}")
    print(f"longest text, {len(longest)} characters: {longest}")
    _say_rest(data)


def _each(parts, count):
    return ", ".join(f"{count(part):,} {name}" for name, part in parts.items())
