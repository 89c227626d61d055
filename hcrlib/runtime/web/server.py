"""The application on a port, by waitress: bounded in what waits, and it ends what it has begun when it is told to stop."""

import copy
import logging
import signal
import socket
import time

from .app import HEADERS, MAX_BODY
from .problems import MEDIA_TYPE, Problem

MOST_WAITING = 32  # requests in each process: less than a tenth of a second's work, where each is one drawing
RETRY_AFTER_S = 1
CONNECTIONS = 512
MAX_HEAD = 32 * 1024  # bytes
SLACK = 1 << 16  # bytes over an address' limit that are let in: the application tells of what is little too much
IN_MEMORY = 1 << 30  # bytes: more than any request or answer has, so that none of them is written to a disk
DRAIN_S = 10.0  # for what was begun, once it is told to stop
INSISTS_S = 1.0  # one who says it again after that will not wait


class Admission:
    """A WSGI application that refuses to read images, at once, while too many requests wait."""

    def __init__(self, app, waiting, metrics):
        self.app, self.waiting, self.metrics = app, waiting, metrics

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] != "POST" or self.waiting() <= MOST_WAITING:
            return self.app(environ, start_response)
        self.metrics.refused()
        body = Problem("busy", "Ask again in a second.").body
        headers = [
            ("Content-Type", MEDIA_TYPE),
            ("Retry-After", str(RETRY_AFTER_S)),
            ("Content-Length", str(len(body))),
        ]
        start_response("503 Service Unavailable", headers)
        return [body]


def listen(host, port):
    """A bound TCP socket; port 0 takes any free one. OSError where it is taken or not this computer's."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.setblocking(False)
        bound.listen(CONNECTIONS)  # whoever connects from now on waits until it answers
    except OSError:
        bound.close()
        raise
    return bound


def serve(app, metrics, bound, threads, may_take=None, larger=()):
    """Answers until SIGTERM or SIGINT, then ends what was begun, for at most 10 s. bound: a socket of `listen`.

    may_take: a function of how many connections there are that tells whether to take another, or None for as many as come.
    larger: {path: bytes} of the addresses whose bodies may have more than MAX_BODY bytes.
    """
    import waitress
    from waitress.channel import HTTPChannel
    from waitress.parser import HTTPRequestParser
    from waitress.task import ErrorTask

    class Parser(HTTPRequestParser):
        """Lets a larger body in where the address allows it."""

        def parse_header(self, head):
            super().parse_header(head)
            if self.path in larger:
                self.adj = copy.copy(self.adj)
                self.adj.max_request_body_size = larger[self.path] + SLACK

    class ProblemTask(ErrorTask):
        """What waitress itself refuses - a head it cannot read, a body that is too long - told like everything else."""

        def execute(self):
            error = self.request.error
            problem = Problem({413: "too-large", 500: "fault"}.get(error.code, "bad-request"), error.reason + ".")
            problem.members["status"] = error.code
            body, self.status = problem.body, "%d %s" % (error.code, error.reason)
            self.response_headers += [("Content-Type", MEDIA_TYPE), ("Connection", "close")] + HEADERS
            self.close_on_finish = True
            self.content_length = len(body)
            self.write(body)

    class Channel(HTTPChannel):
        error_task_class = ProblemTask
        parser_class = Parser

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that some wait is no news
    logging.getLogger("waitress").addHandler(logging.StreamHandler())
    waiting = []  # the queue, known once there is a server
    server = waitress.create_server(
        Admission(app, lambda: len(waiting[0]), metrics),
        sockets=[bound],
        threads=threads,
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,
        max_request_header_size=MAX_HEAD,
        max_request_body_size=MAX_BODY + SLACK,
        inbuf_overflow=IN_MEMORY,
        outbuf_overflow=IN_MEMORY,
        channel_timeout=30,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    server.channel_class = Channel
    if may_take:
        accepting = server.readable
        server.readable = lambda: accepting() and may_take(len(server.active_channels))
    waiting.append(server.task_dispatcher.queue)
    _run(server)


def _run(server):
    stopping = []  # when it was told to

    def stop(number, frame):
        stopping.append(time.time())
        server.pull_trigger()

    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)

    def step(timeout):
        server.asyncore.loop(timeout=timeout, use_poll=True, map=server._map, count=1)

    while not stopping:
        step(1)
    server.del_channel()
    server.socket.close()  # nobody new
    until = time.monotonic() + DRAIN_S
    while server.active_channels and time.monotonic() < until and stopping[-1] - stopping[0] < INSISTS_S:
        for channel in list(server.active_channels.values()):
            if not channel.requests and not channel.request and not channel.total_outbufs_len:
                channel.handle_close()
        step(0.05)
    server.task_dispatcher.shutdown(timeout=1)
