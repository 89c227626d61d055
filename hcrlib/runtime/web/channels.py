"""Connections of waitress that report errors as problem details, and let their clients read them."""

import socket

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from .app import HEADERS
from .problems import MEDIA_TYPE, Problem

LINGER = 1 << 30  # bytes of a refused request that are thrown away, so that its client gets to read why


class ProblemTask(ErrorTask):
    """Report what waitress itself refuses, such as a malformed header, like every other error.

    The server has the path below which it is offered, as `prefix`.
    """

    def execute(self):
        """Write the response, and let the client finish sending."""
        error, prefix = self.request.error, self.channel.server.prefix
        problem = Problem({413: "too-large", 500: "fault"}.get(error.code, "bad-request"), error.reason + ".")
        problem.members["status"] = error.code
        headers = [("Content-Type", MEDIA_TYPE)] + HEADERS
        error.to_response = lambda *args: ("%d %s" % (error.code, error.reason), headers, problem.body(prefix))
        self.channel.lingers = True
        super().execute()


class Channel(HTTPChannel):
    """A connection that, after an error, lets its client finish sending: a reset would hide the response from it."""

    error_task_class = ProblemTask
    lingers, left = False, LINGER

    def handle_write(self):
        """Send what is buffered; a channel that lingers then only closes its sending half."""
        if self.lingers and self.close_when_flushed and not self.will_close:
            self._flush_exception(self._flush_some)
            if not self.total_outbufs_len and not self.will_close:
                self.close_when_flushed = False
                try:
                    self.socket.shutdown(socket.SHUT_WR)
                except OSError:  # the client has gone
                    self.will_close = True
            return
        super().handle_write()

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
