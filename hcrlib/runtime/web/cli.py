"""What `hcr serve` and `python3 -m runtime.web` have in common: their options, and the way from them to a running server."""

import os
import sys
import tempfile
import threading

PORT = 8000
THREADS = 1
LOCAL = "localhost", "127.0.0.1", "::1"


def add_arguments(add):
    """Declares the options through `add`, an argparse add_argument."""
    add(
        "--host",
        default="127.0.0.1",
        metavar="H",
        help="0.0.0.0 lets other machines connect (127.0.0.1: this one only)",
    )
    add("--port", type=int, default=PORT, metavar="N", help="0 takes a free one (%d)" % PORT)
    add("--bundle", action="append", metavar="PATH", help="a bundle's folder; repeatable, the first is the default")
    add("--engine", metavar="NAME", help="tensorrt, onnxruntime or litert (the first that works here)")
    add("--workers", type=_count, metavar="N", help="processes (one a core, up to 4)")
    add(
        "--threads",
        type=_count,
        default=THREADS,
        metavar="N",
        help="requests at work at once in each process (%d)" % THREADS,
    )
    add("--allow-host", action="append", default=[], metavar="NAME", help="a further name this server is called by")
    add("--corrections", metavar="FILE", help="where corrections are stored (%s)" % default_store())
    add("--no-corrections", action="store_true", help="store none")


def _count(text):
    number = int(text)
    if number < 1:
        raise ValueError("at least 1")
    return number


def run(args, find, pages=None):
    """Serves what find() names, [(name, folder)], until it is told to stop; the exit status.

    pages: what reads whole pages, as `reading` describes it, or None.
    """
    from . import workers

    count = args.workers or workers.default(args.engine)
    with tempfile.TemporaryDirectory(prefix="hcr-serve-") as folder:
        if count > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = (
                folder  # prometheus_client reads it when it is imported: by `server`
            )
        from . import server

        try:
            bound = server.listen(args.host, args.port)
        except (OSError, OverflowError) as error:
            return _complain("%s:%s: %s" % (args.host, args.port, getattr(error, "strerror", None) or error))
        share = workers.Share(count)
        return workers.run(count, lambda number: _work(args, find, pages, bound, number, share))


def _work(args, find, pages, bound, number, share):
    """One process; the first speaks for all."""
    from . import pages as reading
    from . import server
    from .app import create_app
    from .corrections import Corrections
    from .metrics import Metrics
    from .model_store import Models

    metrics, stop = Metrics(), threading.Event()
    try:
        models = Models(find, args.engine, threads=1, say=None if number == 0 else lambda line: None)
    except (OSError, ValueError) as error:
        return _complain(error) if share.has_the_word() else 1
    kept = None if args.no_corrections else Corrections(args.corrections or default_store())
    app = create_app(models, kept, _hosts(args.host, args.allow_host), metrics, pages)
    if number == 0:
        shown = "localhost" if args.host in LOCAL else args.host
        told = models.get().name, len(models.all()), shown, bound.getsockname()[1]
        sys.stdout.write("%s, %d models\nhttp://%s:%d/  Ctrl-C stops it\n" % told)
        sys.stdout.flush()
    models.watch(stop)
    threads = args.threads + (pages is not None)  # one reads a page for seconds while the others answer
    larger = {} if pages is None else {reading.ADDRESS: reading.MAX_BODY}
    server.serve(app, metrics, bound, threads, lambda held: share.may_take(number, held), larger)
    stop.set()
    return 0


def _complain(what):
    sys.stderr.write("hcr serve: %s\n" % what)
    return 1


def default_store():
    """Where corrections are kept: $XDG_DATA_HOME/hcrlib/corrections.sqlite."""
    home = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(home, "hcrlib", "corrections.sqlite")


def is_private(args):
    """Whether those who sit at this computer alone can ask: neither a network nor a proxy that --allow-host speaks of."""
    return args.host in LOCAL and not args.allow_host


def _hosts(host, allowed):
    """The names that requests may be addressed to: any, where others than this computer may connect and none are named."""
    if host in LOCAL:
        return LOCAL + tuple(allowed)
    return tuple(allowed) and LOCAL + tuple(allowed)
