"""Folders of records in a store of objects, by the URLs of fsspec: s3://bucket/run, gs://bucket/run.

    folder = fetched("s3://bucket/run")         # a copy on this machine; a folder of this machine is itself
    store = Store("s3://bucket/run")
    store.put(path, "manifest.json")

Credentials and endpoints are those that the package of each store reads from the environment or its own files; for
Amazon's that is s3fs, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL.
"""

import importlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from urllib.parse import unquote

from elastic_reasoning.core.errors import MissingDependencyError, RecordsError, StorageError, require
from elastic_reasoning.core.printable import one_line
from elastic_reasoning.records.files import cache_folder, take_lock, write_atomically
from elastic_reasoning.records.manifest import MANIFEST
from elastic_reasoning.records.reading import LINES, OLD, TRACES

URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
OURS = re.compile(rf"{re.escape(MANIFEST)}|{re.escape(OLD)}|({LINES}|{TRACES})/\w[\w.-]*\.jsonl", re.ASCII)
"""Names of the files of a folder of records."""
KNOWN = "fetched.json"
"""Which version of each file was fetched."""
FIXES = {
    "NoCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in as its package says",
    "PermissionError": "give credentials that may read and write there",
    "FileNotFoundError": "make the bucket first, and check its name",
}


def is_url(place: str | Path) -> bool:
    """Whether a place is in a store; what begins with file:// is on this machine."""
    return bool(URL.match(str(place))) and not str(place).lower().startswith("file://")


def local_path(place: str | Path) -> Path:
    """The path of a place on this machine."""
    text = str(place)
    return Path(unquote(text[len("file://") :])) if text.lower().startswith("file://") else Path(place)


def fetched(place: str | Path) -> Path:
    """The folder itself, or a copy of one that is in a store: what has changed there since is fetched again.

    Raises:
        RecordsError: there is no run, or it cannot be fetched.
        MissingDependencyError: the store's package is not installed.
    """
    if not is_url(place):
        return local_path(place)
    store = Store(str(place))
    there = store.versions()
    if MANIFEST not in there:
        raise RecordsError(f"{store.url} has no {MANIFEST}: pass a folder that a sweep has written")
    folder = cache_folder("fetched") / key_of(store.url) / store.url.rpartition("/")[2]
    lock = take_lock(folder.parent / "lock", wait=True)
    try:
        known = _known(folder)
        for name in known.keys() - there.keys():
            (folder / name).unlink(missing_ok=True)
        changed = [name for name, version in there.items() if known.get(name) != version]
        (folder.parent / KNOWN).unlink(missing_ok=True)  # what is fetched by half is fetched again
        store.get(changed, folder)
        write_atomically(folder.parent / KNOWN, json.dumps(there))
        return folder
    except OSError as error:
        raise RecordsError(
            f"cannot write {folder}: {error.strerror}; set XDG_CACHE_HOME to a folder with room"
        ) from None
    finally:
        os.close(lock)


def _known(folder: Path) -> Mapping[str, str]:
    """The version of each file that was fetched."""
    with suppress(OSError, ValueError):
        known: dict[str, str] = json.loads((folder.parent / KNOWN).read_text(encoding="utf-8"))
        return known
    shutil.rmtree(folder, ignore_errors=True)
    return {}


def key_of(*names: str) -> str:
    """A name for a folder of the cache."""
    return blake2b("\0".join(names).encode(), digest_size=12).hexdigest()


class Store:
    """A folder of records in a store of objects, which are put whole or not at all.

    Attributes:
        url: of the folder, without a slash at its end.

    Raises:
        MissingDependencyError: the store's package is not installed.
        StorageError: no store goes by such URLs.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        fsspec = require("fsspec", "storage")
        protocol = url.partition("://")[0].lower()
        try:
            with self._told("open"):
                self._files, self._root = fsspec.url_to_fs(self.url)
        except ImportError:
            package = importlib.import_module("fsspec.registry").known_implementations[protocol]["class"].split(".")[0]
            raise MissingDependencyError(f"{self.url} needs {package}: pip install {package}") from None

    def versions(self) -> dict[str, str]:
        """The files of records there, by name, each with what changes with its content."""
        with self._told("list"):
            self._files.invalidate_cache()
            found: dict[str, dict[str, object]] = self._files.find(self._root, detail=True)
        names = {path[len(self._root) :].lstrip("/"): info for path, info in found.items()}
        return {name: key_of(repr(sorted(info.items()))) for name, info in names.items() if OURS.fullmatch(name)}

    def size(self, name: str) -> int:
        """How long a file is; 0 where it is not there."""
        with self._told("read"):
            self._files.invalidate_cache()
            path = f"{self._root}/{name}"
            return int(self._files.info(path)["size"]) if self._files.exists(path) else 0

    def read(self, name: str) -> bytes | None:
        """What a small file holds; `None` where it is not there."""
        with self._told("read"):
            self._files.invalidate_cache()
            path = f"{self._root}/{name}"
            content: bytes | None = self._files.cat_file(path) if self._files.exists(path) else None
            return content

    def get(self, names: Sequence[str], folder: Path) -> None:
        """Fetch files into a folder, each whole or not at all."""
        if not names:
            return
        partial = [folder / f"{name}.partial" for name in names]
        for path in partial:
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._told("read"):
            self._files.get([f"{self._root}/{name}" for name in names], [str(path) for path in partial])
        for path in partial:
            path.replace(path.with_suffix(""))

    def put(self, path: Path, name: str) -> None:
        """Put a file in place of the one that is there."""
        with self._told("write"):
            self._files.put_file(str(path), f"{self._root}/{name}")

    def put_new(self, content: bytes, name: str) -> bool:
        """Put a small file where none is; returns whether it was put."""
        try:
            with self._told("write"):
                self._files.pipe_file(f"{self._root}/{name}", content, mode="create")
        except FileExistsError:
            return False
        return True

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, ImportError):
            raise
        except Exception as error:  # every store has errors of its own
            kinds = [kind.__name__ for kind in type(error).__mro__]
            fix = next((FIXES[kind] for kind in kinds if kind in FIXES), "check the network, the endpoint and the URL")
            reason = one_line(str(error), most=300) or kinds[0]
            raise StorageError(f"cannot {what} {self.url}: {reason}; {fix}") from None
