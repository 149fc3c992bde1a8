"""Records in files that only grow, one a line.

    with RecordsWriter(folder) as writer:
        write_manifest(folder, manifest)
        for trace in generate(engine, requests):      # those whose key is not in writer.done
            writer.write(Record.of(trace, "mini", trace.request.name, grade))
    manifest, records = read_records(folder)

`elastic_reasoning.records.reading` says which files there are, `elastic_reasoning.records.appending` how they survive.
"""

import logging
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.records.appending import AppendedFiles
from elastic_reasoning.records.lines import KeyLine, record_line, trace_line
from elastic_reasoning.records.manifest import Manifest, read_manifest
from elastic_reasoning.records.reading import LINES, WRITER, files_of
from elastic_reasoning.records.record import Key, Record
from elastic_reasoning.records.storage import fetched

if TYPE_CHECKING:
    from elastic_reasoning.records.columns import Records

logger = logging.getLogger(__name__)


def read_records(folder: Path | str) -> tuple[Manifest, "Records"]:
    """Read what a sweep has written, also while it is still writing; what is in a store is fetched first.

    A torn last line is left out. Of records with the same key the first counts.

    Raises:
        RecordsError: no manifest, no records, or a damaged line.
    """
    from elastic_reasoning.records.columns import Records  # numpy, which a sweep's help and refusals need not wait for

    folder = fetched(folder)
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

    Args:
        folder: of the records.
        name: of the writer; those who write at the same time need different ones.

    Raises:
        RecordsError: the folder cannot be written, another sweep writes under that name, or a line is damaged.
    """

    def __init__(self, folder: Path, name: str = WRITER) -> None:
        self.done: set[Key] = set()
        self._files = AppendedFiles(folder, name, self.done.add)
        try:
            for other in files_of(folder):
                if other.path != self.path:
                    self.done.update(line.key for line, _, _ in other.lines(KeyLine))
        except BaseException:
            self.close()
            raise

    @property
    def path(self) -> Path:
        """The file of its lines."""
        return self._files.path

    @property
    def num_cut_bytes(self) -> int:
        """Length of torn last lines that were cut off on opening, 0 if there were none."""
        return self._files.num_cut_bytes

    def write(self, record: Record) -> None:
        """Append a record; one whose key is done is not written again.

        Raises:
            RecordsError: it could not be written; the files are as they were before.
        """
        if record.key in self.done:
            return
        trace = trace_line(record)
        self._files.append([(trace, lambda offset: record_line(record, offset, len(trace)))])
        self.done.add(record.key)

    def close(self) -> None:
        """Bring everything to the disk and let others write. May be called again."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
