"""`python3 -m runtime IMAGE...` in a bundle's folder: read images of one character, word or line each."""

import argparse
import os
import sys

from . import ENGINES, bundle
from ._console import replace_characters


def main(argv=None):
    """Return the exit status: 0; 1 where the bundle or an image cannot be read; 2 for usage."""
    replace_characters()
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(prog="python3 -m runtime", description="Read images with the model of a bundle.")
    parser.add_argument("images", nargs="*", metavar="IMAGE")
    parser.add_argument("--bundle", default=home, metavar="FOLDER", help="(the one that contains this code)")
    parser.add_argument("--engine", choices=list(ENGINES), help="(the first one that works on this machine)")
    parser.add_argument("--verify", action="store_true", help="check every file and the golden answers")
    args = parser.parse_args(argv)
    if not args.images and not args.verify:
        parser.error("name an image, or --verify")
    try:
        model = bundle.load(args.bundle, args.engine)
        print("%r, run by %s" % (model, model.engine))
        if args.verify:
            print("every file is intact; golden answers within %.2g" % model.check_golden(args.bundle))
    except ValueError as error:
        return _report(error)
    status = 0
    for path in args.images:
        try:
            print("%s: %s" % (path, model.read(path)))
        except ValueError as error:
            status = _report("%s: %s" % (path, error))
    return status


def _report(error):
    sys.stdout.flush()
    sys.stderr.write("runtime: %s\n" % error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
