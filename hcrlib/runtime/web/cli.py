"""The options of `hcr serve` and `python3 -m runtime.web`, and how they start the server."""

import argparse
import errno
import functools
import os
import sys
import tempfile
import threading

from .addresses import parse_origin, parse_prefix, split_host

PORT = 8000
THREADS = 1
LOCAL = "localhost", "127.0.0.1", "::1"


def add_arguments(add):
    """Declare the options. add: an argparse parser's add_argument."""
    text = "the address to listen on; 0.0.0.0 accepts connections from other machines (default: 127.0.0.1)"
    add("--host", default="127.0.0.1", metavar="H", help=text)
    add("--port", type=int, default=PORT, metavar="N", help="0 picks a free one (default: %d)" % PORT)
    add(
        "--bundle",
        action="append",
        metavar="PATH",
        help="a bundle's folder; repeatable, the first is the default model",
    )
    add("--engine", metavar="NAME", help="tensorrt, onnxruntime or litert (default: the first one available)")
    add("--workers", type=_positive, metavar="N", help="number of processes (default: one a core, up to 4)")
    text = "requests that each process handles at once (default: %d)" % THREADS
    add("--threads", type=_positive, default=THREADS, metavar="N", help=text)
    text = "a further host name of this server, such as that of a proxy; repeatable"
    add("--allow-host", action="append", default=[], metavar="NAME", help=text)
    text = "the path below which a front server offers the app, such as /hcr (default: its X-Forwarded-Prefix, if any)"
    add("--prefix", type=_checked(parse_prefix), default="", metavar="PATH", help=text)
    text = "the origin of another site whose pages may use the API, such as https://www.example.org; repeatable"
    add("--allow-origin", type=_checked(parse_origin), action="append", default=[], metavar="ORIGIN", help=text)
    add("--corrections", metavar="FILE", help="where to store user corrections (default: %s)" % default_store())
    add("--no-corrections", action="store_true", help="do not store user corrections")


def _positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("expected a whole number of at least 1, got '%s'" % text)
    return int(text)


def _checked(parse):
    """Return an argparse type whose errors keep their text."""

    def parsed(text):
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error))

    return parsed


def run(args, find, page_reader=None):
    """Serve the bundles that find() returns, [(name, folder)], until a signal; return the exit status.

    page_reader: reads whole pages, see the `pages` module; None if pages are not read.
    """
    from . import workers

    if not 0 <= args.port < 1 << 16:
        return _fail("--port is not valid. Expected 0 to 65535, got %d." % args.port)
    count = args.workers or workers.default(args.engine)
    with tempfile.TemporaryDirectory(prefix="hcr-serve-") as folder:
        if count > 1:  # before the import of `server`, which imports prometheus_client, which reads it
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        from . import server, waiting

        try:
            bound = server.listen(args.host, args.port)
        except OSError as error:
            busy = getattr(error, "errno", None) == errno.EADDRINUSE
            reason = "%s%s" % (getattr(error, "strerror", None) or error, ". --port 0 picks a free port" * busy)
            return _fail("%s:%s: %s" % (args.host, args.port, reason))
        peers, lines = workers.Peers(count), waiting.shared_memory(count)
        return workers.run(count, lambda number: _serve(args, find, page_reader, bound, number, peers, lines))


def _serve(args, find, page_reader, bound, number, peers, lines):
    """Run one process; the first one prints what is served and where."""
    from . import app, pages, server, waiting
    from .corrections import Corrections
    from .metrics import Metrics
    from .model_store import ModelStore

    metrics, stop = Metrics(), threading.Event()
    try:
        models = ModelStore(find, args.engine, threads=1, log=None if number == 0 else lambda line: None)
    except (OSError, ValueError) as error:
        return _fail(error) if peers.claim_report() else 1
    corrections = None if args.no_corrections else Corrections(args.corrections or default_store())
    front = dict(prefix=args.prefix, origins=args.allow_origin, waiting=waiting.Waiting(lines, number))
    application = app.create_app(models, corrections, _hosts(args.host, args.allow_host), metrics, page_reader, **front)
    if number == 0:
        address = "http://%s:%d%s/" % (_shown(args.host), bound.getsockname()[1], args.prefix)
        values = models.get().name, len(models.all()), address
        sys.stdout.write("Default model: %s (of %d)\n%s  Press Ctrl-C to stop\n" % values)
        sys.stdout.flush()
    models.watch(stop)
    threads = args.threads + (waiting.PLACES if page_reader else 0)  # a page occupies one for seconds
    max_body = app.MAX_BODY if page_reader is None else pages.MAX_FORM
    may_accept = functools.partial(peers.may_accept, number)
    server.serve(application, metrics, bound, threads, may_accept, max_body, args.prefix)
    stop.set()
    return 0


def _fail(reason):
    sys.stderr.write("hcr serve: %s\n" % reason)
    return 1


def default_store():
    """Return the default file of corrections, $XDG_DATA_HOME/hcrlib/corrections.sqlite."""
    home = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(home, "hcrlib", "corrections.sqlite")


def is_private(args):
    """Return whether only users of this computer can reach the server: not by network, not by a proxy or another site."""
    return args.host in LOCAL and not (args.allow_host or args.prefix or args.allow_origin)


def _hosts(host, allowed):
    """Return the host names to accept; empty for any, if other machines may connect and no names were given."""
    allowed = tuple(split_host(name)[0] for name in allowed)
    return LOCAL + allowed if allowed or host in LOCAL else ()


def _shown(host):
    """Return a host as an address to open: this computer for all of its addresses."""
    if host in ("", "0.0.0.0", "::", "localhost", "127.0.0.1"):
        return "localhost"
    return "[%s]" % host if ":" in host else host
