"""Several processes that serve one socket, so that Python's global lock is not the limit, and their supervisor."""

import contextlib
import importlib.util
import mmap
import os
import signal
import struct
import sys
import time

MIN_LIFE_S = 5.0  # a process that ends sooner is not restarted: it would fail again
MAX_PROCESSES = 4
SLACK = 1  # a process may have this many connections more than another and still accept a new one
FRESH_S = 2.0  # a process that has not updated its number of connections for longer is ignored


class Peers:
    """What the processes share: the number of connections of each, and which of them reports an error first.

    The kernel gives a new connection to the process that wakes first, and browsers and proxies keep their connections
    open; without the counts one process could end up with all of them. Create it before forking.
    """

    RECORD = struct.Struct("=id")  # connections, time

    def __init__(self, count):
        self.count = count
        self.memory = mmap.mmap(-1, count * self.RECORD.size)  # shared with forked processes
        self._token, token_in = os.pipe()
        os.write(token_in, b"1")  # whoever reads it may report
        os.close(token_in)

    def claim_report(self):
        """Return True in the first process that asks: it alone reports why they cannot start.

        It is not terminated while it does so.
        """
        if self.count > 1:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        return os.read(self._token, 1) == b"1"

    def may_accept(self, number, connections):
        """Return whether process `number`, which has so many connections, should accept another."""
        now = time.time()
        self.RECORD.pack_into(self.memory, number * self.RECORD.size, connections, now)
        records = (self.RECORD.unpack_from(self.memory, index * self.RECORD.size) for index in range(self.count))
        return connections <= SLACK + min(held for held, updated in records if now - updated < FRESH_S)


def default(engine):
    """Return a good number of processes: one a core, up to 4; only one if fork is missing or each would need the GPU."""
    if not hasattr(os, "fork") or engine == "tensorrt" or (engine is None and importlib.util.find_spec("tensorrt")):
        return 1
    return min(os.cpu_count() or 1, MAX_PROCESSES)


def run(count, work):
    """Run work(number) in `count` processes until SIGTERM or SIGINT, and restart those that die.

    work: a function of 0..count-1 that returns an exit status, and ends upon SIGTERM.

    Returns:
        The exit status: 0, or that of the first process that ended right after its start.
    """
    if count == 1:
        return work(0)
    stopping, alive = [], {}

    def stop(number, frame):
        stopping.append(number)
        for child in list(alive):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    for number in range(count):
        _start(alive, number, work, stopping)
    failed = 0
    while alive:
        child, status = os.wait()
        number, started = alive.pop(child)
        if stopping:
            continue
        if time.time() - started < MIN_LIFE_S:
            failed = 1
            stop(signal.SIGTERM, None)
        else:
            sys.stderr.write("hcr serve: process %d ended (status %d); restarting it\n" % (child, status))
            _start(alive, number, work, stopping)
    return failed


def _start(alive, number, work, stopping):
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(
        signal.SIG_BLOCK, signals
    )  # until `alive` holds the child and the child has its own handlers
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
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # a terminal sends Ctrl-C to all processes: the parent passes it on
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        status = work(number)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
