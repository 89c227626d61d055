"""The line of pages that wait for this process: it reads one at a time, in the order in which they came."""

import contextlib
import hashlib
import mmap
import struct
import threading

from .problems import Problem

PLACES = 4  # in each process: the page that is read, and three that wait
RETRY_AFTER_S = 2  # roughly the time that one page takes
BYTES = 8  # of a ticket's digest
RECORD = struct.Struct("=%ds5H" % BYTES)  # a place: the digest, then page, pages, stage, line and lines of what is read
STAGES = "starting", "finding", "choosing", "reading"
MOST = (1 << 16) - 1
MAX_TICKET = 100  # characters


def shared_memory(processes):
    """Return the memory in which processes, forked later, show each other their lines."""
    return mmap.mmap(-1, processes * PLACES * RECORD.size)


class Waiting:
    """The line of process `number`. memory: from `shared_memory`; None for a single process."""

    def __init__(self, memory=None, number=0):
        self._memory, self._start = memory or shared_memory(1), number * PLACES * RECORD.size
        self._line, self._changed = [], threading.Condition()

    @contextlib.contextmanager
    def turn(self, ticket=None, is_gone=lambda: False):
        """Wait for a page's turn, and hold it; yield a function of page, pages, stage, line and lines that `find` then returns.

        ticket: a text by which `find` finds the page from any process. is_gone: whether its client no longer waits.
        Raises Problem if the line is full.
        """
        mine = [_digest(ticket), 0, 0, 0, 0, 0]  # a list: two pages with one ticket differ

        def report(page, pages, stage, line, lines):
            with self._changed:
                mine[1:] = [min(number, MOST) for number in (page, pages, STAGES.index(stage), line, lines)]
                self._show()

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
            yield report
        finally:
            with self._changed:
                self._line = [each for each in self._line if each is not mine]
                self._show()
                self._changed.notify_all()

    def find(self, ticket):
        """Return how far the page with this ticket is, a dict.

        Its `place` is the number of pages before it: 0 while it is read, None if it is in no line. While it is read, there are
        also the `stage`, one of STAGES, `page` of `pages`, and the `line` of `lines` that is read, each 0 if it is not known.
        """
        digest = _digest(ticket)
        for index, (shown, page, pages, stage, line, lines) in enumerate(RECORD.iter_unpack(self._memory[:])):
            if shown == digest:
                if index % PLACES:
                    return dict(place=index % PLACES)
                return dict(place=0, stage=STAGES[stage], page=page, pages=pages, line=line, lines=lines)
        return dict(place=None)

    def _show(self):
        shown = b"".join(RECORD.pack(*each) for each in self._line)
        size = PLACES * RECORD.size
        self._memory[self._start : self._start + size] = shown.ljust(size, b"\0")


def _digest(ticket):
    """Return the ticket as BYTES bytes; those of no ticket are never found."""
    return hashlib.sha256(ticket.encode("utf-8", "replace")).digest()[:BYTES] if ticket else b"\1" * BYTES
