"""`hcr sweep`: execute the runs of a params file."""

import re
import signal
import sys

from hcrlib.cli._common import add_command, is_colored, short, terminal_width
from hcrlib.core.errors import ConfigError

SHOWN = 40  # maximum number of notebooks to list individually
UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def add_parser(subparsers):
    """Add `sweep` to an argparse subparsers object; it sets `func(args) -> exit status`."""
    summary = "execute the unfinished runs of a params/*.yml file, then write a leaderboard and a report"
    add = add_command(subparsers, "sweep", _sweep, summary, "hcr sweep params/demo.yml --dry-run").add_argument
    add("file", help="YAML file with runs, or a grid of them, and their defaults: see docs/reference/sweeps.md")
    add("--dry-run", action="store_true", help="only print the plan")
    add("--again", action="store_true", help="also repeat finished runs")
    add("--rerun-failed", action="store_true", help="also repeat runs that failed with this version of the code")
    add("--only", action="append", metavar="PATTERN", help="only runs whose id matches, such as '*/svm/*'; repeatable")
    add("--limit", type=int, metavar="N", help="execute at most N runs, the cheapest first")
    add("--no-report", action="store_true", help="write no leaderboard files, figures or HTML report")
    add_cluster(add)


def add_cluster(add):
    """Add the options for where to execute runs; `cluster` reads them."""
    add("--workers", type=int, metavar="N", help="local worker processes (default: as many as cores and memory allow)")
    add("--scheduler", metavar="ADDRESS", help="run on the Dask scheduler at this address, such as tcp://10.0.0.1:8786")
    add("--time-limit", metavar="T", help="per run: seconds, or 90m, 2h; runs over it are recorded as failed")
    add("--memory-limit", metavar="M", help="per run: bytes, or 800M, 4G (default on this machine: an equal share)")
    add("--retries", type=int, default=2, metavar="N", help="retries after a machine fault (default: 2)")
    add("--priority", type=int, default=0, metavar="N", help="on a shared scheduler: higher goes first (default: 0)")


def cluster(args):
    """Return the cluster.backend.Cluster that the options describe; ConfigError for an invalid option."""
    from hcrlib.cluster.backend import Cluster

    if args.scheduler and args.workers:
        raise ConfigError("--workers cannot be combined with --scheduler", hint="Start workers on the scheduler's side")
    for name, least in (("workers", 1), ("retries", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise ConfigError(f"--{name} is not valid", expected=f"a whole number >= {least}", got=value)
    return Cluster(
        scheduler=args.scheduler,
        workers=args.workers,
        limit_s=_amount("--time-limit", args.time_limit, UNITS, "a time such as 600, 90m or 2h"),
        limit_bytes=_amount("--memory-limit", args.memory_limit, SIZES, "a size such as 800M or 4G"),
        retries=args.retries,
        priority=args.priority,
    )


def _amount(option, text, units, examples):
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    unit = match and match[2]
    if unit and units is SIZES:
        unit = unit.removesuffix("b").removesuffix("i")  # 4G, 4GB and 4GiB
    amount = float(match[1]) * units[unit] if unit in units else 0
    amount = int(amount) if units is SIZES else amount
    if amount <= 0:
        raise ConfigError(f"{option} is not valid", expected=examples, got=repr(text))
    return amount


def _sweep(args):
    from hcrlib.reporting import sweep as reports
    from hcrlib.sweeps import plan as sweep

    plan = sweep.load(args.file)
    if not (args.dry_run or args.no_report):
        reports.check_owner(plan)
    if args.only:
        plan = plan.only(args.only)
    if args.limit is not None and args.limit < 1:
        raise ConfigError("--limit is not valid", expected="a whole number >= 1", got=args.limit)
    where = cluster(args)
    existing = plan.look()
    whole = plan.configs if args.again else plan.unfinished(existing, args.rerun_failed)
    todo = whole if args.limit is None or args.limit >= len(whole) else _cheapest(whole, args.limit)
    if args.dry_run:
        runs = f"{len(plan.configs)} run{'s' * (len(plan.configs) != 1)}, {len(todo)} to run"
        print(f"{plan.table(existing, todo)}\n\n{runs}; results go to {short(plan.folder)}")
        print(plan.remark(), end="")
        if stored := {record.id for record in plan.stored()} & {config.id for config in todo}:
            print(f"Records of {len(stored)} of them are committed: hcr leaderboard {plan.path.stem}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that runs are ended, too
    _announce(plan, existing, whole)
    if len(todo) < len(whole):
        print(f"{len(todo)} of them now (--limit)\n")
    failed = sweep.run(todo, where)
    return _conclude(plan, plan.look() if todo else existing, failed, report=not args.no_report)


def _announce(plan, existing, todo):
    from hcrlib.sweeps import plan as sweep

    again = {config.hash for config in todo}
    kept = [record for key, record in existing.items() if key not in again]
    stale = sum(map(sweep.by_other_code, kept))
    note = f", {stale} of them by another version of the code (--again repeats them)" if stale else ""
    failed = sum(record.status == "failed" for record in kept)
    done = len(plan.configs) - len(todo) - failed
    print(f"{plan.question}\n{len(plan.configs)} runs, {done} already finished{note}")
    if failed:
        print(f"{failed} failed earlier and are not repeated (--rerun-failed repeats them)")
    print(plan.remark())


def _cheapest(configs, most):
    """Return the cheapest runs; a run is chosen only with those that it uses."""
    from hcrlib.cluster.estimate import Estimate, known
    from hcrlib.cluster.inputs import members

    order, left, chosen = Estimate(known()).order(configs), {config.id for config in configs}, []
    for config in (*order, *order):  # twice, for runs that use later ones
        if config.id in left and len(chosen) < most and not left.intersection(members(config)):
            chosen.append(config)
            left.discard(config.id)
    return chosen


def _conclude(plan, existing, failed, report):
    """Print the leaderboard, write the report and list the failures; return the exit status."""
    from hcrlib.cluster.results import FAILED_AGAIN
    from hcrlib.core import paths
    from hcrlib.reporting import leaderboard
    from hcrlib.reporting import sweep as reports
    from hcrlib.runs import comparison

    finished = [comparison.completed(record) for record in existing.values()]
    print(f"\n{leaderboard.render(finished, width=terminal_width(), bold=is_colored())}")
    failed = {r.config.hash: r for r in (*finished, *failed) if r.status == "failed"}
    try:
        written = reports.write(plan) if report else []
        notebooks = [path for record in finished[: SHOWN + 1] if (path := record.path / "notebook.ipynb").exists()]
        if len(notebooks) > SHOWN:
            notebooks = [paths.runs_root() / "*/*/*/notebook.ipynb"]
        for path in notebooks + [path for path in written if path.suffix in (".ipynb", ".html", ".png")]:
            print(short(path))
    finally:
        sys.stdout.flush()
        for record in failed.values():
            names = [name for name in (FAILED_AGAIN, "notebook.ipynb") if (record.path / name).exists()][:1]
            names += ["log.txt"] if (record.path / "log.txt").exists() else []
            places = "".join(f"\n  {short(record.path / name)}" for name in names)
            print(f"\nFAILED {record.id}\n  {record.reason}{places}", file=sys.stderr)
    return 1 if failed else 0
