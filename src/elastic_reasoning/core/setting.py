"""A setting: who answers, how a budget is spent, and which budget. It has one spelling, mini/elastic/24+20.

    Setting.parse("Qwen/Qwen3-0.6B/elastic/1024+512").model     # Qwen/Qwen3-0.6B
    str(Setting("mini", "s1", "24+20"))                         # mini/s1/24+20
    chosen(settings, ["mini/elastic"], "--a")                   # every budget of it

What else a strategy was told, its options, is the same for all settings of a folder that have the strategy, and stands
in the manifest.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import BudgetError, UsageError

MOST_NAMED = 8
"""Settings that an error message names."""


class Setting(NamedTuple):
    """A model under a strategy and a budget, which is kept as text, as 24+20."""

    model: str
    strategy: str
    budget: str

    def __str__(self) -> str:
        return "/".join(self)

    @classmethod
    def parse(cls, text: str) -> "Setting":
        """Read MODEL/STRATEGY/BUDGET; the model's name may hold slashes.

        Raises:
            UsageError: it is something else.
        """
        model, _, rest = _without_budget(text).rpartition("/")
        if model and rest:
            return cls(model, rest, str(Budget.parse(text.rpartition("/")[2])))
        raise UsageError(f"setting {text!r}: write it as {_spelled(text)}")


def _without_budget(text: str) -> str:
    """What stands before the budget at the end of a setting; nothing where there is none."""
    before, _, budget = text.rpartition("/")
    return before if _is_budget(budget) else ""


def _is_budget(text: str) -> bool:
    try:
        Budget.parse(text)
    except BudgetError:
        return False
    return True


def _spelled(text: str) -> str:
    """What somebody meant who wrote blanks or commas between the parts."""
    parts = text.replace(",", " ").split()
    meant = len(parts) > 1 and all("/" not in part for part in parts[1:])
    return "/".join(parts) if meant else "MODEL/STRATEGY/BUDGET, as mini/elastic/24+20"


def chosen(settings: Iterable[Setting], names: Sequence[str], flag: str) -> list[Setting]:
    """The settings that are meant by these names, in the order of the names; all of them for none.

    A name is a whole setting, or a part of one between its slashes: mini, mini/elastic, elastic/24+20, 24+20.

    Args:
        settings: that there are.
        names: as given.
        flag: how they were given, for messages.

    Raises:
        UsageError: a name means none of them.
    """
    known = {str(setting): setting for setting in settings}
    found: dict[Setting, None] = {}
    for name in names:
        meant = [setting for full, setting in known.items() if name and f"/{name}/" in f"/{full}/"]
        if not meant:
            some = ", ".join([*known][:MOST_NAMED]) + (", ..." if len(known) > MOST_NAMED else "")
            spelled = _spelled(name)
            hint = f"write it as {spelled}" if "/" + spelled + "/" in "".join(f"/{full}/" for full in known) else ""
            raise UsageError(f"{flag} {name!r}: {hint or f'no such setting; there are {some}'}")
        found |= dict.fromkeys(meant)
    return list(found) if names else list(known.values())
