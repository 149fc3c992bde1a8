"""How the cost of a sweep grows with its problems and its machines, and what it comes to wait for.

    for row in growth(Load(...), problems=(10**3, 10**9), copies=(1, 1000)): row.seconds, row.waits_for

Three things go on at once: copies of the model generate, cores grade, and one driver hands out work and writes the
records. The slowest of them decides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PROBLEMS = (10**3, 10**5, 10**7, 10**9)
COPIES = (1, 100, 10_000)
CORES_PER_COPY = 8
"""That grade beside each copy of the model: assumed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one problem comes to, all its samples under all settings and models.

    Attributes:
        records: how many.
        tokens: generated.
        generating_seconds: of one copy of the model.
        grading_seconds: of one core; `None` where that is not known.
        driver_seconds: of the one process that writes records.
        record_bytes: of all its records.
        price_per_second: of one copy of the model; `None` where it has no price.
    """

    records: float
    tokens: float
    generating_seconds: float
    grading_seconds: float | None
    driver_seconds: float
    record_bytes: float
    price_per_second: float | None


@dataclass(frozen=True, slots=True)
class Growth:
    """A sweep of some size.

    Attributes:
        problems, copies: its size.
        records, tokens, record_bytes: in all.
        seconds: from begin to end.
        money: for all copies, as long as it takes.
        waits_for: what is slowest: the model, grading or the driver.
    """

    problems: int
    copies: int
    records: float
    tokens: float
    record_bytes: float
    seconds: float
    money: float | None
    waits_for: str


def growth(load: Load, problems: Sequence[int] = PROBLEMS, copies: Sequence[int] = COPIES) -> Iterator[Growth]:
    """Every size of a sweep on every number of copies."""
    for num in problems:
        for num_copies in copies:
            stages = {
                "the model": num * load.generating_seconds / num_copies,
                "grading": num * (load.grading_seconds or 0.0) / (num_copies * CORES_PER_COPY),
                "the driver": num * load.driver_seconds,
            }
            slowest = max(stages, key=lambda name: stages[name])
            seconds = stages[slowest]
            money = None if load.price_per_second is None else seconds * num_copies * load.price_per_second
            yield Growth(
                num,
                num_copies,
                num * load.records,
                num * load.tokens,
                num * load.record_bytes,
                seconds,
                money,
                slowest,
            )
