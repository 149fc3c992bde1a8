"""A setting: who answers, how a budget is spent, and which budget. It has one spelling, mini/elastic/24+20.

    Setting.parse("Qwen/Qwen3-0.6B/elastic/1024+512").model     # Qwen/Qwen3-0.6B
    str(Setting.of("mini", "s1", "24+20"))                      # mini/s1/24+20
    str(Setting("mini", "s1", budget, Options(num_waits=1)))    # mini/s1/24+20/num_waits=1
    chosen(settings, ["mini/elastic"], "--a")                   # every budget of it

Options stand in it where they are not the defaults. Within a folder of records they are the same for all settings that
have the strategy, and stand in the manifest.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import BudgetError, UsageError
from elastic_reasoning.core.request import Options, Value

OPTION = re.compile(r"/(\w+)=([^/]*)$")
QUOTED = "\"' ,:;!?()"
"""What stands in the text of an option as it is; a slash does not."""
MOST_NAMED = 8
"""Settings that an error message names."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A model under a strategy and a budget, and what the strategy is told beyond it."""

    model: str
    strategy: str
    budget: Budget
    options: Options = field(default_factory=Options)

    def __str__(self) -> str:
        told = (f"{name}={quote(json.dumps(value), safe=QUOTED)}" for name, value in sorted(self.options.items()))
        return "/".join((self.model, self.strategy, str(self.budget), *told))

    @classmethod
    def of(cls, model: str, strategy: str, budget: str) -> "Setting":
        """A setting whose budget is text, as a record has it, and whose options stand elsewhere."""
        return cls(model, strategy, _budget(budget))

    @classmethod
    def parse(cls, text: str) -> "Setting":
        """Read MODEL/STRATEGY/BUDGET, and /NAME=VALUE for each option; the model's name may hold slashes.

        Raises:
            UsageError: it is something else.
        """
        rest, given = text, dict[str, Value]()
        while found := OPTION.search(rest):
            rest = rest[: found.start()]
            try:
                given[found[1]] = json.loads(unquote(found[2]))
            except ValueError:
                raise UsageError(
                    f"setting {text!r}: {found[2]!r} is no value; write a number, or text in quotes"
                ) from None
        model, _, strategy = _without_budget(rest).rpartition("/")
        if model and strategy:
            return cls(model, strategy, Budget.parse(rest.rpartition("/")[2]), Options(given))
        raise UsageError(f"setting {text!r}: write it as {_spelled(text)}")


_budget = lru_cache(Budget.parse)


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
