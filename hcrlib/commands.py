"""How every command of `hcr` is declared."""


def add_command(commands, name, func, says, example=None):
    """Adds one to an argparse subparsers object: help and description from `says`, `func(args) -> exit status`."""
    description, epilog = (
        says[0].upper() + says[1:] + "." * (says[-1] != "?"),
        f"example: {example}" if example else None,
    )
    parser = commands.add_parser(name, help=says, description=description, epilog=epilog)
    parser.set_defaults(func=func)
    return parser
