"""Reading pages in a real browser: choosing files; words in image and text; downloads; the library.

A stand-in reads the pages.
"""

import base64
import io
import json
import re
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from werkzeug.serving import make_server

from hcrlib.runtime.web.app import create_app
from hcrlib.runtime.web.corrections import Corrections

from .browsing import MARKS, SEND_FILE, SIZES, expect, fits, fixtures, opened, shot, violations
from .conftest import EIGHT, encoded, picture
from .standin import AUTO_NOTE, LINES, RECOGNIZERS, StandIn

pytestmark = MARKS
SHOWN = "\n".join(LINES).replace("quick", "?uick")


@pytest.fixture(scope="module")
def served(zoo, tmp_path_factory):
    """The server's URL and its stand-in."""
    reader, kept = StandIn(), Corrections(tmp_path_factory.mktemp("kept") / "corrections.sqlite")
    reader.corrections = kept
    server = make_server("127.0.0.1", 0, create_app(zoo, kept, ("localhost",), page_reader=reader), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/read", reader
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def with_reader(browser, served, size, **options):
    url, reader = served
    reader.kept.clear()
    reader.calls.clear()
    reader.available, reader.stage = RECOGNIZERS, (1, 1, "finding", 0, 0)
    reader.proceed.set()
    for line in reader.corrections.lines():
        reader.corrections.remove(line["id"])
    with opened(browser, url, size, service_workers="block", **options) as page:
        page.reader = reader
        yield page


page, desktop = fixtures(with_reader)


def choose(page, data=b"%PDF-1.7", name="notes.pdf", kind="application/pdf"):
    page.locator("#file").set_input_files({"name": name, "mimeType": kind, "buffer": data})


def word(page, text):
    return page.locator("#text .word", has_text=text)


def test_a_page_is_read(page):
    expect(page.locator("#nothing")).to_have_text("No page yet.")
    shot(page, "page-empty")
    page.reader.proceed.clear()
    choose(page)
    expect(page.locator("#doing")).to_have_text("Reading notes.pdf")
    shot(page, "page-working")
    page.reader.proceed.set()
    expect(page.locator("#text p")).to_have_text(SHOWN.splitlines())  # HTML is escaped
    expect(page.locator("#boxes rect")).to_have_count(10)
    expect(page.locator("#text mark")).to_have_text(["?"])
    expect(page.locator("#notes")).to_contain_text("turned by 90 degrees")
    box, picture = (page.locator(place).bounding_box() for place in ("#boxes", "#sheet-image"))
    assert box == picture
    assert picture["width"] / picture["height"] == pytest.approx(700 / 900, rel=0.01)
    shot(page, "page-read")
    assert fits(page)
    page.locator("#another").click()
    expect(page.locator("#chooser")).to_be_visible()
    expect(page.locator("#results")).to_be_hidden()


def test_words_are_highlighted_in_image_and_text(desktop):
    choose(desktop)
    desktop.locator("#boxes rect.unsure").hover()
    expect(desktop.locator("#text .active")).to_have_text("?uick")
    expect(desktop.locator("#boxes .character")).to_have_count(5)
    word(desktop, "lazy").hover()
    expect(desktop.locator("#boxes rect.active")).to_have_class("less active")
    desktop.locator("#shown").select_option("lines")
    expect(desktop.locator("#boxes rect.line")).to_have_count(3)
    word(desktop, "lazy").hover()
    expect(desktop.locator("#boxes rect.active")).to_be_visible()


def test_with_the_keyboard_alone(desktop):
    """From word to word; a line is opened, corrected and undone; all words are one tab stop."""
    choose(desktop)
    expect(desktop.locator("#text .word")).to_have_count(10)
    spoken = desktop.locator("#spoken")
    desktop.locator("#walk").focus()
    desktop.keyboard.press("Tab")
    expect(word(desktop, "The").first).to_be_focused()
    desktop.keyboard.press("ArrowRight")
    expect(spoken).to_have_text("It may be quick, guick.")
    desktop.keyboard.press("ArrowDown")
    expect(word(desktop, "over")).to_be_focused()
    desktop.keyboard.press("Enter")
    expect(field(desktop, 2)).to_be_focused()
    desktop.keyboard.press("Control+a")
    desktop.keyboard.type("leaps over")
    desktop.keyboard.press("Enter")
    expect(field(desktop, 3)).to_be_focused()
    desktop.keyboard.press("Control+z")
    expect(line(desktop, 2)).to_have_text(LINES[1])
    expect(spoken).to_have_text("Undone.")
    expect(word(desktop, "jumps")).to_be_focused()
    desktop.keyboard.press("End")
    desktop.keyboard.press("Enter")
    desktop.keyboard.press("Escape")
    expect(word(desktop, "Twice")).to_be_focused()
    desktop.keyboard.press("Tab")
    expect(desktop.locator("#copy")).to_be_focused()


def test_the_pages_of_a_pdf_are_turned(desktop):
    choose(desktop)
    expect(desktop.locator("#turned")).to_have_text("Page 1 of 3")
    expect(desktop.locator("#previous")).to_be_disabled()
    desktop.locator("#next").click()
    desktop.locator("#next").click()
    expect(desktop.locator("#turned")).to_have_text("Page 3 of 3")
    expect(desktop.locator("#next")).to_be_disabled()
    expect(desktop.locator("#format [value=png]")).to_be_disabled()  # it holds a single page
    choose(desktop, picture(EIGHT), "a.png", "image/png")
    expect(desktop.locator("#turn")).to_be_hidden()
    expect(desktop.locator("#format [value=png]")).to_be_enabled()


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_file_is_pasted_or_dropped(desktop, way):
    desktop.evaluate(SEND_FILE, [way, base64.b64encode(b"%PDF-1.7").decode(), "a.pdf", "application/pdf"])
    expect(desktop.locator("#text p")).to_have_count(3)


def test_refused_files_are_explained(desktop, tmp_path):
    for data, name, kind, words in (
        (b"hello", "a.txt", "text/plain", "neither an image nor a PDF"),
        (b"hello", "a.png", "image/png", "is not a JPEG"),
        (b"%PDF-1.7 /Encrypt", "a.pdf", "application/pdf", "Save a copy without its password"),
    ):
        choose(desktop, data, name, kind)
        expect(desktop.locator("#trouble")).to_contain_text(words)
        expect(desktop.locator("#chooser")).to_be_visible()
    shot(desktop, "page-refused")
    choose(desktop)
    expect(desktop.locator("#text p")).to_have_count(3)
    expect(desktop.locator("#trouble")).to_be_hidden()
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(31 << 20)
    desktop.locator("#file").set_input_files(tmp_path / "a.png")
    expect(desktop.locator("#trouble")).to_contain_text("limit is 30 MB")


@pytest.mark.parametrize(("status", "title"), [(413, "413 Request Entity Too Large"), (502, "502 Bad Gateway")])
def test_an_error_of_a_server_in_front_is_shown_as_what_it_is(desktop, status, title):
    body = f"<html>\r\n<head><title>{title}</title></head><body><center>nginx/1.22.1</center></body></html>"
    answer = dict(status=status, content_type="text/html", body=body)
    desktop.route("**/api/read?*", lambda route: route.fulfill(**answer), times=1)
    choose(desktop)
    expect(desktop.locator("#trouble")).to_contain_text(title)
    expect(desktop.locator("#trouble")).to_contain_text("in front of this one")
    assert "raise its limit" in desktop.locator("#trouble").inner_text() or status != 413
    shot(desktop, f"page-front-{status}")
    choose(desktop)
    expect(desktop.locator("#text p")).to_have_count(3)


def test_the_place_in_line_is_shown(desktop):
    place = dict(json={"place": 2})
    desktop.route("**/api/read/place?*", lambda route: route.fulfill(**place))
    desktop.reader.proceed.clear()
    choose(desktop)
    expect(desktop.locator("#doing")).to_have_text("Waiting: 2 pages are read before yours.")
    place["json"] = {"place": 0}
    expect(desktop.locator("#doing")).to_have_text("Reading notes.pdf")
    desktop.reader.proceed.set()
    expect(desktop.locator("#text p")).to_have_count(3)


def test_the_stage_of_reading_is_shown(page):
    page.reader.proceed.clear()
    choose(page, picture(EIGHT), "a.png", "image/png")
    expect(page.locator("#stage")).to_have_text("Finding the lines")
    expect(page.locator("#nothing")).to_have_text("The text will be here.")
    assert page.locator("#progress").get_attribute("value") is None  # unknown
    read = [{"number": number, "text": f"line {number}", "box": [60, 120, 500, 160]} for number in (1, 3)]
    place = dict(json={"place": 0, "stage": "reading", "page": 2, "pages": 4, "line": 11, "lines": 20, "read": read})
    page.route("**/api/read/place?*", lambda route: route.fulfill(**place))
    expect(page.locator("#stage")).to_have_text("Page 2 of 4: Reading line 11 of 20")
    assert page.locator("#progress").evaluate("each => each.value") == 1.5 / 4
    expect(page.locator("#live p")).to_have_text(["line 1", "", "line 3", *[""] * 17])
    expect(page.locator("#live-boxes rect")).to_have_count(2)
    shot(page, "page-stage")
    assert fits(page)
    assert violations(page) == []
    page.reader.proceed.set()
    expect(page.locator("#text p")).to_have_count(3)
    expect(page.locator("#live")).to_be_hidden()


def test_waiting_and_cancelling(desktop):
    busy = {"type": "/api/docs#busy", "title": "", "status": 503, "detail": ""}
    answer = dict(status=503, headers={"Retry-After": "1"}, body=json.dumps(busy))
    desktop.route("**/api/read*", lambda route: route.fulfill(**answer), times=1)
    choose(desktop)
    expect(desktop.locator("#doing")).to_contain_text("sent again")
    expect(desktop.locator("#text p")).to_have_count(3)
    desktop.reader.proceed.clear()
    choose(desktop)
    desktop.locator("#cancel").click()
    expect(desktop.locator("#chooser")).to_be_visible()
    expect(desktop.locator("#trouble")).to_be_hidden()
    desktop.reader.proceed.set()
    desktop.route("**/api/read*", lambda route: route.abort(), times=1)
    desktop.wait_for_timeout(100)
    choose(desktop)
    expect(desktop.locator("#trouble")).to_contain_text("cannot be reached")


def download(page, form):
    """Return (file name, bytes)."""
    page.locator("#format").select_option(form)
    with page.expect_download() as started:
        page.locator("#save").click()
    return started.value.suggested_filename, started.value.path().read_bytes()


def test_downloads(desktop):
    choose(desktop)
    assert download(desktop, "text") == ("notes.txt", ("\n\n".join([SHOWN] * 3) + "\n").encode())
    assert download(desktop, "alto") == ("notes.xml", b"alto")
    name, data = download(desktop, "json")
    assert name == "notes.json"
    assert [each["number"] for each in json.loads(data)] == [1, 2, 3]
    assert b"picture" not in data
    expect(desktop.locator("#sheet-part")).to_be_visible()


def test_downloads_use_the_model_of_the_text_on_display(desktop):
    desktop.locator("#recognizer").select_option("characters")
    choose(desktop)
    expect(desktop.locator("#notes")).to_contain_text("Read with Digits")
    desktop.locator("#model").select_option("best-47")
    download(desktop, "alto")
    assert desktop.reader.calls == [("best-digits", "json"), ("best-digits", "alto")]
    desktop.locator("#next").click()
    expect(desktop.locator("#notes")).to_contain_text("Read with Digits")
    choose(desktop)
    expect(desktop.locator("#notes")).to_contain_text("Read with Digits and letters")


def test_a_recognizer_is_chosen_and_remembered(page):
    choice = page.get_by_label("Read", exact=True)
    offered = ["Automatically", "Character by character", "Word by word (whole-words)", "Line by line (whole-lines)"]
    expect(choice.locator("option")).to_have_text(offered)
    expect(choice).to_have_value("auto")
    choice.select_option("whole-words")
    page.reader.calls.clear()
    choose(page)
    expect(page.locator("#notes")).to_contain_text("Read with Word by word (whole-words)")
    word(page, "lazy").click()
    expect(page.locator(".about")).to_have_text("“lazy”, 80 % sure.")
    shot(page, "page-whole-words")
    expect(page.locator("#model")).to_be_hidden()  # it does not read
    choice.select_option("characters")
    expect(page.locator("#model")).to_be_visible()
    download(page, "alto")
    assert page.reader.calls == [("whole-words", "json"), ("whole-words", "alto")]
    choice.select_option("whole-lines")
    page.reload()
    expect(choice).to_have_value("whole-lines")
    page.reader.available = RECOGNIZERS[:1]
    page.reload()
    expect(choice.locator("option")).to_have_count(2)
    expect(choice).to_have_value("characters")


def test_who_was_chosen_is_said_and_another_reads_again(page):
    again = page.get_by_role("button", name="Read again")
    choose(page)
    expect(page.locator("#notes li")).to_have_text(
        [re.compile("Read in .* s: 10 words."), re.compile("turned"), AUTO_NOTE]
    )
    expect(again).to_be_hidden()
    download(page, "alto")
    assert page.reader.calls == [("auto", "json"), ("whole-lines", "alto")]
    page.locator("#recognizer").select_option("characters")
    shot(page, "page-again")
    assert fits(page)
    assert violations(page) == []
    expect(again).to_have_text("Read again with: Digits")
    again.click()
    expect(page.locator("#notes")).to_contain_text("Read with Digits, ")
    expect(page.locator("#notes")).not_to_contain_text(AUTO_NOTE)
    expect(again).to_be_hidden()
    page.locator("#model").select_option("best-47")
    expect(again).to_have_text("Read again with: Digits and letters")
    again.click()
    expect(page.locator("#notes")).to_contain_text("Read with Digits and letters")
    page.locator("#another").click()
    page.locator("#recognizer").select_option("auto")
    expect(again).to_be_hidden()


def test_the_characters_of_a_page_are_chosen_and_named(page):
    may_be, again = page.get_by_label("Characters", exact=True), page.locator("#again")
    expect(page.locator("#may-be")).to_be_hidden()  # digits alone
    page.locator("#model").select_option("best-47")
    expect(may_be.locator("option")).to_have_text(["anything", "digits", "capital letters", "letters"])
    choose(page)
    expect(page.locator("#notes")).to_contain_text(AUTO_NOTE)
    may_be.select_option("digits")
    expect(again).to_have_text("Read again with: Digits and letters, digits")
    again.click()
    expect(page.locator("#notes")).to_contain_text("Read with Digits and letters, digits, ")
    assert page.reader.characters == "0123456789"
    may_be.select_option("letters")
    download(page, "alto")
    assert page.reader.characters == "0123456789"  # those of the text on display
    page.locator("#recognizer").select_option("whole-words")
    expect(may_be).to_be_hidden()
    again.click()
    expect(page.locator("#notes")).to_contain_text("Read with Word by word")
    assert page.reader.characters is None


def test_a_file_that_could_not_be_read_is_read_in_another_way(desktop):
    problem = {
        "type": "/api/docs#not-whole",
        "title": "",
        "status": 503,
        "detail": "It is damaged. Choose another one.",
    }
    answer = dict(status=503, content_type="application/problem+json", body=json.dumps(problem))
    desktop.route("**/api/read?*", lambda route: route.fulfill(**answer), times=1)
    choose(desktop)
    expect(desktop.locator("#trouble")).to_contain_text("Choose another one")
    expect(desktop.locator("#again")).to_be_hidden()
    desktop.locator("#recognizer").select_option("characters")
    desktop.locator("#again").click()
    expect(desktop.locator("#notes")).to_contain_text("Read with Digits")
    expect(desktop.locator("#trouble")).to_be_hidden()


def test_without_recognizers_there_is_no_choice(desktop):
    desktop.reader.available = []
    desktop.reload()
    expect(desktop.locator("#model option")).to_have_count(2)
    expect(desktop.locator("#recognizer")).to_be_hidden()
    choose(desktop)
    expect(desktop.locator("#notes")).to_contain_text("Read with Digits")


def test_cancelling_warns_that_the_page_may_still_be_kept(desktop):
    desktop.locator("#keep").check()
    desktop.reader.proceed.clear()
    choose(desktop)
    desktop.locator("#cancel").click()
    expect(desktop.locator("#trouble")).to_contain_text("may still be added to your library")
    desktop.reader.proceed.set()


def field(page, number):
    return page.get_by_label(f"Text of line {number}")


def line(page, number):
    return page.locator("#text > p").nth(number - 1)


def open_line(page, number):
    expect(page.locator("#text > p")).to_have_count(3)
    if line(page, number).is_visible():  # not open yet
        line(page, number).click()
    expect(field(page, number)).to_be_visible()


def correct(page, number, text):
    """Save another text of a line, which opens the next one."""
    open_line(page, number)
    field(page, number).fill(text)
    field(page, number).press("Enter")


def stored(page):
    return [row["text"] for row in page.reader.corrections.lines()]


def test_lines_are_corrected_and_stored_with_consent(page):
    choose(page, picture(EIGHT), "a.png", "image/png")
    line(page, 1).click()
    expect(page.get_by_role("img", name="Picture of line 1")).to_be_visible()
    expect(field(page, 1)).to_have_value(SHOWN.splitlines()[0])
    field(page, 1).fill("The  quick red fox")
    page.get_by_role("button", name="Save").click()
    expect(line(page, 1)).to_have_attribute("data-state", "✓ changed here only")
    assert stored(page) == []
    page.get_by_label("I agree").check()
    field(page, 1).press("Enter")
    expect(line(page, 1)).to_have_attribute("data-state", "✓ stored")
    expect(field(page, 2)).to_be_focused()
    assert stored(page) == ["The quick red fox"]
    assert page.reader.corrections.lines()[0]["document"] == "a.png, page 1"
    choose(page, picture(EIGHT), "a.png", "image/png")  # once more
    expect(line(page, 1)).to_have_text("The quick red fox")
    expect(line(page, 1)).to_have_attribute("data-state", "✓ stored")
    line(page, 1).click()
    expect(page.get_by_label("I agree")).not_to_be_checked()  # consent is given for one file
    page.get_by_label("I agree").check()
    field(page, 1).fill("The quick red fox.")
    shot(page, "page-line")
    assert fits(page)
    assert violations(page) == []
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".state")).to_have_text("Stored. Thank you!")
    assert stored(page) == ["The quick red fox."]
    assert page.reader.corrections.conflicts() == [], "it replaces that person's own"
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".state")).to_have_text("Deleted.")
    assert stored(page) == []
    field(page, 1).press("Escape")
    expect(line(page, 1)).to_have_attribute("data-state", "✓ changed here only")
    assert download(page, "text")[1].decode().splitlines()[0] == "The quick red fox."
    assert b'"image"' not in download(page, "json")[1]
    download(page, "alto")
    [corrected] = page.reader.corrected
    assert (corrected.page, corrected.line, corrected.was) == (1, 0, SHOWN.splitlines()[0])
    assert " ".join(word for word, _ in corrected.words) == "The quick red fox."


def test_undoing_takes_back_what_was_stored(desktop):
    choose(desktop, picture(EIGHT), "a.png", "image/png")
    undo = desktop.locator("#undo-line")
    expect(undo).to_be_disabled()
    open_line(desktop, 2)
    desktop.get_by_label("I agree").check()
    for text in ("leaps", "leaps high"):
        correct(desktop, 2, text)
        expect(desktop.locator("#status")).to_have_text("Stored. Thank you!")
    assert stored(desktop) == ["leaps high"]
    undo.click()
    expect(line(desktop, 2)).to_have_text("leaps")
    expect(line(desktop, 2)).to_have_attribute("data-state", "✓ stored")
    expect(desktop.locator("#status")).to_have_text("Undone.")
    assert stored(desktop) == ["leaps"]
    undo.click()
    expect(line(desktop, 2)).to_have_text(LINES[1])
    expect(desktop.locator("#status")).to_have_text("Undone.")
    expect(undo).to_be_disabled()
    assert stored(desktop) == []


def test_unsure_words_are_settled_one_after_the_other_and_alike_ones_at_once(page):
    choose(page)  # three pages, an unsure word on each
    expect(page.locator("#walk")).to_have_text("Check the one unsure word")
    page.locator("#walk").click()
    expect(page.locator(".about")).to_contain_text("“?uick”, 55 % sure.")
    assert field(page, 1).evaluate("each => each.value.slice(each.selectionStart, each.selectionEnd)") == "?uick"
    page.keyboard.press("Enter")
    expect(page.locator(".state")).to_have_text("Type what stands for the “?”, or skip it.")
    shot(page, "page-walk")
    assert fits(page)
    assert violations(page) == []
    page.get_by_role("button", name="Take quick").click()
    page.get_by_role("button", name="OK for all 3 alike").click()
    expect(page.locator("#status")).to_have_text("Settled 3 words that were read alike.")
    expect(page.locator("#walk")).to_be_hidden()
    assert download(page, "text")[1].decode() == "\n\n".join(["\n".join(LINES)] * 3) + "\n"
    page.locator("#undo-line").click()
    expect(line(page, 1)).to_have_text(SHOWN.splitlines()[0])
    line(page, 1).click()
    page.get_by_label("I agree").check()
    field(page, 1).press("Escape")
    word(page, "The").first.focus()
    page.keyboard.press("n")
    page.keyboard.type("quick")
    page.keyboard.press("Enter")
    expect(line(page, 1)).to_have_attribute("data-state", "✓ stored")  # its last unsure word
    assert stored(page) == LINES[:1]
    expect(page.locator("#walk")).to_be_hidden()
    expect(line(page, 1)).to_have_text(LINES[0])
    page.locator("#next").click()
    expect(line(page, 1)).to_have_text(SHOWN.splitlines()[0])


def test_a_word_is_found_in_a_text_that_was_changed(desktop):
    choose(desktop, picture(EIGHT), "a.png", "image/png")
    desktop.locator("#walk").click()
    take, about = desktop.get_by_role("button", name="Take quick"), desktop.locator(".about")
    field(desktop, 1).fill("Then a slow fox")
    expect(take).to_be_hidden()
    field(desktop, 1).fill("Then  he ?uick brown fox")
    take.click()
    expect(field(desktop, 1)).to_have_value("Then he quick brown fox")
    expect(take).to_be_hidden()
    field(desktop, 1).press("Escape")
    word(desktop, "jumps").click()
    expect(about).to_contain_text("“jumps”")
    field(desktop, 2).fill("It jumps over the lazy")
    expect(about).to_contain_text("“lazy”")
    field(desktop, 2).fill("jumps")
    desktop.locator("#boxes rect:not(.character)").nth(7).click()  # the word that was removed
    expect(field(desktop, 2)).to_have_value("jumps")
    expect(about).to_contain_text("“jumps”")
    field(desktop, 2).fill("It jumps")
    desktop.locator("#boxes rect:not(.character)").nth(4).click()
    assert field(desktop, 2).evaluate("each => each.selectionEnd") == len("It jumps")


def test_nothing_that_was_typed_is_lost(desktop):
    choose(desktop)
    line(desktop, 2).click()
    desktop.get_by_label("I agree").check()
    field(desktop, 2).fill("leaps")
    desktop.route("**/api/corrections/lines", lambda route: route.abort(), times=1)
    field(desktop, 2).press("Enter")
    expect(desktop.locator("#status")).to_contain_text("could not be stored")
    field(desktop, 3).fill(" ")
    field(desktop, 3).press("Enter")
    expect(desktop.locator(".state")).to_contain_text("Type the text")
    field(desktop, 3).press("Escape")
    expect(line(desktop, 3)).to_have_text(LINES[2])
    line(desktop, 3).click()
    field(desktop, 3).fill("typed only")
    desktop.locator("#next").click()
    desktop.locator("#previous").click()
    expect(line(desktop, 2)).to_have_text("leaps")
    expect(line(desktop, 3)).to_have_text("typed only")
    desktop.once("dialog", lambda dialog: dialog.dismiss())
    desktop.locator("#another").click()
    for number in (2, 3):
        open_line(desktop, number)
        field(desktop, number).press("Enter")
        expect(line(desktop, number)).to_have_attribute("data-state", "✓ stored")
    desktop.locator("#another").click()
    expect(desktop.locator("#chooser")).to_be_visible()


def test_reading_again_keeps_stored_lines_and_asks_before_it_discards_others(desktop):
    choose(desktop, picture(EIGHT), "a.png", "image/png")
    line(desktop, 1).click()
    desktop.get_by_label("I agree").check()
    correct(desktop, 1, "Stored")
    expect(line(desktop, 1)).to_have_attribute("data-state", "✓ stored")
    desktop.get_by_label("I agree").uncheck()
    correct(desktop, 2, "leaps")
    desktop.locator("#recognizer").select_option("characters")
    desktop.once("dialog", lambda dialog: dialog.dismiss())
    desktop.locator("#again").click()
    expect(line(desktop, 2)).to_have_text("leaps")
    desktop.once("dialog", lambda dialog: dialog.accept())
    desktop.locator("#again").click()
    expect(desktop.locator("#notes")).to_contain_text("Read with Digits")
    expect(line(desktop, 2)).to_have_text(LINES[1])
    expect(line(desktop, 1)).to_have_text("Stored")


def test_the_text_is_copied(desktop):
    desktop.context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(desktop, picture(EIGHT), "a.png", "image/png")
    desktop.locator("#copy").click()
    expect(desktop.locator("#status")).to_have_text("Copied.")
    assert desktop.evaluate("navigator.clipboard.readText()") == SHOWN


def test_only_ticked_pages_are_kept_and_found(page):
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
    page.reader.kept.clear()
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_contain_text("No page in your library")


def test_the_example_page_is_read_and_credited(page):
    """From the page for characters; an example's lines are corrected like others."""
    page.get_by_role("link", name="A character").click()
    page.get_by_role("link", name="A whole page").click()
    expect(page.locator("#text p")).to_have_count(3)
    expect(page.locator("#credit")).to_contain_text("CC BY 4.0")
    assert page.url.endswith("/read")
    choose(page, b"hello", "a.txt", "text/plain")
    expect(page.locator("#trouble")).to_be_visible()
    correct(page, 2, "leaps")
    page.once("dialog", lambda dialog: dialog.dismiss())
    with page.expect_response("**/example-page.webp"), page.expect_event("dialog"):
        page.get_by_role("link", name="A whole page").click()
    expect(page.locator("#credit")).to_be_visible()  # the example is still shown
    page.once("dialog", lambda dialog: dialog.accept())
    choose(page)
    expect(page.locator("#credit")).to_be_hidden()


def test_a_picture_of_several_characters_is_read_as_a_page(page):
    two = np.hstack([np.asarray(Image.open(io.BytesIO(picture(EIGHT))))] * 2)
    page.get_by_role("link", name="A character").click()
    page.locator("#tab-image").click()
    files = {"name": "two.png", "mimeType": "image/png", "buffer": encoded(Image.fromarray(two))}
    page.locator("#file").set_input_files(files)
    expect(page.locator("#words")).to_have_text(
        "There are several characters in this picture. The one that was read may be 8."
    )
    shot(page, "several")
    assert fits(page)
    assert violations(page) == []
    page.get_by_role("link", name="Read it as a page").click()
    expect(page.locator("#text p")).to_have_count(3)
    assert page.url.endswith("/read")
    assert download(page, "json")[0] == "two.json"
    page.reload()
    expect(page.locator("#nothing")).to_be_visible()


@pytest.mark.parametrize("held", ["**/static/*.js", "**/api/models"])
@pytest.mark.parametrize("way", ["", "read"])
def test_a_file_chosen_before_the_page_is_ready_is_read(desktop, way, held):
    desktop.route(held, lambda route: None)
    desktop.goto(f"{desktop.url.rsplit('/', 1)[0]}/{way}", wait_until="commit")
    choose(desktop, picture(EIGHT), "eight.png", "image/png")
    desktop.wait_for_timeout(200)
    desktop.unroute(held)  # and go on
    if way:
        expect(desktop.locator("#text p")).to_have_count(3)
    else:
        expect(desktop.locator("#spoken")).to_contain_text("8, ")
        expect(desktop.locator("#tab-image")).to_have_attribute("aria-selected", "true")


def test_the_legend_shows_the_frames(browser, served):
    for scheme, ground in (("light", (255, 255, 255)), ("dark", (31, 34, 41))):
        with with_reader(browser, served, "desktop", color_scheme=scheme) as page:
            choose(page)
            for swatch in page.locator(".legend svg").all():
                pixels = np.asarray(Image.open(io.BytesIO(swatch.screenshot())).convert("RGB")).astype(int)
                assert np.abs(pixels[len(pixels) // 2, pixels.shape[1] // 2] - ground).max() < 3
                assert np.abs(pixels - ground).max() > 90


def test_the_modes_lead_to_each_other(desktop):
    desktop.get_by_role("link", name="A character").click()
    expect(desktop.locator("#pad")).to_be_visible()
    desktop.get_by_role("link", name="A page").click()
    expect(desktop.locator("#chooser")).to_be_visible()
    expect(desktop.locator("#model")).to_have_value("best-digits")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_accessibility(browser, served, size, scheme):
    with with_reader(browser, served, size, color_scheme=scheme) as page:
        assert violations(page) == []
        choose(page)
        page.locator("#walk").click()
        expect(field(page, 1)).to_be_focused()
        shot(page, f"page-{scheme}-read")
        assert violations(page) == []
