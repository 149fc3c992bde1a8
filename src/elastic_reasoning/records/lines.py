"""How a record is written: a line with what tables need, and beside it a line with the trace.

trace = trace_line(record)
line = record_line(record, offset, len(trace))     # offset: where the trace begins in its file

A line has a schema version. Fields may be added to it without another version: whoever does not know them passes
over them. Lines of version 1, which do not say so, hold the trace too.

A trace holds probes and branches where there are any. Of the branch that was chosen it does not say again what is the
completion's own.
"""

import json
from dataclasses import MISSING, asdict, fields, replace
from functools import lru_cache
from typing import Annotated, Any, TypeVar, get_type_hints

from msgspec import NODEFAULT, Meta, Struct, defstruct

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import BudgetError, RecordsError
from elastic_reasoning.records.measures import thought_of
from elastic_reasoning.records.parts import Branch, Part, ProbePart
from elastic_reasoning.records.record import Key, Record, Thought
from elastic_reasoning.untrusted.json import Count, Fault, MalformedError, decode

VERSION = 2
IN_TRACE = ("segments", "solution", "logprobs")
"""Fields of a record that stand in the trace."""
IN_SOME = ("probes", "branches")
"""Those that stand there where there are any."""
OF_CHOSEN = ("segments", "solution", "logprobs", "probes")
"""Fields of the branch that was chosen that are the record's own."""
DERIVED = ("num_sampled_tokens", "num_probe_tokens", "num_branch_tokens", "closed_by_prompt")
"""Of a record, what a line says of its trace."""
Line = TypeVar("Line", bound="KeyLine")


class KeyLine(Struct, gc=False):  # no cycles: they are many, and hold texts and numbers
    """What of a line makes the record one of a kind."""

    model: str
    strategy: str
    budget: str
    problem: str
    sample: Count

    @property
    def key(self) -> Key:
        """As a record's."""
        return self.model, self.strategy, self.budget, self.problem, self.sample


class PlacedLine(KeyLine, gc=False):
    """A line's key, and where its trace is."""

    trace: tuple[Count, Count]


class MeasuredLine(KeyLine, gc=False):
    """A line's key, and what was measured in the thinking."""

    thought: Thought


class TraceKey(Struct):
    """What of a trace says whose it is."""

    key: tuple[str, str, str, str, Count]


class TraceLine(Struct):
    """A line of a file of traces."""

    key: tuple[str, str, str, str, Count]
    segments: list[Part]
    solution: str
    logprobs: list[list[float] | None]
    probes: list[ProbePart] = []
    branches: list[Branch] = []


def _struct(name: str, base: tuple[type[Struct], ...], names: list[str], more: list[Any]) -> type[Struct]:
    """A line that holds these fields of a record, and more."""
    hints = get_type_hints(Record, include_extras=True)
    given = {each.name: each.default for each in fields(Record)}
    held = [(each, hints[each], NODEFAULT if given[each] is MISSING else given[each]) for each in names]
    return defstruct(name, held + more, bases=base, kw_only=True, gc=False)


_ROW = [each.name for each in fields(Record) if each.name not in (*IN_TRACE, *IN_SOME, "thought")]
_OLD = [*_ROW, "segments", "solution"]
_OTHERS = _ROW[len(KeyLine.__struct_fields__) :]
TableLine: Any = _struct(
    "TableLine",
    (PlacedLine,),
    _OTHERS,
    [
        ("version", Annotated[int, Meta(ge=VERSION, le=VERSION)]),
        ("num_sampled_tokens", Count),
        ("num_probe_tokens", Count, 0),
        ("num_branch_tokens", Count, 0),
        ("closed_by_prompt", bool),
    ],
)
"""A line of version 2, but for what was measured in the thinking."""
RecordLine: Any = _struct("RecordLine", (TableLine,), [], [("thought", Thought)])
"""A line of version 2: what tables need."""
OldLine: Any = _struct("OldLine", (KeyLine,), [*_OTHERS, "segments", "solution"], [])
"""A line of version 1: a whole record."""
_parsed = lru_cache(Budget.parse)


def record_line(record: Record, offset: int, size: int) -> bytes:
    """The line of a record whose trace is so many bytes from an offset on."""
    thought = record.thought or thought_of(record)
    data = {name: getattr(record, name) for name in _ROW}
    derived = {name: getattr(record, name) for name in DERIVED}
    return _line({**data, **derived, "thought": thought, "trace": (offset, size), "version": VERSION})


def trace_line(record: Record) -> bytes:
    """The line of a record's trace."""
    some = {"probes": record.probes, "branches": [_without_own(branch) for branch in record.branches]}
    data = {name: getattr(record, name) for name in IN_TRACE} | {name: each for name, each in some.items() if each}
    return _line({"key": record.key, **data})


def _without_own(branch: Branch) -> Branch:
    """A branch as it is written: of the one that was chosen, without what the record says itself."""
    if not branch.is_chosen:
        return branch
    return replace(branch, **{name: type(getattr(branch, name))() for name in OF_CHOSEN})


def moved_line(line: bytes, offset: int) -> bytes:
    """A line of version 2 whose trace lies elsewhere now; all else in it stays, fields that are not known too."""
    data = json.loads(line)
    data["trace"] = (offset, data["trace"][1])
    return _line(data)


def is_trace_of(trace: bytes, line: PlacedLine) -> bool:
    """Whether these bytes are the whole trace of a line; of what it holds, the key alone is looked at."""
    try:
        return len(trace) == line.trace[1] and decode(trace, TraceKey).key == line.key
    except MalformedError:
        return False


def _line(data: dict[str, Any]) -> bytes:
    # A lone surrogate becomes \udxxx, which is how JSON itself writes it.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=asdict)
    return (text + "\n").encode("utf-8", "backslashreplace")


def read_line(line: bytes, kind: type[Line]) -> Line:
    """What a line of a file of records says.

    Raises:
        RecordsError: it is something else: "not JSON" or "not a record", and why.
    """
    try:
        value = decode(line, kind)
        _parsed(value.budget)
    except MalformedError as error:
        raise RecordsError("not JSON" if error.fault is Fault.SYNTAX else f"not a record ({error})") from None
    except BudgetError as error:
        raise RecordsError(f"not a record ({error})") from None
    return value


def whole_record(line: Any, trace: bytes | None = None) -> Record:
    """The record of a line and its trace; one of version 1 holds its trace.

    Raises:
        RecordsError: the trace is not that of the line.
    """
    if trace is None:
        return Record(**{name: getattr(line, name) for name in _OLD})
    try:
        beside = decode(trace, TraceLine)
    except MalformedError as error:
        raise RecordsError(f"not a trace ({error})") from None
    if beside.key != line.key:
        raise RecordsError(f"not the trace of {line.key}")
    own = {name: getattr(beside, name) for name in OF_CHOSEN}
    return Record(
        **{name: getattr(line, name) for name in (*_ROW, "thought")},
        **own,
        branches=[replace(branch, **own) if branch.is_chosen else branch for branch in beside.branches],
    )
