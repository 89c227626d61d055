"""Serve the app with waitress: a bounded queue, errors as problem details, and a graceful stop.

waitress has no settings for these three, so this module and `channels` use parts of it that are not documented: `channel_class`
and `error_task_class`, the queue of its dispatcher, and the channels of its main loop.
"""

import logging
import signal
import socket
import time

import waitress

from .app import MAX_BODY
from .channels import Channel
from .problems import MEDIA_TYPE, Problem

MAX_WAITING = 32  # requests in each process: less than a tenth of a second's work if each holds one drawing
RETRY_AFTER_S = 1
MAX_CONNECTIONS = 512
MAX_HEADER = 32 * 1024  # bytes
SLACK = 1 << 16  # bytes over the limit that are let in, so that the app itself can report a body slightly too large
IN_MEMORY = 1 << 30  # bytes: larger than any request or response, so that waitress writes none to disk
DRAIN_S = 10.0  # to finish running requests after a signal to stop
INSIST_S = 1.0  # a second signal later than this stops at once


class Admission:
    """A WSGI application that refuses to read images, at once, while too many requests are waiting in `queue`."""

    queue = ()  # waitress' queue, set once the server exists

    def __init__(self, app, metrics, prefix=""):
        self.app, self.metrics, self.prefix = app, metrics, prefix

    def __call__(self, environ, start_response):
        """Serve a request (WSGI), or refuse a POST while too many requests wait."""
        if environ["REQUEST_METHOD"] != "POST" or len(self.queue) <= MAX_WAITING:
            return self.app(environ, start_response)
        self.metrics.count_refusal()
        body = Problem("busy", "Try again in a second.").body(self.prefix)
        headers = [
            ("Content-Type", MEDIA_TYPE),
            ("Retry-After", str(RETRY_AFTER_S)),
            ("Content-Length", str(len(body))),
        ]
        start_response("503 Service Unavailable", headers)
        return [body]


def listen(host, port):
    """Return a bound, listening TCP socket; port 0 takes any free one. OSError if the address cannot be used."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # `::` accepts IPv4, too
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((host, port))
        bound.listen(MAX_CONNECTIONS)  # clients that connect before the models are loaded wait in this queue
    except OSError:
        bound.close()
        raise
    return bound


def serve(app, metrics, bound, threads, may_accept=None, max_body=MAX_BODY, prefix=""):
    """Serve until SIGTERM or SIGINT, then finish running requests, for at most 10 s.

    Args:
        app, metrics: of `create_app`.
        bound: a socket from `listen`.
        threads: requests to process at once.
        may_accept: a function of the number of open connections that returns whether to accept another; None for always.
        max_body: bytes of the largest request; the app may set lower limits for some addresses.
        prefix: that of `create_app`, for the errors that do not come from it.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # waiting requests are not worth a warning
    logging.getLogger("waitress").addHandler(logging.StreamHandler())
    admission = Admission(app, metrics, prefix)
    server = waitress.create_server(
        admission,
        sockets=[bound],
        threads=threads,
        connection_limit=MAX_CONNECTIONS,
        asyncore_use_poll=True,
        max_request_header_size=MAX_HEADER,
        max_request_body_size=max_body + SLACK,
        inbuf_overflow=IN_MEMORY,
        outbuf_overflow=IN_MEMORY,
        channel_timeout=30,
        channel_request_lookahead=1,  # notices that a client is gone while its page waits
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    server.channel_class, server.prefix = Channel, prefix
    if may_accept:
        readable = server.readable
        server.readable = lambda: readable() and may_accept(len(server.active_channels))
    admission.queue = server.task_dispatcher.queue
    _run(server)


def _run(server):
    """Run waitress' main loop, like its own `run`, but finish running requests before it returns."""
    signalled = []  # times

    def stop(number, frame):
        signalled.append(time.monotonic())
        server.pull_trigger()

    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)

    def step(timeout):
        server.asyncore.loop(timeout=timeout, use_poll=True, map=server._map, count=1)

    while not signalled:
        step(1)
    server.del_channel()
    server.socket.close()  # accept no new connections
    deadline = time.monotonic() + DRAIN_S
    while server.active_channels and time.monotonic() < deadline and signalled[-1] - signalled[0] < INSIST_S:
        for channel in list(server.active_channels.values()):
            if not channel.requests and not channel.request and not channel.total_outbufs_len:  # idle
                channel.handle_close()
        step(0.05)
    server.task_dispatcher.shutdown(timeout=1)
