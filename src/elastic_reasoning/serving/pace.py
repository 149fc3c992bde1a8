"""How fast a model is at present, and how long its thinking and its solutions are: learned from what it does.

    pace = Pace()
    pace.see_tokens(8, seconds=0.16, load=3, now=now)    # eight tokens of one walk, while three were under way
    pace.token_seconds(load=4, now=now)                  # what a token will take a walk when there are four

All times are in seconds.
"""

import bisect
import math

from msgspec import Struct, field

from elastic_reasoning.analysis.effort import Lengths as Quantiles
from elastic_reasoning.analysis.effort import Measured

MOST_LENGTHS = 512
"""Lengths that are kept, each kind."""
DRIFT_SECONDS = 0.5
"""How fast the present drift is learned; it is forgotten half as fast, and the lasting pace learned a 20th."""
SILENCE_SECONDS = 10.0
"""What is seen after so long a silence counts more than what was known before."""
MOST_SHARE = 4.0
"""What took longer than so many times what was foretold is an accident."""
FASTEST, SLOWEST = 1e-6, 1e4
"""Seconds a token that are believed."""


class Curve(Struct):
    """The mean of something that does not fall with x: one value for each power of two, and lines between them."""

    means: dict[int, float] = field(default_factory=dict)
    """By the exponent of the power of two that x is nearest to."""

    def see(self, x: float, value: float, weight: float) -> None:
        """Move the mean at x towards a value, by a share of the way; the first value there is taken as it is."""
        place = round(math.log2(max(x, 1.0)))
        known = self.means.get(place, value)
        self.means[place] = known + weight * (value - known)

    def at(self, x: float) -> float | None:
        """The mean at x; `None` where nothing has been seen. Beyond what has been seen it grows as x does."""
        if not self.means:
            return None
        xs, values = list[float](), list[float]()
        for place in sorted(self.means):  # more was never faster: what seems so is noise
            xs.append(2.0**place)
            values.append(max(self.means[place], values[-1] if values else 0.0))
        above = bisect.bisect_right(xs, x)
        if above == len(xs):
            return values[-1] * x / xs[-1]
        if above == 0:
            return values[0]
        share = (x - xs[above - 1]) / (xs[above] - xs[above - 1])
        return values[above - 1] + share * (values[above] - values[above - 1])


class Spread(Struct, dict=True):
    """Mean and mean deviation of how much of the time that was foretold something took.

    As TCP knows its round trips (RFC 6298), but more slowly learned.
    """

    mean: float = 1.0
    deviation: float = 0.25
    num_seen: int = 0

    def __post_init__(self) -> None:
        self._seen_at: float | None = None

    def see(self, value: float, now: float) -> None:
        """Take one more value. The first ones count as much as what is assumed without any, accidents not as such."""
        value = min(value, MOST_SHARE)
        weight = max(1 / 32, 1 / (self.num_seen + 2), silence(self._seen_at, now))
        self.deviation += weight * (abs(value - self.mean) - self.deviation)
        self.mean += weight * (value - self.mean)
        self.num_seen, self._seen_at = self.num_seen + 1, now

    @property
    def high(self) -> float:
        """What it hardly ever exceeds; no less than what was foretold."""
        return max(1.0, self.mean + 3 * self.deviation)


def silence(seen_at: float | None, now: float) -> float:
    """How much of what was seen then is outdated: from 0 to 1."""
    return 0.0 if seen_at is None else 1 - math.exp(-max(0.0, now - seen_at) / SILENCE_SECONDS)


class Lengths(Struct, dict=True):
    """Numbers of tokens that were seen last, and their quantiles."""

    recent: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ordered = sorted(self.recent)

    def see(self, num_tokens: int) -> None:
        """Take one more, and forget the oldest."""
        self.recent.append(num_tokens)
        bisect.insort(self._ordered, num_tokens)
        if len(self.recent) > MOST_LENGTHS:
            self._ordered.remove(self.recent.pop(0))

    def expect(self, quantiles: Quantiles) -> None:
        """Begin with what was measured elsewhere, as if a hundred had been seen."""
        counts = (
            (50, quantiles.p50),
            (40, quantiles.p90),
            (5, quantiles.p95),
            (4, quantiles.p99),
            (1, quantiles.p99_5),
        )
        for num, length in counts:
            for _ in range(num):
                self.see(length)

    def remaining(self, share: float, done: int, most: int | None, default: int) -> int:
        """How many more tokens there will be at the most, behind `done`, in this share of the cases.

        Args:
            share: from 0 to 1.
            done: tokens that there are already.
            most: tokens that are allowed in all; `None` for no limit.
            default: tokens in all where too few were seen to tell; twice the longest if that is more.
        """
        start, end = bisect.bisect_right(self._ordered, done), len(self._ordered)
        place = math.ceil((end - start + 1) * share)  # of what comes next, this share is at most that one
        if place <= end - start:
            total = self._ordered[start + place - 1]
        else:
            total = max(default, 2 * done, 2 * self._ordered[-1] if end else 0)
        return max(1, (total if most is None else min(total, most)) - done)


class Pace(Struct, dict=True):
    """What is known of one model.

    Attributes:
        tokens: seconds a token of one walk, by how many walks are under way.
        first: seconds from the submission to the first token, without those of a token, where no place is waited for:
            by the prompt tokens that were to be read then, of this walk and of those before it.
        first_share: how much of the expected time the first token took in fact.
        turn: how long an interrupt takes, in tokens of the pace that it found; `None` where that is not known.
        rest_share: how much of the time that was kept for it the way from the end of thinking to the end took in fact.
        thinking, solution: lengths in tokens, where the model ended thinking by itself.
        rest: tokens of the solution where thinking was closed: what a model has not thought it may write there.
    """

    tokens: Curve = field(default_factory=Curve)
    first: Curve = field(default_factory=Curve)
    first_share: Spread = field(default_factory=Spread)
    turn: float | None = None
    rest_share: Spread = field(default_factory=Spread)
    thinking: Lengths = field(default_factory=Lengths)
    solution: Lengths = field(default_factory=Lengths)
    rest: Lengths = field(default_factory=Lengths)

    def __post_init__(self) -> None:
        self._drift = 1.0  # how much slower than `tokens` it has been of late: a machine has neighbours
        self._seen_at: float | None = None
        self._first_seen_at: float | None = None

    @classmethod
    def starting(cls, measured: Measured | None) -> "Pace":
        """With the lengths that were measured elsewhere, if they were."""
        pace = cls()
        if measured is not None:
            pace.thinking.expect(measured.thinking_tokens)
            for lengths in (pace.solution, pace.rest):
                lengths.expect(measured.solution_tokens)
        return pace

    @property
    def is_known(self) -> bool:
        """Whether anything can be foretold."""
        return bool(self.tokens.means and self.first.means)

    def see_tokens(self, num_tokens: int, seconds: float, load: int, now: float) -> None:
        """Learn from some tokens of one walk.

        Args:
            num_tokens, seconds: how many came in which time.
            load: walks that were under way.
            now: the time.
        """
        token_seconds = min(max(seconds / num_tokens, FASTEST), SLOWEST)
        share = seconds / (load * DRIFT_SECONDS)  # the others tell of the same time
        expected = self.tokens.at(load) or token_seconds
        drift = self._drift_at(now)
        self._drift = drift + (1 - math.exp(-share)) * (token_seconds / expected - drift)
        self.tokens.see(load, token_seconds, max(1 - math.exp(-share / 20), silence(self._seen_at, now)))
        self._seen_at = now

    def see_first(self, num_prompt: int, seconds: float, load: int, now: float) -> None:
        """Learn from a first token that waited for no other walk's end; arguments as for `first_seconds`."""
        expected = self.first_seconds(num_prompt, load, now)
        if self.first.means:
            self.first_share.see(seconds / expected, now)
        alone = max(seconds - self.token_seconds(load, now), FASTEST)
        self.first.see(num_prompt, alone, max(1 / 16, silence(self._first_seen_at, now)))
        self._first_seen_at = now

    def see_turn(self, seconds: float, token_seconds: float) -> None:
        """Learn from an interrupt, behind which the next token took so many seconds more than others do."""
        if token_seconds:
            num_tokens = max(seconds, 0.0) / token_seconds
            self.turn = num_tokens if self.turn is None else self.turn + (num_tokens - self.turn) / 16

    def _drift_at(self, now: float) -> float:
        age = math.inf if self._seen_at is None else max(0.0, now - self._seen_at)
        return 1 + (self._drift - 1) * math.exp(-age / (2 * DRIFT_SECONDS))

    def token_seconds(self, load: float, now: float) -> float:
        """Seconds a token takes a walk while so many are under way; 0 where nothing is known."""
        return (self.tokens.at(load) or 0.0) * max(1.0, self._drift_at(now))

    def first_seconds(self, num_prompt: int, load: float, now: float) -> float:
        """Seconds from the submission to the first token; 0 where nothing is known.

        Args:
            num_prompt: prompt tokens to be read until then.
            load: walks that run.
            now: the time.
        """
        return (self.first.at(num_prompt) or 0.0) + self.token_seconds(load, now)

    def turn_seconds(self, num_prompt: int, token_seconds: float) -> float:
        """Seconds that an interrupt takes, beside the tokens behind it; as a first token where nothing is known."""
        return (self.first.at(num_prompt) or 0.0) if self.turn is None else self.turn * token_seconds
