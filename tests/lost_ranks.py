"""The processes of a model that is spread over devices, as the operating system sees them."""

from pathlib import Path

GONE_SECONDS = 60.0
"""In which a process that has nothing more to do ends, on a busy machine."""


def workers_of(process_id: int) -> list[int]:
    """The processes of other ranks that a process has."""
    listed = [path.read_text().split() for path in Path(f"/proc/{process_id}/task").glob("*/children")]
    children = [int(child) for each in listed for child in each]
    return [child for child in children if b"parallel.worker" in Path(f"/proc/{child}/cmdline").read_bytes()]
