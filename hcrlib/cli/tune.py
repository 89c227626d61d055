"""`hcr tune`: search hyperparameters."""

import signal
import sys
from pathlib import Path

from hcrlib.cli import sweep
from hcrlib.cli._common import add_command
from hcrlib.core.errors import ConfigError

SHOWN = 5  # of the best trials


def add_parser(subparsers):
    """Add `tune` to an argparse subparsers object; it sets `func(args) -> exit status`."""
    summary = "search a model's parameters on the validation split: Hyperband for networks, random search for others"
    add = add_command(subparsers, "tune", _tune, summary, "hcr tune knn --data mnist-5k --trials 20").add_argument
    add("classifier", metavar="MODEL", help="a name that `hcr classifiers` lists")
    add(
        "--data",
        default="mnist-5k",
        metavar="NAME",
        help="a dataset, or a folder with a dataset.yml (default: mnist-5k)",
    )
    add(
        "--trials",
        type=int,
        metavar="N",
        help="maximum number of trials, counting earlier ones (default: 20, or one Hyperband pass)",
    )
    add("--max-epochs", type=int, metavar="N", help="epochs of the longest training (default: the network's own)")
    add("--budget", type=int, metavar="N", help="training images to use, stratified (default: all)")
    add("--seed", type=int, default=0, metavar="N", help="seed of every random choice (default: 0)")
    space = 'YAML file: parameter: "LOW..HIGH", "LOW..HIGH log" or a list (default: the model\'s own, or around its defaults)'
    add("--space", metavar="FILE", help=space)
    sweep.add_cluster(add)
    add("--out", metavar="FILE", help="also write the best parameters to this file, for `hcr sweep`")


def _tune(args):
    from tabulate import tabulate

    from hcrlib.tuning import search as tune
    from hcrlib.tuning.space import read_space

    space = read_space(args.space) if args.space else None
    options = {"max_epochs": args.max_epochs, "space": space, "seed": args.seed, "budget": args.budget}
    search = tune.plan(args.classifier, args.data, **options)
    if args.out and Path(args.out).is_dir():
        raise ConfigError("--out is a folder", where=args.out, expected="a file, such as best.yml")
    images = f"{f'{args.budget:,}' if args.budget else 'all'} training {search.task.unit}s"
    print(f"{search.method} over {args.classifier} on {search.data.name}, {images}:")
    print(tabulate([(dimension.name, dimension) for dimension in search.space], tablefmt="plain"), end="\n\n")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that trials are ended, too
    search.run(args.trials, say=lambda line: print(line, flush=True), cluster=sweep.cluster(args))
    found = search.trials()
    best = found.set_index("trial", drop=False).loc[[row["trial"] for row in search.ranked()[:SHOWN]]]
    print(f"\n{best.drop(columns=['status', 'reason']).to_string(index=False)}\n")
    print(f"{search.folder / 'trials.csv'}")
    path = search.write(args.out)
    print(f"{path}\n\nThe best trial's validation score is optimistic; measure it: hcr sweep {path}")
    return 0
