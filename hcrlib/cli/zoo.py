"""`hcr zoo`: add trained models to the zoo and list them."""

from hcrlib.cli._common import add_command


def add_parser(subparsers):
    """Add `zoo` to an argparse subparsers object; its commands set `func(args) -> exit status`."""
    parser = subparsers.add_parser(
        "zoo", help="manage the zoo of small trained models", description="Manage the zoo of small trained models."
    )
    zoo = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    about = "keep a finished run's model in results/zoo/NAME, a network as ONNX, with its record and a model card"
    add = add_command(zoo, "add", _add, about, "hcr zoo add mine mnist-5k/knn/f459a7586463").add_argument
    add("name", help="its name for load_model and --model")
    add("run", help="a run's id, as `hcr results` shows it")
    add("--why", default="", metavar="TEXT", help="the reason for choosing this run, for the card")
    add_command(zoo, "list", _list, "list the available models")


def _add(args):
    from hcrlib import records, tasks
    from hcrlib.export import zoo

    option = tasks.of(records.read(zoo.add(args.name, args.run, print, args.why))).card.OPTION
    print(f"hcrlib.load_model({args.name!r}), hcr read IMAGE {option} {args.name}")
    return 0


def _list(args):
    from tabulate import tabulate

    from hcrlib import records, tasks
    from hcrlib.core import paths
    from hcrlib.datasets.loading import parts_of
    from hcrlib.records.record import in_words

    rows = []
    for folder in sorted(path.parent for root in paths.zoo_roots() for path in root.glob("*/record.json")):
        record = records.read(folder)
        name, dataset = tasks.of(record).primary, record.data["name"]
        n, value = len(parts_of(dataset) or [dataset]), in_words(name, record.metrics[name])
        rows.append([folder.name, record.config.classifier, dataset if n == 1 else f"{n} datasets", value])
    print(tabulate(rows, ["model", "classifier", "trained on", "test"], disable_numparse=True))
    return 0
