"""How each kind of server is asked and how its answers are read: one file each.

Every module beside this one that has a `DIALECT` is one; to teach this package another kind of server, add a module.
"""

import pkgutil
from importlib import import_module

from elastic_reasoning.core.errors import UsageError, unknown
from elastic_reasoning.engines.http.dialects.dialect import Dialect as Dialect

AUTO = "auto"
"""Stands for the dialect that the server turns out to speak."""


def all_dialects() -> list[Dialect]:
    """Every dialect, in the order in which they are tried."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found: list[Dialect] = [module.DIALECT for module in modules if hasattr(module, "DIALECT")]
    return sorted(found, key=lambda dialect: (dialect.last_resort, dialect.name))


def find_dialect(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        UsageError: there is none.
    """
    found = {dialect.name: dialect for dialect in all_dialects()}
    if name not in found:
        raise UsageError(unknown("dialect", name, (AUTO, *found)))
    return found[name]
