"""Fork a process that dies with its parent."""

import contextlib
import ctypes
import os
import signal
import sys
import traceback

FORKS = sys.platform == "linux"  # forking is safe on Linux alone
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def fork(work):
    """Call work() in a new process, which is killed when this one ends; return its process id.

    The child's exit status: 0, that of a SystemExit, or 1 after any other exception.
    """
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    if FORKS:
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it died in between
        os._exit(1)
    status = 1
    try:
        work()
        status = 0
    except SystemExit as error:
        status = error.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
