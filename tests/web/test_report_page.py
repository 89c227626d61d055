"""The report in a real browser: it sorts, filters, opens figures, fits, prints, and loads nothing."""

import io

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from hcrlib.reporting import html
from hcrlib.tasks.classification import confusions

from .browsing import MARKS

pytestmark = MARKS


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return html.write(tmp_path_factory.mktemp("report") / "mnist.html", ["mnist"])


@pytest.fixture
def opened(browser, report):
    """A function that opens the report and fails if a script raises or something is loaded."""
    contexts, faults = [], []

    def open_(width, scheme="light"):
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.extend([request.url] * request.url.startswith("http")))
        page.goto(report.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not faults


def test_a_cell_of_the_matrix_shows_its_images_by_mouse_and_by_keys(opened, tmp_path):
    labels, images = np.array([0, 0, 1, 1]), np.zeros((4, 28, 28), np.uint8)
    answers = [{"labels": labels, "predicted": np.array(said)} for said in ([0, 1, 0, 1], [1, 1, 1, 1])]
    page = opened(390)
    (tmp_path / "a.html").write_text(confusions.fragment("xy", answers, images, "ab"))
    page.goto((tmp_path / "a.html").as_uri())
    seen = page.locator(".seen")
    assert seen.locator("img").count() == 3, "the most frequent ones, from the start"
    page.get_by_role("button", name="b read as a: 1 by A, 0 by B").click()
    assert "b read as a" in seen.inner_text()
    assert seen.locator("img").count() == 1
    for key in ("ArrowUp", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert "a read as b" in seen.inner_text()
    assert page.locator("button[aria-pressed=true]").get_attribute("aria-label") == "a read as b: 1 by A, 2 by B"
    assert page.locator("button[tabindex='0']").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_tables_sort_and_filter_and_figures_open_large(opened):
    page = opened(1280)
    table = page.locator("table").first
    names = table.locator("tbody tr:visible td:first-child")
    heading = table.locator("th", has_text="fit s")
    column = table.locator("th").all_inner_texts().index(heading.inner_text()) + 1
    for order in (sorted, lambda values: sorted(values, reverse=True)):
        heading.locator("button").click()
        cells = table.locator(f"tbody td:nth-child({column})").all_inner_texts()
        times = [float(text.replace(",", "").strip("< ")) for text in cells]
        assert times == order(times)
    page.locator("input[type=search]").first.fill("cnn-")
    assert names.count()
    assert all("cnn-" in name for name in names.all_inner_texts())
    page.locator("figure img").first.press("Enter")
    large = page.locator("dialog img")
    assert large.bounding_box()["width"] > 1200
    page.keyboard.press("Escape")
    assert not large.is_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "dark")])
def test_nothing_is_cut_and_the_scheme_is_the_readers(opened, width, scheme):
    page = opened(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 1280:
        cut = "[...document.querySelectorAll('table')].filter((table) => table.scrollWidth > table.clientWidth).length"
        assert page.evaluate(cut) == 0
    else:
        table, hint = page.locator("table").first, page.locator(".scrolls").first
        assert hint.is_visible()
        assert "more" in table.get_attribute("class")
        table.evaluate("(table) => table.scrollTo(10_000, 0)")
        page.wait_for_function("!document.querySelector('table').classList.contains('more')")
    shot = Image.open(io.BytesIO(page.screenshot())).convert("L")
    assert (shot.getpixel((2, 2)) > 128) == (scheme == "light")


def test_it_prints_with_every_column(opened):
    pages = pypdfium2.PdfDocument(opened(1280, "dark").pdf(prefer_css_page_size=True))
    text = "".join(page.get_textpage().get_text_range() for page in pages)
    for word in (
        "How good is each classifier",
        "engine",
        "Answer",
        "the command that repeats it",
        "Who gets more images right?",
    ):
        assert word in text
    assert all(page.get_width() > page.get_height() for page in pages)
    assert pages[0].render().to_pil().getpixel((2, 2)) == (255, 255, 255)
