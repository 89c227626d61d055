"""`hcr export`, `hcr verify` and `hcr import-record`: write, check and measure bundles."""

from hcrlib.cli._common import add_command
from hcrlib.core.errors import ConfigError
from hcrlib.runtime import ENGINES


def add_parser(subparsers):
    """Add `export`, `verify` and `import-record` to an argparse subparsers object; they set `func(args) -> exit status`."""
    about = "export a finished run as a bundle: ONNX, TensorFlow Lite, golden answers and code to read images with"
    add = add_command(subparsers, "export", _export, about, "hcr export --best demo --to digits").add_argument
    add("run", nargs="?", help="a run's id, as `hcr results` shows it")
    add("--best", metavar="SWEEP", help="instead of an id: the best run of results/SWEEP, on the validation split")
    add("--to", metavar="FOLDER", help="output folder (default: results/bundles/<run>)")
    about = "check that a bundle is complete and reproduces its golden answers"
    add = add_command(subparsers, "verify", _verify, about, "hcr verify digits").add_argument
    add("bundle", metavar="FOLDER", help="a folder that `hcr export` wrote")
    add("--engine", choices=list(ENGINES), help="engine to use (default: every available one)")
    about = "import the records that benchmark.py wrote on a board; `hcr results` and `hcr leaderboard` show them"
    command = add_command(subparsers, "import-record", _import, about, "hcr import-record board-records/*.json")
    command.add_argument("file", nargs="+", metavar="FILE", help="a JSON file that benchmark.py wrote")


def _import(args):
    from hcrlib.records import device
    from hcrlib.runtime import benchmark

    for file in args.file:
        record = device.add(file)
        print(f"{record.id} on {record.measured_on}\n{benchmark.describe(record.to_dict())}")
    return 0


def _export(args):
    from hcrlib.export import bundle

    if bool(args.run) == bool(args.best):
        raise ConfigError("Name one run", expected="a run's id, or --best SWEEP", hint="`hcr results` lists ids")
    print(bundle.write(args.run or bundle.best(args.best), args.to))
    return 0


def _verify(args):
    from hcrlib import api
    from hcrlib.runtime import bundle

    with api.bundle_errors():
        bundle.verify(args.bundle)
    with api.bundle_errors(hint=None):  # the files are intact: an engine is missing or inaccurate
        checked = bundle.check_engines(args.bundle, args.engine)
    print(f"{checked[0][0]}: every file is intact")
    for model, difference in checked:
        print(f"run by {model.engine}: golden answers within {difference:.2g}")
    return 0
