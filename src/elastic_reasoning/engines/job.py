"""What an engine keeps of a walk that it has taken."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from elastic_reasoning.core.delta import Delta, Listen
from elastic_reasoning.core.explorer import automaton_of
from elastic_reasoning.core.looking import no_logprobs
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.segment import Finish, Phase
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
        in_one_pass: whether our plug-in keeps its budget in one pass; otherwise it goes by calls, or by token. Without,
            a deadline would not be kept: a walk that has one fails.

    Args:
        plug_in: whether the engine has our plug-in.
        speculative: whether it decodes speculatively: the plug-in then keeps what can be put into tables alone.
        logprobs: whether it gives log-probabilities of what it samples when it is asked by calls. Without, a walk fails
            whose strategy goes by them.
    """

    def __init__(
        self,
        walk: Walk,
        listen: Listen | None,
        until: Phase | None,
        *,
        plug_in: bool = False,
        speculative: bool = False,
        logprobs: bool = True,
    ) -> None:
        self.walk = walk
        self.in_one_pass = plug_in and _can_be_one_pass(walk, until, speculative)
        seconds = walk.request.deadline_seconds
        if walk.call is not None and seconds is not None and not self.in_one_pass:
            walk.fail(
                f"deadline_seconds {seconds:g} is kept by vLLM with our plug-in alone, in one pass: leave it out, and "
                "interrupt the walk when its time is up"
            )
        if not logprobs and _reads_logprobs(walk):
            walk.fail(no_logprobs(walk.logprobs_for))
        listen = listen if walk.listener is None else walk.listener
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


def _reads_logprobs(walk: Walk) -> bool:
    """Whether somebody goes by the walk's log-probabilities, and there is something to think."""
    return bool(walk.logprobs_for) and walk.call is not None and walk.call.phase is Phase.THINKING


def _can_be_one_pass(walk: Walk, until: Phase | None, speculative: bool) -> bool:
    """Whether our plug-in can keep the walk's budget in one pass."""
    has_begun = any(step.call.max_tokens != 0 for step in walk.steps)  # else it had nothing to sample so far
    if walk.call is None or has_begun or until is not None:
        return False
    if speculative and automaton_of(walk, min(walk.template.eos)) is None:
        return False
    return not needs_of(walk.request, walk.template).takes_back
