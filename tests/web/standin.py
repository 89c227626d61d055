"""A stand-in for the page reader, with fixed results, to test everything around it."""

import argparse
import io
import json
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hcrlib.documents import formats
from hcrlib.documents.containers import Box, Character, Line, Page, Word, around
from hcrlib.runtime.web import AUTO, cli, images
from hcrlib.runtime.web.problems import Problem

from .conftest import data_url, encoded

LINES = ["The quick brown fox", "jumps over the lazy", "dog. <b>Twice</b>"]
SLOW = b"%PDF that takes 2 s"
UNSURE = {"quick": 0.55, "lazy": 0.8}  # the others: 0.97
AUTO_NOTE = "Read as joined writing by whole-lines."
RECOGNIZERS = [SimpleNamespace(name=f"whole-{unit}", unit=unit, digest="0" * 12) for unit in ("words", "lines")]
SIZE = 40  # pixels of a letter


def page(number=1):
    """Return the JSON of a page: LINES, printed, each word with its boxes; the first letter of `quick` is unsure."""
    image = Image.new("RGB", (700, 900), "#fbf9f2")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(SIZE)
    lines = tuple(_line(pen, font, text, 120 + 90 * index) for index, text in enumerate(LINES))
    read = Page(number, lines, np.asarray(image), notes=("It was turned by 90 degrees.",), seconds=1.25)
    return {**formats.as_dict(read), "picture": data_url(encoded(image, "jpeg"), "jpeg"), "scale": 1.0}


def line_image(page, line):
    """Return a line as the server sends it, up to 64 pixels high."""
    with Image.open(io.BytesIO(images.from_data_url(page["picture"]))) as picture:
        return images.data_url(np.asarray(picture.convert("L").crop(line["box"])))


def _line(pen, font, text, top):
    words, left = [], 60
    for word in text.split():
        words.append(_word(pen, font, word, left, top))
        left = words[-1].box.right + 15
    return Line(tuple(words), around(word.box for word in words))


def _word(pen, font, text, left, top):
    confidence, characters = UNSURE.get(text, 0.97), []
    for index, letter in enumerate(text):
        right = left + int(pen.textlength(letter, font))
        pen.text((left, top - 6), letter, "#20242c", font)
        shown = "?" if text == "quick" and index == 0 else letter
        alternatives = (letter, confidence), ("g", 0.02)
        characters.append(Character(shown, Box(left, top, right, top + SIZE), confidence, alternatives))
        left = right
    text = "".join(character.text for character in characters)
    return Word(text, around(character.box for character in characters), confidence, tuple(characters))


class StandIn:
    """Reads pages at once; a PDF has three. Whatever was kept matches every search."""

    models = "of-pages", "best-digits"

    def __init__(self, library=True):
        self.library, self.available = library, RECOGNIZERS
        self.kept, self.calls = [], []  # calls: (name of the model or the recognizer, format)
        self.characters, self.stage = None, (1, 1, "finding", 0, 0)  # of the last call; reported while it is read
        self.started, self.proceed = threading.Event(), threading.Event()
        self.proceed.set()

    def recognizers(self):
        return self.available

    def auto(self):
        lines = [each for each in self.available if each.unit == "lines"]
        return SimpleNamespace(name=AUTO, digest=lines[0].digest, lines=lines[0]) if lines else None

    def read(self, data, name, loaded, output, keep, recognizer, line_images, characters, report, corrected):
        self.calls.append(((recognizer or loaded).name, output))
        self.characters, self.corrected = characters, corrected
        report(*self.stage)
        self.started.set()
        self.proceed.wait(20)
        if data == SLOW:
            time.sleep(2)
        if b"/Encrypt" in data:
            raise Problem("unreadable", "The PDF is encrypted. Save a copy without its password and read that.")
        if keep:
            self.kept.append(name)
        if output != "json":
            return output.encode()
        numbers = range(1, 4) if data.startswith(b"%PDF") else [1]
        pages = [page(number) for number in numbers]
        told = (
            recognizer and recognizer.name != AUTO
        )  # what auto returns keeps its characters, for the tests to look at
        for word in (word for each in pages for line in each["lines"] for word in line["words"] if told):
            word["characters"] = []
        for each in pages if line_images else ():
            for line in each["lines"]:
                line["image"] = line_image(each, line)
        whole = getattr(recognizer, "lines", recognizer)
        for each in pages:
            each["recognizer"] = whole and whole.name
            each["notes"] += [AUTO_NOTE] if whole is not recognizer else []
        by = {"model": loaded.name, "recognizer": whole and whole.name}
        return json.dumps({"pages": pages, **by, "kept": keep}).encode()

    def search(self, text, limit):
        snippet = [{"text": "The ", "hit": False}, {"text": text, "hit": True}, {"text": " <b>fox</b>", "hit": False}]
        return [{"document": name, "page": 1, "snippet": snippet, "boxes": []} for name in self.kept][:limit]


def main():
    """Start a server with the stand-in, with the options of `python -m hcrlib.runtime.web`."""
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser.add_argument)
    args = parser.parse_args()
    return cli.run(args, lambda: [(Path(folder).name, folder) for folder in args.bundle], StandIn())


if __name__ == "__main__":
    sys.exit(main())
