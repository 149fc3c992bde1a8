"""A logits processor that keeps the budgets of a whole batch, for both of vLLM's model runners.

Whatever happens to a sequence (preemption, chunked prefill, moves within the batch), where it stands is a function of
the ids that it has emitted, and is found again from them where it has to be.

V1 keeps these ids on the host, where a `Row` reads them. V2 keeps them on the device: there a sequence is a row of
`Tables`, and no step waits for it. What only a host can follow, as text that may be tokenised in several ways, tools or
a deadline, is a `Row` there too: the host has to know its last id before it can say what may come behind it. Such an id
is on its way to the host while the model runs on it, so that the device has something to do meanwhile.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from vllm.v1.sample.logits_processor import LogitsProcessor as ProcessorV1
from vllm.v1.sample.logits_processor import MoveDirectionality
from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as ProcessorV2

from elastic_reasoning.core.errors import ElasticError, EngineError
from elastic_reasoning.core.wire import from_wire
from elastic_reasoning.integrations.copies import LastIds
from elastic_reasoning.integrations.edits import LogitEdits
from elastic_reasoning.integrations.row import Row
from elastic_reasoning.integrations.tables import Tables
from elastic_reasoning.integrations.vllm.admission import Served, admit, automaton_for, end_of
from elastic_reasoning.integrations.vllm.deadlines import Timed, TimeKeeper
from elastic_reasoning.integrations.vllm.patches.arrivals import deadline_of


class _Budgeted(NamedTuple):
    """A row, the temperature at which it is sampled, and its deadline, if it has one."""

    row: Row
    temperature: float
    timed: Timed | None


def _budgeted(row: Row | None, params: Any) -> _Budgeted | None:
    if row is None:
        return None
    deadline = deadline_of(params)
    return _Budgeted(row, params.temperature, None if deadline is None else Timed(row, *deadline))


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
        self._config = vllm_config
        self._served = Served.of(vllm_config)
        self._served.prepare()
        self._states: Any = None if isinstance(where, torch.device) else where
        self._tables = None if self._states is None else self._new_tables()
        self._last = None if self._states is None else LastIds(where.all_token_ids.gpu, where.total_len.gpu)
        self._rows: dict[int, _Budgeted] = {}
        self._waits: dict[int, tuple[list[int], float, frozenset[int]]] = {}  # of rows: `output`, `wakes_at`, `watch`
        # Who samples rows of its own goes by its own clock: the others may have none to look at in a step.
        is_alone = vllm_config.parallel_config.enable_batch_sharded_sampling
        self._time = TimeKeeper(time.time if is_alone else clock_of_all())
        self._num_timed = 0  # where it is 0, nothing is done about time
        is_v1 = self._states is None
        self._num_places = vllm_config.scheduler_config.max_num_seqs if is_v1 else where.max_num_reqs
        self._edits: LogitEdits | None = None  # from the first row on: not every model has a template
        if is_v1 and vllm_config.scheduler_config.async_scheduling:
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
        for index in batch_update.removed:
            self._learn(index)
            self._put(index, None)
        for index, params, prompt_ids, output_ids in batch_update.added:
            self._learn(index)
            self._put(index, _budgeted(self._served.row(params, prompt_ids, output_ids), params))
        for source, target, direction in batch_update.moved:
            moved, replaced = self._rows.get(source), self._rows.get(target)
            self._put(target, moved)
            self._put(source, replaced if direction is MoveDirectionality.SWAP else None)

    def _put(self, place: int, budgeted: _Budgeted | None) -> None:
        before = self._rows.pop(place, None)
        self._num_timed -= before is not None and before.timed is not None
        if budgeted is not None:
            self._rows[place] = budgeted
            self._num_timed += budgeted.timed is not None
            edits = self._edits = self._edits or LogitEdits(self._num_places, self._served.template.eos)
            edits.set(place, budgeted.row, budgeted.temperature)
            self._await(place, budgeted.row)
        elif before is not None and self._edits is not None:
            del self._waits[place]
            self._edits.clear(place)

    def _await(self, place: int, row: Row) -> None:
        self._waits[place] = row.output, row.wakes_at, row.watch

    def _learn(self, place: int) -> None:
        """Look at the end of what leaves its place."""
        budgeted = self._rows.get(place)
        if budgeted is not None and budgeted.timed is not None:
            budgeted.row.advance()
            self._time.learn(budgeted.timed)

    def apply(self, logits: torch.Tensor, ctx: Any = None) -> torch.Tensor:
        """Edit the logits `[rows, vocabulary]` in place."""
        if self._tables is not None and ctx is not None:
            is_plain = len(ctx.input_ids) == len(ctx.idx_mapping_np)
            offsets = None if is_plain else ctx.expanded_local_pos
            self._tables.apply(logits, ctx.expanded_idx_mapping, ctx.idx_mapping_np, ctx.input_ids, ctx.pos, offsets)
        edits = self._edits
        if not self._rows or edits is None:
            return logits
        places = None if ctx is None else ctx.idx_mapping_np
        if ctx is not None and not self._read(ctx):
            return logits
        # Most have nothing to do: to look at the rows themselves would cost as much as all else here.
        waits = self._waits.items()
        due = [at for at, (ids, wakes_at, watch) in waits if ids and (len(ids) >= wakes_at or ids[-1] in watch)]
        for place in due:
            row, temperature, _ = self._rows[place]
            if row.advance():
                edits.set(place, row, temperature)
            self._await(place, row)
        if self._num_timed:
            self._close_due(edits, range(len(logits)) if places is None else places.tolist())
        edits.apply(logits, places)
        return logits

    def _close_due(self, edits: LogitEdits, places: Sequence[int]) -> None:
        """Close what can wait no longer, of the sequences of this step."""
        rows = [(place, self._rows[place]) for place in places if place in self._rows]
        closed = self._time.close_due([budgeted.timed for _, budgeted in rows if budgeted.timed is not None])
        for place, (row, temperature, timed) in rows:
            if timed in closed:
                edits.set(place, row, temperature)
                self._await(place, row)

    # Model runner V2: rows are keyed by slot, the batch has another order in every step, and the ids are on the device.

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        """Begin with the sequence that enters a slot, and say whether it has a budget.

        One that goes on after a preemption brings what it has emitted.
        """
        self._learn(req_idx)
        self._put(req_idx, None)
        if self._tables is not None:
            self._tables.leave(req_idx)
        wire = from_wire(sampling_params.extra_args)
        if wire is None:
            return False
        ids, num_prompt = _entered_ids(self._states.all_token_ids, req_idx), int(self._states.prompt_len.np[req_idx])
        walk, output = self._served.walk(wire, ids[:num_prompt], sampling_params.max_tokens), ids[num_prompt:]
        end = end_of(sampling_params)
        automaton = automaton_for(walk, end, self._config)
        if automaton is None:
            self._put(req_idx, _budgeted(Row(walk, output, end), sampling_params))
        else:
            assert self._tables is not None  # an automaton is of a model whose template is known
            self._tables.enter(req_idx, automaton, num_prompt, output, sampling_params.temperature)
        return True

    def _new_tables(self) -> Tables | None:
        """Made when the engine starts, as that takes a second; `None` for a model that no budget can be kept for."""
        try:
            template = self._served.template
        except ElasticError:
            return None
        states, speculative = self._states, self._config.speculative_config
        num_drafts = 0 if speculative is None else speculative.num_speculative_tokens
        return Tables(states.max_num_reqs, num_drafts, template, states.vocab_size, states.device)

    def apply_staged_writes(self) -> None:
        """Bring what has entered to the device, and begin to bring from it what the host has to know."""
        if self._tables is not None:
            self._tables.flush()
        if self._last is not None and self._rows:
            self._last.ask(sorted(self._rows))

    def _read(self, ctx: Any) -> bool:
        """Read the token that was sampled last for each budgeted sequence of this step, and say if there is any.

        Until these are sampled it is waited, and not until the model has run on them. A sequence in the middle of
        a prefill has none, and what is sampled for it is thrown away.
        """
        budgeted = [(at, slot) for at, slot in enumerate(ctx.idx_mapping_np.tolist()) if slot in self._rows]
        if not budgeted:  # the device need not be waited for
            return False
        assert self._last is not None  # V1 does not come here
        last = self._last.wait()
        for position, slot in budgeted:
            output, num_prompt = self._rows[slot].row.output, int(self._states.prompt_len.np[slot])
            num_read, num_ids = num_prompt + len(output), int(ctx.seq_lens_upper_bound_np[position])
            num_sampled, token = last[slot]
            if num_ids == num_sampled == num_read + 1:
                output.append(token)
            elif num_ids > num_read:  # steps in which it was not asked
                output.extend(self._states.all_token_ids.gpu[slot, num_read:num_ids].tolist())
        return True


def _entered_ids(of_all: Any, slot: int) -> list[int]:
    """The ids of a sequence that has just entered a slot: they are not on the device yet, which is not waited for.

    Raises:
        EngineError: this version of vLLM does not note them so.
    """
    try:
        last = max(n for n, index in enumerate(of_all._staged_write_indices) if index == slot)
        start, end = [0, *of_all._staged_write_cu_lens][last : last + 2]
        return [int(token) for token in of_all._staged_write_contents[start:end]]
    except (AttributeError, ValueError):
        raise EngineError(
            "this version of vLLM notes ids in a way that is not known here: use vllm 0.32 or 0.33"
        ) from None


def clock_of_all() -> Callable[[], float]:
    """The time of day, the same for all who sample together: each tensor-parallel worker draws every token itself."""
    from vllm.distributed import parallel_state

    if not parallel_state.model_parallel_is_initialized() or parallel_state.get_tp_group().world_size == 1:
        return time.time
    group = parallel_state.get_tp_group()

    def agreed() -> float:
        now = torch.tensor([time.time()], dtype=torch.float64)
        torch.distributed.broadcast(now, group.ranks[0], group.cpu_group)
        return float(now)

    return agreed


def _have_output_ids() -> None:
    """Make V1 complete the output ids in time where it schedules ahead.

    It does so only where a processor is named by `--logits-processors`, not for one that it has found by itself.
    """
    from vllm.v1.worker.gpu_input_batch import InputBatch

    InputBatch.logitsprocs_need_output_token_ids = property(lambda batch: True, lambda batch, value: None)
