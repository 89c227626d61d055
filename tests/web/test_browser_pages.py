"""Reading pages in a real browser: choosing files; words in image and text; downloads; the library.

A stand-in reads the pages. Set HCR_SHOTS to a folder for screenshots of every state.
"""

import json
import threading
from contextlib import contextmanager

import pytest
from werkzeug.serving import make_server

from hcrlib.runtime.web.app import create_app

from .conftest import EIGHT, picture
from .standin import LINES, RECOGNIZERS, StandIn
from .test_browser import CHROMIUM, SIZES, browser, playwright, shot  # noqa: F401 - browser is a fixture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: apt install chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
expect = playwright.expect
SHOWN = "\n".join(LINES).replace("quick", "?uick")


@pytest.fixture(scope="module")
def served(zoo):
    """The server's port and its stand-in."""
    pages = StandIn()
    server = make_server("127.0.0.1", 0, create_app(zoo, hosts=("localhost",), page_reader=pages), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, pages
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=SIZES)
def page(request, browser, served):  # noqa: F811
    with opened(browser, served, request.param) as found:
        yield found


@pytest.fixture
def desktop(browser, served):  # noqa: F811
    with opened(browser, served, "desktop") as found:
        yield found


@contextmanager
def opened(browser, served, size, **more):  # noqa: F811
    port, pages = served
    pages.kept.clear()
    pages.available = RECOGNIZERS
    pages.proceed.set()
    context = browser.new_context(**SIZES[size], service_workers="block", **more)
    page = context.new_page()
    page.kind, page.pages, page.errors = size, pages, []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda said: page.errors.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto(f"http://localhost:{port}/read")
    expect(page.locator("#model option")).to_have_count(2)
    yield page
    assert page.errors == []
    context.close()


def choose(page, data=b"%PDF-1.7", name="notes.pdf", kind="application/pdf"):
    page.locator("#file").set_input_files({"name": name, "mimeType": kind, "buffer": data})


def word(page, text):
    return page.locator("#text .word", has_text=text)


def test_a_page_is_read(page):
    expect(page.locator("#nothing")).to_have_text("No page yet.")
    shot(page, "page-empty")
    page.pages.proceed.clear()
    choose(page)
    expect(page.locator("#doing")).to_have_text("Reading notes.pdf")
    shot(page, "page-working")
    page.pages.proceed.set()
    expect(page.locator("#text p")).to_have_text(SHOWN.splitlines())  # what is HTML in it stays text
    expect(page.locator("#boxes rect")).to_have_count(10)
    expect(page.locator("#text mark")).to_have_text(["?"])
    expect(page.locator("#notes")).to_contain_text("turned by 90 degrees")
    box, picture = (page.locator(place).bounding_box() for place in ("#boxes", "#sheet-image"))
    assert box == picture
    assert picture["width"] / picture["height"] == pytest.approx(700 / 900, rel=0.01)
    shot(page, "page-read")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.locator("#another").click()
    expect(page.locator("#chooser")).to_be_visible()
    expect(page.locator("#results")).to_be_hidden()


def test_the_picture_and_the_text_point_at_each_other(page):
    choose(page)
    page.locator("#boxes rect.unsure").click()
    expect(page.locator("#text .active")).to_have_text("?uick")
    expect(page.locator("#word")).to_have_text("?uick")
    expect(page.locator("#characters li").first).to_have_text("? q 55 %, g 2 %")
    expect(page.locator("#boxes .character")).to_have_count(5)
    shot(page, "page-word")
    word(page, "lazy").click()
    expect(page.locator("#boxes rect.active")).to_have_class("less active")
    expect(page.locator("#characters li").first).to_have_text("l 80 %, g 2 %")
    page.locator("#close").click()
    expect(page.locator("#word-part")).to_be_hidden()
    page.locator("#shown").select_option("lines")
    expect(page.locator("#boxes rect")).to_have_count(3)
    word(page, "lazy").click()
    expect(page.locator("#boxes rect.active")).to_be_visible()


def test_with_the_keyboard_alone(desktop):
    choose(desktop)
    expect(desktop.locator("#text .word")).to_have_count(10)
    desktop.locator("#save").focus()
    desktop.keyboard.press("Tab")
    expect(word(desktop, "The").first).to_be_focused()
    desktop.keyboard.press("ArrowRight")
    expect(desktop.locator("#word")).to_have_text("?uick")
    expect(desktop.locator("#spoken")).to_have_text("It may be q, g.")
    desktop.keyboard.press("ArrowDown")
    expect(desktop.locator("#word")).to_have_text("over")
    desktop.keyboard.press("End")
    expect(desktop.locator("#word")).to_contain_text("Twice")
    desktop.keyboard.press("Escape")
    expect(desktop.locator("#word-part")).to_be_hidden()
    desktop.keyboard.press("Tab")
    expect(desktop.locator("#query")).to_be_focused()  # one stop for all of the words


def test_the_pages_of_a_pdf_are_turned(desktop):
    choose(desktop)
    expect(desktop.locator("#turned")).to_have_text("Page 1 of 3")
    expect(desktop.locator("#previous")).to_be_disabled()
    desktop.locator("#next").click()
    desktop.locator("#next").click()
    expect(desktop.locator("#turned")).to_have_text("Page 3 of 3")
    expect(desktop.locator("#next")).to_be_disabled()
    expect(desktop.locator("#format [value=png]")).to_be_disabled()  # it holds one page
    choose(desktop, picture(EIGHT), "a.png", "image/png")
    expect(desktop.locator("#turn")).to_be_hidden()
    expect(desktop.locator("#format [value=png]")).to_be_enabled()


DROPPED = """(way) => {
    const data = new DataTransfer();
    data.items.add(new File(["%PDF-1.7"], "a.pdf", {type: "application/pdf"}));
    const event = way === "paste"
        ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true})
        : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
    document.body.dispatchEvent(event);
}"""


def test_a_file_is_pasted_or_dropped(desktop):
    for way in ("paste", "drop"):
        desktop.evaluate(DROPPED, way)
        expect(desktop.locator("#text p")).to_have_count(3)
        desktop.locator("#another").click()


REFUSED = [
    (b"hello", "a.txt", "text/plain", "neither an image nor a PDF"),
    (b"hello", "a.png", "image/png", "is not a JPEG"),
    (b"%PDF-1.7 /Encrypt", "a.pdf", "application/pdf", "Save a copy without its password"),
]


def test_what_cannot_be_read_is_said(desktop):
    for data, name, kind, words in REFUSED:
        choose(desktop, data, name, kind)
        expect(desktop.locator("#trouble")).to_contain_text(words)
        expect(desktop.locator("#chooser")).to_be_visible()
    shot(desktop, "page-refused")
    choose(desktop)
    expect(desktop.locator("#text p")).to_have_count(3)
    expect(desktop.locator("#trouble")).to_be_hidden()


def test_a_file_that_is_too_large_is_not_sent(desktop, tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(31 << 20)
    desktop.locator("#file").set_input_files(tmp_path / "a.png")
    expect(desktop.locator("#trouble")).to_contain_text("limit is 30 MB")


def test_it_waits_for_its_turn_and_can_be_cancelled(desktop):
    busy = {"type": "/api/docs#busy", "title": "", "status": 503, "detail": ""}
    answer = dict(status=503, headers={"Retry-After": "1"}, body=json.dumps(busy))
    desktop.route("**/api/read*", lambda route: route.fulfill(**answer), times=1)
    choose(desktop)
    expect(desktop.locator("#doing")).to_contain_text("Yours is next")
    expect(desktop.locator("#text p")).to_have_count(3)
    desktop.pages.proceed.clear()
    choose(desktop)
    desktop.locator("#cancel").click()
    expect(desktop.locator("#chooser")).to_be_visible()
    expect(desktop.locator("#trouble")).to_be_hidden()
    desktop.pages.proceed.set()
    desktop.route("**/api/read*", lambda route: route.abort(), times=1)
    desktop.wait_for_timeout(100)
    choose(desktop)
    expect(desktop.locator("#trouble")).to_contain_text("cannot be reached")


def download(page, form):
    """(name, bytes)."""
    page.locator("#format").select_option(form)
    with page.expect_download() as started:
        page.locator("#save").click()
    return started.value.suggested_filename, started.value.path().read_bytes()


def test_it_is_taken_along(desktop):
    choose(desktop)
    assert download(desktop, "text") == ("notes.txt", ("\n\n".join([SHOWN] * 3) + "\n").encode())
    assert download(desktop, "alto") == ("notes.xml", b"alto")
    name, data = download(desktop, "json")
    assert name == "notes.json"
    assert [each["number"] for each in json.loads(data)] == [1, 2, 3]
    assert b"picture" not in data
    expect(desktop.locator("#sheet-part")).to_be_visible()


def test_it_is_taken_along_as_the_model_read_it_that_is_shown(desktop):
    desktop.pages.calls.clear()
    choose(desktop)
    expect(desktop.locator("#notes")).to_contain_text("Read by best-digits")
    desktop.locator("#model").select_option("best-47")
    download(desktop, "alto")
    assert desktop.pages.calls == [("best-digits", "json"), ("best-digits", "alto")]
    desktop.locator("#next").click()
    expect(desktop.locator("#notes")).to_contain_text("Read by best-digits")
    choose(desktop)
    expect(desktop.locator("#notes")).to_contain_text("Read by best-47")


def test_what_reads_words_or_lines_is_chosen_and_remembered(page):
    choice = page.get_by_label("Read", exact=True)
    offered = ["Character by character", "Whole words: whole-words", "Whole lines: whole-lines"]
    expect(choice.locator("option")).to_have_text(offered)
    expect(choice).to_have_value("")
    choice.select_option("whole-words")
    page.pages.calls.clear()
    choose(page)
    expect(page.locator("#notes")).to_contain_text("Read by whole-words")
    word(page, "lazy").click()
    expect(page.locator("#word-share")).to_have_text("80 %")
    expect(page.locator("#characters li")).to_have_count(0)
    shot(page, "page-whole-words")
    choice.select_option("")
    download(page, "alto")
    assert page.pages.calls == [("whole-words", "json"), ("whole-words", "alto")]
    choice.select_option("whole-lines")
    page.reload()
    expect(choice).to_have_value("whole-lines")
    page.pages.available = RECOGNIZERS[:1]
    page.reload()
    expect(choice.locator("option")).to_have_count(2)
    expect(choice).to_have_value("")


def test_without_a_recogniser_there_is_no_choice(desktop):
    desktop.pages.available = []
    desktop.reload()
    expect(desktop.locator("#model option")).to_have_count(2)
    expect(desktop.locator("#recognizer")).to_be_hidden()
    choose(desktop)
    expect(desktop.locator("#notes")).to_contain_text("Read by best-digits")


@pytest.mark.parametrize("keep", [True, False])
def test_what_is_cancelled_may_be_kept_and_that_is_said(desktop, keep):
    desktop.locator("#keep").set_checked(keep)
    desktop.pages.proceed.clear()
    choose(desktop)
    desktop.locator("#cancel").click()
    expect(desktop.locator("#chooser")).to_be_visible()
    if keep:
        expect(desktop.locator("#trouble")).to_contain_text("may still be added to your library")
    else:
        expect(desktop.locator("#trouble")).to_be_hidden()
    desktop.pages.proceed.set()


def test_the_text_is_copied(desktop):
    desktop.context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(desktop, picture(EIGHT), "a.png", "image/png")
    desktop.locator("#copy").click()
    expect(desktop.locator("#status")).to_have_text("Copied.")
    assert desktop.evaluate("navigator.clipboard.readText()") == SHOWN


def test_only_what_is_ticked_is_kept_and_found(page):
    choose(page, name="other.pdf")
    expect(page.locator("#text p")).to_have_count(3)
    page.locator("#another").click()
    page.locator("#keep").check()
    choose(page)
    expect(page.locator("#status")).to_have_text("Added to your library.")
    page.locator("#query").fill("<i>brown")
    page.keyboard.press("Enter")
    expect(page.locator("#hits li b")).to_have_text(["notes.pdf, page 1"])
    expect(page.locator("#hits mark")).to_have_text(["<i>brown"])
    shot(page, "page-found")
    page.pages.kept.clear()
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_contain_text("No page in your library")


def test_the_modes_lead_to_each_other(desktop):
    desktop.get_by_role("link", name="A character").click()
    expect(desktop.locator("#pad")).to_be_visible()
    desktop.get_by_role("link", name="A page").click()
    expect(desktop.locator("#chooser")).to_be_visible()
    expect(desktop.locator("#model")).to_have_value("best-digits")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_serious(browser, served, size, scheme):  # noqa: F811
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, served, size, color_scheme=scheme) as page:
        found = []
        for state in ("empty", "read"):
            if state == "read":
                choose(page)
                word(page, "uick").click()
                expect(page.locator("#word-part")).to_be_visible()
                shot(page, f"page-{scheme}-{state}")
            for violation in Axe().run(page).response["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    found.append((state, violation["id"], [node["html"][:100] for node in violation["nodes"]]))
        assert found == []
