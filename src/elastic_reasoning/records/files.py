"""Files that survive a death of the process, and folders in which only one process works.

write_atomically(folder / "config.json", text)     # the file as it was before, or as it is meant to be
lock = take_lock(folder / "train.lock")            # BlockingIOError where another process has it
os.close(lock)
"""

import fcntl
import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write a file as a whole or not at all. A lone surrogate becomes \\udxxx, which is how JSON itself writes it."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def cache_folder(name: str) -> Path:
    """A folder of the user's cache: `$XDG_CACHE_HOME`, or `~/.cache`. It may be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "elastic-reasoning" / name


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def take_lock(path: Path, wait: bool = False) -> int:
    """Lock a file, which is made where it does not exist; its folder too.

    Args:
        path: of the file.
        wait: until whoever has it lets go.

    Returns:
        The descriptor that holds the lock, and that appends to the file: until it is closed or the process ends,
        however it ends.

    Raises:
        BlockingIOError: it is locked already.
        OSError: the file or its folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(lock)
        raise
    return lock
