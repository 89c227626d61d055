"""The line of pages that wait for this process: it reads one at a time, in the order in which they came."""

import contextlib
import hashlib
import mmap
import threading

from .problems import Problem

PLACES = 4  # in each process: the page that is read, and three that wait
RETRY_AFTER_S = 2  # roughly the time that one page takes
BYTES = 8  # of a ticket's digest
MAX_TICKET = 100  # characters


def shared_memory(processes):
    """Return the memory in which processes, forked later, show each other their lines."""
    return mmap.mmap(-1, processes * PLACES * BYTES)


class Waiting:
    """The line of process `number`. memory: from `shared_memory`; None for a single process."""

    def __init__(self, memory=None, number=0):
        self._memory, self._start = memory or shared_memory(1), number * PLACES * BYTES
        self._line, self._changed = [], threading.Condition()

    @contextlib.contextmanager
    def turn(self, ticket=None, is_gone=lambda: False):
        """Wait for a page's turn, and hold it.

        ticket: a text by which `place` finds the page from any process. is_gone: whether its client no longer waits.
        Raises Problem if the line is full.
        """
        mine = [_digest(ticket)]  # a list: two pages with one ticket differ
        with self._changed:
            if len(self._line) == PLACES:
                detail = "%d pages are waiting here already. Try again in %d seconds." % (PLACES, RETRY_AFTER_S)
                raise Problem("busy", detail, [("Retry-After", str(RETRY_AFTER_S))])
            self._line.append(mine)
            self._show()
            self._changed.wait_for(lambda: self._line[0] is mine)
        try:
            if is_gone():
                raise Problem("bad-request", "The client has gone.")
            yield
        finally:
            with self._changed:
                self._line = [each for each in self._line if each is not mine]
                self._show()
                self._changed.notify_all()

    def place(self, ticket):
        """Return how many pages are before the one with this ticket: 0 while it is read, None if it is in no line."""
        shown, digest = self._memory[:], _digest(ticket)
        places = [index % PLACES for index in range(len(shown) // BYTES) if shown[index * BYTES :][:BYTES] == digest]
        return places[0] if places else None

    def _show(self):
        shown = b"".join(digest for [digest] in self._line)
        self._memory[self._start : self._start + PLACES * BYTES] = shown.ljust(PLACES * BYTES, b"\0")


def _digest(ticket):
    """Return the ticket as BYTES bytes; those of no ticket are never found."""
    return hashlib.sha256(ticket.encode("utf-8", "replace")).digest()[:BYTES] if ticket else b"\1" * BYTES
