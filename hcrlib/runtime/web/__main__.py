"""`python3 -m runtime.web` in a bundle's folder: the page, with the bundles that are named, or the one this code lies in."""

import argparse
import os
import sys

from . import cli


def main(argv=None):
    """The exit status: 0 after SIGTERM or Ctrl-C; 1 where no bundle can be used or the port is taken; 2 for usage."""
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser = argparse.ArgumentParser(
        prog="python3 -m runtime.web", description="Serve the page that characters are drawn on."
    )
    cli.add_arguments(parser.add_argument)
    args = parser.parse_args(argv)
    named = args.bundle or [here]
    return cli.run(args, lambda: [(os.path.basename(os.path.abspath(folder)), folder) for folder in named])


if __name__ == "__main__":
    sys.exit(main())
