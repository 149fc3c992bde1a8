"""Separate budgeting in which a rule says where each thinking is worth more of its t tokens.

At some places of its thinking the rule estimates, from signs that are there for nothing or from a probe, what going on
would gain; where that is nothing, thinking is closed, and the solution has its s tokens. `elastic allocate` fits such a
rule to the tokens that requests may take on average (`elastic_reasoning.analysis.allocation`).

    8: 0.21 -0.004*prompt*prompt 0.7*recent; 16: 0.05 0.3*thinking

At 8 and at 16 tokens the terms are added up; at 0 or less, thinking is closed. A term is a number, or a number
times signs of `SIGNS`.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, prod

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Call, Calls, Pause
from elastic_reasoning.core.errors import StrategyError, unknown
from elastic_reasoning.core.looking import CLOSE, Looking, Next, Thought, confidence, logprobs_of, probe, read_answer
from elastic_reasoning.core.segment import Segment
from elastic_reasoning.core.separate import think_and_solve
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template

NAME = "allocated"
SIGNS = {
    "prompt": "tokens of the prompt",
    "thinking": "mean log-probability of what was thought so far",
    "recent": "mean log-probability of what was thought since the place before",
    "probe": "confidence in an answer that is probed here: the geometric mean of the probabilities of its tokens",
    "same": "1 where that answer is the one that was probed before, else 0",
}
"""What a rule may go by."""
FREE = ("prompt", "thinking", "recent")
"""Those that cost no tokens."""
PROBED = ("probe", "same")
READ = ("thinking", "recent", "probe")
"""Signs that need log-probabilities."""

Term = tuple[float, tuple[str, ...]]
"""A number and the signs that it is multiplied with."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What going on is worth at some places of thinking.

    Attributes:
        terms: for each place, in tokens of thinking and in order, what is added up.
    """

    terms: Mapping[int, tuple[Term, ...]]

    @property
    def signs(self) -> frozenset[str]:
        """What it goes by."""
        return frozenset(sign for terms in self.terms.values() for _, signs in terms for sign in signs)

    def gain(self, place: int, signs: Mapping[str, float]) -> float:
        """What going on is worth at a place, given the signs there."""
        return sum(number * prod(signs[name] for name in names) for number, names in self.terms[place])

    def __str__(self) -> str:
        return "; ".join(
            f"{place}: {' '.join('*'.join([f'{number:.8g}', *signs]) for number, signs in terms)}"
            for place, terms in self.terms.items()
        )

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """Read a rule; an empty text is one without places.

        Raises:
            StrategyError: it is none.
        """
        return _parse(text)


@lru_cache(256)
def _parse(text: str) -> Rule:
    terms: dict[int, tuple[Term, ...]] = {}
    for part in filter(str.strip, text.split(";")):
        place, colon, added = part.partition(":")
        if not colon or not place.strip().isdecimal() or not int(place) or not added.strip():
            raise StrategyError(f"rule {part.strip()!r}: must be TOKENS: TERMS, as 16: 0.2 -0.01*prompt")
        if int(place) <= max(terms, default=0):
            raise StrategyError(f"rule {part.strip()!r}: stands behind {max(terms)}: put the places in order")
        terms[int(place)] = tuple(_term(term) for term in added.split())
    return Rule(terms)


def _term(text: str) -> Term:
    number, *signs = text.split("*")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise StrategyError(f"rule term {text!r}: must begin with a number, as -0.01*prompt")
    for sign in signs:
        if sign not in SIGNS:
            raise StrategyError(f"rule term {text!r}: {unknown('sign', sign, SIGNS)}")
    return value, tuple(signs)


def thought_signs(num_prompt: int, logprobs: Sequence[float], num_before: int) -> dict[str, float]:
    """The signs that a thinking shows by itself.

    Args:
        num_prompt: tokens of the prompt.
        logprobs: of the thinking so far `[n]`; empty where none are known.
        num_before: how many of them there were at the place before.
    """
    return {
        "prompt": float(num_prompt),
        "thinking": _mean(logprobs),
        "recent": _mean(logprobs[num_before:]),
    }


def probed_signs(template: Template, asked: str, sampled: Segment, before: str | None) -> tuple[dict[str, float], str]:
    """The signs that a probe shows, and its answer.

    Args:
        template: of the model.
        asked: the text that was forced.
        sampled: what was sampled behind it; without log-probabilities nothing is known of how sure it is.
        before: what was answered at the place before; `None` for the first.
    """
    answer = read_answer(template, asked, sampled)
    sure = {}
    if sampled.logprobs is not None:
        sure["probe"] = confidence(logprobs_of(sampled, NAME)[answer.start : answer.end])
    return {**sure, "same": float(answer.text == before)}, answer.text


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


@dataclass(frozen=True, slots=True)
class AllocatedOptions:
    """What a thinking is closed by."""

    rule: str = ""
    """What going on is worth, as "16: 0.2 -0.01*prompt; 32: ..."; elastic allocate makes one. Without it t is spent."""
    probe_text: str = "\n\nThe answer is"
    """Text that is forced before an answer is sampled, where the rule goes by one; {close} in it stands for what closes
    thinking."""
    probe_tokens: int = 10
    """Tokens of an answer that are sampled."""


def allocated(
    prompt: Prompt, budget: Budget, template: Template, options: AllocatedOptions, context: int | None
) -> Calls:
    """Think, look where the rule says so, close, answer."""
    looks = _Looks(Rule.parse(options.rule), options, len(prompt.ids))
    yield from think_and_solve(prompt, budget, template, context, pause=looks.next_pause(0), look=looks.look)


class _Looks:
    """The looks at one thinking."""

    def __init__(self, rule: Rule, options: AllocatedOptions, num_prompt: int) -> None:
        self._rule, self._options, self._num_prompt = rule, options, num_prompt
        self._places = list(rule.terms)
        self._num_before = 0
        self._answer: str | None = None

    def next_pause(self, num_tokens: int) -> Pause:
        """Where to look next; nowhere behind the last place."""
        return Pause(every=self._places[0] - num_tokens if self._places else 0)

    def look(self, thought: Thought) -> Looking:
        """Close where going on is worth nothing."""
        place = self._places.pop(0)
        needed = self._rule.signs
        logprobs = list(_logprobs(thought.segments)) if needed.intersection(READ) else []
        signs = thought_signs(self._num_prompt, logprobs, self._num_before)
        self._num_before = thought.num_tokens
        if needed.intersection(PROBED):
            signs |= yield from self._probed(thought)
        if self._rule.gain(place, signs) <= 0:
            return CLOSE
        while self._places and self._places[0] <= thought.num_tokens:
            self._places.pop(0)
        return Next(pause=self.next_pause(thought.num_tokens))

    def _probed(self, thought: Thought) -> Generator[Call, Segment, dict[str, float]]:
        asked = self._options.probe_text
        sampled = yield from probe(thought, asked, self._options.probe_tokens)
        if sampled is None:
            return {"probe": 0.0, "same": 0.0}
        if "probe" in self._rule.signs:
            logprobs_of(sampled, NAME)  # refuses an engine that gives none
        signs, self._answer = probed_signs(thought.template, asked, sampled, self._answer)
        return signs


def _logprobs(segments: Iterable[Segment]) -> Iterable[float]:
    for segment in segments:
        if segment.sampled:
            yield from logprobs_of(segment, NAME)


def _refuse(budget: Budget, options: AllocatedOptions) -> None:
    rule = Rule.parse(options.rule)
    if rule.signs.intersection(PROBED) and not (options.probe_text and options.probe_tokens):
        raise StrategyError(
            "the rule goes by a probe: give probe_text and probe_tokens, or a rule without probe and same"
        )


def _reads_logprobs(options: AllocatedOptions) -> bool:
    return bool(Rule.parse(options.rule).signs.intersection(READ))


ALLOCATED = Strategy(
    run=allocated,
    refuse=_refuse,
    about="t by a rule",
    options=AllocatedOptions,
    when_closed=lambda budget: Budget(0, budget.solution),
    bounds="separate",
    two_phases=True,
    reads_logprobs=_reads_logprobs,
    line=(0, (6, 1)),
    marker="h",
)
