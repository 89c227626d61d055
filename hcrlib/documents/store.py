"""A library of recognized documents in one SQLite file, with full-text search.

A document is identified by the bytes of its file: reading the same file again replaces its text under the same number; a
changed file is another document. Searches ignore case and accents. Only the user who created the library can read it, and
removed or replaced text is erased from the file.
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

APPLICATION = 0x68637270  # "hcrp", identifies a library in the file's header
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
SETTINGS = "PRAGMA foreign_keys = ON", "PRAGMA secure_delete = ON"  # erase removed data from the file
FORGET = "INSERT INTO words (words) VALUES ('optimize')"  # erases removed words from the index
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
REASONS = {  # SQLite's error -> message and next step
    "SQLITE_FULL": ("There is no room on the disk; the library is unchanged", "Free some space and try again"),
    "SQLITE_NOTADB": ("The file is not a library", ANOTHER),
    "SQLITE_CORRUPT": ("The library is damaged", f"Restore a backup. {ANOTHER}"),
    "SQLITE_BUSY": ("Another process has been writing to the library for too long", "Try again when it has finished"),
}
START, END = "\x02", "\x03"  # enclose matches
MOST_TERMS = 32


class Document(NamedTuple):
    """A document of the library.

    Attributes:
        path: None if it was added without a file.
        at: time of reading, UTC, ISO 8601.
        model: who read its pages: names, separated by commas.
        pages: the number of pages.
    """

    id: int
    sha256: str
    name: str
    path: str | None
    at: str
    model: str
    pages: int


class Hit(NamedTuple):
    """A page that matches a query. snippet: text around a match. boxes: the Boxes of the matching words."""

    document: int
    name: str
    path: str | None
    page: int
    snippet: str
    boxes: tuple


class Library:
    """The library at `path`, created when the first document is added.

    Raises:
        DataError: if the file is not a library, or is one of a newer version.
    """

    def __init__(self, path=None):
        self.path = Path(path or default_path())
        if self.path.exists():
            with self._open():
                pass

    def add(self, source, pages, *, model, name=None):
        """Add the pages of a source in one transaction and return the document's number.

        Args:
            source: the path of the file, or its bytes.
            pages: an iterable of Pages.
            model: the name of the model of characters, which read the pages that name no `recognizer`.
            name: the file's name; required for bytes.

        Raises:
            DataError: if the library cannot be written.
        """
        return self._keep(_about(source, name), [_row(page, model) for page in pages], model)

    @contextlib.contextmanager
    def adding(self, source, *, model, name=None):
        """Yield add(page) and commit the added pages when the block succeeds; only text and boxes stay in memory."""
        about, rows = _about(source, name), []
        yield lambda page: rows.append(_row(page, model))
        self._keep(about, rows, model)

    def _keep(self, about, rows, model):
        read_by = ", ".join(dict.fromkeys(name for *_, name in rows if name)) or model
        with self._open(writes=True) as connection:
            [[document]] = connection.execute(ADD, (*about, read_by)).fetchall()
            _deleted(connection, "DELETE FROM pages WHERE document = ?", document)
            values = [(document, *row) for *row, _ in rows]
            connection.executemany("INSERT INTO pages (document, number, text, boxes) VALUES (?, ?, ?, ?)", values)
        return document

    def find(self, sha256):
        """Return the Document whose file has this digest, or None."""
        return next((Document(*row) for row in self._select(f"{DOCUMENTS} WHERE sha256 = ?", (sha256,))), None)

    def documents(self):
        """Return all Documents in the order they were added."""
        return [Document(*row) for row in self._select(f"{DOCUMENTS} ORDER BY id")]

    def remove(self, number):
        """Remove the document of this number and return whether there was one."""
        if not self.path.exists():
            return False
        with self._open(writes=True) as connection:
            return _deleted(connection, "DELETE FROM documents WHERE id = ?", number)

    def search(self, query, limit=20, *, marks=("[", "]")):
        """Return a Hit for each page with all words of the query, best first.

        Args:
            query: words; `word*` matches a prefix and "two words" a phrase, and no other syntax is special.
            limit: the most Hits to return.
            marks: strings to put around matches in snippets.

        Raises:
            ConfigError: if the query has no words or the limit is below 1.
        """
        if limit < 1:
            raise ConfigError("The limit is not valid", expected="1 or more", got=limit)
        rows = self._select(SEARCH, (*marks, START, END, expression(query), limit))
        hits = ((about, snippet.split(), _matching(text, json.loads(boxes))) for *about, snippet, text, boxes in rows)
        return [Hit(*about, " ".join(words), tuple(boxes)) for about, words, boxes in hits]

    def _select(self, statement, values=()):
        if not self.path.exists():
            return []
        with self._open() as connection:
            return connection.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _open(self, writes=False):
        """Yield a connection; if `writes`, within one transaction, which is rolled back on errors."""
        with _explained(self.path):
            self._make()
            connection = sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)
            with contextlib.closing(connection):
                _check(connection, self.path)
                for setting in SETTINGS:
                    connection.execute(setting)
                if writes:
                    connection.execute("BEGIN IMMEDIATE")  # wait for the lock now rather than at the first write
                with connection:
                    yield connection

    def _make(self):
        """Create the file with its tables atomically; concurrent processes wait for the one that creates it."""
        if _has_bytes(self.path):
            return
        folder = self.path.parent
        folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        with file_lock(self.path.with_name(f".{self.path.name}.lock")):
            if not _has_bytes(self.path):
                with tempfile.TemporaryDirectory(dir=folder, prefix=f".{self.path.name}.", suffix=".part") as part:
                    os.replace(_empty(Path(part) / self.path.name), self.path)


def _deleted(connection, statement, number):
    """Delete rows, erase their words from the index, and return whether there were any."""
    deleted = connection.execute(statement, (number,)).rowcount > 0
    if deleted:
        connection.execute(FORGET)
    return deleted


def _empty(path):
    """Create an empty library that only this user can read and return its path; SQLite's other files inherit its mode."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; BEGIN; {TABLES} COMMIT;")
    path.chmod(PRIVATE)
    return path


def default_path():
    """Return the path of the default library: $XDG_DATA_HOME/hcrlib/library.sqlite."""
    return Path(default_store()).with_name("library.sqlite")


def digest(source):
    """Return the SHA-256 of bytes or of a file, in hexadecimal."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def expression(query):
    """Return an FTS5 expression that requires all terms of a query; any input is syntactically valid.

    Raises:
        ConfigError: if the query has no letter or digit.
    """
    found = re.findall(r'"([^"]*)"?|([^\s"]+)', _encodable(query).replace("\0", " "))
    terms = [f'"{phrase}"' if phrase else f'"{word.rstrip("*")}"{"*" * word.endswith("*")}' for phrase, word in found]
    wanted = [term for term in terms if any(map(str.isalnum, term))]
    if not wanted:
        hint = 'word, begin*, "two words"'
        raise ConfigError("The query has no words", expected="a word", got=repr(query), hint=hint)
    return " AND ".join(wanted[:MOST_TERMS])


def _about(source, name):
    """Return the values of ADD, without the last one."""
    path = None if isinstance(source, bytes) else Path(source).absolute()
    added = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return digest(source), _encodable(name or path.name), path and _encodable(str(path)), added


def _row(page, model):
    """Return the values of a page, and who read it, "" if it has no text. model: of characters."""
    return page.number, _encodable(page.text), _boxes(page), (page.recognizer or model) if page.lines else ""


def _boxes(page):
    """Return JSON of one box for each word of page.text.split()."""
    return json.dumps([[int(side) for side in word.box] for word in page.words for _ in word.text.split()])


def _matching(text, boxes):
    """Yield the Boxes of the words that lie at least partly between START and END."""
    inside = False
    for word, box in zip(text.split(), boxes, strict=True):
        if inside or START in word:
            yield Box(*box)
        if START in word or END in word:
            inside = word.rfind(START) > word.rfind(END)


def _encodable(text):
    """Replace lone surrogates, as in file names of another encoding."""
    return text.encode("utf-8", "replace").decode()


def _has_bytes(path):
    return path.exists() and path.stat().st_size > 0


def _check(connection, path):
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise DataError("The file is not a library", where=path, hint=ANOTHER)
    if version > VERSION:
        hint = "Update hcrlib, or name another library: --library FILE"
        what, expected = "The library was created by a newer hcrlib", f"version {VERSION}"
        raise DataError(what, where=path, expected=expected, got=version, hint=hint)


@contextlib.contextmanager
def _explained(path):
    """Turn SQLite's and the system's errors into a DataError about the library at `path`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorname", "")
        other = f"The library cannot be used: {error}", None
        what, hint = next((reason for name, reason in REASONS.items() if code.startswith(name)), other)
        raise DataError(what, where=path, hint=hint) from error
    except OSError as error:
        raise DataError(f"The library cannot be used: {error.strerror}", where=path) from error
