"""`hcr serve` and `hcr corrections` from the command line."""

from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from hcrlib.cli._common import add_command
from hcrlib.core.errors import ConfigError
from hcrlib.runtime import bundle
from hcrlib.runtime.line_model import unit_of
from hcrlib.runtime.web import cli

DEFAULT = "best-47"  # of the zoo: digits and letters
OF_PAGES = "page-62", "best-62"  # of the zoo: capitals and small letters told apart, as words need it


def add_parser(subparsers):
    """Adds `serve` and `corrections` to an argparse subparsers object; they set `func(args) -> exit status`."""
    says = "the page to draw on, upload to and photograph with, and its API; it reads whole pages, too"
    add = add_command(subparsers, "serve", _serve, says, "hcr serve --port 8000").add_argument
    cli.add_arguments(add)
    says = "the pages that were kept, for its search (this user's, where nobody but this computer can ask)"
    add("--library", metavar="FILE", help=says)
    says = "what people said on the page that pictures are, as a dataset that `hcr train --data` takes"
    add = add_command(subparsers, "corrections", _corrections, says, "hcr corrections --to mine").add_argument
    add("--to", metavar="FOLDER", required=True, help="a folder that is not there yet")
    add("--corrections", metavar="FILE", help="where `hcr serve` stored them")


def found():
    """[(name, folder)] of every bundle: the zoo's, the default first, then those of `hcr export`."""
    from hcrlib.core import paths

    places = [*paths.zoo_roots(), paths.results_root() / "bundles"]
    folders = [path.parent for place in places for path in sorted(place.glob("*/manifest.json"))]
    return sorted(((folder.name, str(folder)) for folder in folders), key=lambda each: each[0] != DEFAULT)


class Whole(NamedTuple):
    """A bundle whose recogniser reads whole words or lines. unit: "words" or "lines". digest: of its manifest."""

    name: str
    unit: str
    folder: str
    digest: str


def wholes(bundles):
    """[Whole] of those of [(name, folder)] that are no models of characters; none of them is loaded."""
    named = {}
    for name, folder in bundles:
        if unit := _unit(folder):
            named.setdefault(name, Whole(name, unit, folder, _digest(folder)))
    return list(named.values())


class Pages:
    """Read pages for the server by hcrlib.documents.service, imported by the first page, so that the server starts at once.

    library: the path of one, or None for this user's own. private: whether nobody but this computer can ask: nobody else is
    shown a library unless it was named. find: a function that returns [(name, folder)] of the bundles there are.
    """

    models = OF_PAGES

    def __init__(self, library, private, find=found):
        self.library, self._path, self._find = bool(library or private), library, find

    def recognizers(self):
        return wholes(self._find())

    def read(self, *args):
        return self._service.read(*args)

    def search(self, *args):
        return self._service.search(*args)

    @cached_property
    def _service(self):
        from hcrlib.documents.service import Service

        return Service(self._path)


def _serve(args):
    named = [(Path(folder).resolve().name, folder) for folder in args.bundle or ()]
    if named and all(_unit(folder) for _, folder in named):
        hint = "A recogniser of words or lines needs one beside it"
        raise ConfigError("No --bundle is a model of characters", hint=hint)
    find = (lambda: named) if named else found

    def models():
        return [(name, folder) for name, folder in find() if not _unit(folder)]

    return cli.run(args, models, Pages(args.library, cli.is_private(args), find))


def _unit(folder):
    """What a bundle's recogniser reads; None for a model of characters, and for what cannot be told: loading that tells why."""
    try:
        return unit_of(Path(folder) / "model")
    except ValueError:
        return None


def _digest(folder):
    """12 digits of its manifest's SHA-256; none where there is no manifest: loading that tells so."""
    try:
        return bundle.sha256(Path(folder) / "manifest.json")[:12]
    except OSError:
        return ""


def _corrections(args):
    from hcrlib.datasets import corrections

    print(corrections.export(args.to, args.corrections))
    return 0
