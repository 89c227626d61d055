"""How well the lines of real handwritten pages are found, apart from what they say."""

import json

from hcrlib.bench.base import Outcome, bench
from hcrlib.core import paths
from hcrlib.core.errors import DataError
from hcrlib.documents import cleaning, evaluation, layout, loading
from hcrlib.documents.containers import Box, Line, Page

PAGES = "pages-copiste/val"  # measured on; pages-copiste/train is for development


@bench("page-lines", "How well are the lines of real handwritten pages found?")
def page_lines(request):
    """request.images: the most pages."""
    folder = paths.data_root() and paths.data_root() / PAGES
    truths = sorted(folder.glob("*.json"))[: request.images] if folder else []
    if not truths:
        hint = "Put NAME.jpg and NAME.json, with `crop` and `lines` with a `box` each, into HCR_DATA/" + PAGES
        raise DataError("There are no pages to measure on", where=folder, hint=hint)
    outcome, total = Outcome(), evaluation.Found(0, 0, 0)
    for path in truths:
        found = lines_found(path)
        total += found
        outcome.rows.append(_row(path.stem, found))
        request.log(", ".join(f"{key} {value}" for key, value in outcome.rows[-1].items()))
    outcome.rows.insert(0, _row("all pages", total))
    outcome.notes += [
        f"{len(truths)} pages of {PAGES}, each cropped to its lines",
        f"a line is right if its box and a true one overlap by at least half (IoU {evaluation.IOU}), one to one; f1: of lines",
        "labels within the crop that are not in the ground truth count as found, but not as right",
    ]
    return outcome


def lines_found(path):
    """Return the Found of the lines of a page, given the path of its ground truth, beside which its image is."""
    truth = json.loads(path.read_text(encoding="utf-8"))
    left, top, right, bottom = truth["crop"]
    image = next(loading.pages(path.with_suffix(".jpg")))[top:bottom, left:right]
    cleaned = cleaning.cleaned(image)
    page = Page(1, (), cleaned.image, cleaned.to_source)
    rows = layout.without_cut_off(layout.layout(cleaned.ink), cleaned.to_source, image.shape).rows
    lines = [Line((), row.box, baseline=row.baseline, polygon=row.polygon).with_boxes(page.source_box) for row in rows]
    boxes = [line.box for line in lines]
    there = [Box(*line["box"]) for line in truth["lines"]]
    return evaluation.matched(boxes, [Box(b.left - left, b.top - top, b.right - left, b.bottom - top) for b in there])


def _row(what, found):
    measured = {"f1": found.f1, "precision": found.precision, "recall": found.recall}
    return {"what": what, **measured, "lines": found.there, "found": found.found, "right": found.right}
