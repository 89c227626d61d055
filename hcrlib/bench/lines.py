"""Compare readers of words and lines: each decoder of our recognizers, character by character, and Tesseract.

`hcrlib.tasks.recognition.measuring` measures one recognizer, when it is trained.
"""

import time

import cv2
import numpy as np

import hcrlib
from hcrlib.bench.base import Outcome, bench
from hcrlib.bench.tesseract import LINE, WORD, require_tesseract, tesseract
from hcrlib.datasets import load_text
from hcrlib.decoding import ctc
from hcrlib.documents.reader import Reader
from hcrlib.metrics import scores

MODELS = {
    "words-52": ("emnist-words", "eng"),
    "wills-fr": ("cremma-wills", "fra"),
}  # (dataset, Tesseract language)


@bench("lines", "How well are words and lines read: by each decoder, character by character, and by Tesseract?")
def lines(request):
    """request.images: the most test images of each dataset."""
    require_tesseract()
    outcome = Outcome()
    loaded = [(name, hcrlib.load_model(name), load_text(dataset)) for name, (dataset, _) in MODELS.items()]
    for name, model, data in loaded:
        dataset, language = MODELS[name]
        test = data.test.take(range(min(request.images, len(data.test))))
        for what, read in _ways(model, data, language).items():
            begun = time.perf_counter()
            texts = read(test.images)
            ms = 1e3 * (time.perf_counter() - begun) / len(test)
            outcome.rows.append({"what": f"{dataset}: {what}", **_measured(texts, test.texts), "ms": ms})
            request.log(", ".join(f"{key} {value}" for key, value in outcome.rows[-1].items()))
        outcome.notes += _about(name, data, test)
    outcome.notes += [
        "cer, wer: character and word error rates; right: share of images without an error; low and high: 95 % intervals by "
        "bootstrap over images",
        f"best path: the default of {', '.join(MODELS)}; the searches have a beam of {ctc.BEAM}, "
        f"those with character n-grams of {ctc.NGRAM_BEAM}",
        "character by character: the page reader, on the image with a margin as wide as its height; Tesseract: default "
        "settings, with the page segmentation for one word or one line",
        "ms: the time of one image in total, one after another in one process",
    ]
    return outcome


def _ways(model, data, language):
    """Return what -> function of [uint8 (h, w)] that returns [text]."""
    of_words = model.unit == "words"
    ways = {}
    shipped = model.decoder and model.decoder.search
    for what, decode in ctc.decoders(model.classes, data.corpus, shipped=shipped).items():
        ways[what] = lambda images, decode=decode: decode(model.log_probabilities(images))
    readers = {"character by character": Reader(min_confidence=0, recognizer="characters")}
    if of_words:
        readers["character by character, lexicon"] = Reader(
            min_confidence=0, lexicon=data.corpus, recognizer="characters"
        )
    for what, reader in readers.items():
        ways[what] = lambda images, reader=reader: [_joined(reader.page(_as_page(image)).text) for image in images]
    ways["Tesseract"] = lambda images: tesseract(images, language, WORD if of_words else LINE)
    return ways


def _measured(predictions, texts):
    rates = {}
    for key, unit in (("cer", "characters"), ("wer", "words")):
        rates[key], rates[f"{key}_low"], rates[f"{key}_high"] = scores.error_rate(predictions, texts, unit)
    return {**rates, "right": float(np.mean([a == b for a, b in zip(predictions, texts, strict=True)]))}


def _about(name, data, test):
    words = [word for text in test.texts for word in text.split()]
    known = {word for text in data.corpus for word in text.split()}
    share = sum(word in known for word in words) / len(words)
    yield f"{data.name}: {len(test):,} of {len(data.test):,} test images, read by {name}; {data.source}"
    yield f"{data.name}: the dictionary of word beam search has {len(known):,} words, {share:.1%} of those in the test images"


def _as_page(image):
    """Return uint8 (h, w, 3): a word or a line in the middle of a blank page."""
    page = cv2.copyMakeBorder(image, *[image.shape[0]] * 4, cv2.BORDER_REPLICATE)
    return np.repeat(page[..., None], 3, axis=2)


def _joined(text):
    return " ".join(text.split())
