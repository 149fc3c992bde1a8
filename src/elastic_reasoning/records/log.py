"""Records in a file that only grows, one a line.

    with RecordsWriter(folder) as writer:
        write_manifest(folder, manifest)
        for trace in generate(engine, requests):      # those whose key is not in writer.done
            writer.write(Record.of(trace, "mini", trace.request.name, grade))
    manifest, records = read_records(folder)

A line is written whole by one call of the operating system, so what was written survives the death of the process.
A line that was torn all the same, by a full disk or a loss of power, is cut off when the folder is opened again.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.records.files import take_lock
from elastic_reasoning.records.manifest import RECORDS, Manifest, read_manifest
from elastic_reasoning.records.record import Key, Record

logger = logging.getLogger(__name__)

LOCK = "records.lock"
SYNC_EVERY = 256


def read_records(folder: Path) -> tuple[Manifest, list[Record]]:
    """Read what a sweep has written, also while it is still writing.

    A torn last line is left out. Of records with the same key the first counts.

    Raises:
        RecordsError: no manifest, no records, or a damaged line.
    """
    manifest = read_manifest(folder)
    path = folder / RECORDS
    logger.info("reading the records of %s", folder)
    try:
        records: dict[Key, Record] = {}
        for record, _ in _whole_lines(path):
            records.setdefault(record.key, record)
    except OSError as error:
        raise RecordsError(f"cannot read {path}: {error.strerror}; pass a folder that a sweep has written") from None
    return manifest, list(records.values())


def _whole_lines(path: Path) -> Iterator[tuple[Record, int]]:
    """Every record with the offset of its end in bytes, up to a torn last line."""
    end = 0
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size  # lines that are written from now on are not read
        for number, line in enumerate(file, 1):
            end += len(line)
            if not line.endswith(b"\n") or end > size:
                return
            try:
                yield Record.from_json(line), end
            except RecordsError as error:
                if end == size and str(error) == "not JSON":
                    return
                raise RecordsError(
                    f"{path}, line {number}: {error}; delete that line to have it made again, "
                    "or restore the file from a copy"
                ) from None


class RecordsWriter:
    """The one who may write to a folder of records. It is made where it does not exist.

    Attributes:
        done: keys of the records that are there; written ones are added.
        num_cut_bytes: length of a torn last line that was cut off on opening, 0 if there was none.

    Raises:
        RecordsError: the folder cannot be written, another sweep writes to it, or a line of it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / RECORDS
        self.done: set[Key] = set()
        self._size = self._num_unsynced = 0
        try:
            self._lock = take_lock(folder / LOCK)
        except BlockingIOError:
            raise RecordsError(
                f"another sweep is writing to {folder}: wait until it is over, or use another folder"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            os.close(self._lock)
            raise self._unwritable(error) from None
        try:
            self.num_cut_bytes = self._repair()
        except BaseException:
            self.close()
            raise

    def _repair(self) -> int:
        """Collect the keys and cut a torn last line off. Returns how many bytes it had."""
        for record, end in _whole_lines(self.path):
            self.done.add(record.key)
            self._size = end
        num_torn = os.fstat(self._file).st_size - self._size
        if num_torn:
            os.ftruncate(self._file, self._size)
        return num_torn

    def _unwritable(self, error: OSError) -> RecordsError:
        return RecordsError(
            f"cannot write {self.path}: {error.strerror}; what is there is kept, use a folder that can be written"
        )

    def write(self, record: Record) -> None:
        """Append a record; one whose key is done is not written again.

        Raises:
            RecordsError: it could not be written; the file is as it was before.
        """
        if record.key in self.done:
            return
        # A lone surrogate becomes \udxxx, which is how JSON itself writes it.
        line = (record.to_json() + "\n").encode("utf-8", "backslashreplace")
        try:
            if os.write(self._file, line) != len(line):
                raise OSError(0, "the disk is full")
            self._num_unsynced += 1
            if self._num_unsynced >= SYNC_EVERY:
                self._sync()
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise self._unwritable(error) from None
        self._size += len(line)
        self.done.add(record.key)

    def _sync(self) -> None:
        os.fsync(self._file)
        self._num_unsynced = 0

    def close(self) -> None:
        """Bring everything to the disk and let others write. May be called again."""
        if self._file < 0:
            return
        try:
            if self._num_unsynced:
                self._sync()
        except OSError as error:
            raise self._unwritable(error) from None
        finally:
            os.close(self._file)
            os.close(self._lock)
            self._file = self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
