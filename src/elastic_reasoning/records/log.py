"""Records in files that only grow, one a line.

    with RecordsWriter(folder) as writer:
        write_manifest(folder, manifest)
        for trace in generate(engine, requests):      # those whose key is not in writer.done
            writer.write(Record.of(trace, "mini", trace.request.name, grade))
    manifest, records = read_records(folder)

`elastic_reasoning.records.reading` says which files there are. A trace is written before its line, each whole by one
call of the operating system, so what was written survives the death of the process. What was torn all the same, by a
full disk or a loss of power, is cut off when the writer comes back: a line without its trace, and a trace without its
line.
"""

import logging
import os
import re
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.records.files import take_lock
from elastic_reasoning.records.lines import KeyLine, PlacedLine, TraceLine, record_line, trace_line
from elastic_reasoning.records.manifest import Manifest, read_manifest
from elastic_reasoning.records.reading import LINES, TRACES, WRITER, RecordsFile, files_of
from elastic_reasoning.records.record import Key, Record
from elastic_reasoning.untrusted.json import MalformedError, decode

if TYPE_CHECKING:
    from elastic_reasoning.records.columns import Records

logger = logging.getLogger(__name__)

NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)
SYNC_EVERY = 256


def read_records(folder: Path) -> tuple[Manifest, "Records"]:
    """Read what a sweep has written, also while it is still writing.

    A torn last line is left out. Of records with the same key the first counts.

    Raises:
        RecordsError: no manifest, no records, or a damaged line.
    """
    from elastic_reasoning.records.columns import Records  # numpy, which a sweep's help and refusals need not wait for

    manifest = read_manifest(folder)
    logger.info("reading the records of %s", folder)
    files = files_of(folder)
    if not files:
        raise RecordsError(f"cannot read {folder / LINES}: no records; pass a folder that a sweep has written")
    return manifest, Records.read(files)


class RecordsWriter:
    """One who writes to a folder of records, through files of its own. The folder is made where it does not exist.

    Attributes:
        done: keys of the records that are there, other writers' among them; written ones are added.
        num_cut_bytes: length of torn last lines that were cut off on opening, 0 if there were none.

    Args:
        folder: of the records.
        name: of the writer; those who write at the same time need different ones.

    Raises:
        RecordsError: the folder cannot be written, another sweep writes under that name, or a line is damaged.
    """

    def __init__(self, folder: Path, name: str = WRITER) -> None:
        if not NAME.fullmatch(name):
            raise RecordsError(f"writer {name!r}: use letters, digits, '-', '_' and '.', as main or node-3")
        self.path = folder / LINES / f"{name}.jsonl"
        self.done: set[Key] = set()
        self.num_cut_bytes = self._num_unsynced = 0
        self._files: list[int] = []
        traces = folder / TRACES / self.path.name
        try:
            self._files.append(take_lock(self.path))
            traces.parent.mkdir(exist_ok=True)
            self._files.append(os.open(traces, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644))
            self._sizes = self._repair(RecordsFile(self.path, traces))
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
        for other in files_of(folder):
            if other.path != self.path:
                self.done.update(line.key for line, _, _ in other.lines(KeyLine))

    def _repair(self, file: RecordsFile) -> list[int]:
        """Collect the keys, and cut off what was torn. Returns how long both files are then."""
        last: deque[tuple[PlacedLine, int, int]] = deque(maxlen=SYNC_EVERY)  # what is before it has reached the disk
        num_lines = end = end_of_traces = 0
        for line, start, end_of_line in file.lines(PlacedLine):
            num_lines, end = num_lines + 1, end_of_line
            self.done.add(line.key)
            last.append((line, start, end_of_traces))
            end_of_traces = max(end_of_traces, sum(line.trace))
        while last and not self._has_trace(last[-1][0]):
            line, end, end_of_traces = last.pop()
            self.done.discard(line.key)
            if not last and num_lines > SYNC_EVERY:
                raise RecordsError(
                    f"{file.traces} lacks the traces of {self.path}: restore it from a copy, or add to the folder "
                    "with a --writer of another name"
                )
        self.num_cut_bytes = os.fstat(self._files[0]).st_size - end
        sizes = [end, end_of_traces]
        for descriptor, size in zip(self._files, sizes, strict=True):
            os.ftruncate(descriptor, size)
        return sizes

    def _has_trace(self, line: PlacedLine) -> bool:
        offset, size = line.trace
        try:
            trace = os.pread(self._files[1], size, offset)
            return len(trace) == size and decode(trace, TraceLine).key == line.key
        except (MalformedError, OverflowError):
            return False

    def _unwritable(self, error: OSError) -> RecordsError:
        return RecordsError(
            f"cannot write {self.path}: {error.strerror}; what is there is kept, use a folder that can be written"
        )

    def write(self, record: Record) -> None:
        """Append a record; one whose key is done is not written again.

        Raises:
            RecordsError: it could not be written; the files are as they were before.
        """
        if record.key in self.done:
            return
        trace = trace_line(record)
        line = record_line(record, self._sizes[1], len(trace))
        try:
            for descriptor, content in zip(reversed(self._files), (trace, line), strict=True):
                if os.write(descriptor, content) != len(content):
                    raise OSError(0, "the disk is full")
            self._num_unsynced += 1
            if self._num_unsynced >= SYNC_EVERY:
                self._sync(self._files)
        except OSError as error:
            for descriptor, size in zip(self._files, self._sizes, strict=True):
                with suppress(OSError):
                    os.ftruncate(descriptor, size)
            raise self._unwritable(error) from None
        self._sizes = [self._sizes[0] + len(line), self._sizes[1] + len(trace)]
        self.done.add(record.key)

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
