"""`hcr library`: search and manage the pages that `hcr read --keep` and `hcr read --watch` have read."""

from hcrlib.cli._common import add_command
from hcrlib.core.errors import ConfigError


def add_parser(subparsers):
    """Add `library` to an argparse subparsers object; its commands set `func(args) -> exit status`."""
    parser = subparsers.add_parser(
        "library",
        help="search, list and remove pages that were read and kept",
        description="Search, list and remove pages that were read and kept: `hcr read --keep`.",
    )
    library = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    summary = "find pages that contain all the words; prefix* and '\"two words\"' work, accents are ignored"
    add = _add(library, "search", _search, summary, "hcr library search invoice 'maitr*'")
    add("query", nargs="+", metavar="WORD", help="words that a page contains")
    add("--limit", type=int, default=20, metavar="N", help="maximum number of pages (default: 20)")
    _add(library, "list", _list, "list the documents")
    summary = "remove documents from the library; their files stay"
    add = _add(library, "remove", _remove, summary, "hcr library remove 3")
    add("id", nargs="+", type=int, help="a number of `hcr library list`")


def _add(library, name, func, summary, example=None):
    add = add_command(library, name, func, summary, example).add_argument
    add("--library", metavar="FILE", help="default: your own")
    return add


def _opened(args):
    from hcrlib.documents.store import Library

    library = Library(args.library)
    if not library.path.exists():
        raise ConfigError("There is no library", where=library.path, hint="`hcr read FILE --keep` makes one")
    return library


def _search(args):
    hits = _opened(args).search(" ".join(args.query), args.limit)
    for hit in hits:
        print(f"{hit.path or hit.name}, page {hit.page}: {hit.snippet}")
    if not hits:
        print("No matching pages.")
    return 0


def _list(args):
    for document in _opened(args).documents():
        pages = f"{document.pages} page{'s' * (document.pages != 1)}"
        print(f"{document.id:5}  {document.at}  {pages:>9}  {document.model}  {document.path or document.name}")
    return 0


def _remove(args):
    library = _opened(args)
    missing = [number for number in args.id if not library.remove(number)]
    if missing:
        raise ConfigError("No such document", got=", ".join(map(str, missing)), hint="`hcr library list` shows them")
    return 0
