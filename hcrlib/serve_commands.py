"""`hcr serve` and `hcr corrections` from the command line."""

from pathlib import Path

from hcrlib.commands import add_command
from hcrlib.runtime.web import cli

DEFAULT = "best-47"  # of the zoo: digits and letters


def add_parser(subparsers):
    """Adds `serve` and `corrections` to an argparse subparsers object; they set `func(args) -> exit status`."""
    says = "the page to draw on, upload to and photograph with, and its API"
    cli.add_arguments(add_command(subparsers, "serve", _serve, says, "hcr serve --port 8000").add_argument)
    says = "what people said on the page that pictures are, as a dataset that `hcr train --data` takes"
    add = add_command(subparsers, "corrections", _corrections, says, "hcr corrections --to mine").add_argument
    add("--to", metavar="FOLDER", required=True, help="a folder that is not there yet")
    add("--corrections", metavar="FILE", help="where `hcr serve` stored them")


def found():
    """[(name, folder)] of every bundle: the zoo's, the default first, then those of `hcr export`."""
    from hcrlib import paths

    places = [*paths.zoo_roots(), paths.results_root() / "bundles"]
    folders = [path.parent for place in places for path in sorted(place.glob("*/manifest.json"))]
    return sorted(((folder.name, str(folder)) for folder in folders), key=lambda each: each[0] != DEFAULT)


def _serve(args):
    named = [(Path(folder).resolve().name, folder) for folder in args.bundle or ()]
    return cli.run(args, lambda: named or found())


def _corrections(args):
    from hcrlib import corrections

    print(corrections.export(args.to, args.corrections))
    return 0
