"""The traces that a page holds: as plain data, each text once, within a size that a browser opens gladly.

held = embed(manifest.problems, records, settings, max_problems=100)
held.problems, held.num_left_out, held.num_samples, held.num_cut
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.manifest import Asked
from elastic_reasoning.records.parts import Part
from elastic_reasoning.records.record import Record

MAX_BYTES = 3_000_000
"""An upper bound on the size of the traces, at which fewer samples and fewer problems are held. The page says so."""
WANTED_PROBLEMS = 12
"""So many problems are worth more than all samples of fewer."""
HEAD, TAIL = 6000, 2000
"""Characters that are held of the beginning and the end of a text that is longer than both."""
FLAGS = ("budget_hit", "forced_close", "solution_cut", "escaped", "closed_again", "tool_cut", "unboxed")
TRACE = (
    *("setting", "sample", "correct", "answer", "reason", "rule", "error"),
    *("num_thinking", "num_solution", "num_forced", "flags", "parts"),
)
PART = ("phase", "sampled", "finish", "num", "omitted", "text", "length")
"""`omitted` characters are left out before the text."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The traces that a page holds.

    Attributes:
        problems: plain data, one object for each problem; strings that traces share are stored once.
        num_left_out: problems with records that it does not hold.
        num_samples: samples of each problem that it holds, and how many there are.
        num_cut: texts of which the middle is left out.
    """

    problems: list[dict[str, Any]]
    num_left_out: int
    num_samples: tuple[int, int]
    num_cut: int


def embed(
    asked: Sequence[Asked], records: Iterable[Record], settings: Sequence[Setting], max_problems: int
) -> Embedded:
    """The first problems that have records, as many as fit; one is held however long it is.

    Where not even a dozen problems would fit with all their samples, only the first samples are held.
    """
    index = {setting: number for number, setting in enumerate(settings)}
    columns = Records.of(records)
    by_problem = columns.by_problem()
    present = [problem for problem in asked if problem["id"] in by_problem]
    some = present[: min(max_problems, WANTED_PROBLEMS)]
    all_samples = num_samples = 1 + int(columns["sample"].max(initial=0))
    while num_samples > 1:
        if (
            sum(_size(_problem(problem, by_problem[problem["id"]], index, num_samples)) for problem in some)
            <= MAX_BYTES
        ):
            break
        num_samples //= 2
    problems: list[dict[str, Any]] = []
    left = MAX_BYTES
    for problem in present[:max_problems]:
        data = _problem(problem, by_problem[problem["id"]], index, num_samples)
        left -= _size(data)
        if problems and left < 0:
            break
        problems.append(data)
    omitted = PART.index("omitted")
    num_cut = sum(part[omitted] > 0 for problem in problems for trace in problem["traces"] for part in trace[-1])
    return Embedded(problems, len(present) - len(problems), (num_samples, all_samples), num_cut)


def script_json(data: Any) -> str:
    """JSON that can stand in a script element, whatever text it holds."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    text = text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate becomes its JSON escape
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _size(data: Any) -> int:
    return len(script_json(data).encode())


def _problem(asked: Asked, records: Records, index: Mapping[Setting, int], num_samples: int) -> dict[str, Any]:
    traces = [_trace(record, index) for record in records.where(records["sample"] < num_samples)]
    texts, place = share_beginnings([piece[-1] for trace in traces for piece in trace[-1]])
    for trace in traces:
        trace[-1] = [[*piece[:-1], *place[piece[-1]]] for piece in trace[-1]]
    return {
        "id": asked["id"],
        "question": asked["question"],
        "answer": asked["answer"],
        "texts": texts,
        "traces": traces,
    }


def _trace(record: Record, index: Mapping[Setting, int]) -> list[Any]:
    """A trace in the order of `TRACE`, with its pieces of text."""
    return [
        index[record.setting],
        record.sample,
        record.correct,
        record.answer,
        record.reason,
        record.rule,
        record.error,
        record.num_thinking_tokens,
        record.num_solution_tokens,
        record.num_forced_tokens,
        sum(bool(getattr(record, flag)) << bit for bit, flag in enumerate(FLAGS)),
        [piece for part in record.segments for piece in _pieces(part)],
    ]


def _pieces(part: Part) -> list[tuple[Any, ...]]:
    """A segment as (phase, sampled, finish, tokens, characters left out before it, text): two where it is long."""
    text, num = part["text"], len(part["ids"])
    whole = (part["phase"], part["sampled"], part["finish"], num, 0, text)
    if len(text) <= HEAD + TAIL:
        return [whole]
    end = (*whole[:4], len(text) - HEAD - TAIL, text[-TAIL:])
    return [(part["phase"], part["sampled"], None, num, 0, text[:HEAD]), end]


def share_beginnings(texts: Sequence[str]) -> tuple[list[str], dict[str, tuple[int, int]]]:
    """Store a text that begins another one within it, as thinking under a smaller budget does.

    Returns:
        The strings that are left, and for each text (which string, how many UTF-16 units of its beginning).
    """
    kept: list[str] = []
    place: dict[str, tuple[int, int]] = {}
    for text in sorted(set(texts), reverse=True):  # whatever a text begins stands right before it
        if not kept or not kept[-1].startswith(text):
            kept.append(text)
        units = len(text.encode("utf-16-le", "surrogatepass")) // 2  # what JavaScript counts in
        place[text] = (len(kept) - 1, units)
    return kept, place
