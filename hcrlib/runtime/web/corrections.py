"""User corrections in one SQLite file: of characters, with the model's own answer, and of lines of pages.

Nothing is stored without consent, nothing about the sender is stored, and the ID that `add` returns deletes it again. Who
corrects a line that another person has corrected does not have that one's ID: both texts are kept.
"""

import contextlib
import os
import sqlite3
import time
import uuid

TABLES = (
    """
CREATE TABLE IF NOT EXISTS corrections (
    id TEXT PRIMARY KEY,
    at TEXT NOT NULL,           -- UTC, ISO 8601
    label TEXT NOT NULL,        -- the user's
    answered TEXT NOT NULL,     -- the model's, of all classes
    probability REAL NOT NULL,
    model TEXT NOT NULL,        -- name and digest
    image BLOB NOT NULL         -- PNG, at most 280 pixels on a side
)
""",
    """
CREATE TABLE IF NOT EXISTS lines (
    id TEXT PRIMARY KEY,
    at TEXT NOT NULL,           -- UTC, ISO 8601
    text TEXT NOT NULL,         -- the user's
    document TEXT NOT NULL,     -- name of the file, number of the page
    model TEXT NOT NULL,        -- name and digest of the one that read it
    image BLOB NOT NULL         -- PNG, grey, dark on light, at most 64 pixels high
)
""",
)
COLUMNS = "id", "at", "label", "answered", "probability", "model", "image"
LINE_COLUMNS = "id", "at", "text", "document", "model", "image"
DIFFERENT = (  # texts of a line
    "WHERE (document, image) IN (SELECT document, image FROM lines GROUP BY document, image HAVING count(DISTINCT text) > 1)"
)
TIMEOUT_S = 10.0  # to wait for another process that is writing
MAX_ROWS = 20 * 1000  # of each table, so that a public server cannot fill the disk
MAX_BYTES = 2 << 30  # of the file, for the same reason: images of lines differ in size
USED = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()"


class Corrections:
    """The file at `path`, created with the first correction."""

    def __init__(self, path):
        self.path = str(path)

    def add(self, label, answered, probability, model, image):
        """Store a correction and return its ID, a str. ValueError if the file is full; OSError or sqlite3.Error."""
        with self._open() as connection:
            return _insert(connection, "corrections", label, answered, float(probability), model, image)

    def add_line(self, text, document, model, image, replaces=None):
        """Store the text of a line; return and raise like `add`. replaces: ID of the sender's earlier text of that line."""
        with self._open() as connection:
            earlier = replaces, document, image
            connection.execute("DELETE FROM lines WHERE id = ? AND document = ? AND image = ?", earlier)
            return _insert(connection, "lines", text, document, model, image)

    def remove(self, number):
        """Delete the correction with this ID; return whether there was one."""
        if not os.path.exists(self.path):
            return False
        with self._open() as connection:
            deleted = [
                connection.execute("DELETE FROM %s WHERE id = ?" % table, (number,)).rowcount
                for table in ("corrections", "lines")
            ]
        return sum(deleted) > 0

    def rows(self):
        """Return a dict of COLUMNS for each correction of a character, oldest first."""
        return self._select("corrections", COLUMNS)

    def lines(self):
        """Return a dict of LINE_COLUMNS for each corrected line, oldest first: its newest text, if there are several."""
        return [corrected[-1] for corrected in self._by_line()]

    def conflicts(self):
        """Return [dict of LINE_COLUMNS, ...], oldest first, of each line whose corrections differ."""
        return self._by_line(DIFFERENT)

    def _by_line(self, where=""):
        by_line = {}
        for row in self._select("lines", LINE_COLUMNS, where):
            by_line.setdefault((row["document"], row["image"]), []).append(row)
        return list(by_line.values())

    def _select(self, table, columns, where=""):
        if not os.path.exists(self.path):
            return []
        with self._open() as connection:
            query = "SELECT %s FROM %s %s ORDER BY at, rowid" % (", ".join(columns), table, where)
            rows = connection.execute(query).fetchall()
        return [dict(zip(columns, row)) for row in rows]

    @contextlib.contextmanager
    def _open(self):
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=TIMEOUT_S)
        try:
            connection.execute("PRAGMA secure_delete = ON")  # deleted rows are overwritten in the file
            for table in TABLES:
                connection.execute(table)
            with connection:  # one transaction
                yield connection
        finally:
            connection.close()


def _insert(connection, table, *values):
    """Insert a row and return its ID; ValueError if the table or the file is full."""
    if connection.execute("SELECT count(*) FROM " + table).fetchone()[0] >= MAX_ROWS:
        raise ValueError("the limit of %d corrections is reached" % MAX_ROWS)
    if connection.execute(USED).fetchone()[0] >= MAX_BYTES:
        raise ValueError("the limit of %d bytes is reached" % MAX_BYTES)
    number, now = uuid.uuid4().hex, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    row = (number, now) + values
    connection.execute("INSERT INTO %s VALUES (%s)" % (table, ", ".join("?" * len(row))), row)
    return number
