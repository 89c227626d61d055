"""The command line, `hcr ...`. Each command is a thin module of this package that imports the rest of hcrlib when called."""

import argparse
import errno
import os
import re
import signal
import sys
import sysconfig
import traceback
from pathlib import Path

import hcrlib
from hcrlib.cli import (
    bench,
    bundle,
    claims,
    classifiers,
    compose,
    data,
    doctor,
    library,
    read,
    results,
    serve,
    sweep,
    train,
    tune,
    zoo,
)
from hcrlib.core.errors import HcrError
from hcrlib.core.extras import explained
from hcrlib.core.registry import did_you_mean
from hcrlib.runtime._console import replace_characters

COMMANDS = (
    *(data, classifiers, train, sweep, tune, results, claims, zoo, bundle),
    *(read, library, compose, serve, bench, doctor),
)
STOPPED = "Stopped. Finished runs and epochs are kept; repeat the command to continue."
STOPPED_AGAIN = "Stopped. Runs that were not made again keep their records; repeat the command to make all runs again."
NUMBER = re.compile(r"argument (\S+): invalid (int|float) value: (.*)")


def main(argv=None):
    """Run a command and return its exit status.

    0 for success; 1 for an error or a failed run, explained in one paragraph; 2 for wrong usage; 130 after Ctrl-C; 141, like
    any program, when the reader of its output goes away: `hcr sweep X | head` has not made all its runs.
    """
    replace_characters()
    args = parser().parse_args(argv)
    try:
        with explained():
            status = args.func(args)
        sys.stdout.flush()
    except HcrError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return _fail(STOPPED_AGAIN if getattr(args, "again", False) else STOPPED, 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        is_full = error.errno == errno.ENOSPC
        hint = " Free some space, or set HCR_RESULTS and HCR_CACHE to a larger disk" if is_full else ""
        return _fail(f"{error.strerror or error}{where}.{hint}")
    except Exception as error:  # a bug, or a library that rejects unusual settings
        if os.environ.get("HCR_DEBUG"):
            raise
        return _fail(f"{type(error).__name__}: {error}{_place(error)}. Set HCR_DEBUG=1 for the full traceback")
    return status


def _place(error):
    """Return " (FILE, line N)" of the innermost frame of the user's own code, such as a plug-in's, or ""."""
    known = [hcrlib.__path__[0], *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))]
    others = ("<", *(folder + os.sep for folder in known))
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(others)
        and not {"site-packages", "dist-packages"}.intersection(Path(frame.filename).parts)
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


def parser():
    """Return the argparse.ArgumentParser of all commands; parsed arguments have `func(args) -> exit status`."""
    root = _Parser(
        prog="hcr",
        description="A workbench for handwritten character recognition: datasets, training, sweeps, leaderboards.",
        epilog="Everything runs on mnist-5k without any files or network. Start with: hcr sweep params/demo.yml",
    )
    root.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = root.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add_parser(commands)
    return root


def _fail(text, status=1):
    print(f"hcr: {text}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """A parser that suggests the closest command, or option of one, and lists the commands where none is given."""

    def parse_known_args(self, args=None, namespace=None):
        self.given = list(sys.argv[1:] if args is None else args)
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown and hasattr(namespace, "rest") and not unknown[0].startswith("-"):
            namespace.rest, unknown = [*namespace.rest, *unknown], []  # the command explains what it lacks
        elif unknown and unknown[0].startswith("--"):
            self.error(self._no_option(unknown[0]))
        return namespace, unknown

    def _no_option(self, name):
        known = [option for option in self._option_string_actions if option.startswith("--")]
        return f"there is no option {name}. {did_you_mean(name.partition('=')[0], known)}"

    def error(self, message):
        if message.endswith("required: COMMAND") and self.given:
            message = self._no_option(self.given[0])
        elif message.endswith("required: COMMAND"):
            self.print_help(sys.stderr)
            self.exit(2, f"\n{self.prog}: name a command\n")
        if match := NUMBER.fullmatch(message):
            expected = "a whole number" if match[2] == "int" else "a number"
            message = f"{match[1]} is not valid. Expected {expected}, got {match[3]}."
        super().error(message)

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"unknown value '{value}'. {did_you_mean(value, action.choices)}")


class _Version(argparse.Action):
    """Look up the version only when requested: no other command should wait for it."""

    def __call__(self, parser, *_):
        print(f"hcr {hcrlib.__version__}")
        parser.exit()
