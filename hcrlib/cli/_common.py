"""Helpers shared by the commands of `hcr`."""

import shutil
import sys
from pathlib import Path


def add_command(commands, name, func, summary, example=None, **options):
    """Add a command to an argparse subparsers object and return its parser; `func(args) -> exit status` runs it.

    options: further arguments of the parser.
    """
    description = summary[0].upper() + summary[1:] + "." * (summary[-1] != "?")
    epilog = f"example: {example}" if example else None
    parser = commands.add_parser(name, help=summary, description=description, epilog=epilog, **options)
    parser.set_defaults(func=func)
    return parser


def short(path):
    """Return a path relative to the current folder if it lies below, else the absolute path."""
    path, here = Path(path).resolve(), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def terminal_width():
    """Return the number of characters in a line of the terminal, or None if standard output is not one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
