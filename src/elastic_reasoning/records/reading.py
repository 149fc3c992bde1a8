"""The files of a folder of records, and how they are read.

    records/WRITER.jsonl      a line for each record, with what tables need
    traces/WRITER.jsonl       its trace: every token, its log-probability, its text

Every writer adds to files of its own. Of records with the same key the first counts, in the order of the files' names.
A folder that was begun before there were writers has `records.jsonl` too: whole records, read before all others and
added to by nobody.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.records.lines import Line, OldLine, PlacedLine, RecordLine, read_line, whole_record
from elastic_reasoning.records.record import Record

LINES, TRACES = "records", "traces"
OLD = "records.jsonl"
WRITER = "main"
"""The name of a writer that is given none."""


@dataclass(frozen=True)
class RecordsFile:
    """A file of records.

    Attributes:
        path: of the lines.
        traces: the file beside it, `None` where the lines hold the traces.
    """

    path: Path
    traces: Path | None

    @property
    def kind(self) -> Any:
        """What its lines are."""
        return RecordLine if self.traces else OldLine

    def lines(self, kind: type[Line]) -> Iterator[tuple[Line, int, int]]:
        """Every line, where it begins and where it ends in bytes, up to a torn last one.

        What is written while it is read is left out.

        Raises:
            RecordsError: the file cannot be read, or a line is damaged.
        """
        try:
            yield from self._lines(kind)
        except OSError as error:
            raise RecordsError(f"cannot read {self.path}: {error.strerror}; pass a folder that a sweep wrote") from None

    def _lines(self, kind: type[Line]) -> Iterator[tuple[Line, int, int]]:
        end = 0
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            for number, line in enumerate(file, 1):
                start, end = end, end + len(line)
                if not line.endswith(b"\n") or end > size:
                    return
                try:
                    yield read_line(line, kind), start, end
                except RecordsError as error:
                    if end == size and str(error) == "not JSON":
                        return
                    raise RecordsError(
                        f"{self.path}, line {number}: {error}; delete that line to have it made again, "
                        "or restore the file from a copy"
                    ) from None

    def records_at(self, places: Iterable[tuple[int, int]]) -> Iterator[Record]:
        """The whole records of the lines that begin and end there.

        Raises:
            RecordsError: the file cannot be read, or a trace is not there.
        """
        for line, trace in self.bytes_at(places):
            yield self.record_of(line, trace)

    def record_of(self, content: bytes, trace: bytes | None) -> Record:
        """The whole record of a line and a trace of this file.

        Raises:
            RecordsError: the trace is not there.
        """
        line = read_line(content, self.kind)
        try:
            return whole_record(line, trace)
        except RecordsError as error:
            raise RecordsError(
                f"{self.traces}, at byte {line.trace[0]}: {error}; restore it from a copy, or sweep again "
                "into another folder"
            ) from None

    def bytes_at(self, places: Iterable[tuple[int, int]]) -> Iterator[tuple[bytes, bytes | None]]:
        """The lines that begin and end there, each with its trace, `None` where the lines hold the traces.

        Raises:
            RecordsError: the file cannot be read.
        """
        try:
            with ExitStack() as stack:
                lines, *traces = (stack.enter_context(p.open("rb")).fileno() for p in (self.path, self.traces) if p)
                for start, end in places:
                    line = os.pread(lines, end - start, start)
                    if not traces:
                        yield line, None
                        continue
                    offset, size = read_line(line, PlacedLine).trace
                    yield line, os.pread(traces[0], size, offset)
        except (OSError, OverflowError) as error:
            raise RecordsError(f"cannot read the traces of {self.path}: {error}; restore them from a copy") from None


def files_of(folder: Path) -> list[RecordsFile]:
    """The files of a folder, in the order in which their records count."""
    old = [RecordsFile(folder / OLD, None)] if (folder / OLD).exists() else []
    paths = sorted((folder / LINES).glob("*.jsonl"))
    return [*old, *(RecordsFile(path, folder / TRACES / path.name) for path in paths)]
