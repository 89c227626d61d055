"""How well real handwriting is read: lines, whole pages, photos and a form, beside Tesseract and RapidOCR."""

import json
import re
import shutil
import time
from functools import partial

import cv2
import numpy as np

from hcrlib.bench.base import Outcome, bench
from hcrlib.bench.tesseract import LINE, PAGE, tesseract
from hcrlib.core import paths
from hcrlib.core.errors import DataError
from hcrlib.core.names import LINES_MODEL
from hcrlib.datasets import load_text
from hcrlib.documents import evaluation, forms, loading, rapidocr
from hcrlib.documents.containers import Box, Line, Page, Word, around
from hcrlib.documents.line_recognition import whole_recognizer
from hcrlib.documents.reader import Reader
from hcrlib.metrics import scores

LINES = {  # dataset: Tesseract's language
    "lines-copiste": "fra",
    "lines-hooker": "eng",
    "lines-peraire": "fra",
    "names-capitals": "fra",
    "cremma-wills": "fra",
}
PAGES = "pages-copiste", "fra"
LABEL = re.compile(r"^(pr[ée]nom|nom)\s*[:.;]?\s*")  # what is printed before some names


@bench("reading-real", "How well is real handwriting read: lines, pages, photos and a form?")
def reading_real(request):
    """request.images: the most lines of each dataset, evenly spaced."""
    others = {"RapidOCR": _rapidocr_lines} | ({"Tesseract": _tesseract_lines} if shutil.which("tesseract") else {})
    outcome, ours = Outcome(), whole_recognizer(LINES_MODEL)
    ways = {LINES_MODEL: lambda images, language: [text for text, _ in ours.readings(images)], **others}
    for name, language in LINES.items():
        test = load_text(name).test
        test = test.take(np.linspace(0, len(test) - 1, min(request.images, len(test))).astype(int))
        fold = folded if name == "names-capitals" else str
        for who, read in ways.items():
            _add(outcome, request, f"{name}: {who}", partial(read, test.images, language), test.texts, fold)
    pages = list(_pages(*PAGES))
    for who, read in _page_ways(PAGES[1]).items():
        texts = [text for _, text in pages]
        _add(outcome, request, f"{PAGES[0]}: {who}", lambda read=read: [read(image) for image, _ in pages], texts)
    about = _about()
    for name, lines in about["photos"].items():
        image, truth = _photo(name, lines)
        for who, read in _page_ways("eng").items():
            _add(outcome, request, f"{name}: {who}", lambda read=read, image=image: [read(image)], [truth.text])
        found = evaluation.boxes_found(Reader().page(image), truth)["words"]
        outcome.notes.append(
            f"{name}: {found.right} of {found.there} word boxes found, {found.found - found.right} false ones"
        )
    for name, form in about["forms"].items():
        _add_form(outcome, request, name, form)
    outcome.notes += [
        "cer, wer: character and word error rates, with 95 % intervals by bootstrap over lines, pages or fields; a photo is "
        "one text, so that it has none; lines of one document are alike, so that the intervals of lines are too narrow",
        "names-capitals: case folded, the printed label not counted; pages: cropped to the writing; a form's fields: only the "
        "characters that each allows",
        "no document here was trained on, and no writer, except: lines-peraire is of one hand and lines-hooker mostly of one, "
        "both trained on; who wrote names-capitals is not known; the code was developed on the photos and the form",
        "ms: the time of one image in total, one after another in one process",
    ]
    if "Tesseract" not in others:
        outcome.notes.append("Tesseract is not installed here: it was left out")
    return outcome


def _add(outcome, request, what, read, texts, fold=str):
    """Add the row of a function that returns a text for each of `texts`."""
    begun = time.perf_counter()
    predictions = [fold(" ".join(text.split())) for text in read()]
    ms = 1e3 * (time.perf_counter() - begun) / len(texts)
    texts = [fold(" ".join(text.split())) for text in texts]
    row = {"what": what}
    for key, unit in (("cer", "characters"), ("wer", "words")):
        row[key], row[f"{key}_low"], row[f"{key}_high"] = scores.error_rate(predictions, texts, unit)
    outcome.rows.append({**row, "of": sum(map(len, texts)), "ms": ms})
    request.log(", ".join(f"{key} {value:.3g}" if value != what else what for key, value in outcome.rows[-1].items()))


def _add_form(outcome, request, name, about):
    template, image = forms.Template.load(paths.project_root() / about["template"]), _page(name)
    begun = time.perf_counter()
    read = forms.read(template, image, Reader(min_confidence=0))
    ms = 1e3 * (time.perf_counter() - begun)
    parts = {}
    for field, truth in about["fields"].items():
        parts.setdefault(field if field in ("lower", "upper") else "digits", []).append((field, truth))
    for part, fields in parts.items():
        texts = [read[field].text if read[field] else "" for field, _ in fields]
        _add(outcome, request, f"{name}: {part}", lambda texts=texts: texts, [truth for _, truth in fields])
        outcome.rows[-1]["ms"] = ms


def _page_ways(language):
    """Return who -> function from a page, uint8 (h, w, 3), RGB, to its text."""
    default, characters = Reader(), Reader(recognizer="characters")
    ways = {
        "hcr read": lambda image: default.page(image).text,
        "separate characters": lambda image: characters.page(image).text,
        "RapidOCR": rapidocr.page,
    }
    if shutil.which("tesseract"):
        ways["Tesseract"] = lambda image: tesseract([image[..., ::-1]], language, PAGE)[0]
    return ways


def _rapidocr_lines(images, language):
    return [rapidocr.text(np.repeat(image[..., None], 3, axis=2))[0] for image in images]


def _tesseract_lines(images, language):
    return tesseract([cv2.copyMakeBorder(image, 8, 8, 8, 8, cv2.BORDER_REPLICATE) for image in images], language, LINE)


def folded(text):
    return LABEL.sub("", text.casefold())


def _about():
    import yaml

    return yaml.safe_load((paths.project_root() / "params/forms/real_pages.yml").read_text(encoding="utf-8"))


def _found(name):
    folder = paths.data_root()
    path = folder / name if folder else None
    if path is None or not path.exists():
        raise DataError(f"{name} is not on this machine", where=path, hint=f"Put it into HCR_DATA/{name}")
    return path


def _pages(folder, language):
    """Yield (uint8 (h, w, 3), text) of each page, cropped to its writing."""
    for path in sorted((_found(folder) / "val").glob("*.json")):
        about = json.loads(path.read_text(encoding="utf-8"))
        left, top, right, bottom = about["crop"]
        image = next(loading.pages(path.with_suffix(".jpg")))
        yield image[top:bottom, left:right], "\n".join(line["text"] for line in about["lines"])


def _page(name):
    return next(loading.pages(_found(f"pages/{name}")))


def _photo(name, lines):
    """Return (image, true Page) of a photo."""
    image = _page(name)
    words = [[Word(w["text"], Box(*w["box"]), 1.0) for w in line] for line in lines]
    return image, Page(1, tuple(Line(tuple(line), around(w.box for w in line)) for line in words), image)
