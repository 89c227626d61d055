"""`hcr read`: whole pages; forms with --template; images of one word, line or character with --line and --character."""

import contextlib
import csv
import os
import signal
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from hcrlib.cli._common import add_command
from hcrlib.cli.read_cut_out import CHARACTER_MODEL, read_cut_out
from hcrlib.cli.read_options import check_probability, reject
from hcrlib.core.errors import ConfigError, HcrError
from hcrlib.core.names import LINES_MODEL, RAPIDOCR

FORMATS = "text", "json", "csv", "tsv", "hocr", "alto", "page", "pdf", "png"
ORDERS = "auto", "rows", "columns"
TEXTS = "skip", "redo", "error"
PLATE = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# the formats by the suffix of --out, without --to
ENDS = {
    ".page.xml": "page",
    ".xml": "alto",
    **{f".{each}": each for each in FORMATS if each not in ("text", "alto", "page")},
}
OUTPUT = "to", "out", "columns", "reading_order", "dpi", "text"
READING = "lexicon", "min_confidence", "detector", "recognizer", "characters", "plate", "order"
KEEPING = "keep", "library", "watch"


def add_parser(subparsers):
    """Add `read` to an argparse subparsers object; it sets `func(args) -> exit status`."""
    summary = "read the handwriting on photos, scans and PDFs"
    parser = add_command(subparsers, "read", _read, summary, "hcr read letter.pdf --to pdf --out searchable.pdf")
    add = parser.add_argument
    add("file", nargs="*", help="an image or a PDF; - for standard input")
    add("--model", metavar="NAME", help="a name of `hcr zoo list`, or a run's id or folder")
    what = f"each image shows one character: classify it (default model: {CHARACTER_MODEL})"
    add("--character", action="store_true", help=what)
    what = f"each image shows one word or line, cut out: read it as a whole (default recognizer: {LINES_MODEL})"
    add("--line", action="store_true", help=what)
    add("--template", metavar="FORM.yml", help="each page is this form: write its fields as a CSV row (params/forms)")
    _add_output(parser)
    _add_reading(parser)
    add("--keep", action="store_true", help="add the pages to the library, where `hcr library search` finds them")
    add("--library", metavar="FILE", help="add the pages to this library")
    add("--watch", metavar="DIR", help="read files as they appear in this folder and keep them, until Ctrl-C")


def _add_output(parser):
    add = parser.add_argument
    add(
        "--to",
        action="append",
        choices=FORMATS,
        help="output format; repeatable (default: by the suffix of --out, else text)",
    )
    add(
        "--out",
        metavar="FILE|DIR",
        help="output file, or a folder for several files or formats (default: print to the terminal)",
    )
    order = parser.add_mutually_exclusive_group().add_argument
    order("--columns", action="store_true", help="text: columns side by side, as on the page (default)")
    order("--reading-order", action="store_true", help="text: one column after the other")
    add("--dpi", type=float, metavar="N", help="pdf: resolution of pictures (default: their own, else as A4)")
    what = "pdf: pages that have text already: skip keeps it (default), redo replaces what is invisible, error refuses them"
    add("--text", choices=TEXTS, help=what)


def _add_reading(parser):
    add = parser.add_argument
    add("--lexicon", metavar="FILE", help="likely words, one per line, or `en` for English")
    what = "write ? for less confident characters, 0 to 1"
    add("--min-confidence", "--unsure-below", type=float, metavar="P", help=what)
    add(
        "--detector",
        choices=(RAPIDOCR,),
        help="how to find text in photos of walls and signs (default: find lines of ink)",
    )
    what = f"how to read: characters (one by one), {RAPIDOCR}, a recognizer's name, or auto (default): by what the page shows"
    add("--recognizer", metavar="NAME", help=what)
    what = "what is read first: rows across the page, columns, or auto (default): lists and tables by rows, the rest by columns"
    add("--order", choices=ORDERS, help=what)
    only = parser.add_mutually_exclusive_group().add_argument
    only("--characters", metavar="STRING", help="the only characters on the page, or that a --character may be")
    only("--plate", action="store_true", help="a number plate: only capitals and digits")


def _read(args):
    if args.character or args.line:
        return read_cut_out(args)
    if args.template:
        return _read_forms(args)
    _check(args)
    job = _job(args)
    return _watch(job, args.watch) if args.watch else _read_files(job, args.file)


def _read_forms(args):
    """Write a CSV row per page as soon as it is read; report other pages on stderr and continue."""
    own = "out", "lexicon", "min_confidence"
    others = [name for name in (*OUTPUT, *READING, *KEEPING) if name not in own]
    reject(args, others, "--template takes files, --model, --lexicon, --min-confidence and --out")
    check_probability(args)
    if args.out and Path(args.out).resolve() in [Path(path).resolve() for path in (*args.file, args.template)]:
        raise ConfigError("The output would overwrite an input file", where=args.out, hint="Name another file")
    from hcrlib.documents import forms
    from hcrlib.documents.reader import MODEL, Reader

    template = forms.Template.load(args.template)
    reader = Reader(args.model or MODEL, lexicon=args.lexicon, min_confidence=args.min_confidence)
    with _opened(args.out) as file:
        sources = [sys.stdin.buffer.read() if path == "-" else path for path in args.file]
        return _write_forms(template, forms.table(template, sources, reader), file)


def _write_forms(template, pages, file):
    rows, read, unread = csv.writer(file, lineterminator="\n"), 0, 0
    rows.writerow(template.columns)
    try:
        for given, number, found in pages:
            source = "-" if isinstance(given, bytes) else given
            if isinstance(found, Exception):
                unread += 1
                _report(f"{source}, page {number}", found)
            else:
                read += 1
                texts = [word.text if word else "" for word in found.values()]
                rows.writerow([source, number, *texts, "".join(texts).count("?")])
                file.flush()
    except KeyboardInterrupt:
        print(f"\nhcr: stopped; {read} pages were read", file=sys.stderr)
        return 130
    return 1 if unread else 0


@contextlib.contextmanager
def _opened(out):
    """Yield a text stream for CSV, UTF-8: a file of this name, or standard output for None."""
    as_csv = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}  # file names may not be valid UTF-8
    if out is None:
        sys.stdout.reconfigure(**as_csv)
        yield sys.stdout
        return
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with Path(out).open("w", **as_csv) as file:
        yield file


def _check(args):
    """Raise ConfigError for options that cannot be combined, before anything is read."""
    if not args.file and not args.watch:
        raise ConfigError("Nothing to read", expected="files, or --watch DIR")
    if args.file and args.watch:
        raise ConfigError("--watch cannot be combined with files", hint="Leave out one of them")
    if args.watch and not Path(args.watch).is_dir():
        raise ConfigError("There is no such folder to watch", where=args.watch)
    if args.watch and args.out and Path(args.out).resolve() == Path(args.watch).resolve():
        raise ConfigError("The output would be read again", where=args.out, hint="Name another folder: --out DIR")
    check_probability(args)
    for option, name in (("--dpi", args.dpi), ("--text", args.text)):
        if name is not None and "pdf" not in _formats(args):
            raise ConfigError(f"{option} is for PDFs only", got=f"{option} {name}", hint="Add --to pdf")
    if args.dpi is not None and not 1 <= args.dpi <= 10_000:
        raise ConfigError("--dpi is not valid", expected="1 to 10,000 dots per inch", got=args.dpi)
    if args.order == "columns" and args.columns:
        raise ConfigError("--columns lays text out as on the page", hint="Leave out --columns, or --order columns")
    if args.out:
        _check_out(args)
    else:
        _check_screen(args, _formats(args))


def _check_out(args):
    """Refuse a suffix that names no format, and a file's name where a folder is needed."""
    suffix = "".join(Path(args.out).suffixes[-1:]).lower()
    known = ", ".join(sorted({".txt", *ENDS}))
    if Path(args.out).is_dir() or args.out.endswith(os.sep):
        return
    if len(args.file) > 1 or args.watch or len(_formats(args)) > 1:
        if suffix in {".txt", *ENDS}:
            hint = f"Name a folder: --out {args.out.removesuffix(suffix)}{os.sep}"
            raise ConfigError("One file cannot hold several outputs", where=args.out, hint=hint)
    elif not args.to and suffix not in {"", ".txt", *ENDS}:
        got, hint = suffix, "Name the format with --to, or change the suffix"
        raise ConfigError("This suffix names no output format", where=args.out, expected=known, got=got, hint=hint)


def _check_screen(args, formats):
    if len(formats) > 1 or (args.watch and formats) or (len(args.file) > 1 and formats != ["text"]):
        got = ", ".join(formats)
        raise ConfigError("Cannot print several outputs to the terminal", got=got, hint="Name a folder: --out DIR")
    if formats in (["pdf"], ["png"]) and sys.stdout.isatty():
        raise ConfigError("Cannot print a binary file to the terminal", got=formats[0], hint="Name a file: --out FILE")


def _formats(args):
    """Return the names of the formats to write, without duplicates: those of --to, else by the suffix of --out.

    The list is empty if a folder is only watched for the library.
    """
    named = next((form for end, form in ENDS.items() if (args.out or "").lower().endswith(end)), "text")
    return list(dict.fromkeys(args.to or ([] if args.watch and not args.out else [named])))


def _job(args):
    """Return the Job that the options describe; raise an error for wrong names."""
    from hcrlib.documents import formats as output
    from hcrlib.documents.batch import Job, OutputPaths
    from hcrlib.documents.reader import MODEL, Reader
    from hcrlib.documents.store import Library

    by_column = args.reading_order or args.order == "columns"
    available = {**output.FORMATS, "text": output.READING_ORDER} if by_column else dict(output.FORMATS)
    pdf = available["pdf"]
    available["pdf"] = pdf._replace(writer=partial(pdf.writer, dpi=args.dpi, text=args.text or "skip"))
    formats, out = [available[name] for name in _formats(args)], args.out
    several = len(args.file) > 1 or len(formats) > 1 or bool(args.watch)
    folder = several or (out is not None and (Path(out).is_dir() or out.endswith(os.sep)))
    library = Library(args.library) if args.keep or args.library or args.watch else None
    characters = PLATE if args.plate else args.characters
    options = {name: getattr(args, name) for name in ("lexicon", "min_confidence", "detector", "recognizer")}
    order = args.order or ("rows" if {*_formats(args)} in ({"csv"}, {"tsv"}, {"csv", "tsv"}) else "auto")
    reader = Reader(args.model, characters=characters, order=order, **options)
    return Job(reader, args.model or MODEL, formats, OutputPaths(out, folder, args.file), library)


def _read_files(job, files):
    read, shared = 0, not job.places.out and len(files) > 1
    try:
        for path in files:
            if shared:
                print(f"==> {path} <==", flush=True)
            read += _attempt(job.run, path) is not None
    except KeyboardInterrupt:
        print(f"\nhcr: stopped after {read} of {len(files)} files", file=sys.stderr)
        return 130
    if job.places.out and read:
        print(job.places.out)
    return 0 if read == len(files) else 1


def _watch(job, folder):
    """Read incoming files, and print a line about each, until Ctrl-C or SIGTERM."""
    from hcrlib.documents.loading import READ
    from hcrlib.documents.watch import watch

    tally = Counter()

    def handle(path):
        pages = _attempt(job.run_new, path)
        tally[pages is not None] += pages != 0
        if pages:
            print(f"{path}: {pages} page{'s' * (pages > 1)}", flush=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"Watching {folder}; Ctrl-C stops", flush=True)
    try:
        watch(folder, handle, skip=lambda path: print(f"hcr: {path}: skipped: {READ}", file=sys.stderr, flush=True))
    except KeyboardInterrupt:
        print(f"\nfiles read: {tally[True]}, unreadable: {tally[False]}")
    return 0


def _attempt(run, path):
    """Return run(path), a number of pages; on any error, report it on stderr and return None."""
    try:
        return run(path)
    except BrokenPipeError:
        raise
    except Exception as error:
        _report(path, error)
        return None


def _report(what, error):
    if os.environ.get("HCR_DEBUG"):
        raise error
    named = isinstance(error, HcrError) and str(error.where) == str(what)  # the line begins with it
    print(f"hcr: {what}: {_reason(error.at(None) if named else error)}", file=sys.stderr)


def _reason(error):
    if isinstance(error, HcrError):
        return error
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
