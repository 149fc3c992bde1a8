"""Where TensorBoard and Weights & Biases put what `report_to` hands them: into the run's folder, unless told otherwise.

trackio keeps all runs in one place of its own, from which `trackio show` reads them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLACES = {"tensorboard": ("TENSORBOARD_LOGGING_DIR", "tensorboard"), "wandb": ("WANDB_DIR", "")}


@contextmanager
def reporting_in(out: Path, report_to: tuple[str, ...]) -> Iterator[None]:
    """Name the places by the variables that the packages read, where the user has not set these."""
    places = {name: str(out / folder) for kind, (name, folder) in PLACES.items() if kind in report_to}
    ours = {name: place for name, place in places.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]
