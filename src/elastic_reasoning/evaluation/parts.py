"""A part of a sweep, for job arrays: every machine takes the problems of one part.

    part = SweepPart.parse("3/64")
    part.of(problems)       # the 3rd, the 67th, the 131st, ...
    part.writer             # part-03-of-64

Each part is a fair sample of the problems, whose lists are often in the order of their difficulty. What belongs to a
problem stays together. A larger limit leaves each problem in its part.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from elastic_reasoning.core.errors import UsageError

WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{1,9})", re.ASCII)
WRITER = re.compile(r"part-([0-9]+)-of-([0-9]+)", re.ASCII)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, order=True)
class SweepPart:
    """One of `num_parts` parts, by its number, which counts from 1."""

    num_parts: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "SweepPart":
        """The part of a text such as 3/64.

        Raises:
            UsageError: it is no part.
        """
        found = WRITTEN.fullmatch(text)
        if not found:
            raise UsageError(f"part {text!r}: must be NUMBER/PARTS, as 3/64")
        number, num_parts = map(int, found.groups())
        if not 1 <= number <= num_parts:
            fix = "; for an array that counts from 0 give its number + 1" if number == 0 else ""
            raise UsageError(f"part {text}: parts count from 1 to {num_parts}{fix}")
        return cls(num_parts, number)

    @classmethod
    def of_writer(cls, name: str) -> "SweepPart | None":
        """The part that a writer of this name writes; `None` for another name."""
        found = WRITER.fullmatch(name)
        return cls(int(found[2]), int(found[1])) if found else None

    def __str__(self) -> str:
        return f"{self.number}/{self.num_parts}"

    @property
    def writer(self) -> str:
        """The name of the files that it is written to."""
        return f"part-{self.number:0{len(str(self.num_parts))}}-of-{self.num_parts}"

    def all(self) -> "list[SweepPart]":
        """Every part of the same whole."""
        return [SweepPart(self.num_parts, number) for number in range(1, self.num_parts + 1)]

    def of(self, problems: Sequence[Item]) -> list[Item]:
        """The problems of this part, of all problems in order; none where there are more parts than problems."""
        return list(problems[self.number - 1 :: self.num_parts])


def parts_by_writer(names: Iterable[str]) -> list[SweepPart]:
    """The parts that these writers write, in order, where all of them write parts of one whole; else none."""
    parts = [SweepPart.of_writer(name) for name in names]
    known = sorted({part for part in parts if part})
    return known if None not in parts and len({part.num_parts for part in known}) == 1 else []
