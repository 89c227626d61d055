"""`hcr zoo` from the command line."""

from hcrlib.cli._common import add_command


def add_parser(subparsers):
    """Add `zoo` to an argparse subparsers object; its commands set `func(args) -> exit status`."""
    parser = subparsers.add_parser("zoo", help="small trained models to keep: add, list")
    zoo = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    says = "keep a finished run's model in results/zoo/NAME, a network as ONNX, with its record and a model card"
    add = add_command(zoo, "add", _add, says, "hcr zoo add mine mnist/cnn-basic/0123456789ab").add_argument
    add("name", help="what load_model and --model are to call it")
    add("run", help="a run's id, as `hcr results` shows it")
    add_command(zoo, "list", _list, "the models there are")


def _add(args):
    from hcrlib import records
    from hcrlib.export import zoo

    of_lines = records.read(zoo.add(args.name, args.run)).cer is not None
    how = "--recognizer" if of_lines else "--character --model"
    print(f"hcrlib.load_model({args.name!r}), hcr read IMAGE {how} {args.name}")
    return 0


def _list(args):
    from hcrlib import records
    from hcrlib.core import paths

    for folder in sorted(record.parent for root in paths.zoo_roots() for record in root.glob("*/record.json")):
        print(f"{folder.name}: {records.read(folder)}")
    return 0
