"""What can go wrong, as one small tree.

    ElasticError
    ├── BudgetError       a budget that is not a budget
    ├── StrategyError     an unknown strategy, or an option it does not have
    ├── TemplateError     a tokenizer whose thinking delimiters cannot be found
    │   └── DelimiterError    nothing names them: they can be told, and every program has its own way
    ├── ContextError      a prompt or a budget that does not fit the model's context
    ├── RequestError      one request that an engine could not run
    ├── EngineError       a model that cannot be loaded or run as it should
    │   └── BusyError         an engine with as many requests waiting as it takes
    ├── TaskError         an unknown task, split or malformed problem
    ├── GradingError      a grader that cannot run, or may not
    │   └── MachineError  the machine fails the grader: a full disk, no memory, no processor
    ├── RecordsError      a records file that cannot be read or written
    │   └── StorageError      a store of objects that cannot be reached, or refuses
    ├── TrainingError     training that cannot start or go on
    ├── UsageError        a command line or recipe that asks for something impossible
    └── MissingDependencyError   an optional package that is not installed

Every message is one line: the value, what is allowed, and the fix. The commands print it and exit with status 2.
"""

import difflib
import importlib
import importlib.util
from collections.abc import Iterable
from types import ModuleType


class ElasticError(Exception):
    """Root of every error that this package raises on purpose."""


class BudgetError(ElasticError, ValueError):
    """A budget that is negative, not whole, or not readable."""


class StrategyError(ElasticError, ValueError):
    """An unknown strategy, or an option that the strategy cannot honour."""


class TemplateError(ElasticError, ValueError):
    """Thinking delimiters that cannot be resolved from a tokenizer."""


IN_PYTHON = "pass them as opening='<think>' and closing='</think>' (--opening, --closing)"
IN_MODEL_ARGS = "add opening=<think>,closing=</think> to the model's arguments (--model_args)"
IN_COMMANDS = "give --opening '<think>' --closing '</think>', or whatever the model writes"


class DelimiterError(TemplateError):
    """Thinking delimiters that nothing names, so that they have to be told.

    Attributes:
        reason: what is wrong, without how to tell them.

    Args:
        how: how they are told to the program that is running.
    """

    def __init__(self, reason: str, how: str = IN_PYTHON) -> None:
        super().__init__(f"{reason}: {how}")
        self.reason = reason


class ContextError(ElasticError, ValueError):
    """A prompt or a finite budget that does not fit the model's context."""


class RequestError(ElasticError, RuntimeError):
    """One request that an engine could not run; others are not concerned."""


class EngineError(ElasticError, RuntimeError):
    """A model that cannot be loaded, or that an engine would run wrongly."""


class BusyError(EngineError):
    """An engine that has as many requests waiting as it takes: the same may be asked a little later."""


class TaskError(ElasticError, ValueError):
    """An unknown task or split, or a malformed problem."""


class GradingError(ElasticError, RuntimeError):
    """A grader that cannot run here, or that may not: generated programs are run only when that is allowed."""


class MachineError(GradingError):
    """What a grader needs of the machine is not there now: no verdict on anything that was to be graded."""


class RecordsError(ElasticError, RuntimeError):
    """A records file that is damaged, or that cannot be written."""


class StorageError(RecordsError):
    """A store of objects that cannot be reached, or that refuses what is asked of it."""


class TrainingError(ElasticError, RuntimeError):
    """Training that cannot start or go on."""


class UsageError(ElasticError, ValueError):
    """A command line or recipe that asks for something impossible."""


class MissingDependencyError(ElasticError, ImportError):
    """An optional package that is not installed."""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not known: the nearest known one first, then all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {name!r}: {hint}known are {', '.join(names)}"


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency.

    Raises:
        MissingDependencyError: with the install line, where the package is absent.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name and error.name.split(".")[0] != module.split(".")[0]:
            raise
        package = module.split(".")[0]
        raise MissingDependencyError(f"{package} is not installed: pip install 'elastic-reasoning[{extra}]'") from error


def check_installed(module: str, extra: str) -> None:
    """Refuse to begin without an optional dependency that takes seconds to import.

    Raises:
        MissingDependencyError: with the install line, where the package is absent.
    """
    if importlib.util.find_spec(module) is None:
        raise MissingDependencyError(f"{module} is not installed: pip install 'elastic-reasoning[{extra}]'")
