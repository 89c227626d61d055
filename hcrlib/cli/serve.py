"""`hcr serve` and `hcr corrections`: the web app, and the corrections that its users store."""

import sys
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from hcrlib.cli._common import add_command
from hcrlib.core.errors import ConfigError
from hcrlib.core.names import LINES_MODEL, RAPIDOCR
from hcrlib.runtime import sha256
from hcrlib.runtime.models import unit_of
from hcrlib.runtime.web import AUTO, cli
from hcrlib.runtime.web.corrections import Corrections

DEFAULT = "best-62"  # of the zoo: digits and letters
PAGE_MODELS = "page-62", "best-62"  # of the zoo: they distinguish upper and lower case, which words need


def add_parser(subparsers):
    """Add `serve` and `corrections` to an argparse subparsers object."""
    summary = "start the web app and its API: draw, upload or photograph characters, or read whole pages"
    parser = add_command(subparsers, "serve", _serve, summary, "hcr serve --port 8000")
    cli.add_arguments(parser.add_argument)
    text = "the library of pages to add to and search (default: your own, or none if other machines can connect)"
    parser.add_argument("--library", metavar="FILE", help=text)
    text = "also offer the bundles of `hcr export` in results/bundles, which may be those of quick trials"
    parser.add_argument("--exported", action="store_true", help=text)
    summary = "export user corrections from the web app as a dataset"
    parser = add_command(subparsers, "corrections", _corrections, summary, "hcr corrections --to mine")
    text = "a new folder for the dataset, to use with `hcr train --data`"
    parser.add_argument("--to", metavar="FOLDER", required=True, help=text)
    parser.add_argument("--lines", action="store_true", help="those of lines of pages; without it, of characters")
    parser.add_argument(
        "--corrections", metavar="FILE", help="the file that `hcr serve` stored them in (default: its own)"
    )


def find_bundles(exported=False):
    """Return [(name, folder)] of the zoo's bundles, the default first. exported: with those of `hcr export` at the end."""
    from hcrlib.core import paths

    roots = [*paths.zoo_roots(), *([paths.results_root() / "bundles"] if exported else [])]
    folders = [path.parent for root in roots for path in sorted(root.glob("*/manifest.json"))]
    return sorted(((folder.name, str(folder)) for folder in folders), key=lambda each: each[0] != DEFAULT)


class RecognizerBundle(NamedTuple):
    """A bundle that reads whole words or lines. unit: "words" or "lines". digest: of its manifest.

    RapidOCR, which is no bundle, has no folder, and its version instead of a digest.
    """

    name: str
    unit: str
    folder: str | None
    digest: str


class Auto(NamedTuple):
    """Chooses for each page between characters, `lines`, and RapidOCR, if installed: see hcrlib.documents.choice."""

    lines: RecognizerBundle
    other: RecognizerBundle | None
    name: str = AUTO

    @property
    def digest(self) -> str:
        """That of the recognizer of joined writing."""
        return self.lines.digest


class PageReader:
    """Read pages for the server: see hcrlib.runtime.web.pages.

    hcrlib.documents is imported with the first page, so that the server starts at once.

    Args:
        library: its path, or None for the user's own.
        private: whether only this computer can connect; other machines get no library unless it is named.
        named: [(name, folder)] of the only bundles to use; None for the zoo's and RapidOCR.
        exported: whether to offer those of `hcr export`, too.
    """

    models = PAGE_MODELS

    def __init__(self, library, private, named=None, exported=False):
        self.library, self._path, self._named, self._exported = bool(library or private), library, named, exported

    def recognizers(self):
        """Return the RecognizerBundles, without loading them."""
        recognizers = {}
        for name, folder in self._named or find_bundles(self._exported):
            if (unit := _unit(folder)) != "characters":
                recognizers.setdefault(name, RecognizerBundle(name, unit, folder, _digest(folder)))
        if not self._named and (other := _rapidocr()):
            recognizers[other.name] = other
        return [*recognizers.values()]

    def auto(self):
        """Return the Auto with LINES_MODEL, or else with the first recognizer of lines; None without one."""
        found = {each.name: each for each in self.recognizers()}
        first = next((each for each in found.values() if each.unit == "lines"), None)
        lines = found.get(LINES_MODEL, first)
        return Auto(lines, found.get(RAPIDOCR)) if lines else None

    def read(self, *args):
        """Read a document, see hcrlib.documents.service."""
        return self._service.read(*args)

    def search(self, *args):
        """Search the library, see hcrlib.documents.service."""
        return self._service.search(*args)

    @cached_property
    def _service(self):
        from hcrlib.documents.service import Service

        return Service(self._path)


def _serve(args):
    bundles = [(Path(folder).resolve().name, folder) for folder in args.bundle or ()]
    if bundles and all(_unit(folder) != "characters" for _, folder in bundles):
        hint = "Add one: a recognizer of words or lines cannot be served without it"
        raise ConfigError("None of the --bundle folders holds a model of characters", hint=hint)

    def find_models():
        found = bundles or find_bundles(args.exported)
        return [(name, folder) for name, folder in found if _unit(folder) == "characters"]

    if not (bundles or args.exported) and (others := len(find_bundles(True)) - len(find_bundles())):
        print(f"hcr serve: exported bundles that are not offered: {others}. --exported adds them", file=sys.stderr)
    return cli.run(args, find_models, PageReader(args.library, cli.is_private(args), bundles, args.exported))


@cache
def _rapidocr():
    """Return RapidOCR as a RecognizerBundle, without loading it; None if it is not installed."""
    try:
        return RecognizerBundle(RAPIDOCR, "words", None, metadata.version(RAPIDOCR))
    except metadata.PackageNotFoundError:
        return None


def _unit(folder):
    """Return what a bundle reads: "characters", "words" or "lines"."""
    try:
        return unit_of(Path(folder) / "model")
    except ValueError:
        return "characters"  # loading it as such will report what is wrong


def _digest(folder):
    """Return 12 digits of the manifest's SHA-256, or "" if there is none: loading the bundle will report that."""
    try:
        return sha256(Path(folder) / "manifest.json")[:12]
    except OSError:
        return ""


def _corrections(args):
    from hcrlib.datasets import corrections

    export = corrections.export_lines if args.lines else corrections.export
    print(export(args.to, args.corrections))
    if args.lines:
        _list_conflicts(Corrections(args.corrections or cli.default_store()).conflicts())
    return 0


def _list_conflicts(conflicts):
    """Print each line whose corrections differ, with its texts, the newest first, on stderr."""
    if conflicts:
        lines, each = ("lines were", " of each") if len(conflicts) > 1 else ("line was", "")
        what = f"{len(conflicts)} {lines} corrected in different ways; lines.tsv holds the newest text{each}"
        print(f"hcr: {what}", file=sys.stderr)
    for *others, newest in conflicts:
        print(f"  {newest['id']}.png  {newest['document']}", file=sys.stderr)
        for row in (newest, *reversed(others)):
            print(f"    {row['at']}  {row['text']}", file=sys.stderr)
