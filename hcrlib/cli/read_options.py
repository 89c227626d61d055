"""Checks of options that all ways to read share."""

from hcrlib.core.errors import ConfigError


def reject(args, names, what):
    """Raise ConfigError if any of these options is given, or no files are."""
    options = {f"--{name.replace('_', '-')}": getattr(args, name) for name in names}
    given = [option for option, value in options.items() if value is not None and value is not False]
    if given:
        raise ConfigError(what, got=", ".join(given))
    if not args.file:
        raise ConfigError("Nothing to read", expected="files")


def check_probability(args):
    """Raise ConfigError for a --min-confidence that is no probability."""
    if args.min_confidence is not None and not 0 <= args.min_confidence <= 1:
        raise ConfigError("--min-confidence must be between 0 and 1", got=args.min_confidence)
