"""The file that keeps what is known of each model's pace beyond the process."""

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from elastic_reasoning.records.files import write_atomically
from elastic_reasoning.serving.pace import Pace
from elastic_reasoning.untrusted.json import MalformedError, decode

logger = logging.getLogger(__name__)

FORMAT = 1
NAME = "pace.json"


class _File(Struct):
    version: int
    models: dict[str, Pace]


def save_paces(folder: Path, paces: Mapping[str, Pace]) -> None:
    """Keep what is known of each model. A failure is logged: the gateway goes on without."""
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.encode(_File(FORMAT, dict(paces))).decode())
    except OSError as error:
        logger.warning("what is known of the models' pace cannot be kept in %s: %s", path, error.strerror)


def read_paces(folder: Path) -> dict[str, Pace]:
    """What was known of each model. A file that cannot be read is begun anew, with a warning."""
    path = folder / NAME
    try:
        found = decode(path.read_bytes(), _File)
    except FileNotFoundError:
        return {}
    except (OSError, MalformedError) as error:
        logger.warning("what was known of the models' pace is lost, %s: %s", path, error)
        return {}
    if found.version != FORMAT:
        logger.warning("what was known of the models' pace is lost, %s: version %d", path, found.version)
        return {}
    return found.models
