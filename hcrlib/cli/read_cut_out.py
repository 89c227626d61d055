"""`hcr read --character` and `--line`: images of one character, or of one word or line, cut out."""

import json
import sys

from hcrlib.cli.read_options import check_probability, reject
from hcrlib.core.errors import ConfigError
from hcrlib.core.names import LINES_MODEL, RAPIDOCR

CHARACTER_MODEL = "best-62"  # of the zoo; a Reader has its own
VERSION = "hcr-pictures 1"
OTHERS = "out columns reading_order dpi text detector plate order keep library watch template"
BLANK = "nothing is written on it"


def read_cut_out(args):
    """Print a line per image: the character and its alternatives, or the text of a word or line; or JSON about all of them."""
    if args.line:
        usage, others = (
            "--line takes files, --recognizer, --lexicon and --to json",
            "model character characters min_confidence",
        )
    else:
        usage, others = (
            "--character takes files, --model, --characters, --min-confidence and --to json",
            "lexicon recognizer",
        )
    reject(args, f"{OTHERS} {others}".split(), usage)
    if args.to not in (None, ["text"], ["json"]):
        raise ConfigError(usage, got="--to " + " --to ".join(args.to))
    check_probability(args)
    read = _line_reader(args.recognizer or LINES_MODEL, args.lexicon) if args.line else _character_reader(args)
    unread, found, as_json = 0, [], args.to == ["json"]
    for path in args.file:
        try:
            said, entry = read(sys.stdin.buffer.read() if path == "-" else path)
        except (ValueError, OSError) as error:
            unread += 1
            print(f"{path}: cannot be read: {error}", file=sys.stderr)
            said, entry = None, {"error": str(error)}
        found.append({"file": path, **entry})
        if said is not None and not as_json:
            print(f"{path}: {said}".rstrip())
        if entry.get("text") == "":
            print(f"hcr: {path}: {BLANK}", file=sys.stderr)
    if as_json:
        print(json.dumps({"format": VERSION, "pictures": found}, ensure_ascii=False, indent=1))
    return 1 if unread else 0


def _character_reader(args):
    """Return a function from a file to what to print about it and a dict of it."""
    model = _of_kind(args.model or CHARACTER_MODEL, "characters")
    if args.characters is not None and not set(args.characters).intersection(model.classes):
        known = "some of " + " ".join(model.classes)
        raise ConfigError("The model has none of these --characters", expected=known, got=repr(args.characters))

    def read(source):
        steps = model.steps(source, args.characters)
        [result] = model.readings_of([steps], args.min_confidence, args.characters)
        others = ", ".join(f"{name} {p:.0%}" for name, p in result.alternatives[:3])
        rated = [{"label": name, "probability": round(float(p), 4)} for name, p in result.alternatives]
        entry = {"label": result.label, "probability": round(float(result.probability), 4)}
        why = ""
        if result.label == "?" and steps.is_odd:
            why = "several characters: " if steps.others else "it does not look like one character: "
        return f"{result.label}  ({why}{others})", {**entry, "alternatives": rated, "alike": list(result.alike)}

    return read


def _line_reader(name, lexicon):
    """Return a function from a file to what to print about it and a dict of it; with a lexicon, by word beam search."""
    from hcrlib.documents.line_recognition import whole_recognizer
    from hcrlib.runtime.image import to_grey
    from hcrlib.runtime.strips import dark_on_light

    words = None
    if lexicon is not None:
        from hcrlib.documents.reader import load_words

        words = load_words(lexicon)
    recognizer = whole_recognizer(name if name == RAPIDOCR else _of_kind(name, "lines"), words)

    def read(source):
        strip = dark_on_light(to_grey(source))
        [(text, confidence)] = [("", 1.0)] if strip is None else recognizer.readings([strip])
        said = f"{text}  ({confidence:.0%})" if text else ""
        return said, {"text": text, "confidence": round(float(confidence), 4)}

    return read


def _of_kind(name, reads):
    """Return the model of a name; raise ConfigError if it does not read characters or lines, as `reads` says."""
    import hcrlib

    model = hcrlib.load_model(name)
    if model.reads != reads:
        hint = "--line needs a model of words or lines, --character one of characters"
        raise ConfigError("This is the wrong kind of model", got=repr(model), hint=hint)
    return model
