"""Tables against rows: every step of a batch on a device, with drafts, preemptions and slots that are used again."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from cases import make_case
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.explorer import automaton_of
from elastic_reasoning.core.needs import most_tokens
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.strategies import names_of
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.integrations.edits import CERTAIN
from elastic_reasoning.integrations.row import Row
from elastic_reasoning.integrations.tables import Tables
from kernel_marks import DEVICES, NEEDS_GPU
from letters import letters
from no_waiting import no_waiting

COUNTING = names_of(lambda strategy: strategy.counts_only)
CLOSINGS = ("C", "CD", "CDC", "CCD", "OC")
NUM_SLOTS, CPU = 5, torch.device("cpu")


@dataclass(eq=False)
class Running:
    """A request under way, as an engine knows it."""

    request: Request
    walk: Walk
    temperature: float
    limit: int
    output: list[int] = field(default_factory=list)

    @property
    def num_prompt(self) -> int:
        return len(self.request.prompt.ids)

    def row(self, more: Sequence[int]) -> Row:
        template = self.walk.template
        walk = Walk(self.request, template, self.walk.context)
        return Row(walk, [*self.output, *more], min(template.eos))


def new_sequence(chance: random.Random, template: Template) -> Running:
    """A request that has an automaton, and an end."""
    while True:
        case = make_case(chance.choice, COUNTING, template)
        request = Request(Prompt((1, *case.request.prompt.ids), case.request.prompt.thinking), case.request.budget)
        kept = {
            k: v for k, v in case.request.options.items() if k not in ("wait", "num_waits", "grace", "loop_breaker")
        }
        request = Request(request.prompt, request.budget, case.request.strategy, Options(kept))
        walk = Walk(request, template, 60)
        limit = most_tokens(request, template, 60)
        if automaton_of(walk, min(template.eos)) is not None and limit:
            return Running(request, walk, chance.choice([0.0, 0.7, 1.0]), limit)


def wanted(row: Row, logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """These logits `[vocabulary]` as a row wants them."""
    edited, eos = logits.clone(), sorted(row._cursor.walk.template.eos)
    if row.forced is not None:
        edited[row.forced] = CERTAIN
        return edited
    edited[sorted(row.banned)] = -torch.inf
    if row.raised is not None:
        edited[row.raised[0]] += row.raised[1]
    if row.moves_to is not None:
        part = edited[[row.moves_to, *eos]]
        edited[row.moves_to] = temperature * torch.logsumexp(part / temperature, 0) if temperature else part.max()
        edited[eos] = -torch.inf
    return edited


class Batch:
    """What an engine does with sequences: they take slots, leave them, are preempted, and come in any order."""

    def __init__(self, template: Template, num_drafts: int, chance: random.Random, how: "How | None" = None) -> None:
        self._template, self._num_drafts, self._chance, self._how = template, num_drafts, chance, how or How()
        self._tables = [
            Tables(NUM_SLOTS, num_drafts, template, template.num_tokens, self._how.device, by_kernel)
            for by_kernel in self._how.by_kernel
        ]
        self._free = list(range(NUM_SLOTS))
        self._running: dict[int, Running] = {}
        self._waiting: list[Running] = []

    def run(self, num: int) -> None:
        self._waiting = [new_sequence(self._chance, self._template) for _ in range(num)]
        while self._waiting or self._running:
            self._schedule()
            slots = self._chance.sample(sorted(self._running), len(self._running))
            if fed := [self._feed(slot) for slot in slots]:
                logits, edited = self._forward(slots, fed)
                for slot, one, before, after in zip(slots, fed, logits, edited, strict=True):
                    self._judge(self._running[slot], one, before, after)

    def _schedule(self) -> None:
        chance = self._chance
        for slot, sequence in list(self._running.items()):
            done = len(sequence.output) >= sequence.limit or sequence.output[-1:] == [min(self._template.eos)]
            if done or chance.random() < 0.05:
                del self._running[slot]
                self._free.append(slot)
                if not done:
                    self._waiting.append(sequence)
                elif chance.random() < 0.5:  # a request without a budget has it in between
                    for tables in self._tables:
                        tables.leave(slot)
        while self._waiting and self._free:
            slot = self._free.pop(chance.randrange(len(self._free)))
            sequence = self._running[slot] = self._waiting.pop(0)
            automaton = automaton_of(sequence.walk, min(self._template.eos))
            assert automaton is not None
            for tables in self._tables:
                tables.enter(slot, automaton, sequence.num_prompt, sequence.output, sequence.temperature)

    def _feed(self, slot: int) -> "Fed":
        """An accepted id and what is proposed behind it; or a chunk of a prefill, behind which nothing is kept."""
        chance, sequence = self._chance, self._running[slot]
        ids = [*sequence.request.prompt.ids, *sequence.output]
        if len(ids) > 1 and chance.random() < 0.1:
            start = chance.randrange(len(ids) - 1)
            return Fed(start, (ids[start],), False)
        drafts: list[int] = []
        for _ in range(chance.randrange(self._num_drafts + 1)):
            forced = sequence.row(drafts).forced
            is_bad = forced is None or chance.random() < 0.1
            drafts.append(chance.randrange(self._template.num_tokens) if is_bad else forced)
        return Fed(len(ids) - 1, (ids[-1], *drafts), True)

    def _forward(self, slots: list[int], fed: "list[Fed]") -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The logits `[rows, vocabulary]` of each sequence, before and after."""
        generator = torch.Generator().manual_seed(self._chance.randrange(2**30))
        sizes = [len(one.ids) for one in fed]
        logits = torch.randn(sum(sizes), self._template.num_tokens, generator=generator).to(self._how.dtype)
        offsets = torch.tensor([n for size in sizes for n in range(size)])
        rows = (
            torch.tensor(slots).repeat_interleave(torch.tensor(sizes)),
            torch.tensor([token for one in fed for token in one.ids], dtype=torch.int32),
            torch.tensor([one.start for one in fed]).repeat_interleave(torch.tensor(sizes)) + offsets,
            offsets.int(),
        )
        edited = [logits.to(self._how.device, copy=True) for _ in self._tables]
        slots_of, ids, positions, offsets = (each.to(self._how.device) for each in rows)
        with self._how.guard():
            for tables, one in zip(self._tables, edited, strict=True):
                tables.flush()
                tables.apply(one, slots_of, np.array(slots), ids, positions, offsets if self._num_drafts else None)
        self._compare(edited)
        return list(logits.float().split(sizes)), list(edited[0].float().cpu().split(sizes))

    def _compare(self, edited: list[torch.Tensor]) -> None:
        """All tables do the same, and keep the same."""
        (first, *others), (kept, *others_kept) = edited, [tables._kept for tables in self._tables]
        for one, its in zip(others, others_kept, strict=True):
            torch.testing.assert_close(one, first, **self._how.rounding)
            assert its.slots.equal(kept.slots)
            assert its.places[:, :-1].equal(kept.places[:, :-1])

    def _judge(self, sequence: Running, fed: "Fed", logits: torch.Tensor, edited: torch.Tensor) -> None:
        """Compare what was asked behind every accepted id, and take the ids that are drawn."""
        if not fed.counts:
            return
        drafts = fed.ids[1:]
        for n in range(len(fed.ids)):
            row = sequence.row([])
            asked = wanted(row, logits[n], sequence.temperature)
            torch.testing.assert_close(edited[n], asked, atol=self._how.tolerance, rtol=self._how.tolerance)
            token = self._draw(row, asked, drafts[n] if n < len(drafts) else None)
            sequence.output.append(token)
            done = len(sequence.output) >= sequence.limit or token in self._template.eos
            if done or n >= len(drafts) or token != drafts[n]:
                return

    def _draw(self, row: Row, asked: torch.Tensor, draft: int | None) -> int:
        """What is sampled: most often something that matters, or what was proposed, where it may be."""
        if row.forced is not None:
            return row.forced
        template, chance = self._template, self._chance
        marks = [*template.closing.ids, *template.opening.ids, *([draft] * 12 if draft is not None else [])]
        while True:
            token = chance.choice([*range(template.num_tokens), *marks, *marks])
            if asked[token] > -torch.inf:
                return token


@dataclass(frozen=True)
class How:
    """By which steps, on what, and how near they come to one another and to what is asked for."""

    by_kernel: tuple[bool, ...] = (False,)
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    rounding: dict[str, float] = field(default_factory=dict)
    tolerance: float = 1e-4
    guard: Callable[[], AbstractContextManager[None]] = no_waiting


@dataclass
class Fed:
    """What a sequence is fed in a step, from which place on, and whether anything is sampled behind it."""

    start: int
    ids: tuple[int, ...]
    counts: bool


@pytest.mark.parametrize("num_drafts", [0, 1, 3])
@pytest.mark.parametrize("closing", CLOSINGS)
def test_each_step_of_each_sequence_is_what_its_row_wants(closing: str, num_drafts: int) -> None:
    for seed in range(2):
        chance = random.Random(f"{closing} {num_drafts} {seed}")
        template = letters(chance.choice(["O", "OP", "CO"]), closing, "$ZOPCDEawv.01", chance.choice(["$", "$Z"]))
        Batch(template, num_drafts, chance).run(10)


ROUNDING = {
    torch.float32: ({"atol": 2e-6, "rtol": 2e-6}, 1e-4),
    torch.bfloat16: ({"atol": 0.03, "rtol": 0.02}, 0.03),
}
"""Of the kernel beside the tensor operations, and of both beside what is asked for."""


@contextmanager
def refusing_to_wait() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
@pytest.mark.parametrize("num_drafts", [0, 3])
@pytest.mark.parametrize("device", DEVICES)
def test_the_kernel_does_what_the_tensor_operations_do(device: str, num_drafts: int, dtype: torch.dtype) -> None:
    rounding, tolerance = ROUNDING[dtype]
    guard = nullcontext if device == "cpu" else refusing_to_wait  # the interpreter reads tensors itself
    how = How((False, True), torch.device(device), dtype, rounding, tolerance, guard)
    for closing in CLOSINGS[::2]:
        chance = random.Random(f"{closing} {num_drafts} {dtype}")
        # One number of ends for each type: a kernel is made for each.
        template = letters(chance.choice(["O", "OP", "CO"]), closing, "$ZOPCDEawv.01", "$Z"[: dtype.itemsize // 2])
        Batch(template, num_drafts, chance, how).run(10)


@pytest.mark.gpu
@NEEDS_GPU
@pytest.mark.parametrize("by_kernel", [True, False])
def test_no_step_waits_for_the_device(by_kernel: bool) -> None:
    template, device = letters(), torch.device("cuda")
    walk = Walk(Request(Prompt((4, 5), Thinking.OPEN), Budget(3, 3), options=Options(soft_landing=2)), template, 60)
    automaton = automaton_of(walk, min(template.eos))
    assert automaton is not None
    tables = Tables(2, 1, template, template.num_tokens, device, by_kernel)
    logits = torch.zeros(2, template.num_tokens, device=device)
    slots, ids, offsets = (torch.tensor(of, device=device) for of in ([1, 1], [5, 6], [0, 1]))
    positions = torch.tensor([1, 2], device=device)
    with refusing_to_wait():
        for _ in range(3):
            tables.enter(1, automaton, 2, [], 1.0)
            tables.flush()
            tables.apply(logits, slots, np.array([1]), ids, positions, offsets)
