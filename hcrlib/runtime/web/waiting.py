"""The line of pages that wait for this process: it reads one at a time, in the order in which they came."""

import contextlib
import hashlib
import json
import mmap
import struct
import threading

from .problems import Problem

PLACES = 4  # in each process: the page that is read, and three that wait
RETRY_AFTER_S = 2  # roughly the time that one page takes
BYTES = 8  # of a ticket's digest
# A place: the digest, then page, pages, stage, line and lines of what is read, and the bytes of TEXT that its lines take.
RECORD = struct.Struct("=%ds5HI" % BYTES)
TEXT = 1 << 16  # bytes of the lines of a page that have been read, in JSON; what does not fit is left out
SIZE = PLACES * RECORD.size + TEXT
STAGES = "starting", "finding", "choosing", "reading"
MOST = (1 << 16) - 1
MAX_TICKET = 100  # characters


def shared_memory(processes):
    """Return the memory in which processes, forked later, show each other their lines."""
    return mmap.mmap(-1, processes * SIZE)


class Waiting:
    """The line of process `number`. memory: from `shared_memory`; None for a single process."""

    def __init__(self, memory=None, number=0):
        self._memory, self._start = memory or shared_memory(1), number * SIZE
        self._line, self._changed = [], threading.Condition()

    @contextlib.contextmanager
    def turn(self, ticket=None, is_gone=lambda: False):
        """Wait for a page's turn, and hold it; yield a function of page, pages, stage, line and lines that `find` then returns.

        The function also takes (number, text, box) of a line that has been read, or None.
        ticket: a text by which `find` finds the page from any process. is_gone: whether its client no longer waits.
        Raises Problem if the line is full.
        """
        mine = [_digest(ticket), 0, 0, 0, 0, 0, 0]  # a list: two pages with one ticket differ

        def report(page, pages, stage, line, lines, finished=None):
            with self._changed:
                used = mine[-1] if page == mine[1] else 0
                mine[1:-1] = [min(number, MOST) for number in (page, pages, STAGES.index(stage), line, lines)]
                mine[-1] = self._append(used, finished) if finished else used
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
        also the `stage`, one of STAGES, `page` of `pages`, the `line` of `lines` that is read, each 0 if it is not known, and
        `read`: the number, text and box of the lines of this page that have been read, in its order.
        """
        digest = _digest(ticket)
        for start in range(0, len(self._memory), SIZE):
            for place in range(PLACES):
                shown, page, pages, stage, line, lines, used = self._record(start, place)
                if shown != digest:
                    continue
                if place:
                    return dict(place=place)
                text = start + PLACES * RECORD.size
                read = self._memory[text : text + used]
                if self._record(start, 0)[:2] != (digest, page):  # another page, whose lines replace those of this one
                    read = b""
                found = dict(place=0, stage=STAGES[stage], page=page, pages=pages, line=line, lines=lines)
                return dict(found, read=_parsed(read))
        return dict(place=None)

    def _record(self, start, place):
        return RECORD.unpack_from(self._memory, start + place * RECORD.size)

    def _show(self):
        shown = b"".join(RECORD.pack(*each) for each in self._line)
        size = PLACES * RECORD.size
        self._memory[self._start : self._start + size] = shown.ljust(size, b"\0")

    def _append(self, used, finished):
        """Write a line behind the first `used` bytes of the text, which do not change; return how many there are then."""
        line = json.dumps(finished).encode("ascii") + b"\n"
        if used + len(line) > TEXT:
            return used
        start = self._start + PLACES * RECORD.size + used
        self._memory[start : start + len(line)] = line
        return used + len(line)


def _parsed(text):
    """Return the lines of a text as dicts in the order of their numbers; the last one of each number counts."""
    read = {
        number: dict(number=number, text=words, box=box) for number, words, box in map(json.loads, text.splitlines())
    }
    return [read[number] for number in sorted(read)]


def _digest(ticket):
    """Return the ticket as BYTES bytes; those of no ticket are never found."""
    return hashlib.sha256(ticket.encode("utf-8", "replace")).digest()[:BYTES] if ticket else b"\1" * BYTES
