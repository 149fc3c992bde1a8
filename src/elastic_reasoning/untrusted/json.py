"""JSON that others wrote, checked against a type while it is read.

    class Answer(msgspec.Struct):
        token_ids: list[int]

    decode(text, Answer).token_ids      # whole numbers and nothing else: no true, no 5.0, no null

Whatever is wrong with it is one `MalformedError`.
"""

import json
from enum import Enum, auto
from typing import Annotated, Any, TypeVar, overload

import msgspec

Value = TypeVar("Value")

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A whole number that is not negative."""

WITHIN = " - at `$"
"""How msgspec begins to say where in a document something is wrong."""
MOST_LETTERS = 300


class Fault(Enum):
    """How far a document is from what was expected."""

    SYNTAX = auto()
    """It is not JSON."""
    KIND = auto()
    """It is JSON, and as a whole something else."""
    VALUE = auto()
    """It is what was expected, but for something within it."""


class MalformedError(ValueError):
    """A document that is not what was expected. `fault` says how far from it."""

    def __init__(self, message: str, fault: Fault) -> None:
        super().__init__(message if len(message) <= MOST_LETTERS else f"{message[: MOST_LETTERS - 3]}...")
        self.fault = fault


@overload
def decode(data: str | bytes) -> Any: ...
@overload
def decode(data: str | bytes, kind: type[Value]) -> Value: ...
def decode(data: str | bytes, kind: Any = Any) -> Any:
    """The value that a JSON text stands for.

    Lone surrogates, which JSON may hold, are data. So are, where the type lets them pass, NaN and infinities, which
    Python writes although JSON has none.

    Args:
        data: the text; bytes are UTF-8.
        kind: what it must be: any type that msgspec knows.

    Raises:
        MalformedError: it is something else.
    """
    try:
        return _decoded(data, kind)
    except RecursionError:
        raise MalformedError("it is nested too deep", Fault.VALUE) from None
    except MalformedError:
        raise
    except (json.JSONDecodeError, UnicodeError) as error:
        raise MalformedError(f"not JSON ({error})", Fault.SYNTAX) from None
    except ValueError:  # of `int`, which reads no more digits than it is allowed to
        raise MalformedError("a number has too many digits", Fault.VALUE) from None


def convert(value: Any, kind: type[Value]) -> Value:
    """What `decode` read already, as another type.

    Raises:
        MalformedError: it is something else.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message = str(error)
        raise MalformedError(message, Fault.VALUE if WITHIN in message else Fault.KIND) from None
    except UnicodeError:  # msgspec compares with names and numbers in UTF-8
        raise MalformedError("half a letter stands where no text may", Fault.VALUE) from None


def _decoded(data: str | bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError):
        # Python's reader knows what msgspec's does not: lone surrogates, NaN, 1e999. It is the slower one.
        return convert(json.loads(data), kind)
