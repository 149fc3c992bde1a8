"""A logits processor that keeps the budgets of a whole batch, for both of vLLM's model runners.

Whatever happens to a sequence (preemption, chunked prefill, moves within the batch), its `Row` is a function of the
ids that it has emitted, and is made again from them where it has to be.
"""

from dataclasses import dataclass
from typing import Any

import torch
from vllm.v1.sample.logits_processor import LogitsProcessor as ProcessorV1
from vllm.v1.sample.logits_processor import MoveDirectionality
from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as ProcessorV2

from elastic_reasoning.integrations.row import Row
from elastic_reasoning.integrations.vllm.admission import Served, admit
from elastic_reasoning.wire import from_wire

NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class _Budgeted:
    """A row, and the temperature at which it is sampled."""

    row: Row
    temperature: float


class BudgetProcessor(ProcessorV1, ProcessorV2):
    """Forces, forbids and moves what the strategies of the budgeted sequences in a batch ask for.

    A sequence without a budget is left alone. Between a cursor's events nothing is computed for a sequence but
    whether there is one.

    Args:
        vllm_config: of the engine.
        where: the device (V1), or the state of the requests (V2).
        is_pin_memory: of V1 alone.
    """

    def __init__(self, vllm_config: Any, where: Any, is_pin_memory: bool | None = None) -> None:
        self._served = Served.of(vllm_config)
        self._states: Any = None if isinstance(where, torch.device) else where
        self._rows: dict[int, _Budgeted] = {}
        self._entered: dict[int, Any] = {}
        self._edits: _Edits | None = None
        if self._states is None and vllm_config.scheduler_config.async_scheduling:
            _have_output_ids()

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Refuse a request whose budget cannot be kept; vLLM answers with status 400.

        Raises:
            ValueError: with the value, what is allowed, and the fix.
        """
        admit(sampling_params)

    def is_argmax_invariant(self) -> bool:
        """It is not: greedy sampling must heed it too."""
        return False

    # Model runner V1: rows are positions in the batch, and their output ids are lists that vLLM keeps up to date.

    def update_state(self, batch_update: Any) -> None:
        """Follow the sequences that left, entered and moved."""
        if batch_update is None:
            return
        rows = self._rows
        for index in batch_update.removed:
            rows.pop(index, None)
        for index, params, prompt_ids, output_ids in batch_update.added:
            rows.pop(index, None)
            self._add(index, params, prompt_ids, output_ids)
        for source, target, direction in batch_update.moved:
            moved, replaced = rows.pop(source, None), rows.pop(target, None)
            if moved is not None:
                rows[target] = moved
            if replaced is not None and direction is MoveDirectionality.SWAP:
                rows[source] = replaced
        self._edits = None

    def _add(self, index: int, params: Any, prompt_ids: Any, output_ids: list[int]) -> None:
        row = self._served.row(params, prompt_ids, output_ids)
        if row is not None:
            self._rows[index] = _Budgeted(row, params.temperature)

    def apply(self, logits: torch.Tensor, ctx: Any = None) -> torch.Tensor:
        """Edit the logits `[rows, vocabulary]` in place."""
        if not self._rows:
            return logits
        rows = self._rows if ctx is None else self._rows_of(ctx)
        changed = [budgeted.row.advance() for budgeted in rows.values()]
        if self._edits is None or ctx is not None or any(changed):
            self._edits = _Edits.of(rows, self._served.template.eos, logits.device)
        self._edits.apply(logits)
        return logits

    # Model runner V2: rows are keyed by slot, the batch has another order in every step, and the ids are on the device.

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        """Note the sequence that enters a slot, and say whether it has a budget."""
        self._rows.pop(req_idx, None)
        self._entered.pop(req_idx, None)
        has_budget = from_wire(sampling_params.extra_args) is not None
        if has_budget:
            self._entered[req_idx] = sampling_params
        return has_budget

    def apply_staged_writes(self) -> None:
        """Begin with the sequences that have entered: only now are their ids on the device.

        One that goes on after a preemption brings what it has emitted.
        """
        for slot, params in self._entered.items():
            num_prompt, num_ids = (int(of.np[slot]) for of in (self._states.prompt_len, self._states.prefill_len))
            ids = self._states.all_token_ids.gpu[slot, :num_ids].tolist()
            self._add(slot, params, ids[:num_prompt], ids[num_prompt:])
        self._entered.clear()

    def _rows_of(self, ctx: Any) -> dict[int, _Budgeted]:
        """The rows of this step by their positions in it, each with the token that was sampled for it last."""
        fed = ctx.input_ids.tolist()
        rows = {}
        for position, slot in enumerate(ctx.idx_mapping_np.tolist()):
            if slot not in self._rows:
                continue
            output = self._rows[slot].row.output
            num_output = int(ctx.seq_lens_upper_bound_np[position]) - int(self._states.prompt_len.np[slot])
            if num_output == len(output) + 1:
                output.append(fed[position])
            if num_output == len(output):  # else it is in the middle of a prefill, and what is sampled is thrown away
                rows[position] = self._rows[slot]
        return rows


@dataclass(frozen=True, slots=True)
class _Edits:
    """What the rows of a batch ask for, as tensors.

    Attributes:
        forced: rows `[f]` and the id of each `[f]`.
        moved: rows `[m]`, and for each the id that receives `[m]` and the temperature `[m]`, 0 for greedy.
        eos: ids that end a sequence `[e]`.
        banned: rows `[b]` and as many ids.
    """

    forced: tuple[torch.Tensor, torch.Tensor] | None
    moved: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None
    eos: torch.Tensor
    banned: tuple[torch.Tensor, torch.Tensor] | None

    @classmethod
    def of(cls, rows: dict[int, _Budgeted], eos: frozenset[int], device: torch.device) -> "_Edits":
        forced = [(index, b.row.forced) for index, b in rows.items() if b.row.forced is not None]
        moved = [(index, b.row.moves_to, b.temperature) for index, b in rows.items() if b.row.moves_to is not None]
        banned = [(index, token) for index, b in rows.items() for token in b.row.banned]
        return cls(
            _columns(forced, device),  # type: ignore[arg-type]
            _columns(moved, device),  # type: ignore[arg-type]
            torch.tensor(sorted(eos), device=device),
            _columns(banned, device),  # type: ignore[arg-type]
        )

    def apply(self, logits: torch.Tensor) -> None:
        if self.banned is not None:
            logits[self.banned] = NEVER
        if self.moved is not None:
            rows, targets, temperatures = self.moved
            scale = torch.where(temperatures > 0, temperatures, 1)
            ends = logits[rows[:, None], self.eos]
            together = torch.cat([logits[rows, targets][:, None], ends], dim=1)
            summed = torch.logsumexp(together / scale[:, None], dim=1) * scale
            logits[rows, targets] = torch.where(temperatures > 0, summed, together.amax(dim=1)).to(logits.dtype)
            logits[rows[:, None], self.eos] = NEVER
        if self.forced is not None:
            rows, ids = self.forced
            logits[rows] = NEVER
            logits[rows, ids] = 0.0


def _columns(lines: list[tuple[Any, ...]], device: torch.device) -> tuple[torch.Tensor, ...] | None:
    return tuple(torch.tensor(column, device=device) for column in zip(*lines, strict=True)) if lines else None


def _have_output_ids() -> None:
    """Make V1 complete the output ids in time where it schedules ahead.

    It does so only where a processor is named by `--logits-processors`, not for one that it has found by itself.
    """
    from vllm.v1.worker.gpu_input_batch import InputBatch

    InputBatch.logitsprocs_need_output_token_ids = property(lambda batch: True, lambda batch, value: None)
