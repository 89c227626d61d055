"""What people said an image was, kept in one SQLite file: the picture's pixels, the right label, what was answered.

Nothing is kept without consent; who sent it is not kept at all; the number that keeping answers with takes it back.
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
    label TEXT NOT NULL,        -- what a person said it is
    answered TEXT NOT NULL,     -- what the model answered
    probability REAL NOT NULL,
    model TEXT NOT NULL,        -- name and digest
    image BLOB NOT NULL         -- PNG, grey, at most 280 pixels on a side
)
"""
COLUMNS = "id", "at", "label", "answered", "probability", "model", "image"
WAIT_S = 10.0  # for another process that is writing
MOST = 20 * 1000  # corrections: a page that is open to all must not fill the disk


class Corrections:
    """The file at `path`, made when the first correction is kept."""

    def __init__(self, path):
        self.path = str(path)

    def add(self, label, answered, probability, model, image):
        """Keeps one and returns its number, a str. ValueError where it is full; sqlite3.Error or OSError of the disk."""
        number = uuid.uuid4().hex
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self._open() as connection:
            if connection.execute("SELECT count(*) FROM corrections").fetchone()[0] >= MOST:
                raise ValueError("%d corrections are kept, and no more" % MOST)
            row = (number, at, label, answered, float(probability), model, image)
            connection.execute("INSERT INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return number

    def remove(self, number):
        """Whether there was one of this number; it is gone now."""
        if not os.path.exists(self.path):
            return False
        with self._open() as connection:
            return connection.execute("DELETE FROM corrections WHERE id = ?", (number,)).rowcount > 0

    def rows(self):
        """dicts of COLUMNS, the oldest first."""
        if not os.path.exists(self.path):
            return []
        with self._open() as connection:
            found = connection.execute("SELECT %s FROM corrections ORDER BY at, id" % ", ".join(COLUMNS)).fetchall()
        return [dict(zip(COLUMNS, row)) for row in found]

    @contextlib.contextmanager
    def _open(self):
        folder = os.path.dirname(os.path.abspath(self.path))
        if not os.path.isdir(folder):
            os.makedirs(folder)
        connection = sqlite3.connect(self.path, timeout=WAIT_S)
        try:
            connection.execute("PRAGMA secure_delete = ON")  # taken back means gone from the file
            connection.execute(TABLE)
            with connection:  # one transaction
                yield connection
        finally:
            connection.close()
