"""The records of several folders as one: which are there twice, and how those that are new are written.

    joined = Joined([out, *folders])
    joined.check()                        # two records of one key that are not the same are refused
    with AppendedFiles(out) as files:
        joined.write(files)

Of each record nothing is held but where it stands and a hash of its key, some 50 bytes.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from itertools import groupby, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.appending import SYNC_EVERY, AppendedFiles, New, whole_lines
from elastic_reasoning.records.coverage import Pair
from elastic_reasoning.records.lines import KeyLine, moved_line, record_line, trace_line
from elastic_reasoning.records.reading import RecordsFile, files_of
from elastic_reasoning.records.record import Record


class Joined:
    """The records of folders, in their order; of the same key the first counts.

    Args:
        folders: of records; those of the first one are where they belong already.

    Raises:
        RecordsError: a file cannot be read, or a line is damaged.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._files: list[RecordsFile] = []
        self._pairs: dict[Pair, int] = {}
        columns = {name: array("q") for name in ("folder", "file", "pair", "hash", "start", "end")}
        for number, folder in enumerate(folders):
            for file in files_of(folder):
                for line, start, end in whole_lines(file) if file.traces else file.lines(KeyLine):
                    pair = self._pairs.setdefault(line.key[:4], len(self._pairs))
                    row = (number, len(self._files), pair, hash(line.key), start, end)
                    for column, value in zip(columns.values(), row, strict=True):
                        column.append(value)
                self._files.append(file)
        self._columns = {name: np.array(column, np.int64) for name, column in columns.items()}
        _, first, inverse = np.unique(self._columns["hash"], return_index=True, return_inverse=True)
        self._first: NDArray[np.int64] = first[inverse]

    @property
    def _is_first(self) -> NDArray[np.bool_]:
        is_first: NDArray[np.bool_] = self._first == np.arange(len(self._first))
        return is_first

    @property
    def num_each(self) -> list[int]:
        """Whole records that each folder has."""
        return self._per_folder(self._columns["folder"])

    @property
    def num_new(self) -> list[int]:
        """Of these, those that no folder before has."""
        return self._per_folder(self._columns["folder"][self._is_first])

    def _per_folder(self, numbers: NDArray[np.int64]) -> list[int]:
        return [int(num) for num in np.bincount(numbers, minlength=len(self._folders))]

    @property
    def num_by_pair(self) -> dict[Pair, int]:
        """How many there are, each once, under every setting and problem."""
        nums = np.bincount(self._columns["pair"][self._is_first], minlength=len(self._pairs))
        return dict(zip(self._pairs, nums.tolist(), strict=True))

    def check(self, prefer_first: bool = False) -> None:
        """Compare what is there twice.

        Args:
            prefer_first: that of the folder that comes first is taken where two differ.

        Raises:
            RecordsError: two folders have different records of one key, or a trace is not there.
        """
        again = np.flatnonzero(~self._is_first)
        for row, (one, other) in zip(again.tolist(), self._twice(again), strict=True):
            folder, of_first = (self._folders[self._columns["folder"][each]] for each in (row, self._first[row]))
            if one.key != other.key:
                self._first[row] = row  # one in 2^64 times: the same hash
            elif folder != of_first and not prefer_first and (name := _difference(one, other)):
                raise RecordsError(
                    f"{Setting.of(*one.key[:3])}, problem {one.problem}, sample {one.sample}: {of_first} and {folder} "
                    f"have records with another {name}; leave one folder out, or take those of the folder that is "
                    "named first with --prefer first"
                )

    def _twice(self, rows: NDArray[np.int64]) -> Iterator[tuple[Record, Record]]:
        """For each row the first record of its hash, and its own."""
        first = self._first[rows]
        pairs = zip(self._read(first), self._read(rows), strict=True)
        yield from ((RecordsFile.record_of(*one), RecordsFile.record_of(*other)) for one, other in pairs)

    def _read(self, rows: NDArray[np.int64]) -> Iterator[tuple[RecordsFile, bytes, bytes | None]]:
        """The file, the line and the trace of each row."""
        places = zip(*(self._columns[name][rows].tolist() for name in ("file", "start", "end")), strict=True)
        for number, group in groupby(places, key=lambda place: place[0]):
            file = self._files[number]
            for line, trace in file.bytes_at((start, end) for _, start, end in group):
                yield file, line, trace

    def write(self, files: AppendedFiles, on_written: Callable[[int], None] = lambda num: None) -> None:
        """Append what the first folder has not; traces stay as they are, byte for byte.

        Args:
            files: of the first folder.
            on_written: called with the number of records each time that some were written.

        Raises:
            RecordsError: a trace is not there, or something cannot be written.
        """
        rows = np.flatnonzero(self._is_first & (self._columns["folder"] > 0))
        new = (_as_new(*each) for each in self._read(rows))
        while batch := list(islice(new, SYNC_EVERY)):
            files.append(batch)
            on_written(len(batch))


def _as_new(file: RecordsFile, line: bytes, trace: bytes | None) -> New:
    record = file.record_of(line, trace)
    if trace is not None:
        return trace, lambda offset: moved_line(line, offset)
    made = trace_line(record)
    return made, lambda offset: record_line(record, offset, len(made))


def _difference(one: Record, other: Record) -> str | None:
    """The first field in which two records differ. How much was reused depends on what was run together."""
    other = replace(other, num_reused_tokens=one.num_reused_tokens)
    if one == other:
        return None
    return next(each.name for each in fields(one) if getattr(one, each.name) != getattr(other, each.name))
