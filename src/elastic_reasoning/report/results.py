"""Everything that a report says of a run, worked out once.

results = Results.of(*read_records(folder))
results.rows, results.pairs, results.reasoning
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from elastic_reasoning.evaluation.compare import Paired
from elastic_reasoning.evaluation.manifest import Manifest
from elastic_reasoning.evaluation.metrics import Row, Setting, generated_tokens, seconds_of, summarise
from elastic_reasoning.evaluation.reasoning import ReasoningRow, reasoning_rows
from elastic_reasoning.evaluation.records import Record
from elastic_reasoning.report.pairs import pairs_of


@dataclass(frozen=True, slots=True)
class Results:
    """A run and what its records add up to.

    Attributes:
        manifest, records: what `read_records` gave.
        rows: one for each setting.
        pairs: settings set against each other.
        reasoning: how each setting thinks, in the order of the rows.
    """

    manifest: Manifest
    records: Sequence[Record]
    rows: list[Row]
    pairs: list[Paired]
    reasoning: list[ReasoningRow]

    @classmethod
    def of(cls, manifest: Manifest, records: Sequence[Record]) -> "Results":
        """Work it out."""
        return cls(manifest, records, summarise(records), pairs_of(records), reasoning_rows(records))

    @property
    def settings(self) -> list[Setting]:
        """(model, strategy, budget) of each row."""
        return [(row.model, row.strategy, row.budget) for row in self.rows]

    def summary(self) -> dict[str, Any]:
        """Every number as plain data: what was run, one object for each setting and pair, tokens and seconds.

        `seconds` are those of each model; tokens are those in the records, and those that were really generated.
        """
        num_sampled, num_generated = generated_tokens(self.records)
        return {
            "run": {name: value for name, value in asdict(self.manifest).items() if name != "problems"},
            "num_sampled_tokens": num_sampled,
            "num_generated_tokens": num_generated,
            "seconds": {model: seconds for model, (seconds, _) in seconds_of(self.records).items()},
            "rows": [asdict(row) for row in self.rows],
            "pairs": [asdict(pair) for pair in self.pairs],
            "reasoning": [asdict(row) for row in self.reasoning],
        }
