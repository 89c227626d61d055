"""How well words and lines are read: by each decoder of our recognisers, character by character, by Tesseract."""

import csv
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

import hcrlib
from hcrlib.bench.base import Outcome, bench
from hcrlib.core.errors import DataError, RunError
from hcrlib.datasets import load_text
from hcrlib.decoding import ctc
from hcrlib.documents.reader import Reader
from hcrlib.metrics import scores

MODELS = {"words-52": ("emnist-words", "eng"), "wills-fr": ("cremma-wills", "fra")}  # of the zoo: (data, Tesseract's)
ONE_WORD, ONE_LINE = "8", "7"  # Tesseract's page segmentation


@bench("lines", "How well are words and lines read: by each decoder, by single characters, by Tesseract?")
def lines(request):
    """request.images: the most test pictures of each set."""
    if shutil.which("tesseract") is None:
        raise DataError("Tesseract is not installed", hint="apt install tesseract-ocr, or your system's package of it")
    outcome = Outcome()
    there = [(name, hcrlib.load_model(name), load_text(dataset)) for name, (dataset, _) in MODELS.items()]
    for name, model, data in there:
        dataset, language = MODELS[name]
        test = data.test.take(range(min(request.images, len(data.test))))
        for what, read in _ways(model, data, language).items():
            begun = time.perf_counter()
            said = read(test.images)
            ms = 1e3 * (time.perf_counter() - begun) / len(test)
            outcome.rows.append({"what": f"{dataset}: {what}", **_measured(said, test.texts), "ms": ms})
            request.log(", ".join(f"{key} {value}" for key, value in outcome.rows[-1].items()))
        outcome.notes += _about(name, data, test)
    outcome.notes += [
        "cer, wer: characters and words wrong, missing or too many, of those that are there; right: pictures without an error; "
        "low and high: 95 % intervals, by bootstrap over pictures",
        f"best path is how {', '.join(MODELS)} answer by themselves; the searches have a beam of {ctc.BEAM}",
        "character by character: the page's reader, on the picture in a margin as wide as it is high; Tesseract as it comes, "
        "told that it sees one word or one line",
        "ms: of one picture, everything included, one after the other in one process",
    ]
    return outcome


def _ways(model, data, language):
    """Return what -> function of [uint8 (h, w)] that returns [text]."""
    of_words = model.unit == "words"
    ways = {}
    for what, decode in ctc.decoders(model.classes, data.corpus).items():
        ways[what] = lambda images, decode=decode: decode(model.log_probabilities(images))
    readers = {"character by character": Reader(unsure_below=0)}
    if of_words:
        readers["character by character, lexicon"] = Reader(unsure_below=0, lexicon=data.corpus)
    for what, reader in readers.items():
        ways[what] = lambda images, reader=reader: [_joined(reader.page(_as_page(image)).text) for image in images]
    ways["Tesseract"] = lambda images: tesseract(images, language, ONE_WORD if of_words else ONE_LINE)
    return ways


def _measured(said, texts):
    rates = {}
    for key, unit in (("cer", "characters"), ("wer", "words")):
        rates[key], rates[f"{key}_low"], rates[f"{key}_high"] = scores.error_rate(said, texts, unit)
    return {**rates, "right": float(np.mean([a == b for a, b in zip(said, texts, strict=True)]))}


def _about(name, data, test):
    words = [word for text in test.texts for word in text.split()]
    known = {word for text in data.corpus for word in text.split()}
    share = sum(word in known for word in words) / len(words)
    yield f"{data.name}: {len(test):,} of {len(data.test):,} test pictures, read by {name}; {data.source}"
    yield f"{data.name}: the dictionary of word beam search holds {len(known):,} words, {share:.1%} of the test's among them"


def _as_page(image):
    """Return uint8 (h, w, 3): a word or a line in the middle of some paper."""
    wide = image.shape[0]
    page = cv2.copyMakeBorder(image, wide, wide, wide, wide, cv2.BORDER_REPLICATE)
    return np.repeat(page[..., None], 3, axis=2)


def _joined(text):
    return " ".join(text.split())


def tesseract(images, language, segmentation):
    """Return [text] that Tesseract reads on [uint8 (h, w)]. RunError where it fails, as for a missing language."""
    with tempfile.TemporaryDirectory(prefix="hcr-bench-") as folder:
        paths = [Path(folder) / f"{at:06}.png" for at in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            cv2.imwrite(str(path), image)
        listed = Path(folder) / "all.txt"
        listed.write_text("\n".join(map(str, paths)) + "\n")
        command = ["tesseract", listed, "-", "-l", language, "--psm", segmentation, "tsv"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        hint = f"apt install tesseract-ocr-{language}"
        raise RunError("Tesseract failed", got=done.stderr.strip()[-300:], hint=hint)
    words = {}
    for row in csv.DictReader(done.stdout.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        words.setdefault(int(row["page_num"]), []).append(row["text"] or "")
    return [_joined(" ".join(words.get(number, ()))) for number in range(1, len(images) + 1)]
