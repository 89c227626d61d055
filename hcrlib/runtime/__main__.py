"""`python3 -m runtime PICTURE...` in a bundle's folder: what is written on pictures of one character, word or line each."""

import argparse
import os
import sys

from . import ENGINES, LineReading, bundle


def main(argv=None):
    """The exit status: 0; 1 where the bundle or a picture cannot be read; 2 for usage."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(prog="python3 -m runtime", description="Read pictures of what the model reads.")
    parser.add_argument("pictures", nargs="*", metavar="PICTURE")
    parser.add_argument("--bundle", default=here, metavar="FOLDER", help="(the one that this code lies in)")
    parser.add_argument("--engine", choices=list(ENGINES), help="(the first one that works here)")
    parser.add_argument("--verify", action="store_true", help="check every file and the golden answers")
    args = parser.parse_args(argv)
    if not args.pictures and not args.verify:
        parser.error("name a picture, or --verify")
    try:
        model = bundle.load(args.bundle, args.engine)
        print("%r, answered by %s" % (model, model.engine))
        if args.verify:
            apart = bundle.check_golden(model, args.bundle)
            print("every file is whole; golden answers within %.2g" % apart)
    except ValueError as error:
        return _complain(error)
    failed = 0
    for picture in args.pictures:
        try:
            print("%s: %s" % (picture, _told(model.read(picture))))
        except ValueError as error:
            failed = _complain("%s: %s" % (picture, error))
    return failed


def _told(found):
    if isinstance(found, LineReading):
        return "%s %.1f %%" % (found.text, 100 * found.confidence)
    others = ", ".join("%s %.1f %%" % (name, 100 * share) for name, share in found.alternatives[1:4])
    return "%s %.1f %% (%s)" % (found.label, 100 * found.probability, others)


def _complain(what):
    sys.stdout.flush()
    sys.stderr.write("runtime: %s\n" % what)
    return 1


if __name__ == "__main__":
    sys.exit(main())
