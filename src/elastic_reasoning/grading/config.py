"""How solutions are graded, as one group of a configuration."""

from dataclasses import dataclass, field

from elastic_reasoning.core.configuration import EXECUTION
from elastic_reasoning.core.errors import UsageError


@dataclass(frozen=True)
class GradingConfig:
    """How solutions are graded. A task refuses what means nothing to it."""

    allow_code_execution: bool = field(default=False, metadata=EXECUTION)
    """Run the programs that models write, in a sandbox; tasks of code cannot grade without."""
    sandbox: str = field(default="auto", metadata=EXECUTION)
    """auto (bubblewrap; the weak one only where it is not installed), bubblewrap or weak."""
    grading_workers: int = field(default=0, metadata=EXECUTION)
    """Processes that grade; 0 for as many as there are cores."""
    round_to_reference: bool | None = None
    """Accept answers of mathematics that round to the reference's last digit, as 1538.46 for 1538; null is no; where
    records are graded again, what their run was told.
    """

    def __post_init__(self) -> None:
        if self.grading_workers < 0:
            raise UsageError(f"grading_workers {self.grading_workers}: must be 0 (one for each core) or more")
