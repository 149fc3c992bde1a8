"""Rows in tests: what an engine does with them, and what a client makes of the ids."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from cases import Case
from elastic_reasoning.core.needs import most_tokens
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.scripted import scripted_logprob
from elastic_reasoning.integrations.row import Row

PROBING = ("dynasor", "deer")
Script = Callable[[Request, Sequence[int]], Iterator[int]]
Edits = tuple[int | None, frozenset[int], tuple[int, float] | None, int | None]


def new_row(request: Request, template: Template, context: int | None, ids: Sequence[int] = ()) -> Row:
    return Row(Walk(request, template, context), list(ids), min(template.eos))


def edits(row: Row) -> Edits:
    return row.forced, row.banned, row.raised, row.moves_to


def advance(row: Row) -> None:
    """Advance a row, which has nothing to say where it tells that it need not be asked."""
    ids, before = row.output, edits(row)
    may_change = bool(ids) and (len(ids) >= row.wakes_at or ids[-1] in row.watch)
    if not row.advance():
        assert edits(row) == before
    else:
        assert may_change


def next_id(row: Row, template: Template, script: Script, request: Request) -> int:
    if row.forced is not None:
        return row.forced
    token = next(token for token in script(request, row.output) if token not in row.banned)
    return row.moves_to if row.moves_to is not None and token in template.eos else token


def read(request: Request, ids: Sequence[int], template: Template, context: int | None) -> Trace:
    """What a client makes of the ids."""
    logprobs = [scripted_logprob(position, token) for position, token in enumerate(ids)]
    return replay(request, ids, template, context, logprobs=logprobs, end=template.eos)


def in_one_pass(case: Case) -> Case:
    """The case without what would have to be taken back, and with a context, as every real engine has one."""
    kept = {k: v for k, v in case.request.options.items() if k not in ("wait", "num_waits")}
    request = replace(case.request, options=Options(kept))
    if request.strategy in PROBING:
        request = replace(request, strategy="elastic", options=Options())
    if any(sign in str(kept.get("rule")) for sign in ("thinking", "recent", "probe", "same")):
        request = replace(request, options=Options({**kept, "rule": "2: 2 -1*prompt; 4: 1 -1*prompt"}))
    return replace(case, request=request, context=60 if case.context is None else case.context)


@dataclass(frozen=True)
class Asked:
    """What a row asked for before an id, whether time did so, and whether nothing more was sampled then."""

    edits: Edits
    is_due: bool
    is_over: bool


def emit_timed(
    request: Request, template: Template, context: int | None, script: Script, closes: Collection[int]
) -> tuple[list[int], list[Asked]]:
    """What was emitted, where time is up after so many ids, and what was asked before each."""
    row, asked, is_due = new_row(request, template, context), list[Asked](), False
    limit = most_tokens(request, template, context)
    assert limit is not None
    while len(row.output) < limit and not (row.output and row.output[-1] in template.eos):
        advance(row)
        is_due = is_due and row.forced is not None
        if len(row.output) in closes:
            is_due = row.close() or is_due
        asked.append(Asked(edits(row), is_due, row.is_over))
        row.output.append(next_id(row, template, script, request))
    return row.output, asked
