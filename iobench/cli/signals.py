"""Signals that ask a measuring command to end, and terminals that go away meanwhile."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from iobench import proc


@contextmanager
def signals(hangup: bool = True) -> Iterator[proc.Stop]:
    """Turn the signals that ask us to end into a request that the engine looks at.

    A terminal that goes is one of them, unless a log file says how it goes on, or it was started with nohup.
    """
    stop = proc.Stop()
    hangup = hangup and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN

    def handler(number: int, _: object) -> None:
        if number == signal.SIGHUP:
            let_go_of_terminals()
        if number != signal.SIGHUP or hangup:
            stop.set(number)

    before = {s: signal.signal(s, handler) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stop
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def let_go_of_terminals() -> None:
    """Send what was to be said on a terminal that is gone nowhere: not being heard is no error, and ends nothing."""
    for stream in (1, 2):
        # One that was hung up is still a character device, and answers nothing any more.
        if stat.S_ISCHR(os.fstat(stream).st_mode) and not os.isatty(stream):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream)
            os.close(nowhere)
