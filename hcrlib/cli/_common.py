"""Helpers shared by the commands of `hcr`."""

import os
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
    """Return the number of characters in a line of the terminal; COLUMNS or 80 where standard output is not one."""
    return shutil.get_terminal_size().columns


def is_colored():
    """Return whether to write escape codes: to a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
