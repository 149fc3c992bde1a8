"""Everything that a report says of a run, worked out once.

results = Results.read(folder)
results.rows, results.pairs, results.reasoning
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from elastic_reasoning.analysis.compare import Paired
from elastic_reasoning.analysis.equal_tokens import AtTokens, at_equal_tokens
from elastic_reasoning.analysis.metrics import Row, summarise
from elastic_reasoning.analysis.reasoning import ReasoningRow, reasoning_rows
from elastic_reasoning.analysis.spending import generated_tokens, seconds_of
from elastic_reasoning.analysis.yardsticks import Yardsticks, yardsticks
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.manifest import Manifest
from elastic_reasoning.records.record import Record
from elastic_reasoning.report.columns import numbers_of
from elastic_reasoning.report.pairs import pairs_of
from elastic_reasoning.report.yardsticks import numbers_of as numbers_of_yardsticks


@dataclass(frozen=True, slots=True)
class Results:
    """A run and what its records add up to.

    Attributes:
        manifest, records: what `read_records` gave.
        rows: one for each setting.
        pairs: settings set against each other.
        reasoning: how each setting thinks, in the order of the rows.
        yardsticks: what several budgets of a model and strategy say together.
        equal_tokens: strategies beside separate budgets, with as many tokens.
    """

    manifest: Manifest
    records: Records
    rows: list[Row]
    pairs: list[Paired]
    reasoning: list[ReasoningRow]
    yardsticks: list[Yardsticks]
    equal_tokens: list[AtTokens]

    @classmethod
    def read(cls, folder: Path) -> "Results":
        """Work it out from what a sweep wrote.

        Raises:
            RecordsError: the folder cannot be read or has no records.
        """
        manifest, records = read_records(folder)
        if not len(records):
            raise RecordsError(f"{folder} has no records yet: run the sweep again, it goes on where it stopped")
        return cls.of(manifest, records)

    @classmethod
    def of(cls, manifest: Manifest, given: Iterable[Record]) -> "Results":
        """Work it out."""
        records = Records.of(given)
        rows, found = summarise(records), yardsticks(records)
        equal = at_equal_tokens(records)
        return cls(manifest, records, rows, pairs_of(records), reasoning_rows(records), found, equal)

    @property
    def settings(self) -> list[Setting]:
        """That of each row."""
        return [Setting.of(row.model, row.strategy, row.budget) for row in self.rows]

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
            "rows": [numbers_of(row) for row in self.rows],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "reasoning": [asdict(row) for row in self.reasoning],
            "yardsticks": [numbers_of_yardsticks(each) for each in self.yardsticks],
            "equal_tokens": [asdict(point) for point in self.equal_tokens],
        }
