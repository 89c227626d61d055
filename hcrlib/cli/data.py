"""`hcr data ...`: list, fetch, verify, import and show datasets."""

import functools

from hcrlib.cli._common import add_command
from hcrlib.datasets import checks, importers, inventory, loading

NAME = "name of a dataset, from `hcr data list`"


def add_parser(subparsers):
    """Add `data` and its six commands to an argparse subparsers object; each sets `func(args) -> exit status`."""
    data = subparsers.add_parser(
        "data",
        help="list, fetch, verify, import and show datasets",
        description="Datasets come from HCR_DATA, the cache or a download, and are checked against pinned SHA-256 hashes.",
    )
    commands = data.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = functools.partial(add_command, commands)
    list_ = add("list", _list, "list the datasets and what is on this machine", "hcr data list emnist-letters")
    list_.add_argument(
        "name", nargs="?", help="show one dataset, or your own at a path: counts, license, source, caveats"
    )
    fetch = add("fetch", _fetch, "download and build a dataset, or explain how to obtain it", "hcr data fetch mnist")
    fetch.add_argument("name", help=NAME)
    verify = add("verify", _verify, "check the files of a dataset against their hashes", "hcr data verify mnist-5k")
    verify.add_argument("name", nargs="?", help=f"{NAME} (default: all)")
    import_ = add(
        "import", _import, "import a downloaded file, a zip or a folder", "hcr data import ~/Downloads/gzip.zip"
    )
    import_.add_argument("file", help=importers.TAKES)
    import_.add_argument("--name", help="the dataset of the file, if the file name does not contain it")
    check = add(
        "check",
        _check,
        "look for what is wrong with a dataset: copies, labels, orientation",
        "hcr data check my-digits",
    )
    check.add_argument(
        "name",
        help=f"{NAME}, a table such as a CSV, or a folder with a dataset.yml, a TSV of texts, or ALTO or PAGE XML",
    )
    summary = "draw samples of each class and the class balance, or lines with their texts"
    show = add("show", _show, summary, "hcr data show mnist-5k --out a.png")
    show.add_argument(
        "name", help=f"{NAME}, a mixture, or a folder with a dataset.yml, a TSV of texts, or ALTO or PAGE XML"
    )
    show.add_argument("--out", help="PNG file to write (default: results/figures/dataset-NAME.png)")
    show.add_argument("--per-class", type=int, default=12, metavar="N", help="images per class, or lines (default: 12)")


def _list(args):
    from tabulate import tabulate

    if args.name and loading.is_own(args.name) and args.name not in loading.names():
        data = loading.find(args.name)
        print(f"{'name':15} {data.name}\n{'here':15} {args.name}")
        print(
            f"{'classes':15} {len(data.classes)}\n{'train':15} {len(data.train) + len(data.val)}\n{'test':15} {len(data.test)}"
        )
        _print_details(data)
        return 0
    rows = inventory.describe()
    if args.name:
        name = loading.resolve(args.name)
        for key, value in next(row for row in rows if row["name"] == name).items():
            if value not in (None, "", ()):
                lines, word = value if isinstance(value, tuple) else (value,), "license" if key == "licence" else key
                print(f"{word:15} " + f"\n{'':15} ".join(map(str, lines)))
        return 0
    columns = "name", "classes", "train", "test"
    table = [[*(row[key] for key in columns), row["here"] or _size(row)] for row in rows if row["kind"] != "text"]
    print(tabulate(table, headers=[*columns, "here"], intfmt=","))
    table = [[row["name"], row["source"], row["here"] or "no"] for row in rows if row["kind"] == "text"]
    print(f"\n{tabulate(table, headers=['words, lines', 'source', 'here'])}")
    print(
        "\n`hcr data list NAME` shows license, source and caveats; `hcr data import FILE` imports downloaded files;"
        "\n`hcr data fetch NAME` downloads a dataset, or explains how to obtain words and lines."
    )
    return 0


def _size(row):
    return f"no, {row['download_bytes'] / 1e6:,.0f} MB to download"


def _fetch(args):
    data = inventory.fetch(args.name)
    print(f"{data.name}: {len(data.train) + len(data.val):,} to train on, {len(data.test):,} to test; {data.source}")
    _print_details(data)
    if data.name != args.name:
        print(f"{args.name} is composed from {data.name} during training: there is nothing else to fetch")
    return 0


def _print_details(data):
    print(f"sha256 {data.sha256}, of the test split {data.test_sha256}")
    for note in data.notes:
        print(f"- {note}")
    if data.damaged:
        print(f"left out, because they cannot be read or used: {len(data.damaged)}")
    for file, reason in data.damaged:
        print(f"  {file}: {reason}")


def _verify(args):
    failed = False
    for name in [args.name] if args.name else loading.dataset_names():
        for finding in inventory.verify(name):
            state = "not here" if not finding.path else "WRONG" if finding.problem else "ok"
            failed = failed or state == "WRONG"
            print(f"{state:9} {finding.what} {finding.path}")
            if finding.problem:
                print(f"          {finding.problem}")
    return 1 if failed or (args.name and not inventory.here(args.name)) else 0


def _import(args):
    imported = importers.import_file(args.file, args.name)
    for item in imported:
        print(f"{item.dataset}: " * bool(item.dataset) + f"{item.what}: {item.how}")
        for note in item.notes:
            print(f"  {note}")
    for name in sorted({item.dataset for item in imported if item.dataset}):
        missing = importers.missing_parts(name)
        print(f"{name} " + (f"still lacks its {' and '.join(missing)} part" if missing else "is complete"))
    return 0


def _check(args):
    data, findings = loading.check(args.name)
    if data:
        parts = {"train on": data.train, "validate": data.val, "test": data.test}
        counts = [f"{len(split):,} to {what}" for what, split in parts.items() if split is not None]
        print(f"{data.name}: {len(data.classes)} class{'es' * (len(data.classes) != 1)}, {', '.join(counts)}")
    for finding in findings:
        print(f"{finding.severity:8} {finding}")
    errors = sum(finding.severity == checks.ERROR for finding in findings)
    warnings = sum(finding.severity == checks.WARNING for finding in findings)
    print(f"errors: {errors}, warnings: {warnings}" if errors or warnings else "No errors, no warnings")
    return 1 if errors else 0


def _show(args):
    from hcrlib.datasets.preview import write

    data = loading.find(args.name)
    if lines := data.summary():
        print("\n".join(lines))
        _print_details(data)
    print(write(data, args.out, args.per_class))
    return 0
