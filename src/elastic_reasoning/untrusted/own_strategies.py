"""Strategies that lie in a file of one's own, by names such as `my.py:patient`.

    strategy_name("my.py:patient")      # "patient", which every part of the package now knows
    strategy_name("s1")                 # "s1"

The file is run, with all that it does. Records, tables and the wire of a server have the short name; a manifest has the
digest of the file beside it.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.strategies import BUILT_IN, STRATEGIES, Strategy
from elastic_reasoning.untrusted.own_files import is_own, load_own


@dataclass(frozen=True, slots=True)
class OwnFile:
    """Where a strategy of one's own lies."""

    path: str
    """The file, in full."""
    name: str
    """What the file calls the strategy, and everybody else too."""
    digest: str
    """SHA-256 of the file as it was run."""

    @property
    def text(self) -> str:
        """How it is given, wherever one stands."""
        return f"{self.path}:{self.name}"


VARIABLE = "ELASTIC_STRATEGIES"
LOADED: dict[str, OwnFile] = {}
"""The strategies of this process that lie in files, by name."""


def strategy_name(given: str) -> str:
    """The name by which a strategy is known; one that lies in a file is entered among the others first.

    Raises:
        StrategyError: the file cannot be read or does not run, has no such strategy, or its name is taken.
    """
    if not is_own(given):
        return given
    strategy, (path, _, name) = load_own(given, StrategyError), given.rpartition(":")
    if not isinstance(strategy, Strategy):
        raise StrategyError(f"{given} is no strategy: write {name} = Strategy(run=...) in the file")
    if name in BUILT_IN:
        raise StrategyError(
            f"{given}: {name} is the name of a strategy that comes with the package; call yours something else"
        )
    file = Path(path)
    LOADED[name] = OwnFile(str(file.resolve()), name, hashlib.sha256(file.read_bytes()).hexdigest())
    STRATEGIES[name] = strategy
    return name


def named_in_environment() -> tuple[str, ...]:
    """The strategies in files that `ELASTIC_STRATEGIES` names, as my.py:patient,other.py:eager."""
    return tuple(filter(None, os.environ.get(VARIABLE, "").split(",")))


def strategy_names(given: Iterable[str]) -> tuple[str, ...]:
    """`strategy_name` of each."""
    return tuple(map(strategy_name, given))


def about_own(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """What a manifest keeps of the strategies that lie in files, by name, for whoever reads it without the file."""
    return {
        name: {
            "file": Path(LOADED[name].path).name,
            "sha256": LOADED[name].digest,
            "label": STRATEGIES[name].label,
            "about": STRATEGIES[name].about,
            "bounds": STRATEGIES[name].bounds,
        }
        for name in names
        if name in LOADED
    }
