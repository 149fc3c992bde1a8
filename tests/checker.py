"""An independent, naive judge of traces.

It knows the rules of budgets and nothing of how they are carried out: it sees the ids of a trace, which of them
were sampled, in which phase they are said to be and why sampling ended, and beside them the request, what marks
thinking and the context. It looks for delimiters by brute force.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from types import SimpleNamespace
from typing import Any

from brute_force import beginning, first_end, is_delimiter
from elastic_reasoning.core.strategies import STRATEGIES
from looks import looks, wording

SEPARATE = ("elastic", "nothinking", "s1", "dynasor", "deer", "nowait", "reminders", "alpha-one", "allocated")
FINITE = ("reminders", "alpha-one")
DEFAULTS = {
    **{"wrap_up": "", "grace": 0, "min_thinking": 0, "wait": "", "num_waits": 0, "loop_breaker": 0, "close_text": ""},
    **{"soft_landing": 0, "landing_peak": 10},
    **{"answer_tokens": 20, "answer_text": "\nFinal Answer:", "max_total": 8192},
    **{"forbidden_words": "", "reminder": "", "slow_text": "", "rule": ""},
}


def check(trace: Any, context: int | None) -> list[str]:
    """Everything that is wrong with a trace."""
    return list(_problems(_Facts(trace, context), trace))


class _Facts:
    """What was asked, in tokens."""

    def __init__(self, trace: Any, context: int | None) -> None:
        request, template = trace.request, trace.template
        options = SimpleNamespace(**{**DEFAULTS, **STRATEGIES[request.strategy].supported_options, **request.options})
        self.strategy, self.budget, self.context = request.strategy, request.budget, context
        self.options, self.template, self.prompt = options, template, request.prompt.ids
        self.state, self.num_prompt = str(request.prompt.thinking), len(request.prompt.ids)
        self.opening, self.closing, self.eos = template.opening, template.closing, template.eos
        self.boundaries = template.boundaries
        self.thinking, self.solution = self.budget.thinking, self.budget.solution
        unlimited = self.thinking is None or self.solution is None
        self.total = None if unlimited else self.thinking + self.solution
        self.wrap_up, self.encode = options.wrap_up, template.encode
        self.grace, self.least = options.grace, options.min_thinking
        self.forced_texts = (options.wrap_up, options.wait)
        self.said_texts = (wording(options.reminder), options.slow_text, options.close_text, options.answer_text)
        self.wait, self.num_waits, self.answer = template.encode(options.wait), 0, template.encode(options.close_text)
        self.loop, self.landing, self.peak = options.loop_breaker, options.soft_landing, options.landing_peak
        self.max_total = options.max_total
        if self.strategy == "nothinking":
            self.thinking = 0
        if self.strategy == "s1":
            kept = options.answer_tokens if self.total is None else min(options.answer_tokens, self.total)
            self.thinking = None if self.total is None else self.total - kept
            self.solution = kept
            self.answer = template.encode(options.answer_text)
            self.num_waits = options.num_waits
            self.wait = template.encode(options.wait or "Wait") if self.num_waits else ()

    def room(self) -> int | None:
        return None if self.context is None else self.context - self.num_prompt

    def opened(self) -> int:
        return len(self.opening.ids) if self.state == "absent" else 0

    def wrapped_up(self, used: int) -> tuple[int, ...]:
        """The wrap-up text once so many tokens were thought; it is encoded from number to number."""
        numbers = {"{used}": str(used), "{left}": "unlimited" if self.thinking is None else str(self.thinking - used)}
        return tuple(t for part in self._wrap_up_parts() for t in self.encode(numbers.get(part, part)))

    def longest_wrap_up(self) -> int:
        digits = 9 if self.thinking is None else len(str(self.thinking))
        longest = digits * max(len(self.encode(digit)) for digit in "0123456789")
        left = len(self.encode("unlimited")) if self.thinking is None else longest
        lengths = {"{used}": longest, "{left}": left}
        return sum(lengths.get(part, len(self.encode(part))) for part in self._wrap_up_parts())

    def _wrap_up_parts(self) -> list[str]:
        budget = "unlimited" if self.thinking is None else str(self.thinking)
        return re.split(r"(\{used\}|\{left\})", self.wrap_up.replace("{budget}", budget))

    def reserve(self) -> int:
        """Tokens that must stay free behind thinking; a half-written delimiter may take more ids than a whole one."""
        closing = max(map(len, getattr(self.closing, "rests", [self.closing.ids])))
        follow = len(getattr(self.closing, "follow", ()))
        return self.longest_wrap_up() + closing + follow + len(self.answer) + (self.solution or 0)


def _problems(facts: _Facts, trace: Any) -> Iterator[str]:
    reasons = _refusals(facts)
    if trace.error is not None:
        if trace.segments:
            yield "a refused request has segments"
        if not any(reason in trace.error for reason in reasons):
            yield f"refused with {trace.error!r}, expected one of {reasons}"
        return
    if reasons:
        yield f"not refused, although {reasons}"
        return
    yield from _alignment(trace)
    if facts.context is not None and facts.num_prompt + len(trace.ids) > facts.context:
        yield f"{facts.num_prompt} + {len(trace.ids)} tokens in a context of {facts.context}"
    if facts.strategy in SEPARATE:
        yield from _separate(facts, trace)
    else:
        yield from _plain(facts, trace)


def _refusals(facts: _Facts) -> list[str]:
    """What a message must say if the request cannot be honoured."""
    reasons, room = [], facts.room()
    needed = 0
    if facts.strategy in SEPARATE and facts.state != "closed":
        needed = facts.opened() + (facts.thinking or 0) + facts.reserve()
        one_token = len(facts.closing.ids) == 1 and facts.closing.watch == set(facts.closing.ids)
        if facts.least and not facts.wait and not one_token:
            reasons.append("min_thinking cannot forbid")
        if any(facts.closing.text in text for text in facts.forced_texts):
            reasons.append(f"holds {facts.closing.text!r}")
    elif facts.strategy in SEPARATE:
        needed = len(facts.answer) + (facts.solution or 0)
    else:
        waited = {"absent": (facts.opening, facts.closing), "open": (facts.closing,), "closed": ()}[facts.state]
        needed = sum(len(delimiter.ids) for delimiter in waited)
        needed += (facts.total or 0) if facts.strategy == "vanilla" else 0
    if room is not None and room < 0:
        reasons.append(f"{-room} more than")
    elif room is not None and needed > room:
        reasons.append(f"needs {needed} tokens after the prompt, {needed - room} more than")
    if facts.thinking is not None and facts.least > facts.thinking:
        reasons.append(f"min_thinking {facts.least} is more than")
    if facts.thinking is not None and facts.landing > facts.thinking:
        reasons.append(f"soft_landing {facts.landing} is more than")
    if facts.landing and not 1 <= facts.peak <= 100:
        reasons.append(f"landing_peak {facts.peak}: must be 1 to 100")
    if 1 <= facts.loop <= 11:
        reasons.append(f"loop_breaker {facts.loop}: so few tokens")
    if any(facts.closing.text in text for text in facts.said_texts):
        reasons.append(f"holds {facts.closing.text!r}")
    probes = facts.strategy == "allocated" and any(sign in facts.options.rule for sign in ("probe", "same"))
    if probes and not (facts.options.probe_text and facts.options.probe_tokens):
        reasons.append("the rule goes by a probe")
    if facts.strategy in FINITE and facts.thinking is None:
        reasons.append("give thinking a number of tokens")
    if facts.strategy == "l1-exact" and facts.total is None:
        reasons.append("two finite parts")
    return reasons


def _alignment(trace: Any) -> Iterator[str]:
    if not len(trace.ids) == len(trace.sampled_mask) == len(trace.logprobs):
        yield "ids, mask and log-probabilities differ in length"
    for sampled, logprob in zip(trace.sampled_mask, trace.logprobs, strict=True):
        if sampled != (logprob != 0.0):  # the scripted model is never certain
            yield f"log-probability {logprob} where sampled is {sampled}"
    for segment in trace.segments:
        asks_why = segment.sampled and segment.phase not in ("closing", "opening")
        if asks_why != (segment.finish is not None):
            yield f"finish {segment.finish} of {segment.phase}, sampled {segment.sampled}"


def _separate(facts: _Facts, trace: Any) -> Iterator[str]:
    """Thinking and solution have budgets of their own."""
    segments = trace.segments
    phases = [phase for phase, _ in groupby(str(segment.phase) for segment in segments)]
    by_phase = {phase: [s for s in segments if s.phase == phase] for phase in phases}
    expected = ["solution"]
    if facts.state != "closed":
        middle = ["wrap_up"] if "wrap_up" in by_phase else []
        expected = [*(["opening"] if facts.opened() else []), "thinking", *middle, "closing", "solution"]
    if segments and segments[-1].finish in ("stop", "abort") and phases == expected[: len(phases)]:
        if "closing" not in phases and "thinking" in phases:
            yield from _unclosed(facts, by_phase["thinking"])
            return
    elif phases != expected:
        yield f"phases {phases}, expected {expected}"
        return
    if any(s.sampled or s.ids != facts.opening.ids for s in by_phase.get("opening", [])):
        yield "the opening is not the forced delimiter"
    if facts.state != "closed":
        yield from _thinking(facts, by_phase)
        yield from looks(
            facts, trace, by_phase["thinking"], [t for s in by_phase["closing"] if s.sampled for t in s.ids]
        )
    yield from _solution(facts, by_phase["solution"], len(trace.ids))


def _unclosed(facts: _Facts, segments: list[Any]) -> Iterator[str]:
    """Thinking that was given up before it was closed."""
    runs, said = _runs(segments)
    if any(run.finish == "delimiter" and ids != facts.wait for run, ids in zip(runs, said, strict=False)):
        yield "something else than the wait text is forced into thinking"
    if any(run.finish not in ("delimiter", "pause") for run in runs[:-1]):
        yield "thinking goes on after something else than a delimiter"
    if facts.eos & {token for run in runs for token in run.ids}:
        yield "an end of sequence within thinking"
    if any(first_end(facts.closing, run.ids) for run in runs):
        yield "a delimiter within thinking was passed over"
    count = sum(len(run.ids) for run in runs)
    if facts.thinking is not None and count > facts.thinking:
        yield f"{count} thinking tokens with a budget of {facts.thinking}"


def _thinking(facts: _Facts, by_phase: dict[str, list[Any]]) -> Iterator[str]:
    runs, said = _runs(by_phase["thinking"])
    wrapped = by_phase.get("wrap_up", [])
    closing_sampled = [t for s in by_phase["closing"] if s.sampled for t in s.ids]
    closing_forced = [t for s in by_phase["closing"] if not s.sampled for t in s.ids]
    order = [s.sampled for s in (*wrapped, *by_phase["closing"])]
    if len(runs) != len(said) + 1 or order not in ([True], [False], [True, False], [False, False]):
        yield f"{len(runs)} sampled and {len(said)} forced parts of thinking, behind them {order}"
        return
    if any(run.finish == "delimiter" and ids != facts.wait for run, ids in zip(runs, said, strict=False)):
        yield "something else than the wait text is forced into thinking"

    follow = getattr(facts.closing, "follow", ())
    if closing_forced and follow:
        closing_forced, behind = closing_forced[: -len(follow)], tuple(closing_forced[-len(follow) :])
        if behind != follow:
            yield f"{behind} is forced behind the delimiter, where the format wants {follow}"

    # The delimiter: written once, whole, never restarted.
    last = runs[-1]
    whole = (*last.ids, *closing_sampled)
    if not is_delimiter(facts.closing, (*closing_sampled, *closing_forced)):
        yield f"the closing {closing_sampled} + {closing_forced} is not the delimiter"
    if last.finish == "delimiter":
        if closing_forced or first_end(facts.closing, whole) != (len(whole), len(closing_sampled)):
            yield "finished by a delimiter, but not with the first one"
    else:
        if first_end(facts.closing, whole):
            yield "a delimiter within thinking was passed over"
        if len(closing_sampled) != beginning(facts.closing, whole):
            yield "not the longest beginning of the delimiter is taken as sampled closing"
        if not hasattr(facts.closing, "pieces") and (*closing_sampled, *closing_forced) != facts.closing.ids:
            yield "the delimiter is not completed but written otherwise"
    if any(run.finish == "pause" and first_end(facts.closing, run.ids) for run in runs):
        yield "thinking goes on behind a delimiter"
    words = facts.wrapped_up(sum(len(run.ids) for run in runs))
    wants_wrap = bool(words) and last.finish != "delimiter" and not closing_sampled
    if [s.ids for s in wrapped] != ([words] if wants_wrap else []) or any(s.sampled for s in wrapped):
        yield f"wrap-up text {wrapped}, wanted: {wants_wrap}"

    # Counts, run by run.
    room, count, spent = facts.room(), 0, facts.opened() + facts.reserve()
    for number, run in enumerate(runs):
        final = number == len(runs) - 1
        limits = [] if room is None else [max(0, room - spent)]
        limit = min(limits + ([] if facts.thinking is None else [facts.thinking]), default=None)
        yield from _run(facts, run, count, limit, len(closing_sampled) if final else 0)
        yield from _loops(facts, run.finish, (*run.ids, *(closing_sampled if final else ())))
        count += len(run.ids)
        wait_fits = room is None or room - spent - count >= len(facts.wait)
        if not final and room is not None and room - spent - count < len(said[number]):
            yield "a forced text takes room that is kept for what follows"
        spent += 0 if final else len(said[number])
        if run.finish == "pause":
            continue  # see `looks`
        if not final and run.finish != "delimiter":
            yield f"thinking goes on after {run.finish}"
        early = count < facts.least and (len(run.ids) > 0 or number == 0)
        if facts.strategy == "s1":
            early = number < facts.num_waits
        if not final and not early:
            yield "a delimiter was replaced that was not too early"
        if final and run.finish == "delimiter" and early and not (facts.wait and not wait_fits):
            yield f"closed after {count} tokens, too early"
    if facts.thinking is not None and count > facts.thinking:
        yield f"{count} thinking tokens with a budget of {facts.thinking}"


def _runs(segments: list[Any]) -> tuple[list[Any], list[tuple[int, ...]]]:
    """What was thought in one go, pauses or not, and what is forced in between."""
    runs: list[Any] = []
    said: list[tuple[int, ...]] = []
    for before, segment in zip([None, *segments], segments, strict=False):
        if not segment.sampled:
            said.append(segment.ids)
        elif before is not None and before.sampled and before.finish == "pause":
            runs[-1] = SimpleNamespace(ids=(*runs[-1].ids, *segment.ids), finish=segment.finish)
        else:
            runs.append(segment)
    return runs, said


def _loops(facts: _Facts, finish: Any, ids: Sequence[int]) -> Iterator[str]:
    """Whether thinking that goes round in circles is closed where it is looked at next."""
    size = facts.loop
    every = max(1, size // 4)
    places = [n for n in range(every, len(ids) + 1, every) if size and n >= size and _is_loop(ids[n - size : n])]
    if finish == "loop" and places != [len(ids)]:
        yield f"closed as a loop after {len(ids)} tokens, loops are at {places}"
    if finish != "loop" and places and not (finish in ("delimiter", "length", "boundary") and places == [len(ids)]):
        yield f"loops at {places} were passed over"


def _is_loop(ids: Sequence[int]) -> bool:
    """Whether ids are a stretch of at most a third of them, again and again."""
    periods = range(1, len(ids) // 3 + 1)
    return any(all(ids[n] == ids[n - period] for n in range(period, len(ids))) for period in periods)


def _run(facts: _Facts, run: Any, before: int, limit: int | None, half: int) -> Iterator[str]:
    """One stretch of sampled thinking that begins after `before` others and may last until `limit` in all.

    `half` of the ids sampled behind it belong to the closing delimiter.
    """
    after = before + len(run.ids) + half
    if limit is not None and after > max(limit, before):
        yield f"{after} tokens sampled in thinking, {limit} allowed"
    if facts.eos & set(run.ids):
        yield "an end of sequence within thinking"
    if run.finish == "length" and after != max(limit, before):
        yield f"cut at {after} of {limit} tokens"
    if run.finish == "eos" and (after == limit or after < facts.least):
        yield f"an end of sequence sampled after {after} tokens, limit {limit}, minimum {facts.least}"
    if run.finish == "boundary" and not facts.grace:
        yield "a boundary closed thinking without grace"
    if not facts.grace or limit is None:
        return
    start = max(1, limit - facts.grace, facts.least)
    allowed = [n for n, token in enumerate(run.ids, before + 1) if token in facts.boundaries and start <= n < limit]
    if run.finish == "boundary":
        if allowed != [after] and not (half and not allowed and start <= after < limit):
            yield f"closed at boundary {after}, possible were {allowed} from {start} to {limit}"
    elif allowed:
        yield f"not closed at the boundary at {allowed[0]}"


def _solution(facts: _Facts, segments: list[Any], num_ids: int) -> Iterator[str]:
    forced, sampled = [s for s in segments if not s.sampled], [s for s in segments if s.sampled]
    if [s.ids for s in forced] != ([facts.answer] if facts.answer else []):
        yield f"{forced} forced in the solution"
    if len(sampled) != 1 or segments[-1] is not sampled[0]:
        yield "the solution is not one sampled segment"
        return
    ids, finish = sampled[0].ids, sampled[0].finish
    yield from _ending(facts, ids, finish)
    if facts.solution is not None and len(ids) > facts.solution:
        yield f"{len(ids)} solution tokens with a budget of {facts.solution}"
    full = facts.context is not None and facts.num_prompt + num_ids == facts.context
    if finish == "length" and len(ids) != facts.solution and not full:
        yield f"cut after {len(ids)} solution tokens"


def _ending(facts: _Facts, ids: Sequence[int], finish: Any) -> Iterator[str]:
    """Ids end at their first end of sequence, and only then with `eos`."""
    if facts.eos & set(ids[:-1]):
        yield "tokens follow an end of sequence"
    if (finish == "eos") != bool(ids and ids[-1] in facts.eos):
        yield f"finish {finish} with ids {ids}"
    if finish not in ("eos", "length", "deadline", "stop", "abort"):
        yield f"ends with {finish}"


def _plain(facts: _Facts, trace: Any) -> Iterator[str]:
    """One budget for everything; phases only label what was written."""
    if not all(trace.sampled_mask):
        yield "forced tokens"
    steps = {
        "absent": [("solution", facts.opening, "opening"), ("thinking", facts.closing, "closing")],
        "open": [("thinking", facts.closing, "closing")],
        "closed": [],
    }[facts.state]
    rest, labels, num_delimiters = trace.ids, [], 0
    for before, delimiter, name in steps:
        found = first_end(delimiter, rest)
        end, size = found or (len(rest), 0)
        labels += [before] * (end - size) + [name] * size
        rest, num_delimiters = rest[end:], num_delimiters + size
        if not found:
            break
    labels += ["solution"] * len(rest)
    if labels != [str(s.phase) for s in trace.segments for _ in s.ids]:
        yield f"phases {trace.segments}, expected {labels}"
    yield from _ending(facts, trace.ids, trace.segments[-1].finish)
    inner = [s.finish for s in trace.segments[:-1] if s.finish is not None]
    if any(finish != "delimiter" for finish in inner):
        yield f"finishes {inner} before the end"
    count, limit = {
        "vanilla": (len(trace.ids) - num_delimiters, facts.total),
        "l1-exact": (len(trace.ids), None if facts.total is None else 2 * facts.total),
        "l1-max": (len(trace.ids), facts.max_total),
        "unconstrained": (len(trace.ids), None),
    }[facts.strategy]
    if limit is not None and count > limit:
        yield f"{count} tokens with a bound of {limit}"
    full = facts.context is not None and facts.num_prompt + len(trace.ids) == facts.context
    if trace.segments[-1].finish == "length" and count != limit and not full:
        yield f"cut after {count} tokens, bound {limit}"
