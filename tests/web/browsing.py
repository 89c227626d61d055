"""Chromium for the browser tests: the app at two sizes, screenshots, accessibility checks.

Needs the system's Chromium (Debian: apt install chromium). Set HCR_SHOTS to a folder for screenshots of every state.
"""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make env")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: apt install chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
SIZES = {
    "desktop": dict(viewport={"width": 1200, "height": 850}),
    "phone": dict(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, device_scale_factor=2),
}
SEND_FILE = """([way, content, name, type]) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, {type}));
    const event = way === "paste"
        ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true})
        : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
    document.body.dispatchEvent(event);
}"""
expect = playwright.expect


@contextmanager
def opened(browser, url, size, **options):
    """Open the app at one of SIZES; fails if a script raises or the Content-Security-Policy blocks something."""
    context = browser.new_context(**SIZES[size], **options)
    page = context.new_page()
    page.kind, page.errors = size, []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda said: page.errors.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto(url)
    expect(page.locator("#model option")).to_have_count(2)
    yield page
    assert page.errors == []
    context.close()


def fixtures(opened_app):
    """Return the fixtures `page`, at each of SIZES, and `desktop`. opened_app: (browser, served, size) -> a context manager."""

    @pytest.fixture(params=SIZES)
    def page(request, browser, served):
        with opened_app(browser, served, request.param) as page:
            yield page

    @pytest.fixture
    def desktop(browser, served):
        with opened_app(browser, served, "desktop") as page:
            yield page

    return page, desktop


def shot(page, name):
    if folder := os.environ.get("HCR_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}-{page.kind}.png", full_page=True)


def fits(page):
    """Return whether nothing is wider than the screen."""
    return page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def violations(page):
    """Return the serious accessibility problems that axe finds."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        (violation["id"], [node["html"][:100] for node in violation["nodes"]])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
