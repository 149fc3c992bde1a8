"""Which problems are asked, as one group of a configuration."""

from dataclasses import dataclass, field

from elastic_reasoning.core.configuration import EXECUTION


@dataclass(frozen=True)
class TaskConfig:
    """Which problems are asked. A task refuses what means nothing to it."""

    name: str = "arithmetic"
    """arithmetic, aime24, math500, livecodebench, ...; or a .jsonl, .parquet or .py file of one's own."""
    data: str = field(default="", metadata=EXECUTION)  # which rows it holds is told by the problems
    """A local JSONL (also .jsonl.gz) or Parquet file with the task's rows, in place of the hub."""
    release: str = ""
    """Release of livecodebench, v1 to v6; the latest if empty."""
    since: str = ""
    """First contest date of livecodebench, as 2024-08-01."""
    until: str = ""
    """Last contest date, inclusive."""
