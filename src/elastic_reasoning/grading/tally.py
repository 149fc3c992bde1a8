"""What a grader counts beside its verdict. It stands apart from the verdict, which a sandbox knows without packages."""

from typing import NamedTuple

from elastic_reasoning.untrusted.json import Count


class Tally(NamedTuple):
    """So many of so many, by a name."""

    name: str
    num: Count
    of: Count
