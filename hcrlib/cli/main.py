"""The command line, `hcr ...`: thin; every command is a few lines over hcrlib, imported when it is called."""

import argparse
import contextlib
import errno
import os
import shutil
import signal
import sys
from pathlib import Path

from hcrlib.cli import bench, bundle, compose, data, library, read, serve, tune, zoo
from hcrlib.cli import sweep as sweep_commands
from hcrlib.cli._common import add_command, short
from hcrlib.core.errors import ConfigError, HcrError, RunError
from hcrlib.core.registry import did_you_mean
from hcrlib.models import named
from hcrlib.models._base import names

STOPPED = "Stopped. Finished runs and epochs are kept: the same command, without --again, makes only what is missing."
NEEDED = (
    "numpy",
    "scikit-learn",
    "pandas",
    "matplotlib",
    "mlxtend",
    "tensorflow",
    "keras",
    "onnxruntime",
    "papermill",
    "jupyterlab",
)
OPTIONAL = {
    "faiss-cpu": "exact knn in half the time: pip install 'hcrlib[fast]'",
    "scikit-learn-intelex": "the svm in a tenth of the time: pip install 'hcrlib[fast]'",
    "nbval": "the tests of the notebooks: pip install 'hcrlib[test]'",
}


def main(argv=None):
    """The exit status: 0; 1 for what hcrlib refuses or what failed, told in a paragraph; 2 for usage; 130 after Ctrl-C.

    141, as of any program, where the reader of its output went away: `hcr sweep X | head` has not made all its runs.
    """
    args = _parser().parse_args(argv)
    try:
        status = args.func(args)
        sys.stdout.flush()
    except HcrError as error:
        return _complain(error)
    except KeyboardInterrupt:
        return _complain(STOPPED, 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        hint = "Make room, or set HCR_RESULTS and HCR_CACHE to folders with more" if error.errno == errno.ENOSPC else ""
        return _complain(f"{error.strerror or error}{where}. {hint}".rstrip())
    except Exception as error:  # a fault of the program, or a library's word on odd settings
        if os.environ.get("HCR_DEBUG"):
            raise
        return _complain(f"{type(error).__name__}: {error}. With HCR_DEBUG=1 the whole traceback is shown")
    return status


def _complain(text, status=1):
    print(f"hcr: {text}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """Says `Did you mean ...?` for a command that is misspelt."""

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"there is no '{value}'. {did_you_mean(value, action.choices)}")


class _Version(argparse.Action):
    """Looks the version up when it is asked for: no other command waits for it."""

    def __call__(self, parser, *_):
        from importlib.metadata import version

        print(f"hcr {version('hcrlib')}")
        parser.exit()


def _parser():
    parser = _Parser(
        prog="hcr",
        description="A workbench for handwritten character recognition: data, training, sweeps, leaderboards.",
        epilog="Without any files or network, everything runs on mnist-5k. Start with: hcr sweep params/demo.yml",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (
        data.add_parser,
        _add_train,
        sweep_commands.add_parser,
        tune.add_parser,
        _add_claims,
        _add_rerun,
        _add_report,
        _add_results,
        _add_leaderboard,
        read.add_parser,
        library.add_parser,
        compose.add_parser,
        zoo.add_parser,
        bundle.add_parser,
        serve.add_parser,
        bench.add_parser,
    ):
        add(commands)
    add_command(
        commands, "doctor", _doctor, "what is installed, which data are found, what is missing and how to get it"
    )
    return parser


def _add_train(commands):
    example = "hcr train cnn-basic --data mnist-5k --set epochs=2"
    add = add_command(
        commands, "train", _train, "train and evaluate one classifier or recogniser", example
    ).add_argument
    add("classifier", help=", ".join(names()))
    add(
        "--data",
        default="mnist-5k",
        metavar="NAME",
        help="a dataset, or a folder with a dataset.yml or a TSV (mnist-5k)",
    )
    add("--seed", type=int, default=0, metavar="N", help="every random choice follows from it (0)")
    add("--budget", type=int, metavar="N", help="training images to use, stratified (all)")
    add("--preprocess", metavar="STEP,STEP", help="steps such as scale,deskew, or a YAML list (the classifier's own)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a parameter of the classifier; repeatable")


def _train(args):
    import hcrlib

    steps = _steps(args.preprocess) if args.preprocess else None
    settings = dict(map(_setting, args.set))
    named(args.classifier).create(settings)  # refuses what is none of its parameters, such as `seed`
    run = hcrlib.train(args.classifier, args.data, seed=args.seed, budget=args.budget, preprocess=steps, **settings)
    print(run)
    print(run.path)
    return 0


def _steps(text):
    """The steps of 'scale,deskew', or of YAML where they have options: '[scale, {blur: {sigma: 1}}]'."""
    import yaml

    if not text.lstrip().startswith("["):
        return [step.strip() for step in text.split(",")]
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError("--preprocess is not valid", expected="STEP,STEP or a YAML list", got=text) from error


def _setting(text):
    """(key, value) of KEY=VALUE; the value is read as YAML."""
    import yaml

    key, equals, value = text.partition("=")
    with contextlib.suppress(yaml.YAMLError):
        if key and equals:
            return key, yaml.safe_load(value)
    raise ConfigError(f"'--set {text}' is not valid", expected="KEY=VALUE")


def _add_claims(commands):
    says = "make the runs that the papers' claims need, then the ledger: results/claims.md"
    add = add_command(commands, "claims", _claims, says).add_argument
    add("file", nargs="?", default="params/claims.yml", help="(params/claims.yml)")
    add("--dry-run", action="store_true", help="only print which runs are missing")
    sweep_commands.add_cluster(add)


def _claims(args):
    from hcrlib.claims import judge, ledger, spec
    from hcrlib.sweeps import plan

    asked = spec.load(args.file)
    todo = judge.missing(asked)
    if args.dry_run:
        print(
            "\n".join([f"{len(todo)} runs to make:", *(f"  {config.id}" for config in todo)])
            if todo
            else "No run to make."
        )
        if away := spec.away(asked):
            print(f"Not on this machine: {', '.join(away)}. What the ledger holds of them is kept.")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that the runs are ended too
    failed = plan.run(todo, sweep_commands.cluster(args))
    earlier = []
    with contextlib.suppress(RunError):  # the first one
        earlier = ledger.stored()["claims"]
    for path in ledger.write(asked, judge.judge(asked, earlier=earlier)):
        print(short(path))
    for record in failed:
        print(f"FAILED {record}", file=sys.stderr)
    return 1 if failed else 0


def _add_rerun(commands):
    says = "make a recorded run once more and say whether the same comes out"
    add = add_command(commands, "rerun", _rerun, says, "hcr rerun best-digits").add_argument
    add("record", help="a run's id or folder, a record.json, or a name of `hcr zoo list`")


def _rerun(args):
    from hcrlib.runs import rerun

    outcome = rerun.rerun(args.record)
    print(f"{outcome.verdict}: {outcome.reason}")
    for line in outcome.changed:
        print(f"  {line}")
    return 1 if outcome.verdict == rerun.DIFFERENT else 0


def _add_report(commands):
    says = "one HTML file to mail: leaderboards, figures, claims and where every number comes from"
    add = add_command(commands, "report", _report, says, "hcr report mnist --out mnist.html").add_argument
    add("sweep", nargs="*", help="names of results/ folders (all)")
    add("--out", metavar="FILE", help="the file to write (results/report.html)")


def _report(args):
    from hcrlib.reporting import html

    print(short(html.write(args.out, args.sweep)))
    return 0


def _add_results(commands):
    add = add_command(
        commands,
        "results",
        _results,
        "all records, one row a run",
        'hcr results --sql "select classifier, max(accuracy) from results group by all"',
    ).add_argument
    add("--sql", metavar="QUERY", help="the answer to a query of the table `results` (DESCRIBE results: its columns)")
    add("--format", choices=("table", "csv", "html"), default="table", help="(table)")
    add("--out", metavar="FILE", help="write there instead of printing")


def _results(args):
    import hcrlib

    if args.sql:
        from hcrlib.reporting import query

        frame = query.sql(args.sql)
        if args.format == "table":
            return _out(frame.to_string(index=False, na_rep="") if len(frame) else "No rows.", args.out)
    else:
        frame = hcrlib.results()
    if args.format == "table":
        shown = "id", "measured_on", "status", "accuracy", "misses", "n_test", "fit_s", "predict_ms_p50", "reason"
        names = [n for n in shown if n in frame and (n != "measured_on" or frame[n].any())]
        text = frame[names].to_string(index=False, na_rep="") if len(frame) else "There are no records yet."
    else:
        text = frame.to_csv(index=False) if args.format == "csv" else frame.to_html(index=False, border=0, na_rep="")
    return _out(text, args.out)


def _add_leaderboard(commands):
    add = add_command(commands, "leaderboard", _leaderboard, "the finished runs, the most accurate first").add_argument
    add("source", nargs="?", metavar="SWEEP.yml|DIR", help="a sweep's runs, or a folder's records (all runs)")
    add("--format", choices=("table", "markdown", "csv", "html"), default="table", help="(table)")
    add("--out", metavar="FILE", help="write there instead of printing")
    add("--readme", action="store_true", help="rewrite the tables in README.md from results/*/records.jsonl")
    add("--check", action="store_true", help="with --readme: write nothing, fail where the tables are stale")


def _leaderboard(args):
    from hcrlib.core import paths
    from hcrlib.reporting import leaderboard

    if args.check and not args.readme:
        raise ConfigError("--check goes with --readme", hint="hcr leaderboard --readme --check")
    if args.readme:
        root = paths.project_root()
        fresh = leaderboard.update_readme(root / "README.md", root / "results", check=args.check)
        print("README.md was up to date" if fresh else "README.md is stale" if args.check else "README.md is rewritten")
        return 1 if args.check and not fresh else 0
    found = _records(args.source)
    if not found and args.format == "table":
        return _out("There are no records yet.", args.out)
    return _out(leaderboard.render(found, args.format), args.out)


def _records(source):
    from hcrlib.metrics import statistics
    from hcrlib.reporting import leaderboard
    from hcrlib.runs import device_records, records
    from hcrlib.sweeps import plan

    if source is None:
        found = [statistics.completed(record) for record in records.read_all()]
    elif Path(source).is_dir():
        has_lines = (Path(source) / "records.jsonl").exists()
        found = leaderboard.stored(source) if has_lines else records.read_all(source)
    else:
        found = plan.load(source).records()
    ids = {record.id for record in found}
    return found + [record for record in device_records.read_all() if record.id in ids]


def _doctor(args):
    """Prints a line for each thing looked for; 0 where nothing is missing that the demo needs."""
    from hcrlib import datasets
    from hcrlib.core import paths

    missing = [name for name in NEEDED if not _say_version(name, "needed: make env")]
    for name, hint in OPTIONAL.items():
        _say_version(name, hint)
    print(f"{'keras backend':22} {os.environ.get('KERAS_BACKEND', 'tensorflow')}\n")
    for row in datasets.describe():
        how = row["here"] or f"not here; get it: hcr data fetch {row['name']}, {row['download_bytes'] / 1e6:,.0f} MB"
        print(f"{row['name']:22} {how}")
    print()
    for name, folder in (("data", paths.data_root()), ("results", paths.results_root()), ("cache", paths.cache_root())):
        print(f"{name:22} {folder or 'HCR_DATA is not set'}{_room(folder)}")
    return 1 if missing else 0


def _say_version(package, hint):
    import importlib.metadata

    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        print(f"{package:22} {importlib.metadata.version(package)}")
        return True
    print(f"{package:22} missing; {hint}")
    return False


def _room(folder):
    """', 12.3 GB free' of the disk that a folder is or will be on."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), None) if folder else None
    return f", {shutil.disk_usage(there).free / 1e9:.1f} GB free" if there else ""


def _out(text, path):
    if path is None:
        print(text.rstrip())
        return 0
    from hcrlib.core.fileio import write_text

    write_text(path, text)
    print(path)
    return 0
