"""The library: searches, replaced documents, concurrent processes, kills, full disks and invalid files."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.documents import store as module
from hcrlib.documents.containers import Box
from hcrlib.documents.store import Library, default_path, digest, expression

from .made import line, page

WORDS = "two words", "Élève à l'école", "e-mail 12,50", "under_score"


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "folder" / "library.sqlite")


@pytest.fixture
def kept(library):
    library.add(b"one", [page(*WORDS), page("words apart, two", number=2)], model="best-62", name="one.pdf")
    library.add(b"two", [page("nothing here")], model="best-62", name="two.pdf")
    return library


def found(library, query):
    return [(hit.name, hit.page) for hit in library.search(query)]


def test_a_hit_has_the_page_the_boxes_and_a_snippet(kept):
    [hit] = kept.search("eleve")
    assert (hit.name, hit.path, hit.page) == ("one.pdf", None, 1)
    assert hit.snippet == "two words [Élève] à l'école e-mail 12,50 under_score"
    assert hit.boxes == (Box(0, 30, 50, 50),)
    assert kept.search("école", marks=("<b>", "</b>"))[0].snippet.count("<b>école</b>") == 1


def test_the_boxes_of_a_phrase_are_those_of_its_words(kept):
    [hit] = kept.search('"two words"')
    assert hit.boxes == (Box(0, 0, 30, 20), Box(40, 0, 90, 20))
    assert {box for hit in kept.search("words") for box in hit.boxes} == {Box(40, 0, 90, 20), Box(0, 0, 50, 20)}


@pytest.mark.parametrize(
    ("query", "pages"),
    [
        ("TWO words", [("one.pdf", 1), ("one.pdf", 2)]),
        ('"two words"', [("one.pdf", 1)]),
        ('"two words', [("one.pdf", 1)]),
        ("wor*", [("one.pdf", 1), ("one.pdf", 2)]),
        ("e\u0301cole", [("one.pdf", 1)]),
        ("e-mail", [("one.pdf", 1)]),
        ("12,50", [("one.pdf", 1)]),
        ("noth*", [("two.pdf", 1)]),
        ("two nothing", []),
        ("OR", []),
        ("missing", []),
    ],
)
def test_searches(kept, query, pages):
    assert sorted(found(kept, query)) == pages


ODD = (
    *("two OR words", "NEAR(two words)", "text:two", "^two", "-two", "two AND", "{two}", "(two", "two + words"),
    *(
        "'two'; DROP",
        'a"b',
        "two\0words",
        "\udcff two",
        "* two",
        "two " * 5000,
        "x" * 100_000,
        "text: NOT *",
        "two*words",
        "²",
    ),
)


@pytest.mark.parametrize("query", ODD)
def test_no_query_is_a_syntax_error(kept, query):
    assert isinstance(kept.search(query), list)


@pytest.mark.parametrize("query", ["", "  ", '"', "***", "- !", '"" ""', "\u0301"])
def test_a_query_without_words_is_an_error(kept, query):
    with pytest.raises(ConfigError, match="query has no words"):
        kept.search(query)


def test_an_expression_is_quoted_terms():
    assert expression('two w* "a b" NOT! -') == '"two" AND "w"* AND "a b" AND "NOT!"'


def test_the_best_hits_come_first_up_to_the_limit(library):
    for n in range(5):
        library.add(bytes([n]), [page(*["word filler"] * n, "word")], model="m", name=str(n))
    assert [hit.name for hit in library.search("filler", limit=2)] == ["4", "3"]
    for limit in (0, -1):
        with pytest.raises(ConfigError, match=f"Expected 1 or more, got {limit}"):
            library.search("filler", limit)


def test_the_same_file_is_replaced_and_a_changed_one_is_another(library, tmp_path):
    scan = tmp_path / "scan.png"
    scan.write_bytes(b"first")
    number = library.add(scan, [page("old")], model="a")
    assert library.add(scan, [page("new"), page("more", number=2)], model="b") == number
    [document] = library.documents()
    assert (document.id, document.name, document.path, document.model) == (number, "scan.png", str(scan), "b")
    assert (document.pages, document.sha256) == (2, digest(b"first"))
    assert time.strptime(document.at, "%Y-%m-%dT%H:%M:%SZ")
    assert (found(library, "old"), found(library, "more")) == ([], [("scan.png", 2)])
    scan.write_bytes(b"second")
    assert library.add(scan, [page("new")], model="b") != number
    assert library.find(digest(scan)).pages == 1
    assert library.find(digest(b"third")) is None


def test_a_document_names_who_read_it(library):
    for read_by, names in (
        (["lines", "lines"], "lines"),
        (["", "lines", ""], "page-62, lines"),
        ([], "page-62"),
    ):
        pages = [replace(page("a", number=n), recognizer=name) for n, name in enumerate(read_by)]
        library.add(b"x", [*pages, page(number=9)], model="page-62", name="x.pdf")
        assert [each.model for each in library.documents()] == [names]


def erased(library):
    """Whether the words of one.pdf are neither in the file nor in those beside it."""
    stored = b"".join(path.read_bytes() for path in library.path.parent.iterdir())
    return not any(word in stored for word in (b"under_score", b"score", b"apart"))


def test_removed_text_is_erased_from_the_file(kept):
    assert not erased(kept)
    assert kept.remove(1)
    assert not kept.remove(1)
    assert found(kept, "two") == []
    assert [document.name for document in kept.documents()] == ["two.pdf"]
    assert erased(kept)
    assert kept.add(b"three", [], model="m", name="three") == 3


def test_replaced_text_is_erased_from_the_file(kept):
    kept.add(b"one", [page("read better")], model="page-62", name="one.pdf")
    assert erased(kept)
    assert (found(kept, "better"), found(kept, "nothing")) == ([("one.pdf", 1)], [("two.pdf", 1)])


@pytest.mark.skipif(os.name == "nt", reason="Windows has other file modes")
def test_other_users_cannot_read_it(kept):
    def mode(path):
        return oct(path.stat().st_mode & 0o777)

    assert (mode(kept.path), mode(kept.path.parent)) == ("0o600", "0o700")
    with contextlib.closing(sqlite3.connect(kept.path)) as connection:
        connection.execute("SELECT count(*) FROM pages")
        beside = {path.name: mode(path) for path in kept.path.parent.glob("library.sqlite-*")}
    assert beside == {"library.sqlite-wal": "0o600", "library.sqlite-shm": "0o600"}


def test_an_existing_folder_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)
    Library(tmp_path / "mine.sqlite").add(b"x", [page("a")], model="m", name="x")
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine.sqlite.lock", "mine.sqlite"]


def test_empty_pages_and_odd_names(library, tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/na\xffme.png"))
    odd.write_bytes(b"x")
    library.add(odd, [page(), page("b\ud800c", number=2)], model="m")
    assert [document.name for document in library.documents()] == ["na?me.png"]
    assert found(library, "b") == [("na?me.png", 2)]


def test_a_missing_library_is_empty_and_is_not_created(library):
    assert (library.documents(), library.search("x"), library.remove(1), library.find("0")) == ([], [], False, None)
    assert not library.path.parent.exists()


def test_the_default_path(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path() == Library().path == tmp_path / "hcrlib" / "library.sqlite"


def test_reading_that_fails_keeps_nothing(kept):
    with pytest.raises(DataError), kept.adding(b"three", model="m", name="three") as add:
        add(page("half"))
        raise DataError("damaged")
    assert found(kept, "half") == []
    assert len(kept.documents()) == 2


def test_a_file_that_is_not_a_library_stays_unchanged(tmp_path):
    for name, content in (("text", b"no database" * 100), ("jpeg", b"\xff\xd8\xff")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=r"not a library.*--library"):
            Library(tmp_path / name)
        assert (tmp_path / name).read_bytes() == content
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("CREATE TABLE corrections (id)")
    connection.close()
    with pytest.raises(DataError, match="not a library"):
        Library(tmp_path / "other")
    with pytest.raises(DataError, match=str(tmp_path)):
        Library(tmp_path)


def test_a_newer_library_is_refused(kept):
    with sqlite3.connect(kept.path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(DataError, match=r"newer hcrlib.*Expected version 1, got 2"):
        Library(kept.path)


def test_an_empty_file_becomes_a_library(tmp_path):
    (tmp_path / "new").touch()
    assert Library(tmp_path / "new").add(b"x", [page("a")], model="m", name="x") == 1


def test_a_damaged_library_is_an_error(kept):
    with kept.path.open("rb+") as file:
        file.seek(4096)
        file.write(b"\xa5" * (kept.path.stat().st_size - 4096))
    with pytest.raises(DataError, match="library"):
        kept.search("two")


def test_a_full_disk_loses_nothing(kept, monkeypatch):
    monkeypatch.setattr(module, "SETTINGS", (*module.SETTINGS, "PRAGMA max_page_count = 1"))  # SQLite's own limit: full
    with pytest.raises(DataError, match=r"no room on the disk; the library is unchanged.*Free some space"):
        kept.add(b"three", [page(*["many words"] * 15, number=n) for n in range(99)], model="m", name="three")
    monkeypatch.undo()
    assert len(kept.documents()) == 2
    assert kept.add(b"three", [page("now")], model="m", name="three") == 3


def test_a_library_locked_for_too_long_is_an_error(kept, monkeypatch):
    monkeypatch.setattr(module, "WAIT_S", 0.05)
    held = sqlite3.connect(kept.path, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    with pytest.raises(DataError, match="Another process"):
        kept.remove(1)
    assert found(kept, "nothing") == [("two.pdf", 1)]  # readers do not wait
    held.close()


ADDING = """
import sys
from hcrlib.documents.store import Library
from tests.documents.made import page
library = Library(sys.argv[1])
for n in range(int(sys.argv[3])):
    library.add(f"{sys.argv[2]} {n}".encode(), [page(f"word {sys.argv[2]} {n}")], model="m", name=sys.argv[2])
    print(n, flush=True)
"""


def adding(library, name, count):
    """A process that adds documents."""
    argv = [sys.executable, "-c", ADDING, str(library.path), name, str(count)]
    return subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
    )


def test_processes_that_make_and_fill_it_together(library):
    processes = [adding(library, name, 15) for name in ("a", "b", "c")]
    errors = [process.communicate()[1] for process in processes]
    assert errors == ["", "", ""]
    assert len(library.documents()) == 45
    assert len(library.search("word", limit=100)) == 45


def test_a_kill_leaves_all_of_a_document_or_nothing(library):
    process = adding(library, "a", 100_000)
    for _ in range(5):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    documents = library.documents()
    assert len(documents) >= 5
    assert {document.pages for document in documents} == {1}
    assert len(library.search("word", limit=10**6)) == len(documents)
    assert library.add(b"after", [page(line("later"))], model="m", name="b") == len(documents) + 1
