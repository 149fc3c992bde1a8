"""Rows of a data set with the place of each, from a local file or from the hub.

    for place, row in read_file(Path("aime24.jsonl")):
        read_field(PROBLEM, place, row)

The place, such as "aime24.jsonl, row 3", goes into the message of whatever is wrong with the row.
"""

import gzip
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from elastic_reasoning.core.errors import TaskError, require
from elastic_reasoning.engines.hub import cache_alone
from elastic_reasoning.tasks.fields import Row, shown
from elastic_reasoning.untrusted.json import MalformedError, decode

logger = logging.getLogger(__name__)

SourceRow = tuple[str, Row]
"""A row and where it stands, such as "aime24.jsonl, row 3"."""

FILES = "a file of JSON lines (.jsonl, .jsonl.gz) or Parquet (.parquet)"


@dataclass(frozen=True, slots=True)
class Hub:
    """Where a data set lies on the hub.

    Attributes:
        name: organisation and name.
        split: the hub's own split, whatever we call what is in it.
        config: its configuration, if it has several.
        files: JSON lines that are read as they lie there, for a data set whose loading script no longer runs.
        gated: its terms have to be accepted there before it may be loaded.
    """

    name: str
    split: str = "train"
    config: str | None = None
    files: tuple[str, ...] = ()
    gated: bool = False


def read_file(path: Path) -> Iterator[SourceRow]:
    """The rows of a local file.

    Raises:
        TaskError: the file cannot be read or is empty, or a line is not a JSON object.
    """
    read = next((reader for ending, reader in READERS.items() if path.name.endswith(ending)), None)
    if path.is_dir() or not read:
        raise TaskError(f"cannot read {path}: {'a folder' if path.is_dir() else 'unknown kind of file'}; pass {FILES}")
    empty = True
    try:
        for place, row in read(path):
            empty = False
            yield place, row
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        what = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise TaskError(f"cannot read {path}: {what}; pass {FILES}") from None
    if empty:
        raise TaskError(f"{path} has no rows; pass {FILES}")


def _json_lines(path: Path) -> Iterator[SourceRow]:
    with cast(IO[str], (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig")) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            place = f"{path}, row {number}"
            try:
                row = decode(line)
            except MalformedError as error:
                raise TaskError(f"{place}: {error}; expected one JSON object a line") from None
            if not isinstance(row, dict):
                raise TaskError(f"{place}: found {shown(row)}; expected one JSON object a line")
            yield place, row


def _parquet(path: Path) -> Iterator[SourceRow]:
    parquet = require("pyarrow.parquet", "eval")
    path.open("rb").close()  # pyarrow's own message for what cannot be opened has several lines
    try:
        rows = (row for batch in parquet.ParquetFile(path).iter_batches(1024) for row in batch.to_pylist())
        yield from ((f"{path}, row {number}", row) for number, row in enumerate(rows, 1))
    except require("pyarrow", "eval").ArrowException as error:
        raise TaskError(f"{path} is not Parquet ({str(error).splitlines()[0]}); pass {FILES}") from None


READERS = {".jsonl": _json_lines, ".jsonl.gz": _json_lines, ".parquet": _parquet}


def read_hub(task: str, hub: Hub) -> Iterator[SourceRow]:
    """The rows of a data set of the hub, loaded or from the local cache of `datasets`.

    Raises:
        TaskError: it cannot be loaded.
        MissingDependencyError: `datasets` is not installed.
    """
    logger.info("loading %s from the hub", hub.name)
    datasets = require("datasets", "eval")
    try:
        with cache_alone(datasets):
            if hub.files:
                files = [f"hf://datasets/{hub.name}/{file}" for file in hub.files]
                rows = datasets.load_dataset("json", data_files=files, split="train")
            else:
                rows = datasets.load_dataset(hub.name, hub.config, split=hub.split)
    except Exception as error:  # the hub's clients have no common error: no network, no such name, no permission
        why = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        gate = "it is gated: accept its terms on its page there and log in (hf auth login); or " if hub.gated else ""
        raise TaskError(
            f"task {task}: cannot load {hub.name} from the hub ({why}); {gate}pass {FILES} with --data"
        ) from error
    yield from ((f"{hub.name}, row {number}", row) for number, row in enumerate(rows, 1))
