"""How fast a model is at present, and how long its thinking and its solutions are: learned from what it does.

    pace = Pace()
    pace.see_tokens(8, seconds=0.16, load=3, now=now)    # eight tokens of one walk, while three were under way
    pace.token_seconds(load=4, now=now)                  # what a token will take a walk when there are four

Times are in seconds. `save_paces` and `read_paces` keep all of it beyond the process.
"""

import bisect
import logging
import math
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct, field

from elastic_reasoning.records.files import write_atomically
from elastic_reasoning.untrusted.json import MalformedError, decode

logger = logging.getLogger(__name__)

FORMAT = 1
MOST_LENGTHS = 512
"""Lengths that are kept, each kind."""
DRIFT_SECONDS = 0.25
"""How fast the present drift is learned; it is forgotten a quarter as fast, and the lasting pace learned a 40th."""
FASTEST, SLOWEST = 1e-6, 1e4
"""Seconds a token that are believed."""


class Curve(Struct):
    """The mean of something that does not fall with x: one value for each power of two, and lines between them."""

    means: dict[int, float] = field(default_factory=dict)
    """By the exponent of the power of two that x is nearest to."""

    def see(self, x: float, value: float, weight: float) -> None:
        """Move the mean at x towards a value, by a share of the way; the first value there is taken as it is."""
        place = round(math.log2(max(x, 1.0)))
        known = self.means.get(place)
        self.means[place] = value if known is None else known + weight * (value - known)

    def at(self, x: float) -> float | None:
        """The mean at x; `None` where nothing has been seen. Beyond what has been seen it grows as x does."""
        if not self.means:
            return None
        places = sorted(self.means)
        values: list[float] = []
        for place in places:  # more load was never faster: what seems so is noise
            values.append(max(self.means[place], values[-1] if values else 0.0))
        xs = [2.0**place for place in places]
        if x >= xs[-1]:
            return values[-1] * x / xs[-1]
        above = bisect.bisect_right(xs, x)
        if above == 0:
            return values[0]
        share = (x - xs[above - 1]) / (xs[above] - xs[above - 1])
        return values[above - 1] + share * (values[above] - values[above - 1])


class Spread(Struct):
    """Mean and mean deviation of something that changes, as TCP knows its round trips (RFC 6298), more slowly."""

    mean: float
    deviation: float
    num_seen: int = 0

    def see(self, value: float) -> None:
        """Take one more value; the first ones count as much as what was assumed before them."""
        weight = max(1 / 32, 1 / (self.num_seen + 2))
        self.deviation += weight * (abs(value - self.mean) - self.deviation)
        self.mean += weight * (value - self.mean)
        self.num_seen += 1

    @property
    def high(self) -> float:
        """What it hardly ever exceeds."""
        return self.mean + 4 * self.deviation


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
        first: seconds from the submission to the first token, where nothing is waited for, by tokens of the prompt.
        first_share: how much of that the first token took in fact.
        turn: seconds from an interrupt to the next token; `None` where that is not known.
        rest_share: how much of what was expected the way from the end of thinking to the end took in fact.
        thinking, solution: lengths in tokens.
    """

    tokens: Curve = field(default_factory=Curve)
    first: Curve = field(default_factory=Curve)
    first_share: Spread = field(default_factory=lambda: Spread(1.0, 0.25))
    turn: float | None = None
    rest_share: Spread = field(default_factory=lambda: Spread(1.0, 0.25))
    thinking: Lengths = field(default_factory=Lengths)
    solution: Lengths = field(default_factory=Lengths)

    def __post_init__(self) -> None:
        self._drift = 1.0  # how much slower than `tokens` it has been of late: a machine has neighbours
        self._drift_seen_at = -math.inf

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
        self._drift_seen_at = now
        self.tokens.see(load, token_seconds, 1 - math.exp(-share / 40))

    def see_first(self, num_prompt: int, seconds: float) -> None:
        """Learn from a first token that waited for no other walk."""
        expected = self.first.at(num_prompt)
        self.first.see(num_prompt, seconds, 1 / 16)
        self.first_share.see(seconds / (expected or seconds or 1.0))

    def see_turn(self, seconds: float) -> None:
        """Learn from the time between an interrupt and the next token."""
        self.turn = seconds if self.turn is None else self.turn + (seconds - self.turn) / 32

    def _drift_at(self, now: float) -> float:
        return 1 + (self._drift - 1) * math.exp(-max(0.0, now - self._drift_seen_at) / (4 * DRIFT_SECONDS))

    def token_seconds(self, load: float, now: float) -> float:
        """Seconds a token takes a walk while so many are under way; 0 where nothing is known."""
        return (self.tokens.at(load) or 0.0) * max(1.0, self._drift_at(now))

    def first_seconds(self, num_prompt: int) -> float:
        """Seconds from the submission to the first token of a prompt; 0 where nothing is known."""
        return self.first.at(num_prompt) or 0.0

    def turn_seconds(self, num_prompt: int) -> float:
        """Seconds from an interrupt to the next token; as for a first token, where nothing is known."""
        return self.first_seconds(num_prompt) if self.turn is None else self.turn


class _File(Struct):
    version: int
    models: dict[str, Pace]


def save_paces(path: Path, paces: Mapping[str, Pace]) -> None:
    """Keep what is known of each model. A failure is logged: the gateway goes on without."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.encode(_File(FORMAT, dict(paces))).decode())
    except OSError as error:
        logger.warning("what is known of the models' pace cannot be kept in %s: %s", path, error.strerror)


def read_paces(path: Path) -> dict[str, Pace]:
    """What was known of each model. A file that cannot be read is begun anew, with a warning."""
    try:
        found = decode(path.read_bytes(), _File)
    except FileNotFoundError:
        return {}
    except (OSError, MalformedError) as error:
        logger.warning("what was known of the models' pace in %s is lost: %s", path, error)
        return {}
    if found.version != FORMAT:
        logger.warning("what was known of the models' pace in %s is of version %d", path, found.version)
        return {}
    return found.models
