"""How well pages are read: composed ones, with each degradation by itself, and real ones; and in what time."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np

from hcrlib.bench.base import Outcome, bench, run_json
from hcrlib.core import paths
from hcrlib.core.errors import DataError
from hcrlib.datasets import load_dataset
from hcrlib.documents import evaluation, forms, loading, rapidocr
from hcrlib.documents.containers import Box, Line, Page, Word, around
from hcrlib.documents.reader import MODEL, Reader
from hcrlib.documents.synthesis import LOOKS, compose

CHARACTERS = "emnist-byclass-lite"
SEED = (
    1000  # the first page's; what parts these pages from those of training and development is their characters' split
)
RESAMPLES = 2000
LEVELS = "lines", "words", "characters"


@bench("reading", "How well are composed pages read, and how does each degradation change it?")
def reading(request):
    """request.runs: pages of each look."""
    data = load_dataset(CHARACTERS)
    readers = {"cer": Reader(unsure_below=0), "cer_lexicon": Reader(unsure_below=0, lexicon="en")}
    others = {"cer_tesseract": tesseract, "cer_rapidocr": rapidocr.page}
    if shutil.which("tesseract") is None:
        raise DataError("Tesseract is not installed", hint="apt install tesseract-ocr, or your system's package of it")
    outcome, every = Outcome(runs=request.runs), []
    for name, look in LOOKS.items():
        pages = [
            _measured(compose(data.test, data.classes, look, SEED + n), readers, others) for n in range(request.runs)
        ]
        every += pages
        outcome.rows.append(_row(name, pages))
        request.log(", ".join(f"{key} {_short(value)}" for key, value in outcome.rows[-1].items()))
    outcome.rows.insert(0, _row("all pages", every))
    outcome.notes += [
        f"{len(every)} pages of {every[0]['cer'].there} characters or so, composed from test characters of {CHARACTERS}",
        "f1_: boxes found, of lines, words and characters, that overlap the true ones by at least half (IoU 0.5)",
        "cer: characters wrong, missing or too many, of those that are there; case counts. cer_lexicon: with --lexicon en, "
        "whose 20,000 words hold all that the pages say, but no numbers",
        *(
            f"95 % interval of {key} over all pages (bootstrap over pages): {_interval(every, key)}"
            for key in ("cer", "cer_lexicon", *others)
        ),
        "the sizes of letters that pages are composed with are those that the reader expects of a school's hand",
        "Tesseract and RapidOCR as they come; neither was made for separate characters, nor ours for joined ones; RapidOCR "
        "names no columns, so that its lines of two are read across",
    ]
    return outcome


def _measured(composed, readers, others):
    """Return {what: Found or Errors} of one page."""
    pages = {name: reader.page(composed.image) for name, reader in readers.items()}
    found = evaluation.boxes_found(pages["cer"], composed.truth)
    texts = {name: page.text for name, page in pages.items()}
    texts |= {name: read(composed.image) for name, read in others.items()}
    errors = {name: evaluation.character_errors(text, composed.truth.text) for name, text in texts.items()}
    return {f"f1_{level}": found[level] for level in LEVELS} | errors


def _row(name, pages):
    sums = {key: pages[0][key] for key in pages[0]}
    for page in pages[1:]:
        sums = {key: sums[key] + page[key] for key in sums}
    return {"what": name, **{key: one.f1 if key.startswith("f1") else one.rate for key, one in sums.items()}}


def _interval(pages, key):
    edits, there = (np.array([getattr(page[key], what) for page in pages]) for what in ("edits", "there"))
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(pages), size=(RESAMPLES, len(pages)))
    low, high = np.percentile(edits[drawn].sum(axis=1) / there[drawn].sum(axis=1), [2.5, 97.5])
    return f"{low:.3f} to {high:.3f}"


def _short(value):
    return f"{value:.3f}" if isinstance(value, float) else value


def tesseract(image):
    """Return the text that Tesseract reads on uint8 (h, w, 3), RGB."""
    with tempfile.TemporaryDirectory(prefix="hcr-bench-") as folder:
        path = Path(folder) / "page.png"
        cv2.imwrite(str(path), image[..., ::-1])
        return subprocess.run(["tesseract", path, "-"], capture_output=True, text=True, check=True).stdout


@bench("reading-real", "How well are real pages read?")
def reading_real(request):
    import yaml

    about = yaml.safe_load((paths.project_root() / "params/forms/real_pages.yml").read_text(encoding="utf-8"))
    outcome = Outcome(
        notes=[
            "of the form: characters right, 1 - CER, beside the printed keys; no character set is assumed but the field's own",
            "the code was developed on these three pages: of others nothing is known",
        ]
    )
    for name, one in about["forms"].items():
        outcome.rows += _form_rows(name, one)
    for name, lines in about["photos"].items():
        outcome.rows += _photo_rows(name, lines)
    return outcome


def _page(name):
    folder = paths.data_root()
    path = folder / "pages" / name if folder else None
    if path is None or not path.is_file():
        raise DataError(f"The page {name} is not here", where=path, hint="HCR_DATA/pages/ is looked in")
    return next(loading.pages(path))


def _form_rows(name, about):
    template, image = forms.Template.load(paths.project_root() / about["template"]), _page(name)
    read = forms.read(template, image, Reader(unsure_below=0))
    sums = {}
    for field, truth in about["fields"].items():
        part = field if field in ("lower", "upper") else "digits"
        word = read[field]
        sums[part] = sums.get(part, evaluation.Errors(0, 0)) + evaluation.character_errors(
            word.text if word else "", truth
        )
    return [_share(f"{name}: {part}", errors) for part, errors in sums.items()]


def _photo_rows(name, lines):
    image = _page(name)
    words = [[Word(w["text"], Box(*w["box"]), 1.0) for w in line] for line in lines]
    truth = Page(1, tuple(Line(tuple(line), around(w.box for w in line)) for line in words), image)
    read = Reader(unsure_below=0).page(image)
    found = evaluation.boxes_found(read, truth)["words"]
    texts = {
        "characters": read.text,
        "characters, --lexicon en": Reader(unsure_below=0, lexicon="en").page(image).text,
        "words by RapidOCR": Reader(recognizer=rapidocr.NAME).page(image).text,
        "Tesseract alone": tesseract(image),
        "RapidOCR alone": rapidocr.page(image),
    }
    yield {
        "what": f"{name}: word boxes found",
        "accuracy": found.recall,
        "of": found.there,
        "wrong": found.there - found.right,
    }
    yield {
        "what": f"{name}: word boxes right",
        "accuracy": found.precision,
        "of": found.found,
        "wrong": found.found - found.right,
    }
    for how, text in texts.items():
        yield _share(f"{name}: {how}", evaluation.character_errors(text, truth.text))


def _share(what, errors):
    return {"what": what, "accuracy": 1 - errors.rate, "of": errors.there, "wrong": errors.edits}


TIMED = """
import numpy as np
image = np.load(sys.argv[1])
from hcrlib.documents.reader import Reader
reader = Reader()
times = []
for _ in range(int(sys.argv[2])):
    begun = time.perf_counter()
    page = reader.page(image)
    times.append(time.perf_counter() - begun)
print(json.dumps({"seconds": times, "peak": peak(), "characters": sum(len(w.characters) for w in page.words)}))
"""


@bench("reading-time", "How long does a page of 12 megapixels take, and how much memory?")
def reading_time(request):
    data, outcome = load_dataset(CHARACTERS), Outcome(runs=request.runs)
    for name, size, look in (("composed page", 1, "plain"), ("the same on a photo", 2.03, "all at once")):
        image = compose(data.val, data.classes, LOOKS[look], SEED).image
        image = cv2.resize(image, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
        with tempfile.TemporaryDirectory(prefix="hcr-bench-") as folder:
            np.save(Path(folder) / "page.npy", image)
            found = run_json(TIMED, Path(folder) / "page.npy", request.runs)
        seconds = found["seconds"]
        outcome.rows.append(
            {
                "what": f"{name}: {image.shape[1]} x {image.shape[0]}",
                "median_s": float(np.median(seconds)),
                "low_s": min(seconds),
                "high_s": max(seconds),
            }
            | {"characters": found["characters"], "peak_MB": found["peak"] / 1e6}
        )
    outcome.notes.append(
        f"one process with {MODEL}, its start not counted, the picture decoded; its peak memory, libraries included"
    )
    return outcome
