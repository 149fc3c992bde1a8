"""The records of a folder as columns: an array for each field that tables need, and whole records on demand.

    _, records = read_records(folder)
    records["num_thinking_tokens"].mean()
    for setting, group in records.by_setting().items(): ...
    for record in records.where(~records["correct"]): ...      # whole, read one after the other

A million records take some 150 MB. Nothing of their traces is read until whole records are asked for.
"""

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elastic_reasoning.core.setting import Setting
from elastic_reasoning.grading.tally import Tally
from elastic_reasoning.records.lines import MeasuredLine, OldLine, TableLine, whole_record
from elastic_reasoning.records.measures import MEASURES, thought_of
from elastic_reasoning.records.reading import RecordsFile
from elastic_reasoning.records.record import SPENT, TENTHS, Key, Record, Thought

NUMBERS: dict[str, type] = {
    **dict.fromkeys(("sample", "num_thinking_tokens", "num_solution_tokens", "num_sampled_tokens"), np.int64),
    **dict.fromkeys(("num_probe_tokens", "num_branch_tokens"), np.int64),
    **dict.fromkeys(("num_forced_tokens", "num_reused_tokens", "closed_again"), np.int64),
    **dict.fromkeys(("correct", "unboxed", "budget_hit", "forced_close", "solution_cut", "escaped"), np.bool_),
    **dict.fromkeys(("tool_cut", "closed_by_prompt"), np.bool_),
    "seconds": np.float64,
}
"""Fields by the type of their column; `correct` is false where there is no verdict."""
TEXTS = ("answer", "reason", "error", "rule")
"""Fields whose column holds codes of texts, -1 for `None`."""
CODES = dict.fromkeys(("setting", "problem", "tallies", *TEXTS), np.int32)
PLACES = dict.fromkeys(("file", "start", "end"), np.int64)
"""Where the line of a record is."""
FIELDS = ("model", "strategy", "budget", "problem", "tallies", *TEXTS, *NUMBERS)
BATCH = 1_000


class Table:
    """The columns of all records that were read, in order, and what their codes mean."""

    def __init__(self) -> None:
        self.settings: dict[tuple[str, str, str], int] = {}
        self.problems: dict[str, int] = {}
        self.tallies: dict[tuple[Tally, ...], int] = {}
        self.texts: dict[str | None, int] = {None: -1}
        self.files: list[RecordsFile] = []
        self.records: list[Record] = []
        self._batches: dict[str, list[NDArray[Any]]] = {
            name: [np.empty(0, kind)] for name, kind in {**CODES, **NUMBERS, **PLACES}.items()
        }

    def read(self, file: RecordsFile) -> None:
        """Add the records of a file."""
        self.files.append(file)
        kind = TableLine if file.traces else OldLine
        lines = ((line if file.traces else whole_record(line), start, end) for line, start, end in file.lines(kind))
        while batch := list(islice(lines, BATCH)):
            rows, starts, ends = zip(*batch, strict=True)
            self._add(rows)
            place = {"file": [len(self.files) - 1] * len(rows), "start": starts, "end": ends}
            for name, values in place.items():
                self._batches[name].append(np.array(values, np.int64))

    def hold(self, records: Iterable[Record]) -> None:
        """Add records that are in memory."""
        self.records = list(records)
        self._add(self.records)

    def _add(self, rows: Collection[Any]) -> None:
        """Add lines, or records."""
        if not rows:
            return
        values = dict(zip(FIELDS, zip(*map(attrgetter(*FIELDS), rows), strict=True), strict=True))
        values["setting"] = tuple(zip(values["model"], values["strategy"], values["budget"], strict=True))
        meanings: dict[str, dict[Any, int]] = {
            "setting": self.settings,
            "problem": self.problems,
            "tallies": self.tallies,
        }
        for name, kind in CODES.items():
            codes = meanings.get(name, self.texts)
            for value in dict.fromkeys(values[name]):
                codes.setdefault(value, len(codes) - (None in codes))
            self._batches[name].append(np.fromiter(map(codes.__getitem__, values[name]), kind))
        for name, number in NUMBERS.items():
            self._batches[name].append(np.array(values[name], number))

    @cached_property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Every column, whole."""
        read = {name: np.concatenate(self._batches.pop(name)) for name in [*self._batches]}
        return read | {"num_spent_tokens": np.sum([read[name] for name in SPENT], axis=0)}

    @cached_property
    def words(self) -> list[str]:
        """The texts by their codes."""
        return [text for text in self.texts if text is not None]

    @cached_property
    def measured(self) -> NDArray[np.float64]:
        """What was measured in each thought: [records, measures and tenths], NaN where nothing is known."""
        rows = [np.array([_values(record.thought or thought_of(record)) for record in self.records])]
        for number, file in enumerate(self.files):
            num = int((self.columns["file"] == number).sum())
            thoughts = islice(_thoughts(file), num)
            while batch := [_values(thought) for thought in islice(thoughts, BATCH)]:
                rows.append(np.array(batch))
        return np.concatenate([part for part in rows if part.size] or [np.empty((0, len(MEASURES) + TENTHS))])


def _thoughts(file: RecordsFile) -> Iterator[Thought]:
    if file.traces:
        return (line.thought for line, _, _ in file.lines(MeasuredLine))
    return (thought_of(whole_record(line)) for line, _, _ in file.lines(OldLine))


def _values(thought: Thought) -> list[float]:
    known = [thought.measures.get(name, np.nan) for name in MEASURES]
    return [*known, *(np.nan if each is None else each for each in thought.tenths)]


class Records:
    """Some of the records that were read, in their order."""

    def __init__(self, table: Table, rows: NDArray[np.int64]) -> None:
        self._table, self._rows = table, rows

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Records":
        """The columns of these records; what is columns already stays what it is."""
        if isinstance(records, Records):
            return records
        table = Table()
        table.hold(records)
        return cls(table, np.arange(len(table.records)))

    @classmethod
    def read(cls, files: Iterable[RecordsFile]) -> "Records":
        """The records of these files; of those with the same key the first.

        Raises:
            RecordsError: a file cannot be read, or a line is damaged.
        """
        table = Table()
        for file in files:
            table.read(file)
        keys = [table.columns[name] for name in ("sample", "problem", "setting")]
        order = np.lexsort(keys)  # a stable one: of the same keys the first comes first
        is_first = np.ones(len(order), np.bool_)
        is_first[1:] = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in keys])
        return cls(table, np.sort(order[is_first]))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column: `num_spent_tokens`, one of `NUMBERS`, or codes: of `setting`, `problem`, `tallies` or `TEXTS`."""
        column: NDArray[Any] = self._table.columns[name][self._rows]
        return column

    def __iter__(self) -> Iterator[Record]:
        """Whole records, read as they are asked for."""
        if not self._table.files:
            yield from (self._table.records[row] for row in self._rows)
            return
        places = zip(*(self[name].tolist() for name in ("file", "start", "end")), strict=True)
        for number, group in groupby(places, key=lambda place: place[0]):
            yield from self._table.files[number].records_at((start, end) for _, start, end in group)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Records":
        """Those for which it is true; or those of these numbers, in the order of the numbers."""
        return Records(self._table, self._rows[chosen])

    def graded(self) -> "Records":
        """Those without an error."""
        return self.where(self["error"] < 0)

    @property
    def settings(self) -> list[Setting]:
        """Theirs, in order of appearance."""
        return list(self.by_setting())

    def under(self, settings: Collection[Setting]) -> "Records":
        """Those of these settings."""
        codes = [code for setting, code in self._table.settings.items() if Setting.of(*setting) in settings]
        return self.where(np.isin(self["setting"], codes))

    def of_model(self, model: str) -> "Records":
        """Those of a model."""
        return self.under([setting for setting in self.settings if setting.model == model])

    def among(self, name: str, texts: Iterable[str]) -> NDArray[np.bool_]:
        """Which of them have one of these texts."""
        known = self._table.texts
        return np.isin(self[name], [known[text] for text in texts if text in known])

    def texts(self, name: str) -> list[str | None]:
        """What a column of texts says."""
        words = self._table.words
        return [None if code < 0 else words[code] for code in self[name].tolist()]

    def tallies(self) -> list[tuple[Tally, ...]]:
        """What the grader of each counted beside its verdict."""
        meanings = list(self._table.tallies)
        return [meanings[code] for code in self["tallies"].tolist()]

    @property
    def measured(self) -> NDArray[np.float64]:
        """What was measured in each thought: [records, measures and tenths], NaN where nothing is known."""
        return self._table.measured[self._rows]

    def keys(self) -> Iterator[Key]:
        """The key of each."""
        settings, problems = list(self._table.settings), list(self._table.problems)
        codes = (self[name].tolist() for name in ("setting", "problem", "sample"))
        for setting, problem, sample in zip(*codes, strict=True):
            yield (*settings[setting], problems[problem], sample)

    def by_setting(self) -> dict[Setting, "Records"]:
        """The records of each setting, in order of appearance."""
        names = list(self._table.settings)
        return {Setting.of(*names[code]): group for code, group in self._groups("setting")}

    def by_problem(self) -> dict[str, "Records"]:
        """The records of each problem, in order of appearance."""
        names = list(self._table.problems)
        return {names[code]: group for code, group in self._groups("problem")}

    def _groups(self, name: str) -> Iterator[tuple[int, "Records"]]:
        codes = self[name]
        order = np.argsort(codes, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(order) else []
        for group in sorted(groups, key=lambda group: int(group[0])):
            yield int(codes[group[0]]), Records(self._table, self._rows[group])
