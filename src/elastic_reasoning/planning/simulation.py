"""A sweep without a model: the real strategies and the real sharing, on lengths that are drawn and a clock that is not.

    engine = SimulatedEngine(stand_in(template), context=4096, rows=64, lengths=lengths, pace=pace, prompt=prompt)
    for trace in run(engine, walks): ...
    engine.seconds           # what it would have taken

Which calls a strategy makes, what is forced, where a budget cuts and what one thinking spares another is so counted by
the code that does it.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from elastic_reasoning.core.call import Call, Completion, OnEos
from elastic_reasoning.core.delimiter import AnyDelimiter, Delimiter, TokenDelimiter
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Message, Prompt, Template
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.families import runs_branches
from elastic_reasoning.engines.job import Job
from elastic_reasoning.planning.lengths import Lengths, Place
from elastic_reasoning.planning.pace import Pace

WORD, END, OPENING, CLOSING = -1, -2, -3, -4
"""Ids that no model has, so that what is written is never taken for what is forced."""
IRRATIONAL = (2, 3, 5, 7, 11, 13, 17, 19)
"""Numbers whose square roots are."""


def stand_in(template: Template) -> Template:
    """A template with the same numbers of tokens, whose ids mean nothing."""

    def delimiter(real: Delimiter, mark: int) -> TokenDelimiter:
        return TokenDelimiter(real.text, (mark,) * len(real.ids), (WORD,) * (len(real.forced) - len(real.ids)))

    return replace(
        template,
        opening=delimiter(template.opening, OPENING),
        closing=delimiter(template.closing, CLOSING),
        eos=frozenset([END]),
        decode=lambda ids: "",
        tools=None,
    )


@dataclass(frozen=True, slots=True, order=True)
class _Row:
    """A call on its way: at which step it is over, and in which order it was begun."""

    over: float
    number: int


class SimulatedEngine:
    """Takes walks as any engine, and answers each call with as many tokens as a model might.

    Every step takes `pace.step_seconds` and, for each row in it, `pace.row_seconds`; a call waits `pace.call_seconds`
    before it begins, and its prompt holds up everything for `pace.prompt_token_seconds` a token.

    Attributes:
        capacity: rows that run together.
        seconds: how long it has computed so far.
        looking: strategies that would have looked at what was said, where nothing is.

    Args:
        template: as `stand_in` makes it.
        context: tokens of prompt and completion; `None` for no limit.
        rows: that run together.
        lengths: how long the model thinks and answers.
        pace: how fast it is.
        prompt: messages to a prompt.
    """

    note = ""

    def __init__(
        self,
        template: Template,
        context: int | None,
        rows: int,
        lengths: Lengths,
        pace: Pace,
        prompt: Callable[[Sequence[Message]], Prompt],
    ) -> None:
        self.template, self.context, self.capacity = template, context, rows
        self.seconds = 0.0
        self.looking: set[str] = set()
        self._lengths, self._pace, self._prompt = lengths, pace, prompt
        self._waiting: deque[Job] = deque()
        self._rows: list[_Row] = []
        self._answers: dict[int, tuple[Job, Completion]] = {}
        self._num_drawn: dict[tuple[object, ...], tuple[int, int]] = {}
        self._step, self._number = 0.0, 0

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """The prompt of messages; no tools are offered."""
        return self._prompt(messages)

    @runs_branches
    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        """Take walks, to be brought to their ends by `work`."""
        jobs = [Job(walk, None, None) for walk in walks]
        self._waiting.extend(jobs)
        return [job.future for job in jobs]

    def work(self, lender: object, done: Callable[[], bool]) -> None:
        """Go on until something is done."""
        while not done() and (self._waiting or self._rows):
            while self._waiting and len(self._rows) < self.capacity:
                self._begin(self._waiting.popleft())
            if self._rows:
                self._finish_one()

    def close(self) -> None:
        """Nothing is held."""

    def _begin(self, job: Job) -> None:
        self.seconds += len(job.walk.request.prompt.ids) * self._pace.prompt_token_seconds
        self._go_on(job)

    def _go_on(self, job: Job) -> None:
        call = job.walk.call
        if call is None:
            job.finish()
            return
        completion = self._answer(job.walk, call)
        waited = self._pace.call_seconds / self._pace.seconds_of_step(len(self._rows) + 1)
        self._number += 1
        heapq.heappush(self._rows, _Row(self._step + waited + len(completion.ids), self._number))
        self._answers[self._number] = job, completion

    def _finish_one(self) -> None:
        num_rows = len(self._rows)
        row = heapq.heappop(self._rows)
        self.seconds += (row.over - self._step) * self._pace.seconds_of_step(num_rows)
        self._step = row.over
        job, completion = self._answers.pop(row.number)
        job.walk.finish(completion)
        self._go_on(job)

    def _answer(self, walk: Walk, call: Call) -> Completion:
        if call.pause or call.loop:
            self.looking.add(walk.request.strategy)
        place = _place(walk, call)
        drawn = self._lengths.draw(place, self._uniform(place))
        if drawn is not None:
            end = self._end(call, drawn.end)
            kept = len(end) if drawn.end is Finish.DELIMITER or call.on_eos is OnEos.END else 0
            if end and (call.max_tokens is None or drawn.num_tokens + kept <= call.max_tokens):
                return _completion((*[WORD] * drawn.num_tokens, *end[:kept]), drawn.end)
        if call.max_tokens is None:
            raise UsageError(
                "nothing bounds a completion: neither its budget nor a context that is known; give a model that is "
                "known, or --measure 16"
            )
        return _completion((WORD,) * call.max_tokens, Finish.LENGTH)

    def _uniform(self, place: Place) -> float:
        """The next number in [0, 1) for stretches of a kind: evenly spread, so that few of them have the right mean.

        Multiples of an irrational number, another one for each kind (Weyl 1916).
        """
        kind = place[:3]
        number = self._num_drawn.setdefault(kind, (len(self._num_drawn) + 1, 0))
        self._num_drawn[kind] = number[0], number[1] + 1
        return (number[1] + 0.5) * math.sqrt(IRRATIONAL[number[0] % len(IRRATIONAL)]) % 1

    def _end(self, call: Call, end: Finish) -> tuple[int, ...]:
        """The ids that end a call so; none where it cannot end so."""
        if end is Finish.EOS:
            return (END,)
        stop = call.stop.parts[0] if isinstance(call.stop, AnyDelimiter) else call.stop
        return () if stop is None else stop.ids


def _completion(ids: tuple[int, ...], finish: Finish) -> Completion:
    """One of which the model was sure."""
    return Completion(ids, (0.0,) * len(ids), finish)


def _place(walk: Walk, call: Call) -> Place:
    """Where in its completion a walk is."""
    before: list[tuple[str, bool]] = []
    for segment in reversed(walk.segments):
        if segment.sampled and segment.finish is not None:
            break
        before.append((str(segment.phase), segment.sampled))
    thought = sum(len(each.ids) for each in walk.segments if each.sampled and each.phase is Phase.THINKING)
    asked = find_strategy(walk.request.strategy).ask(walk.request.budget)
    return Place(asked, call.phase, tuple(reversed(before)), thought)
