"""The judge of thinking that pauses: where it does, what is probed and said there, and where it is closed.

A part of the checker: it knows the rules of each strategy, and reads the trace from its beginning to its end.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from brute_force import beginning
from elastic_reasoning.core.request import derived_seed

WORDINGS = {
    "budget-thinker": "\n<remaining>{part}/{parts}</remaining>\n",
    "seed-oss": (
        "<seed:cot_budget_reflect>I have used {used} tokens, and there are {left} tokens remaining for use."
        "</seed:cot_budget_reflect>"
    ),
}


def wording(reminder: str) -> str:
    """The text of a reminder."""
    return WORDINGS.get(reminder, reminder)


def looks(facts: Any, trace: Any, segments: list[Any], begun: Sequence[int]) -> Iterator[str]:
    """Everything that is wrong with pauses and probes.

    Args:
        segments: of thinking.
        begun: sampled ids of the closing delimiter, behind the last segment.
    """
    if facts.strategy == "nowait":
        yield from _forbidden(facts, segments)
    if facts.strategy not in RULES:
        if trace.probes or any(segment.finish == "pause" for segment in segments):
            yield "a pause or a probe that nobody wants"
        return
    rules = RULES[facts.strategy](facts, trace)
    waits = [*segments, None]
    for number, segment in enumerate(segments):
        if not segment.sampled:
            rules.thought += segment.ids
            continue
        is_last = number == len(segments) - 1
        whole = (*segment.ids, *begun) if is_last else segment.ids
        place = next((n for n in range(1, len(whole) + 1) if rules.pauses(whole[:n]) and _is_free(facts, whole[:n])), 0)
        rules.used += len(segment.ids)
        rules.thought += segment.ids
        if segment.finish == "pause":
            if place != len(segment.ids):
                yield f"paused after {len(segment.ids)} tokens, expected {place or 'no pause'}"
            yield from _at_pause(rules, segment, waits[number + 1])
        elif place and not (place == len(whole) and segment.finish in ("delimiter", "length")):
            yield f"a pause after {place} tokens was passed over"
        elif not is_last:
            yield f"thinking goes on after {segment.finish}"
    if rules.probes:
        yield f"{len(rules.probes)} probes where there was no pause"


def _at_pause(rules: Any, segment: Any, after: Any) -> Iterator[str]:
    """What is probed, said and decided there."""
    yield from rules.probe(segment)
    closes, said = rules.decide(segment)
    if closes != (after is None):
        yield f"closes {after is None}, expected {closes}"
    fits = rules.room is None or rules.room - rules.num_ids() - rules.facts.reserve() >= len(said)
    is_said = after is not None and not after.sampled
    if not closes and (after.ids if is_said else ()) != (said if fits else ()):
        yield f"says {after.ids if is_said else ()}, expected {said if fits else ()}"


def _is_free(facts: Any, ids: Sequence[int]) -> bool:
    """Whether no delimiter has begun here."""
    return beginning(facts.closing, ids) == 0


def _forbidden(facts: Any, segments: list[Any]) -> Iterator[str]:
    words = re.compile("|".join(map(_alone, _words(facts.options.forbidden_words))) or "(?!)", re.IGNORECASE)
    for token in {token for segment in segments for token in segment.ids}:
        is_delimiter = token in (
            *facts.closing.watch,
            *facts.opening.watch,
            *facts.closing.forced,
            *facts.opening.forced,
        )
        if words.search(facts.template.decode([token])) and not is_delimiter:
            yield f"{facts.template.decode([token])!r} was thought"


def _words(text: str) -> list[str]:
    return [word.strip(" ") for word in text.split(",") if word.strip(" ")]


def _alone(word: str) -> str:
    return rf"(?<!\w){re.escape(word)}(?!\w)" if word.isalnum() else re.escape(word)


class _Rules:
    """What a strategy has looked at so far.

    Attributes:
        used: sampled tokens of thinking.
        thought: all ids of it.
        probes: those that were not explained yet.
    """

    def __init__(self, facts: Any, trace: Any) -> None:
        self.facts, self.options, self.template = facts, facts.options, facts.template
        self.used, self.thought, self.probes, self.room = 0, (), list(trace.probes), facts.room()

    def num_ids(self) -> int:
        """Ids of the completion up to here."""
        return self.facts.opened() + len(self.thought)

    def ends_in(self, words: str, ids: Sequence[int]) -> int:
        """How many of the last ids are one of these words; 0 for none."""
        for word in _words(words):
            if re.search(_alone(word), self.template.decode(ids[-1:])):
                return 1
            for spelling in (self.template.encode(word), self.template.encode(f" {word}")):
                if len(spelling) > 1 and tuple(ids[-len(spelling) :]) == spelling:
                    return len(spelling)
        return 0

    def probe(self, segment: Any) -> Iterator[str]:
        """No strategy probes, but for those that say how."""
        return iter(())

    def asked(self, hidden: int) -> Iterator[str]:
        """Whether the next probe is what is to be asked here, and was answered as it may be; kept as `answer`."""
        before, close, behind = self.options.probe_text.partition("{close}")
        forced = (*self.template.encode(before), *(self.facts.closing.forced if close else ()))
        forced += self.template.encode(behind)
        most, place = self.options.probe_tokens, self.num_ids() - hidden
        fits = self.room is None or self.room - self.num_ids() >= len(forced) + most
        found = self.probes[:1] if self.probes and self.probes[0].position == place else []
        answer = found[0].segment if found else None
        self.answer = None if answer is None or answer.finish in ("deadline", "stop", "abort") else answer
        self.probes = self.probes[len(found) :]
        if bool(found) != fits:
            yield f"probed {bool(found)}, expected {fits}"
        if answer is None:
            return
        ids, eos = answer.ids, self.facts.eos
        if found[0].forced != forced or str(answer.phase) != "probe":
            yield f"{found[0].forced} is asked, expected {forced}"
        if eos & set(ids[:-1]) or (answer.finish == "eos") != bool(eos & set(ids[-1:])):
            yield f"answered {ids}, which ended by {answer.finish}"
        if len(ids) > most or (answer.finish == "length" and len(ids) != most):
            yield f"{len(ids)} of {most} tokens answered"


class _Dynasor(_Rules):
    def __init__(self, facts: Any, trace: Any) -> None:
        super().__init__(facts, trace)
        self.answers: list[str] = []

    def pauses(self, ids: Sequence[int]) -> bool:
        return len(ids) >= self.options.probe_every

    def probe(self, segment: Any) -> Iterator[str]:
        yield from self.asked(0)
        if self.answer is not None:
            text = self.template.decode([token for token in self.answer.ids if token not in self.facts.eos])
            self.answers.append(text.strip())

    def decide(self, segment: Any) -> tuple[bool, tuple[int, ...]]:
        wanted = max(1, self.options.num_equal)
        last = self.answers[-wanted:]
        return self.answer is not None and len(last) == wanted and len(set(last)) == 1 and last[0] != "", ()


class _Deer(_Rules):
    num_probes = 0

    def pauses(self, ids: Sequence[int]) -> bool:
        return self.num_probes < self.options.max_probes and self.ends_in(self.options.probe_words, ids) > 0

    def probe(self, segment: Any) -> Iterator[str]:
        yield from self.asked(self.ends_in(self.options.probe_words, segment.ids))
        self.num_probes += self.answer is not None

    def decide(self, segment: Any) -> tuple[bool, tuple[int, ...]]:
        if self.answer is None:
            return False, ()
        pairs = zip(self.answer.ids, self.answer.logprobs, strict=True)
        probs = [math.exp(round(logprob, 5)) for token, logprob in pairs if token not in self.facts.eos]
        mean = math.prod(probs) ** (1 / len(probs)) if probs else 0
        return mean * 100 > self.options.sure_percent, ()


class _Reminders(_Rules):
    def pauses(self, ids: Sequence[int]) -> bool:
        used = self.used + len(ids)
        return self.part(used) != self.part(self.used) and 0 < self.part(used) < self.options.parts

    def part(self, used: int) -> int:
        """How many parts of the budget are used."""
        return used * self.options.parts // self.facts.thinking if self.facts.thinking else 0

    def decide(self, segment: Any) -> tuple[bool, tuple[int, ...]]:
        limit, parts, part = self.facts.thinking, self.options.parts, self.part(self.used)
        used = math.ceil(limit * part / parts)
        told = {"{used}": used, "{left}": limit - used, "{budget}": limit, "{part}": parts - part, "{parts}": parts}
        texts = re.split("({[a-z]+})", wording(self.options.reminder))
        written = [str(told.get(text, text)) for text in texts]
        return False, tuple(token for text in written for token in self.template.encode(text))


class _AlphaOne(_Rules):
    def __init__(self, facts: Any, trace: Any) -> None:
        super().__init__(facts, trace)
        self.moment = (facts.thinking or 0) * self.options.alpha_percent // 100
        self.is_slow = self.moment > 0

    def pauses(self, ids: Sequence[int]) -> bool:
        if self.is_slow and self.used + len(ids) >= self.moment:
            return True
        return self.ends_in(self.options.slow_after if self.is_slow else self.options.fast_words, ids) > 0

    def decide(self, segment: Any) -> tuple[bool, tuple[int, ...]]:
        if self.used >= self.moment:
            self.is_slow = False
            return self.ends_in(self.options.fast_words, segment.ids) > 0, ()
        chance = derived_seed(*self.facts.prompt, *self.thought) / 2**64
        says = self.ends_in(self.options.slow_after, segment.ids) > 0 and chance < 1 - self.used / self.moment
        return False, self.template.encode(self.options.slow_text) if says else ()


class _Allocated(_Rules):
    """Reads the text of its rule again at every place."""

    def __init__(self, facts: Any, trace: Any) -> None:
        super().__init__(facts, trace)
        parts = [part.split(":") for part in self.options.rule.split(";") if part]
        self.places = [(int(place), terms.split()) for place, terms in parts]
        self.logprobs: list[float] = []
        self.before: str | None = None

    def pauses(self, ids: Sequence[int]) -> bool:
        return bool(self.places) and self.used + len(ids) >= self.places[0][0]

    def probe(self, segment: Any) -> Iterator[str]:
        self.signs = {"prompt": len(self.facts.prompt), "probe": 0.0, "same": 0.0}
        if not any(sign in self.options.rule for sign in ("probe", "same")):
            return
        yield from self.asked(0)
        if self.answer is not None:
            pairs = zip(self.answer.ids, self.answer.logprobs, strict=True)
            kept = [(token, logprob) for token, logprob in pairs if token not in self.facts.eos]
            text = self.template.decode([token for token, _ in kept]).strip()
            self.signs["same"] = float(text == self.before)
            mean = sum(round(logprob, 5) for _, logprob in kept) / max(1, len(kept))
            self.signs["probe"], self.before = math.exp(mean) if kept else 0.0, text

    def decide(self, segment: Any) -> tuple[bool, tuple[int, ...]]:
        recent = [round(logprob, 5) for logprob in segment.logprobs]
        self.logprobs += recent
        self.signs |= {"thinking": sum(self.logprobs) / len(self.logprobs), "recent": sum(recent) / len(recent)}
        total = sum(math.prod(self._value(part) for part in term.split("*")) for term in self.places[0][1])
        self.places = [(place, terms) for place, terms in self.places if place > self.used]
        return total <= 0, ()

    def _value(self, part: str) -> float:
        return self.signs[part] if part in self.signs else float(part)


RULES = {"allocated": _Allocated, "dynasor": _Dynasor, "deer": _Deer, "reminders": _Reminders, "alpha-one": _AlphaOne}
