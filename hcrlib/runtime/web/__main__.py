"""`python3 -m runtime.web` in a bundle's folder: serve the web app with the named bundles, or with this one."""

import argparse
import os
import sys

from .._console import replace_characters
from . import cli


def main(argv=None):
    """Return the exit status: 0 after SIGTERM or Ctrl-C; 1 if no bundle can be used or the port is taken; 2 for usage."""
    replace_characters()
    own_bundle = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser = argparse.ArgumentParser(
        prog="python3 -m runtime.web", description="Serve the web app for handwritten characters."
    )
    cli.add_arguments(parser.add_argument)
    args = parser.parse_args(argv)
    folders = args.bundle or [own_bundle]
    return cli.run(args, lambda: [(os.path.basename(os.path.abspath(folder)), folder) for folder in folders])


if __name__ == "__main__":
    sys.exit(main())
