"""The traces that a page holds: as plain data, each text once, within a size that a browser opens gladly.

held = embed(manifest.problems, records, settings, max_problems=100)
held.problems, held.num_left_out, held.num_samples, held.num_cut
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.manifest import Asked
from elastic_reasoning.records.parts import Branch, Part, ProbePart, num_sampled
from elastic_reasoning.records.record import Record

Piece = tuple[str, bool, str | None, int, int, str]
"""(phase, sampled, finish, tokens, characters left out before it, text)"""

MAX_BYTES = 3_000_000
"""An upper bound on the size of the traces, at which fewer samples and fewer problems are held. The page says so."""
WANTED_PROBLEMS = 12
"""So many problems are worth more than all samples of fewer."""
HEAD, TAIL = 6000, 2000
"""Characters that are held of the beginning and the end of a text that is longer than both."""
FLAGS = ("budget_hit", "forced_close", "solution_cut", "escaped", "closed_again", "tool_cut", "unboxed")
TRACE = (
    *("setting", "sample", "correct", "answer", "reason", "rule", "error"),
    *("num_thinking", "num_solution", "num_forced", "num_probe", "num_branch", "flags", "branches", "parts"),
)
BRANCH = ("chosen", "budget", "error", "finish", "votes_for", "num_thinking", "num_solution", "num_spent", "parts")
"""The parts of the chosen one are those of the trace."""
PART = ("phase", "sampled", "finish", "num", "omitted", "text", "length")
"""`omitted` characters are left out before the text. Of a probe there are what was forced and what was sampled."""


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
    shown = (each for problem in problems for trace in problem["traces"] for each in (trace, *trace[-2]))
    num_cut = sum(part[omitted] > 0 for each in shown for part in each[-1])
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
    shown = [each for trace in traces for each in (trace, *trace[-2])]
    texts, place = share_beginnings([piece[-1] for each in shown for piece in each[-1]])
    for each in shown:
        each[-1] = [[*piece[:-1], *place[piece[-1]]] for piece in each[-1]]
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
        record.num_probe_tokens,
        record.num_branch_tokens,
        sum(bool(getattr(record, flag)) << bit for bit, flag in enumerate(FLAGS)),
        [_branch(branch) for branch in record.branches],
        _pieces(record.segments, record.probes),
    ]


def _branch(branch: Branch) -> list[Any]:
    """A branch in the order of `BRANCH`, with its pieces of text."""
    return [
        branch.is_chosen,
        branch.budget,
        branch.error,
        branch.finish,
        branch.votes_for,
        num_sampled(branch.segments, Phase.THINKING),
        num_sampled(branch.segments, Phase.SOLUTION),
        branch.num_spent_tokens,
        [] if branch.is_chosen else _pieces(branch.segments, branch.probes),
    ]


def _pieces(parts: Sequence[Part], probes: Sequence[ProbePart]) -> list[Piece]:
    """Segments and what was probed between them, with the middle left out of what is long."""
    return [
        piece
        for _, group in groupby(_in_order(parts, probes), key=itemgetter(0))
        for piece in _shortened([part for _, part in group])
    ]


def _in_order(parts: Sequence[Part], probes: Sequence[ProbePart]) -> Iterator[tuple[int, Part]]:
    """Segments and probes by their places, each with the number of its stretch, which is what pauses divide."""
    left, stretch, num_ids = deque(probes), 0, 0
    phase, paused = "", False
    for part in parts:
        while left and left[0].position <= num_ids:
            yield from ((stretch, each) for each in _asked(left.popleft()))
        stretch += not (paused and part["phase"] == phase)
        phase, paused = part["phase"], part["finish"] == Finish.PAUSE or (paused and not part["sampled"])
        yield stretch, part
        num_ids += len(part["ids"])
    yield from ((stretch, each) for probe in left for each in _asked(probe))


def _asked(probe: ProbePart) -> tuple[Part, Part]:
    return (
        Part(phase=Phase.PROBE, ids=probe.forced, sampled=False, finish=None, text=probe.asked),
        Part(phase=Phase.PROBE, ids=probe.ids, sampled=True, finish=probe.finish, text=probe.answered),
    )


def _shortened(parts: Sequence[Part]) -> Iterator[Piece]:
    """The pieces of one stretch: all of it, or its beginning and its end where it is long."""
    length = sum(len(part["text"]) for part in parts if part["phase"] != Phase.PROBE)
    omitted, start = max(0, length - HEAD - TAIL), 0
    end_from = HEAD + omitted
    for part in parts:
        text, finish, num = part["text"], part["finish"], len(part["ids"])
        if part["phase"] == Phase.PROBE:
            if start <= HEAD or start >= end_from:
                yield part["phase"], part["sampled"], finish, num, 0, text
            continue
        head, tail = (text[: max(0, HEAD - start)], text[max(0, end_from - start) :]) if end_from > HEAD else (text, "")
        start += len(text)
        if head or not text:
            yield part["phase"], part["sampled"], finish if head == text else None, num, 0, head
        if tail:
            yield part["phase"], part["sampled"], finish, num, omitted, tail
            omitted = 0


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
