import os
from pathlib import Path

import pytest

from death import Death
from elastic_reasoning.records.files import take_lock, write_atomically


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    death, path = Death(), tmp_path / "file"
    write_atomically(path, "before")
    killed, number = True, 0
    while killed:
        killed = death.before_operation(number, lambda: write_atomically(path, "after"))
        assert path.read_text() in ("before", "after")
        number += 1
    assert path.read_text() == "after"


def test_one_may_hold_a_lock_and_closing_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    lock = take_lock(path)
    with pytest.raises(BlockingIOError):
        take_lock(path)
    os.close(lock)
    os.close(take_lock(path))
