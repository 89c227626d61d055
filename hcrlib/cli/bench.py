"""`hcr bench`: measure the workbench itself."""

import dataclasses

from hcrlib.cli._common import add_command
from hcrlib.core.errors import ConfigError


def add_parser(subparsers):
    """Add `bench` to an argparse subparsers object."""
    summary = "measure the workbench itself, side by side; results go to results/bench/"
    add = add_command(subparsers, "bench", _bench, summary, "hcr bench knn --images 10000").add_argument
    add("name", nargs="*", help="benchmarks (default: all); --list shows their names")
    add("--list", action="store_true", help="list the benchmarks and their questions")
    add("--runs", type=int, default=5, metavar="N", help="repetitions; the median is reported (default: 5)")
    add(
        "--images",
        type=int,
        default=10_000,
        metavar="N",
        help="number of training images, for svm, knn and batch-norm (default: 10000)",
    )


def _bench(args):
    from hcrlib.bench import BENCHES, report
    from hcrlib.bench.base import Request

    for name, value in (("--runs", args.runs), ("--images", args.images)):
        if value < 1:
            raise ConfigError(f"{name} is not valid", expected="a whole number >= 1", got=value)
    if args.list:
        print("\n".join(f"{name:18} {BENCHES.get(name).question}" for name in BENCHES.names()))
        return 0
    for bench in [BENCHES.get(name) for name in args.name or BENCHES.names()]:
        print(f"{bench.name}: {bench.question}", flush=True)
        outcome = bench(Request(args.runs, args.images, lambda line: print(f"  {line}", flush=True)))
        path = report.save(bench, outcome)
        print(f"\n{report.tables(dataclasses.asdict(outcome), 'simple')}\n\n{path}\n", flush=True)
    print(report.write())
    return 0
