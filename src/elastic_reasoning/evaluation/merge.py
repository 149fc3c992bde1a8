"""Folders of records joined into one, as if one run had made them: parts of a sweep, or runs that belong together.

    merged = merge([Path("runs/a"), Path("runs/b")], Path("runs/whole"))
    merged.num_records, sum(merged.lacking.values())

What decides results must be the same in all; problems, samples, settings and models may be more in one than in another,
as a run may grow. A merge that was interrupted goes on when it is started again, and a folder takes more later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.evaluation.growth import clash, grow, take_up
from elastic_reasoning.records.appending import AppendedFiles
from elastic_reasoning.records.coverage import Pair, lacking
from elastic_reasoning.records.joining import Joined
from elastic_reasoning.records.manifest import MANIFEST, Manifest, read_manifest
from elastic_reasoning.records.reading import WRITER, files_of


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did.

    Attributes:
        manifest: of the whole.
        num_records: records there are now.
        added: for each folder that was added its records, and how many of them no folder before it had.
        lacking: how many records the whole still lacks, by setting and problem.
        writers: names of the files of the folders.
    """

    manifest: Manifest
    num_records: int
    added: list[tuple[Path, int, int]]
    lacking: dict[Pair, int]
    writers: list[str]


def merge(
    folders: Sequence[Path],
    out: Path,
    prefer_first: bool = False,
    writer: str = WRITER,
    on_start: Callable[[int, int], None] = lambda done, total: None,
    on_written: Callable[[int], None] = lambda num: None,
) -> Merged:
    """Add the records of folders to another one, which is made where it does not exist.

    Args:
        folders: of records, finished or not.
        out: where to.
        prefer_first: where two folders have different records of one key, that of the one that comes first is taken,
            what is in `out` before all; otherwise that is an error.
        writer: name of the files in `out` that are added to.
        on_start: called once with 0 and the number of records that are new.
        on_written: called with the number of records each time that some were written.

    Raises:
        RecordsError: the folders do not belong together, or one cannot be read or written; `out` is then as before.
    """
    others = [folder for folder in folders if folder.resolve() != out.resolve()]
    if not others:
        raise RecordsError(f"{out} is the only folder: give others to add to it")
    manifest = joint_manifest(others)
    if (out / MANIFEST).exists():
        joint_manifest([out, *others])
    joined = Joined([out, *others])
    joined.check(prefer_first)
    num_new = joined.num_new
    with AppendedFiles(out, writer) as files:
        stands = take_up(out, manifest)
        on_start(0, sum(num_new[1:]))
        joined.write(files, on_written)
    writers = [file.path.stem for folder in others for file in files_of(folder)]
    added = list(zip(others, joined.num_each[1:], num_new[1:], strict=True))
    return Merged(stands, sum(num_new), added, lacking(stands, joined.num_by_pair), writers)


def joint_manifest(folders: Sequence[Path]) -> Manifest:
    """The manifest of a run that had made all that these folders hold.

    Raises:
        RecordsError: they do not belong together, or one cannot be read.
    """
    whole = read_manifest(folders[0])
    for folder in folders[1:]:
        manifest = read_manifest(folder)
        if found := clash(whole, manifest):
            raise RecordsError(f"{folder} does not belong to {folders[0]}: {found}")
        whole = grow(folder, whole, manifest)
    return whole
