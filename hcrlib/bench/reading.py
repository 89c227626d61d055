"""How well composed pages are read, with each degradation separately, and how long a page takes."""

import cv2
import numpy as np

from hcrlib.bench.base import Outcome, bench, row, run_json, temporary_folder
from hcrlib.bench.tesseract import require_tesseract, tesseract
from hcrlib.core import paths
from hcrlib.datasets import load_dataset
from hcrlib.documents import evaluation, loading, rapidocr
from hcrlib.documents.reader import Reader
from hcrlib.documents.synthesis import DEGRADATIONS, compose
from hcrlib.runtime.web import AUTO, CHARACTERS

DATA = "emnist-byclass-lite"
SEED = (
    1000  # of the first page; the split of the characters separates these pages from those of training and development
)
RESAMPLES = 2000
LEVELS = "lines", "words", "characters"


@bench("reading", "How well are composed pages read, and how does each degradation change it?")
def reading(request):
    """request.runs: pages per degradation."""
    data = load_dataset(DATA)
    separate = {"min_confidence": 0, "recognizer": CHARACTERS}
    readers = {"cer": Reader(**separate), "cer_lexicon": Reader(**separate, lexicon="en")}
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
        f"{len(every)} pages of about {every[0]['cer'].there} characters, composed from test characters of {DATA}",
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


TIMED = """
import numpy as np
image = np.load(sys.argv[1])
from hcrlib.documents.reader import Reader
reader = Reader(recognizer=sys.argv[3])
times = []
for _ in range(int(sys.argv[2])):
    begun = time.perf_counter()
    page = reader.page(image)
    times.append(time.perf_counter() - begun)
print(json.dumps({"seconds": times, "peak": peak(), "characters": len("".join(page.text.split())), "read_by": page.choice}))
"""


@bench("reading-time", "How long does a page of 12 megapixels take, and how much memory?")
def reading_time(request):
    """Both ways to read a page side by side: the default, which chooses, and separate characters only."""
    outcome = Outcome(runs=request.runs)
    for name, image in _timed_pages():
        with temporary_folder() as folder:
            np.save(folder / "page.npy", image)
            for recognizer in (AUTO, CHARACTERS):
                found = run_json(TIMED, folder / "page.npy", request.runs, recognizer)
                what = f"{name}, {image.shape[1]} x {image.shape[0]}, {recognizer}"
                memory = {"characters": found["characters"], "peak_MB": found["peak"] / 1e6}
                outcome.rows.append(row(what, found["seconds"], **memory))
                outcome.notes += [f"{what}: {found['read_by']}"] * bool(found["read_by"])
    outcome.notes.append(
        "one process each, without its start and the decoding of the image; high_s: mostly the first page, for which the model "
        "of lines is loaded; peak memory including libraries"
    )
    return outcome


def _timed_pages():
    """Yield (name, uint8 (h, w, 3), RGB) of composed pages, and of a real one if it is on this machine."""
    data = load_dataset(DATA)
    for name, size, look in (("composed page", 1, "plain"), ("the same on a photo", 2.03, "all at once")):
        image = compose(data.val, data.classes, DEGRADATIONS[look], SEED).image
        yield name, cv2.resize(image, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
    root = paths.data_root()
    for path in sorted(root.glob("pages-copiste/train/*.jpg"))[:1] if root else ():
        yield "real handwriting", cv2.resize(next(loading.pages(path)), (3000, 4000), interpolation=cv2.INTER_CUBIC)
