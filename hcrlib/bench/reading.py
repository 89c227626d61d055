"""How well pages are read, composed ones with each degradation separately and real ones, and how long it takes."""

import cv2
import numpy as np

from hcrlib.bench.base import Outcome, bench, row, run_json, temporary_folder
from hcrlib.bench.tesseract import require_tesseract, tesseract
from hcrlib.core import paths
from hcrlib.core.errors import DataError
from hcrlib.datasets import load_dataset
from hcrlib.documents import evaluation, forms, loading, rapidocr
from hcrlib.documents.containers import Box, Line, Page, Word, around
from hcrlib.documents.reader import MODEL, Reader
from hcrlib.documents.synthesis import DEGRADATIONS, compose

CHARACTERS = "emnist-byclass-lite"
SEED = (
    1000  # of the first page; the split of the characters separates these pages from those of training and development
)
RESAMPLES = 2000
LEVELS = "lines", "words", "characters"


@bench("reading", "How well are composed pages read, and how does each degradation change it?")
def reading(request):
    """request.runs: pages per degradation."""
    data = load_dataset(CHARACTERS)
    readers = {"cer": Reader(min_confidence=0), "cer_lexicon": Reader(min_confidence=0, lexicon="en")}
    others = {"cer_tesseract": _by_tesseract, "cer_rapidocr": rapidocr.page}
    require_tesseract()
    outcome, every = Outcome(runs=request.runs), []
    for name, look in DEGRADATIONS.items():
        composed = (compose(data.test, data.classes, look, SEED + n) for n in range(request.runs))
        pages = [_measured(page, readers, others) for page in composed]
        every += pages
        outcome.rows.append(_row(name, pages))
        request.log(", ".join(f"{key} {_short(value)}" for key, value in outcome.rows[-1].items()))
    outcome.rows.insert(0, _row("all pages", every))
    outcome.notes += [
        f"{len(every)} pages of about {every[0]['cer'].there} characters, composed from test characters of {CHARACTERS}",
        "f1_: F1 of the boxes of lines, words and characters that overlap the true ones by at least half (IoU 0.5)",
        "cer: character error rate; case counts. cer_lexicon: with --lexicon en, whose 20,000 words include all words on the "
        "pages, but no numbers",
        *(
            f"95 % interval of {key} over all pages (bootstrap over pages): {_interval(every, key)}"
            for key in ("cer", "cer_lexicon", *others)
        ),
        "the pages are composed with the letter sizes that the reader expects, those of school handwriting",
        "Tesseract and RapidOCR with their default settings; neither was made for separate characters, nor ours for joined "
        "ones; RapidOCR does not report columns, so that lines of two columns are read across",
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


def _by_tesseract(image):
    """Return the text of a page, uint8 (h, w, 3), RGB."""
    return tesseract([image[..., ::-1]])[0]


@bench("reading-real", "How well are real pages read?")
def reading_real(request):
    import yaml

    about = yaml.safe_load((paths.project_root() / "params/forms/real_pages.yml").read_text(encoding="utf-8"))
    outcome = Outcome(
        notes=[
            "form: 1 - CER, against the printed keys; only the characters of each field are allowed",
            "the code was developed on these three pages: nothing is known about others",
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
        raise DataError(f"The page {name} is not on this machine", where=path, hint="Put it into HCR_DATA/pages/")
    return next(loading.pages(path))


def _form_rows(name, about):
    template, image = forms.Template.load(paths.project_root() / about["template"]), _page(name)
    read = forms.read(template, image, Reader(min_confidence=0))
    sums = {}
    for field, truth in about["fields"].items():
        part, word = field if field in ("lower", "upper") else "digits", read[field]
        errors = evaluation.character_errors(word.text if word else "", truth)
        sums[part] = sums.get(part, evaluation.Errors(0, 0)) + errors
    return [_share(f"{name}: {part}", errors.there, errors.edits) for part, errors in sums.items()]


def _photo_rows(name, lines):
    image = _page(name)
    words = [[Word(w["text"], Box(*w["box"]), 1.0) for w in line] for line in lines]
    truth = Page(1, tuple(Line(tuple(line), around(w.box for w in line)) for line in words), image)
    read = Reader(min_confidence=0).page(image)
    found = evaluation.boxes_found(read, truth)["words"]
    texts = {
        "characters": read.text,
        "characters, --lexicon en": Reader(min_confidence=0, lexicon="en").page(image).text,
        "words by RapidOCR": Reader(recognizer=rapidocr.NAME).page(image).text,
        "Tesseract alone": _by_tesseract(image),
        "RapidOCR alone": rapidocr.page(image),
    }
    yield _share(f"{name}: word boxes found", found.there, found.there - found.right)
    yield _share(f"{name}: word boxes right", found.found, found.found - found.right)
    for how, text in texts.items():
        errors = evaluation.character_errors(text, truth.text)
        yield _share(f"{name}: {how}", errors.there, errors.edits)


def _share(what, total, wrong):
    return {"what": what, "accuracy": 1 - wrong / total if total else 1.0, "of": total, "wrong": wrong}


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
        image = compose(data.val, data.classes, DEGRADATIONS[look], SEED).image
        image = cv2.resize(image, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
        with temporary_folder() as folder:
            np.save(folder / "page.npy", image)
            found = run_json(TIMED, folder / "page.npy", request.runs)
        what = f"{name}: {image.shape[1]} x {image.shape[0]}"
        memory = {"characters": found["characters"], "peak_MB": found["peak"] / 1e6}
        outcome.rows.append(row(what, found["seconds"], **memory))
    note = f"one process with {MODEL}, without its start and the decoding of the image; peak memory including libraries"
    outcome.notes.append(note)
    return outcome
