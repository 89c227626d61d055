"""The required quality of reading pages: the real form and photos, where available, and composed pages of digits."""

import pytest
import yaml

from hcrlib.core import paths
from hcrlib.datasets import load_dataset
from hcrlib.documents import evaluation, forms, loading
from hcrlib.documents.containers import Box
from hcrlib.documents.reader import Reader
from hcrlib.documents.synthesis import DEGRADATIONS, compose

ABOUT = yaml.safe_load((paths.project_root() / "params/forms/real_pages.yml").read_text(encoding="utf-8"))


def real(name):
    root = paths.data_root()
    path = root / "pages" / name if root else None
    if path is None or not path.is_file():
        pytest.skip(f"HCR_DATA has no pages/{name}")
    return next(loading.pages(path))


@pytest.fixture(scope="module")
def reader():
    return Reader(unsure_below=0)


def test_the_real_form(reader):
    about, image = ABOUT["forms"]["nist_hsf.png"], real("nist_hsf.png")
    template = forms.Template.load(paths.project_root() / about["template"])
    read = forms.read(template, image, reader)
    wrong = {"digits": 0, "letters": 0}
    for field, truth in about["fields"].items():
        part = "digits" if truth.isdigit() else "letters"
        wrong[part] += evaluation.character_errors(read[field].text if read[field] else "", truth).edits
    assert wrong["digits"] <= 2  # of 130
    assert wrong["letters"] <= 6  # of 52
    assert [read[name] for name in ("name", "date", "city")] == [None] * 3


@pytest.mark.parametrize("name", ABOUT["photos"])
def test_every_word_of_a_photo_is_found_and_nothing_else(name):
    """By separate characters: a recognizer of lines may read "world !" as two words."""
    truth = [Box(*word["box"]) for line in ABOUT["photos"][name] for word in line]
    page = Reader(recognizer="characters").page(real(name))
    found = evaluation.matched([page.source_box(word.box) for word in page.words], truth)
    assert found == (len(truth), len(truth), len(truth))


@pytest.mark.parametrize("look", ["plain", "two columns", "squared", "all at once"])
def test_composed_digits(look):
    data = load_dataset("mnist-5k")
    page = compose(data.val, data.classes, DEGRADATIONS[look], seed=7)
    read = Reader(unsure_below=0, characters="0123456789").page(page.image)
    found = evaluation.boxes_found(read, page.truth)
    assert found["lines"].f1 == 1
    assert found["words"].f1 >= 0.97
    assert found["characters"].f1 >= 0.97
    assert evaluation.character_errors(read.text, page.truth.text).rate <= 0.04
