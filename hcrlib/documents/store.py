"""A library of what was read: documents by their content, searched by words, kept in one SQLite file.

A document is its file's bytes: the same file again replaces what was read before, under the same number; a file that has
changed is another document. Case and accents do not matter in a search. The file is for the eyes of the user who made it alone,
and what was removed or replaced is gone from it.
"""

import contextlib
import hashlib
import json
import os
import re
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from hcrlib.core.errors import ConfigError, DataError
from hcrlib.core.fileio import file_lock
from hcrlib.documents.containers import Box
from hcrlib.runtime.web.cli import default_store

APPLICATION = 0x68637270  # "hcrp", in the file's header: it is a library
VERSION = 1
TABLES = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- a number is never given twice
    sha256 TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    path TEXT,                  -- NULL where it came without a file
    at TEXT NOT NULL,           -- UTC, ISO 8601
    model TEXT NOT NULL
);
CREATE TABLE pages (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    number INTEGER NOT NULL,
    text TEXT NOT NULL,
    boxes TEXT NOT NULL,        -- JSON: [left, top, right, bottom] of each word of text.split()
    UNIQUE (document, number)
);
CREATE VIRTUAL TABLE words USING fts5 (
    text, content = pages, content_rowid = id, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
CREATE TRIGGER page_added AFTER INSERT ON pages BEGIN
    INSERT INTO words (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER page_removed AFTER DELETE ON pages BEGIN
    INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
END;
"""
SETTINGS = "PRAGMA foreign_keys = ON", "PRAGMA secure_delete = ON"  # removed means gone from the file
FORGET = "INSERT INTO words (words) VALUES ('optimize')"  # removed words leave the index's old parts
PRIVATE, PRIVATE_FOLDER = 0o600, 0o700  # modes
ANOTHER = "Name another one: --library FILE"
WAIT_S = 10.0  # for another process that is writing
ADD = """
INSERT INTO documents (sha256, name, path, at, model) VALUES (?, ?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE SET
    name = excluded.name, path = excluded.path, at = excluded.at, model = excluded.model RETURNING id
"""
DOCUMENTS = """
SELECT id, sha256, name, path, at, model, (SELECT count(*) FROM pages WHERE document = documents.id) FROM documents
"""
SEARCH = """
SELECT documents.id, name, path, number, snippet(words, 0, ?, ?, '…', 12), highlight(words, 0, ?, ?), boxes FROM words
JOIN pages ON pages.id = words.rowid JOIN documents ON documents.id = document WHERE words MATCH ? ORDER BY rank LIMIT ?
"""
REASONS = {  # SQLite's error -> what is said, and the next step
    "SQLITE_FULL": ("There is no room on the disk; the library is as it was", "Make room and repeat this"),
    "SQLITE_NOTADB": ("This file is no library", ANOTHER),
    "SQLITE_CORRUPT": ("This library is damaged", f"Put a copy of it in its place. {ANOTHER}"),
    "SQLITE_BUSY": ("Another process has been writing to the library for too long", "Repeat this when it has ended"),
}
START, END = "\x02", "\x03"  # around what matched
MOST_TERMS = 32


class Document(NamedTuple):
    """at: when it was read, UTC, ISO 8601. path: None where it came without a file. pages: how many."""

    id: int
    sha256: str
    name: str
    path: str | None
    at: str
    model: str
    pages: int


class Hit(NamedTuple):
    """A page that holds all that was asked for. snippet: text around a match. boxes: the Boxes of the matching words."""

    document: int
    name: str
    path: str | None
    page: int
    snippet: str
    boxes: tuple


class Library:
    """The file at `path`, made when the first document is added. DataError for a file that is no library, or a newer one."""

    def __init__(self, path=None):
        self.path = Path(path or default_path())
        if self.path.exists():
            with self._open():
                pass

    def add(self, source, pages, *, model, name=None):
        """Keeps what was read of a source, all of it or nothing, and returns the document's number.

        source: the path of the file, or its bytes, which need a name. pages: an iterable of Pages. DataError for a full disk.
        """
        about = _about(source, name, model)
        return self._keep(about, [_row(page) for page in pages])

    @contextlib.contextmanager
    def adding(self, source, *, model, name=None):
        """Gives add(page); what was added is kept when the block ends well. Only text and boxes stay in memory until then."""
        about, rows = _about(source, name, model), []
        yield lambda page: rows.append(_row(page))
        self._keep(about, rows)

    def _keep(self, about, rows):
        with self._open(writes=True) as connection:
            [[document]] = connection.execute(ADD, about).fetchall()
            replaced = connection.execute("DELETE FROM pages WHERE document = ?", (document,)).rowcount > 0
            values = [(document, *row) for row in rows]
            connection.executemany("INSERT INTO pages (document, number, text, boxes) VALUES (?, ?, ?, ?)", values)
            if replaced:
                connection.execute(FORGET)
        return document

    def find(self, sha256):
        """The Document of the bytes with this digest, or None."""
        return next((Document(*row) for row in self._select(f"{DOCUMENTS} WHERE sha256 = ?", (sha256,))), None)

    def documents(self):
        """list of Document, the first added first."""
        return [Document(*row) for row in self._select(f"{DOCUMENTS} ORDER BY id")]

    def remove(self, number):
        """Whether there was a document of this number; it is gone now."""
        if not self.path.exists():
            return False
        with self._open(writes=True) as connection:
            removed = connection.execute("DELETE FROM documents WHERE id = ?", (number,)).rowcount > 0
            if removed:
                connection.execute(FORGET)
        return removed

    def search(self, query, limit=20, *, marks=("[", "]")):
        """list of Hit, the best first: pages with all the words of the query.

        `word*` finds words that begin so, "two words" those that follow each other; nothing else has a meaning of its own.
        marks: what is put around the matches in a snippet. ConfigError where there is nothing to look for,
        and for a limit under 1.
        """
        if limit < 1:
            raise ConfigError("There is nothing to show", expected="a limit of 1 or more", got=limit)
        rows = self._select(SEARCH, (*marks, START, END, expression(query), limit))
        return [
            Hit(*about, " ".join(snippet.split()), tuple(_matching(text, json.loads(boxes))))
            for *about, snippet, text, boxes in rows
        ]

    def _select(self, statement, values=()):
        if not self.path.exists():
            return []
        with self._open() as connection:
            return connection.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _open(self, writes=False):
        """A connection; where it writes, one transaction, which is undone by an error."""
        with _told(self.path):
            self._make()
            connection = sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)
            with contextlib.closing(connection):
                _check(connection, self.path)
                for setting in SETTINGS:
                    connection.execute(setting)
                if writes:
                    connection.execute("BEGIN IMMEDIATE")  # waits for its turn here, not in the middle
                with connection:
                    yield connection

    def _make(self):
        """The file with its tables, complete or not at all; of several processes one makes it and the others wait."""
        if _has_bytes(self.path):
            return
        folder = self.path.parent
        folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        with file_lock(self.path.with_name(f".{self.path.name}.lock")):
            if not _has_bytes(self.path):
                with tempfile.TemporaryDirectory(dir=folder, prefix=f".{self.path.name}.", suffix=".part") as part:
                    os.replace(_empty(Path(part) / self.path.name), self.path)


def _empty(path):
    """The path of a new library, which no other user reads, nor what SQLite puts beside it: that has its mode."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; BEGIN; {TABLES} COMMIT;")
    path.chmod(PRIVATE)
    return path


def default_path():
    """Where the library is unless another is named: $XDG_DATA_HOME/hcrlib/library.sqlite."""
    return Path(default_store()).with_name("library.sqlite")


def digest(source):
    """SHA-256 of bytes or of a file's, in hexadecimal."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def expression(query):
    """An FTS5 expression for what a person typed, which is never a syntax error: quoted terms, all of which are wanted.

    ConfigError where there is no letter or digit in it.
    """
    found = re.findall(r'"([^"]*)"?|([^\s"]+)', _encodable(query).replace("\0", " "))
    terms = [f'"{phrase}"' if phrase else f'"{word.rstrip("*")}"{"*" * word.endswith("*")}' for phrase, word in found]
    wanted = [term for term in terms if any(map(str.isalnum, term))]
    if not wanted:
        raise ConfigError(
            "There is nothing to look for", expected="a word", got=repr(query), hint='word, begin*, "two words"'
        )
    return " AND ".join(wanted[:MOST_TERMS])


def _about(source, name, model):
    """The values of ADD."""
    path = None if isinstance(source, bytes) else Path(source).absolute()
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return digest(source), _encodable(name or path.name), path and _encodable(str(path)), at, model


def _row(page):
    return page.number, _encodable(page.text), _boxes(page)


def _boxes(page):
    """JSON of one box for each piece of page.text.split()."""
    return json.dumps([[int(side) for side in word.box] for word in page.words for _ in word.text.split()])


def _matching(text, boxes):
    """Yields the Boxes of the words that lie, even in part, between START and END."""
    inside = False
    for word, box in zip(text.split(), boxes, strict=True):
        if inside or START in word:
            yield Box(*box)
        if START in word or END in word:
            inside = word.rfind(START) > word.rfind(END)


def _encodable(text):
    """A str without lone surrogates, such as those of file names in another encoding."""
    return text.encode("utf-8", "replace").decode()


def _has_bytes(path):
    return path.exists() and path.stat().st_size > 0


def _check(connection, path):
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise DataError("This file is no library", where=path, hint=ANOTHER)
    if version > VERSION:
        hint = "Update hcrlib, or name another library: --library FILE"
        raise DataError(
            "This library is of a newer hcrlib", where=path, expected=f"version {VERSION}", got=version, hint=hint
        )


@contextlib.contextmanager
def _told(path):
    """Turns SQLite's errors, and the system's, into a DataError that says what is with the library at `path`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorname", "")
        other = f"The library cannot be used: {error}", None
        what, hint = next((told for name, told in REASONS.items() if code.startswith(name)), other)
        raise DataError(what, where=path, hint=hint) from error
    except OSError as error:
        raise DataError(f"The library cannot be used: {error.strerror}", where=path) from error
