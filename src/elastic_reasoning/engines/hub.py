"""Whether the hub answers, asked once and for a short time: its clients try again and again, for minutes.

load(name, **where_to_look(name))       # {"local_files_only": True} where the hub is away
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

SECONDS = 10.0
"""How long the hub may take to answer at all."""


def where_to_look(path: str) -> dict[str, Any]:
    """What transformers is told of where to look for a model: in the local cache alone while the hub is away."""
    if Path(path).exists() or not hub_is_away():
        return {}
    return {"local_files_only": True}


@cache
def hub_is_away() -> str:
    """Why the hub cannot be asked; empty where it answers, whatever it answers."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        get_session().head(constants.ENDPOINT, timeout=SECONDS)
    except Exception as error:  # of whichever client the installed version uses; none is told from another
        return f"{constants.ENDPOINT} does not answer: {str(error).strip() or type(error).__name__}"
    return ""


@contextmanager
def cache_alone(module: Any) -> Iterator[None]:
    """Let `datasets`, which is given, ask its local cache alone while the hub is away."""
    if not hub_is_away():
        yield
        return
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, module.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = module.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, module.config.HF_HUB_OFFLINE = before
