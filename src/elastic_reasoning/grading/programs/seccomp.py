"""The filter of system calls that bubblewrap installs: what would let a program out of its limits is refused.

A user namespace of its own would make a program root in there, free to mount file systems of any size; memory of
`memfd_create`, `shmget`, message queues and shared anonymous mappings belongs to no process (its pages stay when a
process unmaps them or says that it does not need them), so that nobody would count it; a file in /dev/shm is mapped
instead, as `multiprocessing` does it. Of sockets only those of families are made that a namespace of networks cuts
off: AF_VSOCK, to name one, reaches the host. The others are doors to the kernel that no program of a test needs.
A classic BPF program, as seccomp(2) describes it; the numbers are those of asm/unistd_64.h and asm-generic/unistd.h.
"""

import errno
import platform
import struct
from dataclasses import dataclass

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# Offsets in struct seccomp_data; of the arguments, the low halves.
NUMBER, ARCHITECTURE, FIRST_ARGUMENT, FOURTH_ARGUMENT = 0, 4, 16, 40
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
CLONE_NEWUSER = 0x10000000
MAP_SHARED, MAP_ANONYMOUS = 0x01, 0x20
FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6
# On x86_64, numbers from here on are those of the x32 ABI; elsewhere there are none.
X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class Machine:
    """The word for an architecture, and numbers of its system calls."""

    word: int
    clone: int
    unshare: int
    clone3: int
    mmap: int
    sockets: tuple[int, int]
    refused: tuple[int, ...]


# Refused are, in this order: mount, umount2, pivot_root, setns, add_key, request_key, keyctl, bpf, perf_event_open,
# userfaultfd, io_uring_setup, memfd_create, memfd_secret, shmget, semget, msgget.
MACHINES = {
    "x86_64": Machine(
        word=0xC000003E,
        clone=56,
        unshare=272,
        clone3=435,
        mmap=9,
        sockets=(41, 53),
        refused=(165, 166, 155, 308, 248, 249, 250, 321, 298, 323, 425, 319, 447, 29, 64, 68),
    ),
    "aarch64": Machine(
        word=0xC00000B7,
        clone=220,
        unshare=97,
        clone3=435,
        mmap=222,
        sockets=(198, 199),
        refused=(40, 39, 41, 268, 217, 218, 219, 280, 241, 282, 425, 279, 447, 194, 190, 186),
    ),
}


def machine_filter(name: str = "") -> bytes:
    """The filter, as `bwrap --seccomp` reads it; empty for an architecture that is not in `MACHINES`.

    Args:
        name: the architecture, as `uname -m` has it; empty: this one.
    """
    machine = MACHINES.get(name or platform.machine())
    if machine is None:
        return b""
    tests = [(AT_LEAST, X32, "refuse"), *((EQUAL, number, "refuse") for number in machine.refused)]
    # Flags of clone3 lie in memory, out of reach; told that there is none, the C library takes clone.
    tests += [(EQUAL, machine.clone3, "absent"), (EQUAL, machine.clone, "flags"), (EQUAL, machine.unshare, "flags")]
    tests += [(EQUAL, machine.mmap, "mapping"), *((EQUAL, number, "family") for number in machine.sockets)]
    head = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, machine.word), (RETURN, 0, 0, ERRNO | errno.EPERM)]
    head += [(LOAD, 0, 0, NUMBER)]
    tail, places = _endings()
    # A jump counts the instructions that it passes over.
    jumps = [
        (code, len(tests) - 1 - index + places[place], 0, value) for index, (code, value, place) in enumerate(tests)
    ]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in [*head, *jumps, *tail])


def _endings() -> tuple[list[tuple[int, int, int, int]], dict[str, int]]:
    """What stands behind the tests of the number, and where in it each of them goes on; no test that applies: 0."""
    allow, refuse = (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ERRNO | errno.EPERM)
    flags = [(LOAD, 0, 0, FIRST_ARGUMENT), (ANY_BIT, 0, 1, CLONE_NEWUSER), refuse, allow]
    mapping = [(LOAD, 0, 0, FOURTH_ARGUMENT), (ANY_BIT, 0, 2, MAP_SHARED), (ANY_BIT, 0, 1, MAP_ANONYMOUS)]
    mapping += [(RETURN, 0, 0, ERRNO | errno.ENOMEM), allow]
    known = [(EQUAL, len(FAMILIES) - index, 0, value) for index, value in enumerate(FAMILIES)]
    family = [(LOAD, 0, 0, FIRST_ARGUMENT), *known, (RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT), allow]
    tail, places = [allow], {}
    for name, part in (
        ("refuse", [refuse]),
        ("absent", [(RETURN, 0, 0, ERRNO | errno.ENOSYS)]),
        ("flags", flags),
        ("mapping", mapping),
        ("family", family),
    ):
        places[name] = len(tail)
        tail += part
    return tail, places
