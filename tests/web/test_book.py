"""The book builds without a warning, its links lead somewhere, and its pages are accessible and load nothing from elsewhere."""

import importlib.util
import subprocess
import sys

import pytest

from hcrlib.core.paths import project_root

from .browsing import MARKS, fits, violations

for library in ("sphinx", "myst_nb", "pydata_sphinx_theme", "sphinx_design", "sphinx_copybutton"):
    pytest.importorskip(library, reason=f"{library} is not installed: make docs")
pytestmark = [*MARKS, pytest.mark.long]
ROOT = project_root()
PAGES = "docs/index", "docs/reference/api", "notebooks/20_compare", "results/mnist/leaderboard"


@pytest.fixture(scope="module")
def book(shared):
    """The folder of the built book."""

    def build(folder):
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", ".", folder / "html"]
        done = subprocess.run([*command, "-d", folder / "doctrees"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return shared("book", build) / "html"


def test_links_lead_somewhere_and_nothing_is_loaded_from_elsewhere(book):
    spec = importlib.util.spec_from_file_location("links", ROOT / "docs/_ext/links.py")
    links = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(links)
    assert links.problems(book) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_accessible_and_fits(browser, book, page):
    requested = []
    for scheme, width in (("light", 1280), ("dark", 390)):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 850})
        opened = context.new_page()
        opened.on("request", lambda request: requested.append(request.url))
        opened.goto((book / f"{page}.html").as_uri())
        assert violations(opened) == [], scheme
        assert fits(opened), scheme
        context.close()
    assert {url.partition(":")[0] for url in requested} <= {"file", "data"}
