"""What running programs use, as the kernel tells it: processes, memory, and time that a busy machine does not add to.

    members = family([process.pid])
    memory_bytes(members), processor_seconds(members), asleep(members)

Read from /proc. Where there is none (macOS), a family is nothing but the processes themselves, of unknown memory and
time, and counts as asleep, so that its time is that of the clock.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MEMORY = ("RssAnon:", "RssShmem:", "VmSwap:", "HugetlbPages:")
STATE, FIRST_TIME, LAST_TIME = 0, 11, 15  # in /proc/PID/stat behind the name: utime, stime, cutime, cstime


def family(pids: Iterable[int]) -> list[int]:
    """These processes and all below them."""
    members = list(pids)
    for pid in members:  # grows while it is read
        with suppress(OSError):
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                members += map(int, children.read_text().split())
    return members


def memory_bytes(members: Sequence[int]) -> int:
    """Memory that is not a file on a disk, swapped out or not. Pages that several share count in each."""
    return sum(map(_memory_bytes, members))


def processor_seconds(members: Sequence[int]) -> float:
    """Processor time, that of children that have ended included."""
    return sum(sum(map(int, stat[FIRST_TIME:LAST_TIME])) for stat in map(_stat, members) if stat) / TICKS


def asleep(members: Sequence[int]) -> bool:
    """Whether none of them is computing, waits for a processor, or for a disk: what they wait for is up to them."""
    return all(stat[STATE] not in ("R", "D") for stat in map(_stat, members) if stat)


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _memory_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(MEMORY))
