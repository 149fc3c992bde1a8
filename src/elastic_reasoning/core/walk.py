"""Where one request stands in its strategy.

A `Walk` turns what was sampled for each call into the segments of a trace. It is moved by an interpreter: by token
(`elastic_reasoning.core.cursor.Cursor`) or by event (`elastic_reasoning.core.drive`), which uses a cursor. Whoever
holds a walk may interrupt it, from any thread.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from elastic_reasoning.core.call import Call, Completion, OnEos, Step
from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import INTERRUPTS, Finish, Phase, Probe, Segment
from elastic_reasoning.core.siblings import Siblings
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import Trace

SEVERAL = Call(Phase.THINKING, None)
"""Stands for what a walk waits for whose branches are under way: it is none that an engine can answer."""


class Walk:
    """One request on its way through its strategy.

    A request that cannot be started or gone on with is not an exception but a walk that is over and has an `error`.
    Where its strategy thinks several times, it has `branches`, which are walks themselves: they are moved, and it is
    not (`elastic_reasoning.core.family`).

    Attributes:
        context: tokens of prompt and completion that there may be; `None` for no limit.
        call: the call that is waited for, `None` when the walk is over.
        ids: ids of the completion so far, the forced ids of `call` among them.
        segments: segments so far; those of the call that is waited for are still missing.
        steps: calls that are done.
        probes: what was thrown away so far.
        branches: walks of the same prompt among which its strategy will choose, those that are over among them.
        logprobs_for: the strategy that goes by its log-probabilities; empty for none.
        listener: told of its tokens, in place of whoever submits it to an engine; `None` for nobody.
        num_reused: sampled tokens that no engine drew for this walk.
        num_told: segments that a listener has been told of.
        num_aside: tokens that its branches have come to, as far as somebody listens and was not told of them.
        error: why the walk could not be started or went wrong.
    """

    def __init__(self, request: Request, template: Template, context: int | None = None) -> None:
        self.request = request
        self.template = template
        self.context = context
        self.call: Call | None = None
        self.ids: list[int] = []
        self.segments: list[Segment] = []
        self.steps: list[Step] = []
        self.probes: list[Probe] = []
        self.branches: list[Walk] = []
        self.logprobs_for = ""
        self.listener: Callable[[Any], None] | None = None
        self.num_reused = 0
        self.num_told = self.num_aside = 0
        self.error: str | None = None
        self.siblings: Siblings | None = None
        self._lock = threading.Lock()  # guards what other threads see or set: the four below
        self._phase: Phase | None = None
        self._deadline: Phase | None = None  # the phase that time has closed, until it is over
        self._ended: Finish | None = None
        self._notify: Callable[[], object] | None = None
        self._hidden: list[int] = []  # ids that a probe does not show
        try:
            strategy = find_strategy(request.strategy, request.options)
            options = strategy.read(request.options)
            strategy.refuse(request.budget, options)
            self.logprobs_for = request.strategy if strategy.reads_logprobs(options) else ""
            self._options, self.siblings = options, strategy.siblings
            if self.siblings is not None:
                self.branch()
                return
            self._calls = strategy.run(request.prompt, request.budget, template, options, context)
            self._begin(next(self._calls))
            self._skip_empty()
        except ElasticError as error:
            self.error = str(error)

    def branch(self) -> "list[Walk]":
        """Begin the branches that come next, of a walk all of whose branches are over; none where it is to end."""
        assert self.siblings is not None
        self.call = SEVERAL
        try:
            so_far = [branch.trace() for branch in self.branches]
            requests = self.siblings.begin(self._options, self.request, so_far)
        except ElasticError as error:
            self.fail(str(error))
            return []
        begun = [Walk(request, self.template, self.context) for request in requests]
        for walk in begun:
            walk.logprobs_for = walk.logprobs_for or self.logprobs_for
        with self._lock:  # what interrupts it from now on interrupts these too
            if self._ended is not None or self._deadline is not None:
                return []
            self.branches += begun
        if failed := next((walk.error for walk in begun if walk.error is not None), None):
            self.fail(failed)
        return begun

    def limit_of(self, thought: Sequence[int | None]) -> int | None:
        """See `Siblings.limit`."""
        limit = self.siblings and self.siblings.limit
        return limit(self._options, thought) if limit else None

    def ends_of(self, so_far: Sequence[Trace]) -> Callable[[Sequence[float]], bool] | None:
        """See `Siblings.ends`."""
        ends = self.siblings and self.siblings.ends
        return ends(self._options, so_far) if ends else None

    def choose(self) -> None:
        """End a walk all of whose branches are over, as the one that its strategy chooses.

        One that was given up has no answer: it ends as the branch that was.
        """
        assert self.siblings is not None
        traces = [branch.trace() for branch in self.branches]
        given_up = [n for n, trace in enumerate(traces) if trace.segments and trace.segments[-1].finish is Finish.ABORT]
        try:
            chosen = self.branches[given_up[0] if given_up else self.siblings.choose(self._options, traces)]
        except ElasticError as error:
            self.fail(str(error))
            return
        self.segments, self.ids, self.probes = chosen.segments, chosen.ids, chosen.probes
        self.call = None

    def _begin(self, call: Call) -> int:
        if call.probe:
            self._hidden = self.ids[len(self.ids) - call.tail :]
            del self.ids[len(self.ids) - call.tail :]
        elif call.tail:
            self._split(call)
        kept = len(self.ids)
        for phase, ids in call.forced:
            if not call.probe:
                self.segments.append(Segment(phase, ids, sampled=False))
            self.ids.extend(ids)
        self.call = call
        with self._lock:
            if not call.probe:  # which time closes with the phase that it looks into
                self._phase = call.phase
            if self._deadline is Phase.THINKING and call.phase is Phase.SOLUTION:
                self._deadline = None
        return kept

    def interrupt(self, finish: Finish, phase: Phase | None = None) -> None:
        """Have it end here, or close its current phase; the engine that has it does so at its next token.

        What was sampled so far stays. It may be called from any thread, more than once, and when the walk is over.

        Args:
            finish: `DEADLINE` closes the current phase as if its tokens were spent: what follows thinking has all of
                its tokens. A solution or a tool call that is closed ends the request. A deadline for thinking that is
                over by then does nothing. `STOP` and `ABORT` end the request.
            phase: the one that a deadline closes; if another one has begun by now, it does nothing.
        """
        if finish not in INTERRUPTS:
            raise ValueError(f"{finish!r} is no interrupt: {', '.join(INTERRUPTS)} are")
        with self._lock:
            current = self._current_phase()
            if finish is Finish.DEADLINE:
                if phase not in (None, current):
                    return
                self._deadline = current
            else:
                self._ended = self._ended or finish
            for branch in self.branches:
                branch.interrupt(finish, current if current is Phase.THINKING else None)
            if self._notify is not None:
                self._notify()

    def _current_phase(self) -> Phase | None:
        """What time would close: thinking, as long as any branch thinks."""
        if not self.branches:
            return self._phase
        thinks = any(branch.call is not None and branch._phase is Phase.THINKING for branch in self.branches)
        return Phase.THINKING if thinks else Phase.SOLUTION

    @property
    def num_branches(self) -> int:
        """How many sequences it may have under way at once."""
        return self.siblings.count(self._options, self.request.budget) if self.siblings is not None else 1

    @property
    def interrupted(self) -> Finish | None:
        """The interrupt that the current call has to end with, if there is one."""
        if self.call is None:
            return None
        return self._ended or (Finish.DEADLINE if self._deadline is not None else None)

    def when_interrupted(self, notify: Callable[[], object] | None) -> None:
        """Have this called at every interrupt, by whoever interrupts, and at once if there has been one.

        It takes the place of what was to be called before. It must not wait, and must not call this walk.
        """
        with self._lock:
            self._notify = notify
            if notify is not None and (self._ended is not None or self._deadline is not None):
                notify()

    def _split(self, call: Call) -> None:
        """Move the last ids of the segment before out of it, or take them back."""
        before = self.segments.pop()
        kept = len(before.ids) - call.tail
        logprobs = before.logprobs
        self.segments.append(
            Segment(before.phase, before.ids[:kept], True, logprobs and logprobs[:kept], before.finish)
        )
        if call.tail_phase is None:
            del self.ids[-call.tail :]
        else:
            self.segments.append(Segment(call.tail_phase, before.ids[kept:], True, logprobs and logprobs[kept:]))

    def finish(self, completion: Completion) -> int:
        """Take what was sampled for the current call and go on to the next one.

        Returns:
            How many ids of the completion stand; those behind them were forced by the call that follows.
        """
        if self.call is None or self.branches:
            raise RuntimeError("the walk is over, or its branches are what is moved: there is no call to finish")
        kept = self._advance(completion)
        self._skip_empty()
        return kept

    def _skip_empty(self) -> None:
        """Calls that may sample nothing are over before an engine sees them."""
        while self.call is not None and self.call.max_tokens == 0:
            self._advance(Completion((), (), Finish.LENGTH))

    def _advance(self, completion: Completion) -> int:
        assert self.call is not None
        self.steps.append(Step(len(self.ids), self.call, completion))
        segment = Segment(self.call.phase, completion.ids, True, completion.logprobs, completion.finish)
        if self.call.probe:
            return self._take_back(self.call, segment)
        self.segments.append(segment)
        self.ids.extend(completion.ids)
        return self._go_on(segment)

    def _go_on(self, segment: Segment) -> int:
        """Have the strategy say what comes next, now that this was sampled."""
        self.call = None
        if segment.finish in (Finish.STOP, Finish.ABORT):
            self._calls.close()
            return len(self.ids)
        try:
            call = self._calls.send(segment)
        except StopIteration:
            return len(self.ids)
        except ElasticError as error:
            self.fail(str(error))
            return len(self.ids)
        discarded = segment.finish is Finish.EOS and self.steps[-1].call.on_eos is OnEos.DISCARD
        if discarded and not any(ids for _, ids in call.forced):
            # The next draw would have the same key and context, and so would be the same end of sequence.
            self.fail(
                f"strategy {self.request.strategy!r} forces nothing after an end of sequence that it discards: "
                "force at least one token, or let it end the sequence"
            )
            return len(self.ids)
        return self._begin(call)

    def _take_back(self, call: Call, segment: Segment) -> int:
        """Keep a probe beside the completion, which goes on as if it had not been."""
        forced = tuple(token for _, ids in call.forced for token in ids)
        place = len(self.ids) - len(forced)
        self.ids[place:] = self._hidden
        self.probes.append(Probe(place, forced, segment))
        if self._phase is not None and segment.finish in (Finish.STOP, Finish.ABORT):
            self.segments.append(Segment(self._phase, (), True, segment.logprobs and (), segment.finish))
        return min(place, self._go_on(segment))

    def fail(self, error: str) -> None:
        """Give up: the trace will carry the error and what there was."""
        self.error, self.call = error, None

    def trace(self) -> Trace:
        """The finished trace."""
        return Trace(
            self.request,
            tuple(self.segments),
            self.template,
            self.error,
            self.num_reused,
            tuple(self.probes),
            tuple(branch.trace() for branch in self.branches),
        )
