"""The web app in a real browser: mouse, touch and keyboard; files; no connection; accessibility.

Needs the system's Chromium (Debian: apt install chromium). Set HCR_SHOTS to a folder for screenshots of every state.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from .conftest import CAPITAL_A, EIGHT, picture
from .test_server import Running

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make env")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: apt install chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
SIZES = {
    "desktop": dict(viewport={"width": 1200, "height": 850}),
    "phone": dict(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, device_scale_factor=2),
}
expect = playwright.expect


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    from .conftest import ZOO

    found = Running(tmp_path_factory.mktemp("served"), "--bundle", str(ZOO / "best-47"))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(params=SIZES)
def page(request, browser, served):
    yield from _page(browser, served, SIZES[request.param], request.param)


@pytest.fixture
def desktop(browser, served):
    yield from _page(browser, served, SIZES["desktop"], "desktop")


def _page(browser, served, size, name, **more):
    context = browser.new_context(**size, **more)
    page = context.new_page()
    page.kind, page.errors = name, []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda said: page.errors.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto(f"http://localhost:{served.port}/")
    expect(page.locator("#model option")).to_have_count(2)
    page.locator("#model").select_option("best-47")
    yield page
    assert page.errors == []
    context.close()


def draw(page, strokes):
    """With the finger where there is one, else with the mouse."""
    box = page.locator("#pad").bounding_box()
    points = [[(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke] for stroke in strokes]
    if page.kind == "phone":
        session = page.context.new_cdp_session(page)
        for (x, y), *rest in points:
            session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
            for x, y in rest:
                session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y}]})
            session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return
    for (x, y), *rest in points:
        page.mouse.move(x, y)
        page.mouse.down()
        for x, y in rest:
            page.mouse.move(x, y, steps=4)
        page.mouse.up()


def shot(page, name):
    if folder := os.environ.get("HCR_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}-{page.kind}.png", full_page=True)


def answered(page, label):
    expect(page.locator("#label")).to_have_text(label)
    expect(page.locator("#alternatives li")).to_have_count(5)


@pytest.mark.parametrize(("label", "strokes"), [("8", EIGHT), ("A", CAPITAL_A)])
def test_a_character_is_drawn_and_read(page, label, strokes):
    expect(page.locator("#words")).to_have_text("Nothing drawn yet.")
    shot(page, "empty")
    draw(page, strokes)
    answered(page, label)
    expect(page.locator("#explain-hint")).to_be_visible()
    expect(page.locator("#spoken")).to_contain_text(label)
    page.wait_for_timeout(700)  # which pixels mattered
    shot(page, f"drawn-{label}")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_undo_and_clear(page):
    draw(page, CAPITAL_A)
    answered(page, "A")
    page.locator("#clear").click()
    expect(page.locator("#words")).to_have_text("Nothing drawn yet.")
    expect(page.locator("#alternatives")).to_be_hidden()
    page.locator("#undo").click()
    answered(page, "A")
    page.locator("#undo").click()
    page.locator("#undo").click()
    expect(page.locator("#words")).to_have_text("Nothing drawn yet.")
    expect(page.locator("#undo")).to_be_disabled()


def test_another_model(page):
    draw(page, EIGHT)
    page.locator("#model").select_option("best-digits")
    expect(page.locator("#model-about")).to_contain_text("10 classes")
    answered(page, "8")


def test_a_file_is_read_and_removed(page, tmp_path):
    (tmp_path / "a.png").write_bytes(picture(CAPITAL_A))
    page.locator("#tab-image").click()
    expect(page.locator("#words")).to_have_text("No image yet.")
    shot(page, "image-empty")
    page.locator("#file").set_input_files(tmp_path / "a.png")
    answered(page, "A")
    expect(page.locator("#preview")).to_be_visible()
    page.wait_for_timeout(700)
    shot(page, "image")
    page.locator("#clear-image").click()
    expect(page.locator("#preview")).to_be_hidden()
    expect(page.locator("#words")).to_have_text("No image yet.")


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_picture_is_pasted_or_dropped(desktop, way):
    url = "data:image/png;base64," + __import__("base64").b64encode(picture(EIGHT)).decode()
    desktop.evaluate(
        """async ([url, way]) => {
            const data = new DataTransfer();
            data.items.add(new File([await (await fetch(url)).blob()], "a.png", {type: "image/png"}));
            const event = way === "paste"
                ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true})
                : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
            document.body.dispatchEvent(event);
        }""".replace(
            "await (await fetch(url)).blob()", "Uint8Array.from(atob(url.split(',')[1]), c => c.charCodeAt(0))"
        ),
        [url, way],
    )
    answered(desktop, "8")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.txt", b"hello", "not an image"),
        ("a.png", b"hello", "is not a JPEG"),
        ("white.png", picture([]), "image is blank"),
        ("big.png", bytes(9 << 20), "up to 8 MB"),
    ],
)
def test_what_cannot_be_read_is_said(desktop, tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    desktop.locator("#tab-image").click()
    desktop.locator("#file").set_input_files(tmp_path / name)
    expect(desktop.locator("#trouble:visible, #words:visible").filter(has_text=words)).to_have_count(1)
    expect(desktop.locator("#label")).to_have_text("")
    shot(desktop, f"refused-{name}")


def test_with_the_keyboard_alone(desktop):
    """A 1: to the pad by Tab, down by the arrows; then undone, and on to the answer."""
    for _ in range(12):
        desktop.keyboard.press("Tab")
        if desktop.evaluate("document.activeElement.id") == "pad":
            break
    for _ in range(3):
        desktop.keyboard.press("Shift+ArrowUp")
    desktop.keyboard.press(" ")
    expect(desktop.locator("#spoken")).to_have_text("Pen down")
    for _ in range(6):
        desktop.keyboard.press("Shift+ArrowDown")
    desktop.keyboard.press(" ")
    expect(desktop.locator("#label")).to_have_text(re.compile("[1IL?]"))
    shot(desktop, "keyboard")
    desktop.keyboard.press("Delete")
    expect(desktop.locator("#words")).to_have_text("Nothing drawn yet.")
    desktop.keyboard.press("Control+z")
    expect(desktop.locator("#label")).not_to_have_text("")


def test_a_correction_is_kept_and_taken_back(desktop, served):
    draw(desktop, EIGHT)
    answered(desktop, "8")
    desktop.locator("#right summary").click()
    expect(desktop.locator("#truth")).to_have_value("8")
    desktop.locator("#truth").select_option("B")
    desktop.locator("#correct button[type=submit]").click()  # refused: no consent
    expect(desktop.locator("#kept")).to_have_text("")
    desktop.locator("#consent").check()
    desktop.locator("#correct button[type=submit]").click()
    expect(desktop.locator("#kept")).to_have_text("Stored. Thank you!")
    shot(desktop, "corrected")
    desktop.locator("#take-back").click()
    expect(desktop.locator("#kept")).to_have_text("Deleted.")


def test_a_correction_is_of_the_picture_that_is_shown(desktop):
    """Another drawing is begun: what was answered before cannot be corrected any more."""
    draw(desktop, EIGHT)
    answered(desktop, "8")
    expect(desktop.locator("#right")).to_be_visible()
    desktop.route("**/api/predict*", lambda route: None)  # no answer comes
    draw(desktop, CAPITAL_A)
    expect(desktop.locator("#right")).to_be_hidden()
    desktop.unroute("**/api/predict*")


def test_it_asks_again_when_the_server_is_back(desktop):
    desktop.route("**/api/predict*", lambda route: route.abort())
    draw(desktop, EIGHT)
    expect(desktop.locator("#trouble")).to_contain_text("cannot be reached")
    desktop.unroute("**/api/predict*")
    answered(desktop, "8")


def test_without_a_connection_the_page_stays_and_says_so(desktop):
    desktop.evaluate("navigator.serviceWorker.ready")
    desktop.wait_for_function("caches.keys().then((names) => names.length === 1)")
    desktop.context.set_offline(True)
    desktop.reload()
    expect(desktop.locator("h1")).to_be_visible()
    draw(desktop, EIGHT)
    expect(desktop.locator("#trouble")).to_contain_text("cannot be reached")
    shot(desktop, "offline")
    desktop.context.set_offline(False)
    answered(desktop, "8")
    expect(desktop.locator("#trouble")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_serious(browser, served, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    pages = _page(browser, served, SIZES[size], size, color_scheme=scheme)
    page = next(pages)
    found = []
    for state in ("drawn", "image", "docs"):
        if state == "drawn":
            draw(page, EIGHT)
            answered(page, "8")
            page.locator("#right summary").click()
            shot(page, f"{scheme}-{state}")
        elif state == "image":
            page.locator("#tab-image").click()
            expect(page.locator("#chooser")).to_be_visible()
        else:
            page.goto(f"http://localhost:{served.port}/api/docs")
            expect(page.locator("#docs section").first).to_be_visible()
            shot(page, f"{scheme}-{state}")
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                found.append((state, violation["id"], [node["html"][:100] for node in violation["nodes"]]))
    assert found == []
    next(pages, None)


def test_it_can_be_installed(desktop):
    manifest = desktop.evaluate("fetch('/manifest.webmanifest').then((answer) => answer.json())")
    assert {icon["sizes"] for icon in manifest["icons"]} >= {"192x192", "512x512"}
    for icon in manifest["icons"]:
        assert desktop.request.get(f"http://localhost:{desktop.url.split(':')[2].strip('/')}{icon['src']}").ok
    assert desktop.evaluate("navigator.serviceWorker.ready.then((found) => found.scope)") == desktop.url
