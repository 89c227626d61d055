"""A stand-in for the page reader, with fixed results, to test everything around it."""

import argparse
import base64
import io
import json
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

from PIL import Image, ImageDraw, ImageFont

from hcrlib.runtime.web import cli
from hcrlib.runtime.web.problems import Problem

LINES = ["The quick brown fox", "jumps over the lazy", "dog. <b>Twice</b>"]
SLOW = b"%PDF that takes 2 s"
UNSURE = {"quick": 0.55, "lazy": 0.8}  # the others: 0.97
RECOGNIZERS = [SimpleNamespace(name=f"whole-{unit}", unit=unit) for unit in ("words", "lines")]
SIZE = 40  # pixels of a letter


def page(number=1):
    """Return the JSON of a page: LINES, printed, each word with its boxes; the first letter of `quick` is unsure."""
    image = Image.new("RGB", (700, 900), "#fbf9f2")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(SIZE)
    lines = [_line(pen, font, text, 120 + 90 * index) for index, text in enumerate(LINES)]
    stream = io.BytesIO()
    image.save(stream, "JPEG")
    return {
        "number": number,
        "width": image.width,
        "height": image.height,
        "notes": ["It was turned by 90 degrees."],
        "seconds": 1.25,
        "text": "\n".join(line["text"] for line in lines),
        "to_source": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "lines": lines,
        "picture": "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode(),
        "scale": 1.0,
    }


def _line(pen, font, text, top):
    words, left = [], 60
    for word in text.split():
        words.append(_word(pen, font, word, left, top))
        left = words[-1]["box"][2] + 15
    box = [60, top, words[-1]["box"][2], top + SIZE]
    return {"text": " ".join(word["text"] for word in words), "box": box, "column": 0, "words": words}


def _word(pen, font, text, left, top):
    confidence, characters = UNSURE.get(text, 0.97), []
    for index, letter in enumerate(text):
        right = left + int(pen.textlength(letter, font))
        pen.text((left, top - 6), letter, "#20242c", font)
        sure = not (text == "quick" and index == 0)
        alternatives = [{"text": letter, "confidence": confidence}, {"text": "g", "confidence": 0.02}]
        box = [left, top, right, top + SIZE]
        read = {"text": letter if sure else "?", "box": box, "confidence": confidence, "alternatives": alternatives}
        characters.append(read)
        left = right
    box = [characters[0]["box"][0], top, left, top + SIZE]
    shown = "".join(character["text"] for character in characters)
    return {"text": shown, "box": box, "confidence": confidence, "characters": characters}


class StandIn:
    """Reads pages at once; a PDF has three. Whatever was kept matches every search."""

    models = "of-pages", "best-digits"

    def __init__(self, library=True):
        self.library, self.available = library, RECOGNIZERS
        self.kept, self.calls = [], []  # calls: (name of the model or the recognizer, format)
        self.started, self.proceed = threading.Event(), threading.Event()
        self.proceed.set()

    def recognizers(self):
        return self.available

    def read(self, data, name, loaded, output, keep, recognizer):
        self.calls.append(((recognizer or loaded).name, output))
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
        for word in (word for each in pages for line in each["lines"] for word in line["words"] if recognizer):
            word["characters"] = []
        by = {"model": loaded.name, "recognizer": recognizer and recognizer.name}
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
