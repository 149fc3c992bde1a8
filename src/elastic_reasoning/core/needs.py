"""What a request can need at the most, found by walking its strategy dry: no model, only the worst that it could say.

    needs = needs_of(request, template)
    needs.tokens, needs.takes_back        # 790, False

At each call the strategy is answered with whatever may lead to the longest completion: all tokens that the call
allows, a delimiter at their beginning or end, half of one, an end of sequence. Where it replaces a delimiter, it is
sent another one as long as it does so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from elastic_reasoning.core.call import Call, Completion, Step
from elastic_reasoning.core.dry_answers import (
    ANSWERS,
    CLOSING,
    OPENING,
    REPLACED,
    WITHOUT_END,
    Answer,
    Mark,
    nothing_else,
    paused,
)
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.strategies import Strategy, find_strategy
from elastic_reasoning.core.template import Prompt, Template
from elastic_reasoning.core.walk import Walk

MOST_CALLS = 10_000
"""Of a walk; one that is not over by then may never be."""
MOST_REPLACED = 64
"""Delimiters that are replaced in a row; where there may be more, only the context is known to end a completion: every
answer behind them is another walk through all of them, and whoever serves waits meanwhile."""
UNLIMITED = 10_000
"""Tokens that stand for as many as there may be, where only few of them are written."""
DEPTH = 3
"""Calls at which every answer is tried; a longer walk goes on as it was answered last."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The most that a completion can come to, whatever the model says."""

    tokens: int | None
    """Tokens of a completion, forced ones among them; `None` where only the context ends it. Where a strategy thinks
    several times they are those of all its branches."""
    sampled: int | None
    """Those of them that are sampled."""
    replaces: bool
    """Whether a delimiter that was sampled may be replaced."""
    probes: bool
    """Whether something may be asked for in between and thrown away."""
    reads_logprobs: bool
    """Whether log-probabilities decide how it goes on."""
    bans: bool
    """Whether tokens may be forbidden or made likelier: they are not drawn from the model's own distribution then."""

    @property
    def takes_back(self) -> bool:
        """Whether sampled tokens may be taken back or read with their log-probabilities: no engine can in one pass."""
        return self.replaces or self.probes or self.reads_logprobs


def needs_of(request: Request, template: Template) -> Needs:
    """What a request can need, whatever the context. No budget cuts a tool call: with tools nothing is bounded."""
    prompt = Prompt((), request.prompt.thinking)
    bare = Request(prompt, request.budget, request.strategy, request.options)  # what else it says makes no difference
    num, bare = _branches(bare, template)
    needs = _dry(find_strategy(bare.strategy), bare, template)
    if template.tools_of(request.prompt) or needs.tokens is None or needs.sampled is None:
        return replace(needs, tokens=None, sampled=None)
    return replace(needs, tokens=num * needs.tokens, sampled=num * needs.sampled)


def _branches(request: Request, template: Template) -> tuple[int, Request]:
    """How many completions a request is, and what each of them is asked."""
    if find_strategy(request.strategy).siblings is None:
        return 1, request
    walk = Walk(request, template)
    return (walk.num_branches, walk.branches[0].request) if walk.branches else (1, request)


def most_tokens(request: Request, template: Template, context: int | None = None) -> int | None:
    """The most tokens that a completion can have, forced ones among them; `None` where nothing tells."""
    num = _branches(request, template)[0]
    room = None if context is None else num * (context - len(request.prompt.ids))
    bounds = (needs_of(request, template).tokens, room)
    return min((bound for bound in bounds if bound is not None), default=None)


def _longer(step: Step) -> int:
    """By how many ids the text that is forced behind a call may be longer than it was."""
    words, num_sampled = step.call.wrap_up, len(step.completion.ids)
    return words.most - len(words.ids(num_sampled)) if words else 0


def _replaces(call: Call | None) -> bool:
    return call is not None and not call.probe and call.tail > 0 and call.tail_phase is None


def _num_said(walk: Walk) -> int:
    """How often something was forced into thinking."""
    return sum(segment.phase is Phase.THINKING and not segment.sampled for segment in walk.segments)


class _DryRun:
    """The dry walks of one request, and the worst of them."""

    def __init__(self, request: Request, template: Template) -> None:
        self.request = request
        self.template = replace(
            template,
            opening=Mark(template.opening, OPENING),
            closing=Mark(template.closing, CLOSING),
            decode=lambda ids: template.decode([token for token in ids if token >= 0]),  # no tokenizer knows the others
            tools=None,
        )
        self.tokens = self.sampled = 0
        strategy = find_strategy(request.strategy)
        self.by_chance, self.reads_logprobs = strategy.by_chance, strategy.goes_by_logprobs(request.options)
        self.unlimited = self.by_chance
        self.replaces = self.probes = self.bans = False

    def needs(self) -> Needs:
        for path in [path for path in (self._replacements(), self._pauses()) if path] or [[]]:
            if len(path) < MOST_REPLACED:
                self._try(path, DEPTH)
            else:
                self.unlimited = True
        tokens, sampled = (None, None) if self.unlimited else (self.tokens, self.sampled)
        return Needs(tokens, sampled, self.replaces, self.probes, self.reads_logprobs, self.bans)

    def _replacements(self) -> list[Answer]:
        """Delimiters, as long as each is taken back."""
        path: list[Answer] = []
        for answer in REPLACED:
            walk = self._walk(path)
            while len(path) < MOST_REPLACED and self._take(walk, answer) and _replaces(walk.call):
                path.append(answer)
                self.replaces = True
        return path

    def _pauses(self) -> list[Answer]:
        """Pauses with what is probed there, as long as something is said at each."""
        path: list[Answer] = []
        walk, num_said = self._walk(path), 0
        while len(path) < MOST_REPLACED and walk.call is not None:
            answer = nothing_else if walk.call.probe else paused
            if not self._take(walk, answer) or (not (walk.call and walk.call.probe) and _num_said(walk) == num_said):
                break
            path.append(answer)
            num_said = _num_said(walk)
        return path if num_said else []

    def _try(self, path: list[Answer], depth: int) -> None:
        """Every answer to the next calls; from a depth on, the one that was given last."""
        walk = self._walk(path)
        if walk.call is None or walk.call.max_tokens is None:
            self._end(walk)
            if depth and walk.call is not None and walk.call.pause:
                self._try([*path, paused], depth - 1)
        elif depth:
            for answer in ANSWERS:
                if answer(walk.call):
                    self._try([*path, answer], depth - 1)
        elif not self.by_chance:
            last = nothing_else if path[-1] is paused else path[-1]  # what is thought between pauses adds up to it
            while len(walk.steps) < MOST_CALLS and (self._take(walk, last) or self._take(walk, nothing_else)):
                pass
            self._end(walk)

    def _walk(self, path: Sequence[Answer]) -> Walk:
        """A new walk that has gone a path."""
        walk = Walk(self.request, self.template)
        for answer in path:
            self._take(walk, answer)
        return walk

    def _take(self, walk: Walk, answer: Answer) -> bool:
        """Answer the call that is waited for; say whether it could be answered so."""
        call = walk.call
        if call is None:
            return False
        self.bans = self.bans or bool((call.banned and call.min_tokens) or call.forbidden or call.ramp)
        self.probes = self.probes or call.probe
        if call.max_tokens is not None:
            said = answer(call)
        else:  # a delimiter may be written, and replaced, all the same
            said = answer(replace(call, max_tokens=UNLIMITED)) if answer in WITHOUT_END else None
        if said is None:
            return False
        walk.finish(Completion(said[0], (0.0,) * len(said[0]), said[1]))
        return True

    def _end(self, walk: Walk) -> None:
        """Note what a walk came to."""
        self.unlimited = self.unlimited or walk.call is not None
        self.tokens = max(self.tokens, len(walk.ids) + max(map(_longer, walk.steps), default=0))
        self.sampled = max(self.sampled, sum(len(segment.ids) for segment in walk.segments if segment.sampled))


@lru_cache(maxsize=4096)
def _dry(strategy: Strategy, request: Request, template: Template) -> Needs:
    """The needs of a request whose prompt is empty; the strategy is part of the key, as names can be given anew."""
    return _DryRun(request, template).needs()
