"""What an engine keeps of a walk that it has taken."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from elastic_reasoning.core.cursor import Delta, Listen
from elastic_reasoning.core.trace import Finish, Phase
from elastic_reasoning.core.walk import Walk

MAX_WAITING = 1024
"""Walks that may wait for an engine, beside those that are under way."""


_here = threading.local()


@contextmanager
def lent_by(lender: object | None) -> Iterator[None]:
    """Walks that are submitted within are computed in the thread of a lender, which will come to `work` for them.

    Args:
        lender: whoever waits for them; `None` where nobody lends a thread.
    """
    before, _here.lender = getattr(_here, "lender", None), lender
    try:
        yield
    finally:
        _here.lender = before


class Job:
    """A walk that an engine has taken, and what its caller was promised.

    Attributes:
        walk: it is given up when the future is cancelled.
        future: see `Engine.submit`.
        until: where to hand the walk back.
        lender: see `lent_by`.
    """

    def __init__(self, walk: Walk, listen: Listen | None, until: Phase | None) -> None:
        self.walk = walk
        self.future: Future[Walk] = Future()
        self.until = until
        self.lender: object | None = getattr(_here, "lender", None)
        self.listen = None if listen is None else self._tell
        self._listener = listen
        self._fault: Exception | None = None
        self.future.add_done_callback(lambda future: walk.interrupt(Finish.ABORT) if future.cancelled() else None)

    def _tell(self, delta: Delta) -> None:
        if self._listener is None:
            return
        try:
            self._listener(delta)
        except Exception as fault:
            self._fault, self._listener = fault, None
            self.walk.interrupt(Finish.ABORT)

    def finish(self, error: BaseException | None = None) -> None:
        """Hand the walk back, or say what went wrong; callbacks run here."""
        self.walk.when_interrupted(None)
        if not self.future.set_running_or_notify_cancel():
            return
        error = error or self._fault
        if error is None:
            self.future.set_result(self.walk)
        else:
            self.future.set_exception(error)
