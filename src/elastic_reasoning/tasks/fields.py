"""Fields of rows: the names that each is known by, and what is expected of its value.

    PROBLEM = Field(("problem", "question"), text)
    read_field(PROBLEM, "aime24.jsonl, row 3", row)

What does not fit is a TaskError that names the place, the field, the value and what is expected.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Generic, TypeVar, cast

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.core.printable import one_line

Row = Mapping[str, Any]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Field(Generic[Value]):
    """A field of a row: the names it is known by, how its value is read, and what stands for an absent one.

    `read` raises a ValueError that says what is expected.
    """

    names: tuple[str, ...]
    read: Callable[[Any], Value]
    default: Value | None = None
    required: bool = True


def read_field(field: Field[Value], place: str, row: Row) -> Value:
    """The value of a field under the first of its names that the row has.

    Raises:
        TaskError: it is required and absent, or it is not what is expected.
    """
    name = next((name for name in field.names if row.get(name) is not None), None)
    if name is None:
        if not field.required:
            return cast(Value, field.default)
        fields = one_line(", ".join(row), most=200)
        raise TaskError(f"{place}: no field {' or '.join(map(repr, field.names))}; its fields are {fields}")
    try:
        return field.read(row[name])
    except ValueError as error:
        raise TaskError(f"{place}, field {name!r}: found {shown(row[name])}; expected {error}") from None


def shown(value: Any) -> str:
    """A value in a message: short, and on one line."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested as deep as can be read, or more digits than Python writes
        return "what is too deep or too long to show"
    return text if len(text) <= 60 else f"{text[:57]}..."


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value


def any_text(value: Any) -> str:
    """A text, which may be empty."""
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def answers(value: Any) -> tuple[str, ...]:
    """One answer or a list of them, each a text or a number: 27.0 is read as "27"."""
    values = value if isinstance(value, list) else [value]
    if not values or not all(_is_answer(each) for each in values):
        raise ValueError("an answer (a text or a number) or a list of answers")
    return tuple(each if isinstance(each, str) else _number(each) for each in values)


def _is_answer(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and isfinite(value))


def _number(value: float) -> str:
    return str(int(value)) if isinstance(value, int) or value.is_integer() else str(value)


def name(value: Any) -> str | int:
    """A name of a problem: a text or a whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ValueError("a text or a whole number")
    return value
