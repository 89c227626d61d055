"""One or two runs' confusion matrix as HTML, in which a click on a cell shows the images behind it.

The same fragment stands in reports and in notebooks. It loads nothing. Without scripts, as where JupyterLab does not trust a
notebook, it is a table with the images of the most frequent confusions below it.
"""

import base64
import functools
import io
import json
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from hcrlib import datasets
from hcrlib.core.errors import HcrError
from hcrlib.datasets import inventory
from hcrlib.records import label, load_predictions

HERE = Path(__file__).parent
CLASSES = 64  # of more, those with the most errors are rows and columns
EACH = 12, 8, 5, 3, 2, 1  # images of a cell of which the runs say the same: the most that keep all below IMAGES
IMAGES = 1500  # in all: some 0.7 MB
FIRST = 6  # confusions whose images are shown from the start
SHADES = 16  # of gray in an image
SCALE = 2  # pixels of the page for each of an image


def of(records):
    """Return the fragment of one or two records of a dataset; "" where their predictions or images are not on this machine."""
    name = records[0].config.dataset
    if name in datasets.names() and not inventory.here(name):  # a report downloads nothing
        return ""
    try:
        answers = [load_predictions(record) for record in records]
        data = datasets.load_dataset(name)
    except HcrError:
        return ""
    if any(record.data["test_sha256"] != data.test_sha256 for record in records):
        return ""
    return fragment([label(record, records, seed=True) for record in records], answers, data.test.images, data.classes)


def fragment(names, answers, images, classes):
    """Return the HTML of one run's or two runs' answers on the same test images.

    names: str, of the runs. answers: what `records.load_predictions` returns for each. images: uint8 (n, 28, 28), ink 255.
    classes: names of the classes. ValueError unless there are one or two runs with the same labels, one for each image.
    """
    labels, said = answers[0]["labels"], np.array([each["predicted"] for each in answers])
    if len(said) not in (1, 2) or len(names) != len(said):
        raise ValueError(f"Expected one or two runs and their names, got {len(said)} and {len(names)}")
    if len(images) != len(labels) or any(not np.array_equal(each["labels"], labels) for each in answers):
        raise ValueError(f"Expected answers with the same {len(images)} labels, one for each image")
    cells = _cells(labels, said)
    order = sorted(cells, key=lambda cell: -sum(map(len, cells[cell])))
    most = next((most for most in EACH if _n_shown(cells, most) <= IMAGES), EACH[-1])
    draw = functools.partial(_drawn, cells, labels, said, images, classes)
    shown, left = {}, IMAGES
    for cell in order:
        if (left := left - _n_shown({cell: cells[cell]}, most)) < 0:
            break
        shown[f"{cell[0]}-{cell[1]}"] = draw(cell, most)
    first = "".join(draw(cell, most) for cell in [cell for cell in order if cell[0] != cell[1]][:FIRST])
    letters = [f"<b>{letter}</b>: {escape(name)}" for letter, name in zip("AB", names, strict=False)]
    numbers = "the number of images that A, and below it B," if len(said) == 2 else "the number of images that it"
    legend = f"{', '.join(letters)}. Rows are true classes, columns answers; a cell has {numbers} gave that answer."
    if len(shown) < len(cells):
        legend += f" The images of {len(shown):,} of {len(cells):,} cells are kept, those with the most."
    css, js = ((HERE / f"confusions.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    data = json.dumps(shown).replace("<", "\\u003c")  # or it could end the script
    return (
        f'<div class="confusions"><style>\n{css}</style><p>{legend}</p>{_table(labels, said, classes)}'
        f'<div class="seen" aria-live="polite">{first}</div>'
        f'<script type="application/json">{data}</script><script>\n{js}</script></div>'
    )


def _cells(labels, said):
    """Return {(true class, answer): [indices]}: of images that both runs, only the first, only the second gave that answer.

    Of one run, all of the cell's. What every run got right is left out: there is nothing to see.
    """
    cells = {}
    for true, read in {*zip(np.tile(labels, len(said)).tolist(), said.ravel().tolist(), strict=True)}:
        gave = (said == read) & (labels == true)
        groups = [gave.all(axis=0), gave[0] & ~gave[-1], gave[-1] & ~gave[0]][: 2 * len(said) - 1]
        found = [np.flatnonzero(group) for group in groups]
        if true == read:
            found[0] = found[0][:0]
        if any(map(len, found)):
            cells[true, read] = found
    return cells


def _n_shown(cells, most):
    return sum(min(len(group), most) for groups in cells.values() for group in groups)


def _drawn(cells, labels, said, images, classes, cell, most):
    """Return the HTML of a cell's images, with what each run said; at most `most` where the runs agree on them."""
    true, read = cell
    title = f"{classes[true]} read correctly" if true == read else f"{classes[true]} read as {classes[read]}"
    titles = ("both", "A alone", "B alone") if len(said) == 2 else ("",)
    rows = []
    for name, group in zip(titles, cells[cell], strict=True):
        count = f"{name}: {len(group):,}" if name else f"{len(group):,}"
        count += f", {most} of them shown" if len(group) > most else ""
        drawn = " ".join(_image(images[at], labels[at], said[:, at], classes) for at in group[:most])
        rows += [f"<p>{count}</p><p>{drawn}</p>"] if len(group) else []
    return f"<p><b>{escape(title)}</b></p>{''.join(rows)}"  # no heading: it would be in JupyterLab's table of contents


def _image(image, true, said, classes):
    says = " ".join(escape(f"{letter}: {classes[read]}") for letter, read in zip("AB", said, strict=False))
    about = escape(f"an image of {classes[true]}", quote=True)
    size = f'width="{SCALE * image.shape[1]}" height="{SCALE * image.shape[0]}"'
    return f'<span><img alt="{about}" {size} src="data:image/png;base64,{_png(image)}"> {says}</span>'


def _png(image):
    """Return an image, uint8 (h, w), ink 255, as a small PNG in base64, dark on white."""
    step, png = 256 // SHADES, io.BytesIO()
    drawn = Image.fromarray(SHADES - 1 - image // step)
    drawn.putpalette([255 * shade // (SHADES - 1) for shade in range(SHADES) for _ in range(3)])
    drawn.save(png, "png", bits=4, optimize=True)
    return base64.b64encode(png.getvalue()).decode("ascii")


def _table(labels, said, classes):
    """Return the matrix: a row for each true class, the number of each run's answers in its cells."""
    k = len(classes)
    counts = np.zeros((len(said), k, k), int)
    for each, of_run in zip(said, counts, strict=True):
        np.add.at(of_run, (labels, each), 1)
    errors = counts.sum(axis=(0, 2)) - np.einsum("rcc->c", counts)
    kept = np.sort(np.argsort(-errors, kind="stable")[:CLASSES])
    share = counts.max(axis=0) / np.maximum(counts.sum(axis=2).max(axis=0), 1)[:, None]
    head = "".join(f'<th scope="col">{escape(classes[read])}</th>' for read in kept)
    rows = [f'<tr><th scope="col">true</th>{head}</tr>']
    for true in kept:
        cells = (_cell(counts[:, true, read], share[true, read], true, read) for read in kept)
        rows.append(f'<tr><th scope="row">{escape(classes[true])}</th>{"".join(cells)}</tr>')
    left_out = f"<p>The {CLASSES} classes with the most errors of {k}.</p>" if k > CLASSES else ""
    return f'{left_out}<div class="wide"><table class="matrix">{"".join(rows)}</table></div>'


def _cell(numbers, share, true, read):
    if not any(numbers):
        return "<td></td>"
    kind = "right" if true == read else "wrong"
    text = "<br>".join(map(str, numbers))
    return f'<td class="{kind}" data-cell="{true}-{read}" style="--share: {share**0.5:.2f}">{text}</td>'
