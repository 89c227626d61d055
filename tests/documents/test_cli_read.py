"""`hcr read` and `hcr library`: outputs, errors in single files, and watching a folder."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from hcrlib.cli import read as read_commands
from hcrlib.cli.main import main
from hcrlib.core import paths
from hcrlib.documents import batch, formats, loading, pdf
from hcrlib.documents.store import Library

from .made import StandIn, page


@pytest.fixture(autouse=True)
def reader(monkeypatch, tmp_path):
    StandIn.made = []
    module = types.SimpleNamespace(Reader=StandIn, MODEL="page-62")
    monkeypatch.setitem(sys.modules, "hcrlib.documents.reader", module)
    monkeypatch.setattr(batch, "count", lambda path: Path(path).read_bytes().count(b"\f") + 1)
    monkeypatch.setattr(pdf, "_picture", lambda data, *page: pdf._rendered(*page))  # the files are no pictures
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def files(**texts):
    """Write files with these texts into the current folder and return their names."""
    for name, text in texts.items():
        Path(f"{name}.png").write_text(text, "latin-1")
    return [f"{name}.png" for name in texts]


def run(capsys, *argv):
    """Return (exit status, standard output, standard error)."""
    return (main(list(argv)), *capsys.readouterr())


def refused(capsys, *argv):
    """Return the error, which is one line; nothing was read, not even the model."""
    status, out, err = run(capsys, *argv)
    assert (status, out, StandIn.made, err.count("\n")) == (1, "", [], 1)
    return err


def test_one_file_is_text_on_the_screen(capsys):
    assert run(capsys, "read", *files(a="one two\nthree")) == (0, "one two\nthree\n", "")
    nothing = dict.fromkeys(("lexicon", "min_confidence", "characters", "detector", "recognizer"))
    assert StandIn.made == [(None, {**nothing, "order": "auto"})], "the reader has its own models, and chooses"


def test_options_reach_the_reader(capsys):
    options = "--model mine --lexicon en --unsure-below 0.5 --characters 01 --detector rapidocr --recognizer rapidocr"
    options += " --order rows"
    assert run(capsys, "read", *files(a="x"), *options.split())[0] == 0
    given = dict(lexicon="en", min_confidence=0.5, characters="01", detector="rapidocr", recognizer="rapidocr")
    given["order"] = "rows"
    assert StandIn.made == [("mine", given)]
    main(["read", "a.png", "--plate"])
    assert StandIn.made[1][1]["characters"] == read_commands.PLATE
    main(["read", "a.png", "--to", "csv"])
    assert StandIn.made[2][1]["order"] == "rows", "who asks for a table has one"


def test_pages_of_a_file_follow_each_other(capsys):
    assert run(capsys, "read", *files(a="one\ftwo"))[1] == "one\n\ftwo\n"


def test_several_files_have_headings_and_a_damaged_one_does_not_stop_the_others(capsys):
    names = files(a="one", b="damaged", c="odd", d="two")
    status, out, err = run(capsys, "read", *names, "none.png")
    assert status == 1
    assert out == "==> a.png <==\none\n==> b.png <==\n==> c.png <==\n==> d.png <==\ntwo\n==> none.png <==\n"
    assert err.splitlines() == [
        "hcr: b.png: This image is damaged.",
        "hcr: c.png: ValueError: odd",
        "hcr: none.png: No such file or directory",
    ]


def test_one_format_into_one_file(capsys):
    assert run(capsys, "read", *files(a="<one>"), "--to", "json", "--out", "new/out.json") == (0, "new/out.json\n", "")
    assert json.loads(Path("new/out.json").read_text())["pages"][0]["text"] == "<one>"
    assert json.loads(run(capsys, "read", "a.png", "--to", "json")[1])["source"] == "a.png"


def test_several_formats_into_a_folder_from_one_reading(capsys):
    argv = [part for name in read_commands.FORMATS for part in ("--to", name)]
    assert run(capsys, "read", *files(a="one\ftwo"), *argv, "--to", "text", "--out", "out")[0] == 0
    names = sorted(path.name for path in Path("out").iterdir())
    assert names == [
        "a-1.page.xml",
        "a-1.png",
        "a-2.page.xml",
        "a-2.png",
        "a.csv",
        "a.hocr",
        "a.json",
        "a.pdf",
        "a.tsv",
        "a.txt",
        "a.xml",
    ]
    assert len(pypdfium2.PdfDocument("out/a.pdf")) == 2


def test_the_formats_are_those_of_the_library():
    assert set(read_commands.FORMATS) == set(formats.FORMATS)


def test_out_is_a_folder_if_it_exists_or_ends_with_a_slash(capsys):
    [name] = files(a="one")
    Path("there").mkdir()
    for out in ("new/", "there"):
        assert run(capsys, "read", name, "--out", out)[0] == 0
        assert Path(out, "a.txt").read_text() == "one\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["a.png", "--out", "x.doc"], "This suffix names no output format (x.doc). Expected .csv, .hocr, .json, "),
        (["a.png", "b.png", "--to", "pdf", "--out", "two.pdf"], "Name a folder: --out two/"),
        (
            ["a.png", "--to", "pdf", "--to", "json", "--out", "two.PDF"],
            "One file cannot hold several outputs (two.PDF)",
        ),
        (["--watch", ".", "--out", "all.txt"], "One file cannot hold several outputs"),
    ],
)
def test_the_suffix_of_out_is_that_of_a_format_and_of_one_file(options, words, capsys):
    files(a="one", b="two")
    assert words in refused(capsys, "read", *options)


@pytest.mark.parametrize("out", ["x.txt", "x", "there.pdf/"])
def test_other_outputs_are_text(out, capsys):
    Path("there.pdf").mkdir()
    assert run(capsys, "read", *files(a="one"), "--out", out)[0] == 0


def test_reading_order_is_text_of_one_column_after_the_other(capsys, monkeypatch):
    monkeypatch.setattr(formats, "READING_ORDER", formats.FORMATS["json"])
    assert run(capsys, "read", *files(a="one"), "--reading-order")[1].startswith('{"format"')
    assert run(capsys, "read", "a.png", "--columns")[1] == "one\n"


def test_outputs_do_not_overwrite_each_other_or_an_input(capsys):
    files(a="one")
    Path("other").mkdir()
    Path("other/a.png").write_text("two")
    status, _, err = run(capsys, "read", "a.png", "other/a.png", "--out", "out")
    assert (status, Path("out/a.txt").read_text()) == (1, "one\n")
    assert "other/a.png: Output of other/a.png would overwrite that of a.png (out/a.txt)." in err
    status, _, err = run(capsys, "read", "a.png", "--to", "png", "--out", ".")
    assert (status, Path("a.png").read_text()) == (1, "one")
    assert "would overwrite an input file" in err
    Path("a.tif").write_text("two")
    status, _, err = run(capsys, "read", "a.tif", "a.png", "--to", "png", "--out", ".")
    assert (status, Path("a.png").read_text(), err.count("overwrite an input file")) == (1, "one", 2)


def test_numbered_images_do_not_replace_inputs_or_outputs(capsys):
    files(**{"a": "one\ftwo", "a-2": "three"})
    Path("scan").write_bytes(Path("a.png").read_bytes())
    Path("scan-1.png").write_text("four")
    status, _, err = run(capsys, "read", "scan", "scan-1.png", "--to", "png", "--out", ".")
    assert (status, Path("scan-1.png").read_text()) == (1, "four")
    assert err.count("would overwrite an input file") == 2
    assert "scan: Output would overwrite an input file (scan-1.png)" in err
    assert not list(Path().glob("scan-2*"))
    status, _, err = run(capsys, "read", "a.png", "a-2.png", "--to", "png", "--out", "out")
    assert (status, sorted(path.name for path in Path("out").iterdir())) == (1, ["a-1.png", "a-2.png"])
    assert "a-2.png: Output of a-2.png would overwrite that of a.png" in err
    assert run(capsys, "read", "a.png", "--to", "png", "--out", "out") == (0, "out\n", "")


def test_a_file_that_is_damaged_on_its_second_page_leaves_nothing(capsys):
    status, _, _ = run(capsys, "read", *files(a="one\fdamaged"), "--to", "json", "--out", "out.json", "--keep")
    assert status == 1
    assert not Path("out.json").exists()
    assert Library().documents() == []


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("read", "Nothing to read"),
        ("read --character", "Nothing to read"),
        ("read a.png --watch .", "cannot be combined with files"),
        ("read a.png --to json --to text", "--out DIR"),
        ("read a.png b.png --to json", "--out DIR"),
        ("read --watch . --to json", "--out DIR"),
        ("read --watch . --out ./x/..", "would be read again"),
        ("read a.png --unsure-below 2", "must be between 0 and 1. Got 2.0"),
        ("read a.png --character --keep --out x.txt", "Got --out, --keep"),
        ("read a.png --character --lexicon en", "--min-confidence"),
        ("read a.png --character --unsure-below 2", "between 0 and 1"),
        ("read --watch nowhere", "no such folder"),
        ("read a.png --character --template a.yml", "Got --template"),
        ("read a.png --character --line", "Got --character"),
        (
            "read a.png --line --model words-52",
            "--line takes files, --recognizer, --lexicon and --to json. Got --model",
        ),
        ("read a.png --line --recognizer best-47", "wrong kind of model"),
        ("read a.png --line --to pdf", "Got --to pdf"),
        ("read a.png --dpi 300", "--dpi is for PDFs only"),
        ("read a.png --to json --text redo", "--text is for PDFs only"),
        ("read a.png --out a.pdf --dpi 0", "--dpi is not valid"),
        ("read a.png --columns --order columns", "Leave out --columns"),
        ("read a.png --character --model words-52", "wrong kind of model"),
        ("read --template a.yml", "Nothing to read"),
        (
            "read a.png --template a.yml --to json --keep",
            "--model, --lexicon, --min-confidence and --out. Got --to, --keep",
        ),
        ("read a.png --template a.yml --watch . --plate", "Got --plate, --watch"),
        ("read a.png --template a.yml --characters 0 --detector rapidocr", "Got --detector, --characters"),
        ("read a.png --template a.yml --unsure-below 2", "must be between 0 and 1. Got 2.0"),
        ("read a.png --template a.yml --out ./x/../a.png", "would overwrite an input file"),
        ("read a.png --template a.yml --out a.yml", "would overwrite an input file"),
        ("read a.png --template a.yml", "cannot be read"),
        ("library search x", "hcr read FILE --keep"),
        ("library list --library other.sqlite", "There is no library (other.sqlite)"),
    ],
)
def test_invalid_combinations_are_refused_before_reading(capsys, argv, words):
    assert words in refused(capsys, *argv.split())


def test_an_image_of_one_word_is_read_as_a_whole(capsys):
    golden = np.load(paths.project_root() / "results/zoo/words-52/golden.npz")
    Image.fromarray(golden["image-1"]).save("word.png")
    Path("none.png").write_bytes(b"nothing")
    status, out, err = run(capsys, "read", "word.png", "none.png", "--line", "--recognizer", "words-52")
    assert status == 1
    assert out.startswith(f"word.png: {golden['text-1']}  (")
    assert "none.png: cannot be read" in err


def test_binary_files_do_not_go_to_a_terminal(capsys, monkeypatch):
    assert run(capsys, "read", *files(a="one"), "--to", "pdf", "--out", "a.pdf")[0] == 0
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    StandIn.made = []
    assert "Name a file: --out FILE" in refused(capsys, "read", "a.png", "--to", "pdf")


def test_a_terminal_shows_the_page_being_read(capsys, monkeypatch):
    frames = [Image.new("L", (20, 20), shade) for shade in (0, 255)]
    stream = io.BytesIO()
    frames[0].save(stream, "TIFF", save_all=True, append_images=frames[1:])
    Path("two.tif").write_bytes(stream.getvalue())
    monkeypatch.setattr(batch, "count", loading.count)
    assert run(capsys, "read", "two.tif", "--to", "json", "--out", "x")[2] == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    err = run(capsys, "read", "two.tif", "--to", "json", "--out", "x")[2]
    assert "two.tif: page 1 of 2" in err
    assert err.endswith("\r\x1b[K")


def test_ctrl_c_reports_the_number_of_files(capsys):
    status, out, err = run(capsys, "read", *files(a="one", b="Ctrl-C"), "--to", "text", "--out", "out")
    assert (status, out) == (130, "")
    assert "stopped after 1 of 2 files" in err
    assert [path.name for path in Path("out").iterdir()] == ["a.txt"]


def test_kept_pages_are_found_listed_and_removed(capsys):
    assert run(capsys, "read", *files(a="one two\fÉlève"), "--keep")[1] == "one two\n\fÉlève\n"
    here = Path("a.png").absolute()
    assert run(capsys, "library", "search", "eleve") == (0, f"{here}, page 2: [Élève]\n", "")
    assert run(capsys, "library", "search", "three")[1] == "No matching pages.\n"
    assert "query has no words" in run(capsys, "library", "search", "!")[2]
    assert "Expected 1 or more, got 0" in run(capsys, "library", "search", "eleve", "--limit", "0")[2]
    out = run(capsys, "library", "list")[1]
    assert out.split()[0] == "1"
    assert out.rstrip().endswith(f"2 pages  page-62  {here}")
    status, _, err = run(capsys, "library", "remove", "1", "7")
    assert (status, "Got 7" in err) == (1, True)
    assert run(capsys, "library", "list")[1] == ""


def test_another_library(capsys):
    assert run(capsys, "read", *files(a="one"), "--library", "mine.sqlite")[0] == 0
    assert "page 1: [one]" in run(capsys, "library", "search", "one", "--library", "mine.sqlite")[1]
    assert not Library().path.exists()
    Path("none.sqlite").write_text("no library" * 100)
    StandIn.made = []
    assert "not a library" in refused(capsys, "read", "a.png", "--library", "none.sqlite")


def test_a_full_library_is_an_error_and_the_text_is_printed(capsys, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Library, "_keep", full)
    status, out, err = run(capsys, "read", *files(a="one"), "--keep")
    assert (status, out) == (1, "one\n")
    assert "database or disk is full" in err


def watching(monkeypatch, *steps):
    """Replace `watch`: handle the image files that exist after each step, then end as with Ctrl-C."""

    def watch(folder, handle, skip):
        for step in steps:
            step()
            for path in sorted(Path(folder).glob("*.png")):
                handle(path)
        for path in Path(folder).glob("*.docx"):
            skip(path)
        raise KeyboardInterrupt

    monkeypatch.setattr("hcrlib.documents.watch.watch", watch)
    monkeypatch.setattr(signal, "signal", lambda *_: None)


def test_each_file_of_a_watched_folder_is_kept_once(capsys, monkeypatch):
    watching(monkeypatch, lambda: files(a="one\ftwo", b="damaged"), lambda: files(c="three"))
    status, out, err = run(capsys, "read", "--watch", ".", "--out", "out", "--to", "json")
    assert status == 0
    assert out.splitlines() == [
        "Watching .; Ctrl-C stops",
        "a.png: 2 pages",
        "c.png: 1 page",
        "",
        "files read: 2, unreadable: 2",
    ]
    assert err.count("b.png: This image is damaged") == 2
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.json", "c.json"]
    assert [document.name for document in Library().documents()] == ["a.png", "c.png"]


def test_a_watched_folder_names_what_is_no_page(capsys, monkeypatch):
    watching(monkeypatch, lambda: Path("notes.docx").write_text("x"))
    err = run(capsys, "read", "--watch", ".")[2]
    assert err == f"hcr: notes.docx: skipped: {loading.READ}\n"


class Stdin:
    """Standard input that holds these bytes."""

    def __init__(self, data):
        self.buffer = io.BytesIO(data)


def test_standard_input_is_a_file_of_the_name_stdin(capsys, monkeypatch):
    monkeypatch.setattr(StandIn, "read", lambda self, source: iter([page(source.decode())]))
    monkeypatch.setattr(sys, "stdin", Stdin(b"one two"))
    assert run(capsys, "read", "-", "--keep") == (0, "one two\n", "")
    [document] = Library().documents()
    assert (document.name, document.path) == ("stdin", None)
    monkeypatch.setattr(sys, "stdin", Stdin(b"three"))
    assert run(capsys, "read", "-", "--to", "json", "--to", "csv", "--out", "out")[0] == 0
    assert json.loads(Path("out/stdin.json").read_text())["source"] == "stdin"
    assert Path("out/stdin.csv").read_text() == "three\n"


def test_characters_and_lines_as_json(capsys, monkeypatch):
    digits = np.load(paths.project_root() / "results/zoo/best-digits/golden.npz")["images"]
    Image.fromarray(255 - digits[0]).save("digit.png")
    Path("none.png").write_bytes(b"nothing")
    argv = "read", "digit.png", "none.png", "-", "--character", "--model", "best-digits", "--to", "json"
    monkeypatch.setattr(sys, "stdin", Stdin(Path("digit.png").read_bytes()))
    status, out, err = run(capsys, *argv)
    found = json.loads(out)
    first, unread, given = found["pictures"]
    assert (status, found["format"], first["file"], given) == (1, "hcr-pictures 1", "digit.png", {**first, "file": "-"})
    assert first["alternatives"][0] == {"label": first["label"], "probability": first["probability"]}
    assert unread["error"] == "Pillow cannot read this image (none.png): it is not an image of a known format"
    assert "BytesIO" not in out + err
    Image.new("L", (300, 40), 255).save("blank.png")
    status, out, err = run(capsys, "read", "blank.png", "--line", "--recognizer", "words-52", "--to", "json")
    assert json.loads(out)["pictures"] == [{"file": "blank.png", "text": "", "confidence": 1.0}]
    assert (status, err) == (0, "hcr: blank.png: nothing is written on it\n")


def test_a_watched_folder_after_a_restart(capsys, monkeypatch):
    watching(monkeypatch, lambda: files(a="one"))
    for expected in ("files read: 1, unreadable: 0", "files read: 0, unreadable: 0"):
        assert run(capsys, "read", "--watch", ".")[1].splitlines()[-1] == expected


def test_missing_outputs_of_files_in_the_library_are_written(capsys, monkeypatch):
    run(capsys, "read", *files(a="one\ftwo"), "--keep")
    watching(monkeypatch, lambda: None)
    argv = "read", "--watch", ".", "--out", "out", "--to", "json", "--to", "png"
    for gone, count in ((None, 1), (None, 0), ("a.json", 1), ("a-2.png", 1), (None, 0)):
        if gone:
            Path("out", gone).unlink()
        assert run(capsys, *argv)[1].splitlines()[-1] == f"files read: {count}, unreadable: 0"
        assert sorted(path.name for path in Path("out").iterdir()) == ["a-1.png", "a-2.png", "a.json"]
    assert len(Library().documents()) == 1


WATCHER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process inherits that it is ignored
from hcrlib.documents import watch
watch.watch.__kwdefaults__["poll_s"] = 0.02
from tests.documents.made import StandIn
sys.modules["hcrlib.documents.reader"] = type(sys)("reader")
sys.modules["hcrlib.documents.reader"].__dict__.update(Reader=StandIn, MODEL="m", UNSURE="unsure")
from hcrlib.cli.main import main
sys.exit(main(["read", "--watch", sys.argv[1]]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_watch_with_a_count(number, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    argv = [sys.executable, "-c", WATCHER, str(folder)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout.readline().startswith("Watching ")
            (folder / "part").write_text("one\ftwo")
            os.replace(folder / "part", folder / "a.png")
            assert process.stdout.readline() == f"{folder}/a.png: 2 pages\n"
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()  # Popen waits for it on leaving: a failed assertion would otherwise hang the suite
    assert (process.returncode, out, err) == (0, "\nfiles read: 1, unreadable: 0\n", "")


@pytest.mark.parametrize(
    ("name", "begins"), [("a.pdf", b"%PDF"), ("a.json", b"{"), ("a.PNG", b"\x89PNG"), ("a.txt", b"one")]
)
def test_the_suffix_of_out_selects_the_format(capsys, name, begins):
    [given] = files(a="one")
    assert run(capsys, "read", given, "--out", f"out/{name}")[0] == 0
    assert Path("out", name).read_bytes().lstrip().startswith(begins)
