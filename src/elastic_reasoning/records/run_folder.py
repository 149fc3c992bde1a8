"""The folder in which a run works: the one that it is told, or a copy of one in a store, which is kept up with.

    with RunFolder("s3://bucket/run", "part-03-of-64") as run, RecordsWriter(run.path, "part-03-of-64") as writer:
        ...
        run.publish()               # the manifest
        writer.write(record)
        run.written()               # puts both files of the writer there, now and then; at the end too

Nothing can be appended to an object, so the files are put again as they grow: after 256 records or a minute, and never
so often that it takes more than a tenth of the time. After the loss of a machine what it had not put yet is made again.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from elastic_reasoning.core.errors import RecordsError, StorageError
from elastic_reasoning.records.files import cache_folder, take_lock
from elastic_reasoning.records.manifest import MANIFEST
from elastic_reasoning.records.reading import LINES, TRACES
from elastic_reasoning.records.storage import Store, is_url, key_of, local_path

logger = logging.getLogger(__name__)

RECORDS = 256
SECONDS = 60.0
SHARE = 0.1
"""Of the time, that putting may take at most."""
BLOCK = 1 << 20


class RunFolder:
    """Where a run works.

    Attributes:
        path: of the folder on this machine.
        is_stored: whether it is a copy of one in a store.

    Args:
        out: a folder, or a URL.
        writer: name of who writes there.
        clock: seconds, from any beginning.

    Raises:
        RecordsError: the store cannot be reached, or another run of this machine writes there under that name.
    """

    def __init__(self, out: str, writer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_stored = is_url(out)
        self.path = working_path(out, writer)
        self._own = [f"{kind}/{writer}.jsonl" for kind in (TRACES, LINES)]  # a line that is there has its trace there
        self._clock = clock
        self._num_new = 0
        self._next = self._begun = clock()
        self._lock = -1
        if self.is_stored:
            self._store = Store(out)
            self._lock = self._alone(writer)
            try:
                self._fetch()
            except BaseException:
                os.close(self._lock)
                raise

    def _alone(self, writer: str) -> int:
        try:
            return take_lock(self.path.parent / "lock")
        except BlockingIOError:
            raise RecordsError(
                f"another sweep of this machine is writing to {self._store.url} as {writer}: wait until it is over, "
                "or give this one a --writer of its own"
            ) from None
        except OSError as error:
            raise RecordsError(
                f"cannot write {self.path}: {error.strerror}; set XDG_CACHE_HOME to a folder with room"
            ) from None

    def _fetch(self) -> None:
        """Bring the folder to where the store is, or beyond it where the last run here was killed before it put all.

        Of other writers the lines are enough, which say what is done.
        """
        there = self._store.versions()
        traces, lines = self._own
        if MANIFEST not in there:
            shutil.rmtree(self.path, ignore_errors=True)  # of a run that was removed there
        self._manifest = self._store.read(MANIFEST)
        self._size = 0
        if self._manifest is None:
            return
        others = [name for name in there if name.startswith(f"{LINES}/") and name != lines]
        for path in (self.path / LINES).glob("*.jsonl"):
            if f"{LINES}/{path.name}" not in (*others, lines):
                path.unlink()
        self._store.get([MANIFEST, *others], self.path)
        if lines in there:
            before = self.path / "before" / lines
            self._store.get([lines], self.path / "before")
            self._size = before.stat().st_size
            if not _begins_with(self.path / lines, before):
                self._store.get([traces], self.path)
                (self.path / LINES).mkdir(exist_ok=True)
                before.replace(self.path / lines)
        shutil.rmtree(self.path / "before", ignore_errors=True)

    def publish(self) -> bool:
        """Put the manifest there.

        Returns:
            Whether it is there; if not, another run has put one meanwhile, which is now in the folder.
        """
        if not self.is_stored:
            return True
        ours, there = (self.path / MANIFEST).read_bytes(), self._store.read(MANIFEST)
        if ours == there:
            return True
        if there == self._manifest:
            if there is not None:
                self._store.put(self.path / MANIFEST, MANIFEST)
                return True
            if self._store.put_new(ours, MANIFEST):
                self._manifest = ours
                return True
            there = self._store.read(MANIFEST)
        self._manifest = there
        self._store.get([MANIFEST], self.path)
        return False

    def written(self) -> None:
        """Tell of a record that was written; what is new is put there where that is due.

        Raises:
            RecordsError: another run writes there under the same name.
        """
        if not self.is_stored:
            return
        self._num_new += 1
        now = self._clock()
        if now < self._next or (self._num_new < RECORDS and now < self._begun + SECONDS):
            return
        try:
            self._put()
        except StorageError as error:
            logger.warning("%s; it is tried again later, the records are kept in %s", error, self.path)
        self._begun = self._clock()
        self._next = self._begun + (self._begun - now) / SHARE

    def _put(self) -> None:
        """Put the files of the writer there."""
        lines = self._own[1]
        if self._store.size(lines) != self._size:
            raise RecordsError(
                f"another sweep writes to {self._store.url} under the same name: give each a --writer of its own; "
                f"what this one made lies in {self.path}"
            )
        if not (self.path / lines).exists() or (self.path / lines).stat().st_size == self._size:
            return
        for name in self._own:
            self._store.put(self.path / name, name)
        self._size = (self.path / lines).stat().st_size
        self._num_new = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self.is_stored:
            return
        try:
            self._put()
        except RecordsError as failed:
            kept = f"the records are kept in {self.path}, and the same command goes on with them"
            told = StorageError(f"{failed}; {kept}") if isinstance(failed, StorageError) else failed
            if error is None:
                raise told from None
            logger.warning("%s", told)
        finally:
            os.close(self._lock)


def working_path(out: str, writer: str) -> Path:
    """The folder on this machine in which a run works."""
    if not is_url(out):
        return local_path(out)
    return cache_folder("runs") / key_of(out.rstrip("/"), writer) / out.rstrip("/").rpartition("/")[2]


def _begins_with(path: Path, beginning: Path) -> bool:
    """Whether a file begins with all that another one holds."""
    if not path.exists():
        return False
    with path.open("rb") as whole, beginning.open("rb") as part:
        return all(whole.read(len(block)) == block for block in iter(lambda: part.read(BLOCK), b""))
