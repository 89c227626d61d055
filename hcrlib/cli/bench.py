"""`hcr bench` from the command line."""

import dataclasses

from hcrlib.cli._common import add_command
from hcrlib.core.errors import ConfigError


def add_parser(subparsers):
    """Adds `bench` to an argparse subparsers object; it sets `func(args) -> exit status`."""
    says = "measure the workbench itself, side by side; results/bench/ keeps it"
    add = add_command(subparsers, "bench", _bench, says, "hcr bench knn --images 10000").add_argument
    there = (
        "decoders, knn, lines, loading, one-image, overhead, page, page-accuracy, reading, reading-real, reading-time"
    )
    add("name", nargs="*", help=f"benchmarks (all): {there}, scaling, svm, sweep, time-to-accuracy")
    add("--runs", type=int, default=5, metavar="N", help="rounds; figures are medians (5)")
    add("--images", type=int, default=10_000, metavar="N", help="training images of svm and knn (10000)")


def _bench(args):
    from hcrlib.bench import BENCHES, report
    from hcrlib.bench.base import Asked

    for name, value in (("--runs", args.runs), ("--images", args.images)):
        if value < 1:
            raise ConfigError(f"{name} is not valid", expected="a whole number >= 1", got=value)
    for bench in [BENCHES.get(name) for name in args.name or BENCHES.names()]:
        print(f"{bench.name}: {bench.question}", flush=True)
        outcome = bench(Asked(args.runs, args.images, lambda line: print(f"  {line}", flush=True)))
        path = report.keep(bench, outcome)
        print(f"\n{report.tables(dataclasses.asdict(outcome), 'simple')}\n\n{path}\n", flush=True)
    print(report.write())
    return 0
