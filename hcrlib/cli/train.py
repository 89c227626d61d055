"""`hcr train` and `hcr rerun`: make one run, or repeat a recorded one."""

import argparse
import contextlib
import shutil

from hcrlib.cli import classifiers
from hcrlib.cli._common import add_command
from hcrlib.core.errors import ConfigError
from hcrlib.core.extras import explained
from hcrlib.models import named
from hcrlib.models._base import names


def add_parser(subparsers):
    """Add `train` and `rerun` to an argparse subparsers object."""
    example = "hcr train cnn-basic --data mnist-5k --set epochs=2"
    parser = add_command(subparsers, "train", _train, "train and evaluate one model", example, add_help=False)
    add = parser.add_argument
    add("-h", "--help", action=_Help, help="show this help and exit; after a model's name, its parameters, too")
    add(
        "classifier",
        metavar="MODEL",
        help="a name that `hcr classifiers` lists; `hcr train MODEL --help` explains its parameters",
    )
    add("rest", nargs="*", default=[], help=argparse.SUPPRESS)  # what lacks its --data or --set
    data = "a dataset, or a folder with a dataset.yml, a TSV, or ALTO or PAGE XML (default: mnist-5k); "
    data += "for lines repeatable, with shares, or a YAML file of NAME: SHARE"
    add("--data", action="append", metavar="NAME[:SHARE]", help=data)
    add("--seed", type=int, default=0, metavar="N", help="seed of every random choice (default: 0)")
    add("--budget", type=int, metavar="N", help="number of training images, stratified (default: all)")
    add(
        "--preprocess",
        metavar="STEP,STEP",
        help="steps such as scale,deskew, or a YAML list (default: the model's own)",
    )
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a parameter of the model; repeatable")
    summary = "repeat a recorded run and compare the results"
    add = add_command(subparsers, "rerun", _rerun, summary, "hcr rerun mnist-5k/knn/f459a7586463").add_argument
    add("record", help="a run's id or folder, a record.json, or a name of `hcr zoo list`")


class _Help(argparse._HelpAction):
    """Print the help, and, if a model has been named before, its parameters with their defaults."""

    def __call__(self, parser, namespace, *_):
        parser.print_help()
        if (name := getattr(namespace, "classifier", None)) in names():
            print(f"\nparameters of {name}, for --set:\n\n{classifiers.table(named(name))}")
        parser.exit()


def _train(args):
    from hcrlib.cluster.jobs import LOG, OUT
    from hcrlib.cluster.results import FAILED_AGAIN
    from hcrlib.datasets import mixture
    from hcrlib.runs import runner, store

    if args.rest:
        option = "--set" if "=" in args.rest[0] else "--data"
        hint = f"Write {option} {args.rest[0]}"
        raise ConfigError("Everything after the model needs an option", got=repr(args.rest[0]), hint=hint)
    steps = None if args.preprocess is None else parse_steps(args.preprocess)
    settings = settings_of(args.set)
    named(args.classifier).create(settings)  # rejects what is not one of its parameters, such as `seed`
    data = mixture.joined(args.data or ["mnist-5k"])
    asked = {"dataset": data, "seed": args.seed, "budget": args.budget, "preprocess": steps}
    config = runner.resolve(args.classifier, **asked, **settings)
    if earlier := store.finished(config):
        print("This run has finished before. It is trained again, and then its record is replaced.", flush=True)
    with explained("train"):
        run = runner.run_one(config, strict=True)
    for name in OUT, FAILED_AGAIN, LOG:  # a sweep's, of the run that was replaced
        (run.path / name).unlink(missing_ok=True)
    shutil.rmtree(run.path / "figures", ignore_errors=True)
    print(run)
    print(run.path)
    if earlier and earlier.data.get("sha256") != run.data.get("sha256"):
        print(f"The data have changed since the earlier run ({earlier}): the two results do not compare.")
    return 0


def _rerun(args):
    from hcrlib.runs import rerun

    outcome = rerun.rerun(args.record)
    print(f"{outcome.verdict}: {outcome.reason}")
    for line in outcome.changed:
        print(f"  {line}")
    return 1 if outcome.verdict == rerun.DIFFERENT else 0


def parse_steps(text):
    """Return the steps of 'scale,deskew', or of a YAML list where they have options: '[scale, {blur: {sigma: 1}}]'."""
    import yaml

    if not text.strip():
        hint = "Leave the option out for the model's own steps"
        raise ConfigError("--preprocess is empty", expected="STEP,STEP, or [] for no steps", hint=hint)
    if not text.lstrip().startswith("["):
        return [step.strip() for step in text.split(",")]
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError("--preprocess is not valid", expected="STEP,STEP or a YAML list", got=text) from error


def settings_of(given):
    """Return {key: value} of several KEY=VALUE. ConfigError for a key that is given twice."""
    settings = {}
    for key, value in map(parse_setting, given):
        if key in settings:
            raise ConfigError(
                f"--set {key} is given more than once", hint=f"For several values, sweep: {key}: [1, 2] in a YAML file"
            )
        settings[key] = value
    return settings


def parse_setting(text):
    """Return (key, value) of KEY=VALUE; the value is parsed as YAML."""
    import yaml

    key, equals, value = text.partition("=")
    with contextlib.suppress(yaml.YAMLError):
        if key and equals:
            return key, yaml.safe_load(value)
    raise ConfigError(f"'--set {text}' is not valid", expected="KEY=VALUE")
