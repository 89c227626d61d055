"""Several processes that answer on one socket, so that Python's lock is not the limit, and one that looks after them."""

import contextlib
import importlib.util
import mmap
import os
import signal
import struct
import sys
import time

SOON_S = 5.0  # a worker that ends sooner than this will not live any longer the next time
MOST = 4
SLACK = 1  # connections that a process may have more than another and still take a new one
FRESH_S = 2.0  # a process that was not heard of for longer is not waited for


class Share:
    """What each process tells the others: how many connections it has. It keeps one from taking them all.

    The kernel gives a new connection to whichever process wakes first, and a browser or a proxy keeps its connections.
    """

    RECORD = struct.Struct("=id")  # connections, seconds

    def __init__(self, count):
        self.count, self.memory = (
            count,
            mmap.mmap(-1, count * self.RECORD.size),
        )  # shared with processes that are forked
        self._word, given = os.pipe()
        os.write(given, b"1")  # whoever reads it has the word
        os.close(given)

    def has_the_word(self):
        """True for the first process that asks: it alone tells why they cannot go on, and is not ended while it does."""
        if self.count > 1:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        return os.read(self._word, 1) == b"1"

    def may_take(self, number, connections):
        """Whether process `number`, which has so many, is to take another one."""
        now = time.time()
        self.RECORD.pack_into(self.memory, number * self.RECORD.size, connections, now)
        others = (self.RECORD.unpack_from(self.memory, at * self.RECORD.size) for at in range(self.count))
        return connections <= SLACK + min(held for held, heard in others if now - heard < FRESH_S)


def default(engine):
    """How many are worth it: one a core, up to 4; one where processes cannot fork or where each would fill a GPU's memory."""
    if not hasattr(os, "fork") or engine == "tensorrt" or (engine is None and importlib.util.find_spec("tensorrt")):
        return 1
    return min(os.cpu_count() or 1, MOST)


def run(count, work):
    """Runs work(number) in `count` processes until SIGTERM or SIGINT; the exit status of the first that cannot go on, or 0.

    work: a function of 0..count-1 that returns an exit status, and ends upon SIGTERM. One that dies is started again.
    """
    if count == 1:
        return work(0)
    stopping, alive = [], {}

    def stop(number, frame):
        stopping.append(number)
        for child in list(alive):
            _tell(child)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    for number in range(count):
        _start(alive, number, work, stopping)
    failed = 0
    while alive:
        child, status = os.wait()
        number, since = alive.pop(child)
        if stopping:
            continue
        if time.time() - since < SOON_S:
            failed = 1
            stop(signal.SIGTERM, None)
        else:
            sys.stderr.write("hcr serve: process %d ended (status %d) and is started again\n" % (child, status))
            _start(alive, number, work, stopping)
    return failed


def _start(alive, number, work, stopping):
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # until parent and child are what they are to be
    if stopping:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        return
    sys.stdout.flush()
    child = os.fork()
    if child:
        alive[child] = number, time.time()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        return
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches all of them: the parent passes it on
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        status = work(number)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _tell(child):
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)
