"""How every command of `hcr` is declared, and what several of them say alike."""

from pathlib import Path


def add_command(commands, name, func, says, example=None):
    """Adds one to an argparse subparsers object: help and description from `says`, `func(args) -> exit status`."""
    description, epilog = (
        says[0].upper() + says[1:] + "." * (says[-1] != "?"),
        f"example: {example}" if example else None,
    )
    parser = commands.add_parser(name, help=says, description=description, epilog=epilog)
    parser.set_defaults(func=func)
    return parser


def short(path):
    """A path as seen from here, where it is below."""
    path, here = Path(path).resolve(), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
