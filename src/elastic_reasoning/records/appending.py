"""The two files of one who writes records: lines, and traces beside them. They only grow.

with AppendedFiles(folder, "main") as files:
    files.append([(trace, lambda offset: line)])

A trace is written before its line, each whole by one call of the operating system, so what was written survives the
death of the process. What was torn all the same, by a full disk or a loss of power, is cut off when the files are
opened again: a line without its trace, and a trace without its line.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.records.files import take_lock
from elastic_reasoning.records.lines import PlacedLine, is_trace_of
from elastic_reasoning.records.reading import LINES, TRACES, WRITER, RecordsFile
from elastic_reasoning.records.record import Key

NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)
SYNC_EVERY = 256
"""Records after which what was written is brought to the disk."""
New = tuple[bytes, Callable[[int], bytes]]
"""A trace, and its line where the trace begins at an offset."""


class AppendedFiles:
    """The files of a writer, which nobody else may write to. The folder is made where it does not exist.

    Attributes:
        path: of the lines.
        sizes: of the lines and the traces in bytes.
        num_cut_bytes: length of torn last lines that were cut off on opening, 0 if there were none.

    Args:
        folder: of the records.
        name: of the writer; those who write at the same time need different ones.
        on_key: called with the key of every record that is there.

    Raises:
        RecordsError: the folder cannot be written, another sweep writes under that name, or a line is damaged.
    """

    def __init__(self, folder: Path, name: str = WRITER, on_key: Callable[[Key], None] = lambda key: None) -> None:
        if not NAME.fullmatch(name):
            raise RecordsError(f"writer {name!r}: use letters, digits, '-', '_' and '.', as main or node-3")
        self.path = folder / LINES / f"{name}.jsonl"
        self.num_cut_bytes = self._num_unsynced = 0
        self._files: list[int] = []
        traces = folder / TRACES / self.path.name
        try:
            self._files.append(take_lock(self.path))
            traces.parent.mkdir(exist_ok=True)
            self._files.append(os.open(traces, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644))
            self.sizes = self._repair(RecordsFile(self.path, traces), on_key)
        except BlockingIOError:
            raise RecordsError(
                f"another sweep is writing to {self.path}: wait until it is over, use another folder, "
                "or give this one a --writer of its own"
            ) from None
        except OSError as error:
            self.close()
            raise self._unwritable(error) from None
        except BaseException:
            self.close()
            raise

    def _repair(self, file: RecordsFile, on_key: Callable[[Key], None]) -> tuple[int, int]:
        """Tell of the keys, and cut off what was torn. Returns how long both files are then."""
        end = end_of_traces = 0
        for line, _, end_of_line in whole_lines(file):
            on_key(line.key)
            end, end_of_traces = end_of_line, max(end_of_traces, sum(line.trace))
        self.num_cut_bytes = os.fstat(self._files[0]).st_size - end
        for descriptor, size in zip(self._files, (end, end_of_traces), strict=True):
            os.ftruncate(descriptor, size)
        return end, end_of_traces

    def _unwritable(self, error: OSError) -> RecordsError:
        return RecordsError(
            f"cannot write {self.path}: {error.strerror}; what is there is kept, use a folder that can be written"
        )

    def append(self, new: Sequence[New]) -> None:
        """Append records, at most `SYNC_EVERY`: all their traces, then all their lines.

        Raises:
            RecordsError: they could not be written; the files are as they were before.
        """
        num_lines, num_traces = self.sizes
        lines = []
        for trace, line_at in new:
            lines.append(line_at(num_traces))
            num_traces += len(trace)
        contents = b"".join(trace for trace, _ in new), b"".join(lines)
        try:
            self._num_unsynced += len(new)
            for descriptor, content in zip(reversed(self._files), contents, strict=True):
                if os.write(descriptor, content) != len(content):
                    raise OSError(0, "the disk is full")
            if self._num_unsynced >= SYNC_EVERY:
                self._sync(self._files)
        except OSError as error:
            for descriptor, size in zip(self._files, self.sizes, strict=True):
                with suppress(OSError):
                    os.ftruncate(descriptor, size)
            raise self._unwritable(error) from None
        self.sizes = num_lines + len(contents[1]), num_traces

    def _sync(self, files: list[int]) -> None:
        for descriptor in reversed(files):  # a line that is on the disk has its trace there
            os.fsync(descriptor)
        self._num_unsynced = 0

    def close(self) -> None:
        """Bring everything to the disk and let others write. May be called again."""
        files, self._files = self._files, []
        try:
            if self._num_unsynced:
                self._sync(files)
        except OSError as error:
            raise self._unwritable(error) from None
        finally:
            for descriptor in files:
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def whole_lines(file: RecordsFile) -> Iterator[tuple[PlacedLine, int, int]]:
    """Every line of a writer's file that has its trace, where it begins and where it ends, up to what was torn.

    Raises:
        RecordsError: the file cannot be read, a line is damaged, or more traces are gone than a loss of power explains.
    """
    last: deque[tuple[PlacedLine, int, int]] = deque()  # what is before it has reached the disk
    is_long = False
    for placed in file.lines(PlacedLine):
        if len(last) == SYNC_EVERY:
            is_long = True
            yield last.popleft()
        last.append(placed)
    with ExitStack() as stack:
        traces = -1
        with suppress(FileNotFoundError):
            traces = stack.enter_context(file.traces.open("rb")).fileno() if file.traces else -1
        while last and not _has_trace(traces, last[-1][0]):
            last.pop()
    if is_long and not last:
        raise RecordsError(
            f"{file.traces} lacks the traces of {file.path}: restore it from a copy, or add to the folder "
            "with a --writer of another name"
        )
    yield from last


def _has_trace(traces: int, line: PlacedLine) -> bool:
    offset, size = line.trace
    try:
        return traces >= 0 and is_trace_of(os.pread(traces, size, offset), line)
    except OverflowError:
        return False
