"""`hcr data ...`: what there is, fetching, verifying, importing and looking at it."""

import functools

from hcrlib.commands import add_command
from hcrlib.datasets import importers, shelf


def add_parser(subparsers):
    """Adds `data` and its five commands to an argparse subparsers object; each sets `func(args) -> exit code`."""
    data = subparsers.add_parser(
        "data",
        help="list, fetch, verify, import and show datasets",
        description="Datasets come from HCR_DATA, the cache or a download, always against pinned SHA-256.",
    )
    commands = data.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = functools.partial(add_command, commands)
    add("list", _list, "the catalogue, and what is on this machine", "hcr data list emnist-letters").add_argument(
        "name", nargs="?", help="one dataset, with licence, source and traps"
    )
    add("fetch", _fetch, "download and build a dataset", "hcr data fetch mnist").add_argument("name", help=NAME)
    add("verify", _verify, "check a dataset's files against their hashes", "hcr data verify mnist").add_argument(
        "name", nargs="?", help=f"{NAME}; all where left out"
    )
    import_ = add("import", _import, "take a file that was downloaded by hand", "hcr data import ~/Downloads/gzip.zip")
    import_.add_argument("file", help=importers.TAKES)
    import_.add_argument("--name", help="the dataset it belongs to, where the file's name does not tell")
    show = add(
        "show", _show, "draw a labelled sheet and the class balance", "hcr data show emnist-balanced-lite --out a.png"
    )
    show.add_argument("name", help=f"{NAME}, or a folder with a dataset.yml")
    show.add_argument("--out", help="the PNG to write; results/figures/dataset-NAME.png where left out")
    show.add_argument("--per-class", type=int, default=12, metavar="N", help="images of each class (default: 12)")


NAME = "a dataset's name, as `hcr data list` gives it"


def _list(args):
    rows = shelf.describe()
    if args.name:
        shelf.DATASETS.get(args.name)
        for key, value in next(row for row in rows if row["name"] == args.name).items():
            print(f"{key:15} {value}")
        return 0
    from tabulate import tabulate

    shown = [[row["name"], row["classes"], row["train"], row["test"], row["here"] or _size(row)] for row in rows]
    print(tabulate(shown, headers=["name", "classes", "train", "test", "here"], intfmt=","))
    print(
        "\n`hcr data list NAME` gives licence, source and traps of one; `hcr data import FILE` takes downloaded files."
    )
    return 0


def _size(row):
    return f"no, {row['download_bytes'] / 1e6:,.0f} MB to download"


def _fetch(args):
    return _summary(shelf.fetch(args.name))


def _summary(data):
    print(f"{data.name}: {len(data.train) + len(data.val):,} to train on, {len(data.test):,} to test; {data.source}")
    print(f"sha256 {data.sha256}")
    for note in data.notes:
        print(f"- {note}")
    for file, reason in data.damaged:
        print(f"left out: {file}: {reason}")
    return 0


def _verify(args):
    wrong = 0
    for name in [args.name] if args.name else shelf.dataset_names():
        for finding in shelf.verify(name):
            state = "not here" if not finding.path else "WRONG" if finding.problem else "ok"
            wrong += state == "WRONG"
            print(f"{state:9} {finding.what} {finding.path}")
            if finding.problem:
                print(f"          {finding.problem}")
    absent = args.name and not next(row for row in shelf.describe() if row["name"] == args.name)["here"]
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
    from hcrlib.datasets.sheet import show

    print(show(args.name, args.out, args.per_class))
    return 0
