"""Helpers shared by the commands of `hcr`."""

from pathlib import Path


def add_command(commands, name, func, summary, example=None):
    """Add a command to an argparse subparsers object and return its parser; `func(args) -> exit status` runs it."""
    description = summary[0].upper() + summary[1:] + "." * (summary[-1] != "?")
    epilog = f"example: {example}" if example else None
    parser = commands.add_parser(name, help=summary, description=description, epilog=epilog)
    parser.set_defaults(func=func)
    return parser


def short(path):
    """Return a path relative to the current folder if it lies below, else the absolute path."""
    path, here = Path(path).resolve(), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
