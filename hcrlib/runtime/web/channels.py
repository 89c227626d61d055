"""Connections of waitress that report errors as problem details, and let their clients read them."""

import socket

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask
from waitress.utilities import RequestEntityTooLarge

from .app import HEADERS
from .problems import MEDIA_TYPE, Problem

BAD_URI = "Bad URI", " In an address, characters other than ASCII are written like %C3%A9."
LINGER = 1 << 30  # bytes of a refused request that are thrown away, so that its client gets to read why


class ProblemTask(ErrorTask):
    """Report what waitress itself refuses, such as a malformed header, like every other error.

    The server has the path below which it is offered, as `prefix`.
    """

    def execute(self):
        """Write the response, and let the client finish sending."""
        error = self.request.error
        name = {413: "too-large", 500: "fault"}.get(error.code, "bad-request")
        detail = error.body if error.code == 400 else error.reason
        problem = Problem(name, detail + "." + BAD_URI[1] * (detail == BAD_URI[0]))
        problem.members["status"] = error.code
        body = problem.body(self.channel.server.prefix)
        self.status = "%d %s" % (error.code, error.reason)
        self.response_headers += [("Content-Type", MEDIA_TYPE), ("Connection", "close")] + HEADERS
        self.channel.lingers = self.close_on_finish = True
        self.content_length = len(body)
        self.write(body)


class Parser(HTTPRequestParser):
    """A parser that throws away a body of a stated length that is too large before the request is refused.

    Proxies in Go, such as Caddy, cut off a client that is still sending when they get the response. A client that asks first
    (Expect: 100-continue) is refused at once.
    """

    unread = 0

    def received(self, data):
        """Parse the next bytes of a request; return how many belong to it."""
        if self.unread:
            n = min(len(data), self.unread)
            self.unread -= n
            self.completed = not self.unread
            return n
        n = super().received(data)
        is_too_large = self.completed and isinstance(self.error, RequestEntityTooLarge)
        if is_too_large and not self.expect_continue and 0 < self.content_length <= LINGER:
            self.unread, self.completed = self.content_length, False
        return n


class Channel(HTTPChannel):
    """A connection that, after an error, lets its client finish sending: a reset would hide the response from it."""

    parser_class, error_task_class = Parser, ProblemTask
    lingers, left = False, LINGER

    def handle_write(self):
        """Send what is buffered; a channel that lingers then only closes its sending half."""
        ends = self.lingers and self.close_when_flushed
        self.close_when_flushed = self.close_when_flushed and not ends
        super().handle_write()
        if ends and self.total_outbufs_len:
            self.close_when_flushed = True
        elif ends and self.connected:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # the client has gone
                self.will_close = True

    def received(self, data):
        """Parse requests; throw away what comes after a refused one."""
        if not self.lingers:
            return super().received(data)
        self.left -= len(data)
        self.will_close = self.will_close or self.left < 0
        return False

    def send_continue(self):
        """Ask for the body of a request, unless the request is refused."""
        if self.request.error:  # its body is not wanted
            self.request.expect_continue = False
        else:
            super().send_continue()
