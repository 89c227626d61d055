"""User corrections in one SQLite file: the image's pixels, the correct label, and the model's own answer.

Nothing is stored without consent, nothing about the sender is stored, and the ID that `add` returns deletes it again.
"""

import contextlib
import os
import sqlite3
import time
import uuid

TABLE = """
CREATE TABLE IF NOT EXISTS corrections (
    id TEXT PRIMARY KEY,
    at TEXT NOT NULL,           -- UTC, ISO 8601
    label TEXT NOT NULL,        -- the user's
    answered TEXT NOT NULL,     -- the model's label
    probability REAL NOT NULL,
    model TEXT NOT NULL,        -- name and digest
    image BLOB NOT NULL         -- PNG, grey, at most 280 pixels on a side
)
"""
COLUMNS = "id", "at", "label", "answered", "probability", "model", "image"
TIMEOUT_S = 10.0  # to wait for another process that is writing
MAX_ROWS = 20 * 1000  # so that a public server cannot fill the disk


class Corrections:
    """The file at `path`, created with the first correction."""

    def __init__(self, path):
        self.path = str(path)

    def add(self, label, answered, probability, model, image):
        """Store a correction and return its ID, a str. ValueError if the file is full; OSError or sqlite3.Error."""
        number = uuid.uuid4().hex
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self._open() as connection:
            if connection.execute("SELECT count(*) FROM corrections").fetchone()[0] >= MAX_ROWS:
                raise ValueError("the limit of %d corrections is reached" % MAX_ROWS)
            row = (number, now, label, answered, float(probability), model, image)
            connection.execute("INSERT INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return number

    def remove(self, number):
        """Delete the correction with this ID; return whether there was one."""
        if not os.path.exists(self.path):
            return False
        with self._open() as connection:
            return connection.execute("DELETE FROM corrections WHERE id = ?", (number,)).rowcount > 0

    def rows(self):
        """Return a dict of COLUMNS for each correction, oldest first."""
        if not os.path.exists(self.path):
            return []
        with self._open() as connection:
            rows = connection.execute("SELECT %s FROM corrections ORDER BY at, id" % ", ".join(COLUMNS)).fetchall()
        return [dict(zip(COLUMNS, row)) for row in rows]

    @contextlib.contextmanager
    def _open(self):
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=TIMEOUT_S)
        try:
            connection.execute("PRAGMA secure_delete = ON")  # deleted rows are overwritten in the file
            connection.execute(TABLE)
            with connection:  # one transaction
                yield connection
        finally:
            connection.close()
