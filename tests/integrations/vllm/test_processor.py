"""The processor against the state that vLLM's two model runners keep, step by step, with random logits for a model.

Model runner V1 is represented by its real `InputBatch`. Of V2, which needs a GPU, the state of the requests is the
real one too, but for the kernel that copies staged writes to the device; the order of calls is the runner's.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request, Sampling, derived_seed
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.integrations.row import Row
from elastic_reasoning.integrations.vllm.patches.arrivals import DEADLINE_AT
from no_waiting import no_waiting

pytest.importorskip("vllm.v1.worker.gpu_input_batch", reason="vllm is not installed")

pytestmark = pytest.mark.vllm

TOKENIZER, TEMPLATE = load_template("mini")
[EOS], [CLOSING], [OPENING] = TEMPLATE.eos, TEMPLATE.closing.ids, TEMPLATE.opening.ids
NUM_TOKENS, CONTEXT, MAX_ROWS, CHUNK = 77, 128, 6, 5
CPU = torch.device("cpu")


@dataclass(eq=False)
class Sequence:
    """One request in the world: what vLLM's scheduler and model runner know of it."""

    name: str
    request: Request | None
    prompt: list[int]
    temperature: float
    max_tokens: int
    output: list[int] = field(default_factory=list)
    num_computed: int = 0
    num_scheduled: int = 0
    arrival: float = 0.0
    ended: float = 0.0
    was_preempted: bool = False

    @property
    def ids(self) -> list[int]:
        return [*self.prompt, *self.output]

    @property
    def samples(self) -> bool:
        """Whether what is sampled for it in this step is kept."""
        return self.num_computed + self.num_scheduled == len(self.ids)

    @property
    def done(self) -> bool:
        return len(self.output) == self.max_tokens or EOS in self.output[-1:]

    @property
    def has_deadline(self) -> bool:
        return self.request is not None and self.request.deadline_seconds is not None

    @property
    def params(self) -> Any:
        from vllm import SamplingParams

        extra: dict[str, Any] | None = None if self.request is None else dict(to_wire(self.request))
        if extra is not None and self.request is not None and self.request.deadline_seconds is not None:
            extra[DEADLINE_AT] = self.arrival + self.request.deadline_seconds
        params = SamplingParams(temperature=self.temperature, max_tokens=self.max_tokens, extra_args=extra)
        params.update_from_generation_config({"eos_token_id": EOS}, EOS)
        return params

    def logits(self) -> torch.Tensor:
        """What the model says after the ids so far: delimiters and ends are frequent."""
        generator = torch.Generator().manual_seed(derived_seed(self.name, *self.ids) >> 1)
        logits = 2 * torch.randn(NUM_TOKENS, generator=generator)
        logits[[EOS, CLOSING]] += 2
        return logits

    def wanted(self, logits: torch.Tensor, is_due: bool = False) -> torch.Tensor:
        """The logits as the strategy wants them, computed from the ids alone, and from whether time closes a phase."""
        if self.request is None:
            return logits
        row = Row(Walk(self.request, TEMPLATE, CONTEXT), list(self.output), EOS)
        if is_due:
            row.close()
        edited = logits.clone()
        if row.forced is not None:
            edited[:] = -torch.inf
            edited[row.forced] = 0
            return edited
        edited[sorted(row.banned)] = -torch.inf
        if row.raised is not None:
            edited[row.raised[0]] += row.raised[1]
        if row.moves_to is not None:
            both = edited[[EOS, row.moves_to]]
            t = self.temperature
            edited[row.moves_to] = t * torch.logsumexp(both / t, 0) if t else both.max()
            edited[EOS] = -torch.inf
        return edited

    def behind(self, drafts: list[int]) -> "Sequence":
        """The same as if these ids had been sampled."""
        return replace(self, output=[*self.output, *drafts])

    def draw(self, edited: torch.Tensor) -> int:
        chance = torch.Generator().manual_seed(derived_seed(self.name, len(self.output)) >> 1)
        noise = -torch.log(-torch.log(torch.rand(NUM_TOKENS, generator=chance).clamp(1e-9, 1 - 1e-7)))
        return int((edited / self.temperature + noise if self.temperature else edited).argmax())


def new_sequence(number: int, chance: random.Random, on_device: bool = False) -> Sequence:
    """A request of a random kind; every fourth has no budget. `on_device`: of a kind that a device can keep."""
    state = chance.choice([*Thinking])
    opened = {Thinking.OPEN: [OPENING], Thinking.CLOSED: [OPENING, CLOSING], Thinking.ABSENT: []}[state]
    prompt = [*(chance.randrange(7, NUM_TOKENS) for _ in range(chance.randrange(1, 12))), *opened]
    strategy, options = chance.choice(
        [
            ("elastic", Options()),
            ("elastic", Options(wrap_up="so ok", grace=4)),
            ("elastic", Options(min_thinking=2)),
            ("elastic", Options(soft_landing=2, landing_peak=3, close_text="so")),
            ("elastic", Options(wrap_up="{used} ok {left}", loop_breaker=12)),
            ("nothinking", Options()),
            ("s1", Options(answer_tokens=3)),
            ("vanilla", Options()),
            ("unconstrained", Options()),
        ]
    )
    budget = Budget(chance.choice([2, 6, 15]), chance.choice([0, 1, 5]))
    if on_device and any(options.get(name) for name in ("grace", "loop_breaker")):
        options = Options(wrap_up="{used} ok {left}")
    temperature = chance.choice([0.0, 0.5, 1.0, 1.7])
    seconds = None if on_device else chance.choice([None, None, 16.0, 25.0, 60.0])
    asked = Request(
        Prompt(tuple(prompt), state), budget, strategy, options, Sampling(temperature), deadline_seconds=seconds
    )
    return Sequence(str(number), None if number % 4 == 3 else asked, prompt, temperature, CONTEXT - len(prompt))


Rows = dict[str, torch.Tensor]
"""By name the logits `[rows, vocabulary]` behind the last id of a sequence and behind each that is proposed."""
Drafts = dict[str, list[int]]
"""By name the ids that are proposed."""


class RunnerV1:
    """Moves rows about as vLLM does: holes are filled from the end, and rows are swapped.

    Args:
        asynchronous: what was sampled is a placeholder until the next step has begun.
    """

    def __init__(self, config: Any, asynchronous: bool) -> None:
        from vllm.v1.sample.logits_processor import build_logitsprocs
        from vllm.v1.worker.gpu_input_batch import InputBatch

        config.scheduler_config.async_scheduling = asynchronous
        self._asynchronous = asynchronous
        self.batch = InputBatch(
            max_num_reqs=MAX_ROWS,
            max_model_len=CONTEXT,
            max_num_batched_tokens=CONTEXT,
            device=CPU,
            vocab_size=NUM_TOKENS,
            block_sizes=[32],
            max_num_blocks_per_req=[4],
            logitsprocs=build_logitsprocs(config, CPU, False, False),
        )
        self._outputs: dict[str, list[int]] = {}

    def enter(self, sequence: Sequence) -> None:
        from vllm.v1.worker.gpu_input_batch import CachedRequestState

        self._outputs[sequence.name] = list(sequence.output)
        state = CachedRequestState(
            sequence.name, sequence.prompt, [], sequence.params, None, ([],), 0, self._outputs[sequence.name]
        )
        self.batch.add_request(state)

    def leave(self, sequence: Sequence) -> None:
        self.batch.remove_request(sequence.name)

    num_drafts = 0

    def step(self, logits: Rows, drafts: Drafts, chance: random.Random) -> Rows:
        batch = self.batch
        batch.condense()
        if batch.num_reqs > 1 and chance.random() < 0.5:
            batch.swap_states(*chance.sample(range(batch.num_reqs), 2))
        batch.refresh_metadata()
        batch.update_async_output_token_ids()
        rows = torch.cat([logits[name] for name in batch.req_ids])
        for processor in batch.logitsprocs.non_argmax_invariant:
            rows = processor.apply(rows)
        return dict(zip(batch.req_ids, rows.split(1), strict=True))

    def sampled(self, tokens: dict[str, int]) -> None:
        names = list(self.batch.req_ids)
        for name, token in tokens.items():
            self._outputs[name].append(-1 if self._asynchronous else token)
        if self._asynchronous:
            ids = torch.tensor([[tokens.get(name, -1)] for name in names])
            self.batch.prev_req_id_to_index = {name: n for n, name in enumerate(names) if name in tokens}
            self.batch.set_async_sampled_token_ids(ids, SimpleNamespace(synchronize=lambda: None))


class RunnerV2:
    """Keeps slots, recycles them, and orders the rows anew in every step."""

    def __init__(self, config: Any, num_drafts: int) -> None:
        from vllm.v1.worker.gpu.sample.logits_processor import build_custom_logits_processors
        from vllm.v1.worker.gpu.states import RequestState

        self.num_drafts = num_drafts
        if num_drafts:
            config.speculative_config = SimpleNamespace(num_speculative_tokens=num_drafts)
        self.states = RequestState(MAX_ROWS, CONTEXT, CONTEXT, num_drafts, NUM_TOKENS, CPU)
        [self._processor] = build_custom_logits_processors(config, self.states, False)
        self._present: dict[str, Sequence] = {}
        self._edited: dict[int, bool] = {}
        self._entering: list[Sequence] = []

    def enter(self, sequence: Sequence) -> None:
        self._entering.append(sequence)

    def leave(self, sequence: Sequence) -> None:
        del self._present[sequence.name]
        self.states.remove_request(sequence.name)

    def step(self, logits: Rows, drafts: Drafts, chance: random.Random) -> Rows:
        from vllm.v1.worker.gpu.sample.logits_processor import LogitsContext

        for sequence in self._entering:
            self._present[sequence.name] = sequence
            self.states.add_request(sequence.name, len(sequence.prompt), sequence.ids, 0, sequence.max_tokens)
            slot = self.states.req_id_to_index[sequence.name]
            self._edited[slot] = self._processor.add_request(slot, sequence.params)
            assert self._edited[slot] == (sequence.request is not None)
        self._entering.clear()
        self.states.apply_staged_writes()
        self._processor.apply_staged_writes()
        names = chance.sample(sorted(self._present), len(self._present))
        slots = [self.states.req_id_to_index[name] for name in names]
        sizes = [len(logits[name]) for name in names]
        rows = torch.cat([logits[name] for name in names])
        if any(self._edited[slot] for slot in slots):
            ends = [self._present[name].num_computed + self._present[name].num_scheduled for name in names]
            fed = [[self._present[name].ids[end - 1], *drafts[name]] for name, end in zip(names, ends, strict=True)]
            each, offset = torch.tensor(sizes), torch.tensor([n for size in sizes for n in range(size)])
            context = LogitsContext(
                torch.tensor(slots).repeat_interleave(each),
                torch.tensor(slots),
                np.array(slots, dtype=np.intp),
                offset.int(),
                torch.tensor([token for ids in fed for token in ids], dtype=torch.int32),
                torch.tensor(ends).repeat_interleave(each) - 1 + offset,
                np.array([*(end + size - 1 for end, size in zip(ends, sizes, strict=True)), 0, 0], dtype=np.int32),
            )
            with self._waiting_for_last_ids_alone():
                rows = self._processor.apply(rows, context)
        return dict(zip(names, rows.split(sizes), strict=True))

    @contextmanager
    def _waiting_for_last_ids_alone(self) -> Iterator[None]:
        """Nothing else is waited for, be it for sequences that the host follows."""
        last = self._processor._last
        known = last.wait() if len(last._copied) else {}
        with patch.object(last, "wait", lambda: known), no_waiting():
            yield

    def sampled(self, tokens: dict[str, int]) -> None:
        """Write down what was sampled, as `post_update` does."""
        for name, token in tokens.items():
            slot = self.states.req_id_to_index[name]
            length = int(self.states.total_len.gpu[slot])
            self.states.all_token_ids.gpu[slot, length] = token
            self.states.total_len.gpu[slot] = length + 1


@pytest.fixture
def runner(
    request: pytest.FixtureRequest, config_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunnerV1 | RunnerV2]:
    from vllm.v1.worker.gpu import buffer_utils
    from vllm.v1.worker.gpu_input_batch import InputBatch

    def write(tensor: Any) -> None:
        ends = tensor._staged_write_cu_lens
        for row, start, begin, end in zip(
            tensor._staged_write_indices, tensor._staged_write_starts, [0, *ends], ends, strict=False
        ):
            values = torch.tensor(tensor._staged_write_contents[begin:end], dtype=tensor.dtype)
            tensor.gpu.reshape(tensor.num_rows, -1)[row, start : start + end - begin] = values
        tensor.clear_staged_writes()

    monkeypatch.setattr(buffer_utils.StagedWriteTensor, "apply_write", write)
    monkeypatch.setattr(buffer_utils, "is_uva_available", lambda: False)  # it says yes on a CPU
    config = config_of()
    if request.param in NUM_DRAFTS:
        yield RunnerV2(config, NUM_DRAFTS[request.param])
    else:
        yield RunnerV1(config, request.param == "V1, asynchronous")
    if "logitsprocs_need_output_token_ids" in vars(InputBatch):
        del InputBatch.logitsprocs_need_output_token_ids


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which stands still until somebody sets it."""
    now = [1000.0]
    monkeypatch.setattr("elastic_reasoning.integrations.vllm.processor.clock_of_all", lambda: lambda: now[0])
    return now


NUM_DRAFTS = {"V2": 0, "V2, speculative": 3}
every_runner = pytest.mark.parametrize("runner", ["V1", "V1, asynchronous", *NUM_DRAFTS], indirect=True)


def live(runner: RunnerV1 | RunnerV2, num: int, seed: int, clock: list[float]) -> list[Sequence]:
    """Run so many requests to their ends, with preemptions and prefills in chunks; every step is judged.

    Each takes a second. Requests arrive when there is room for them.
    """
    chance = random.Random(seed)
    waiting = [new_sequence(number, chance, runner.num_drafts > 0) for number in range(num)]
    running: list[Sequence] = []
    ended: list[Sequence] = []
    while waiting or running:
        for sequence in running[:]:
            preempted = len(running) > 1 and chance.random() < 0.05
            if sequence.done or preempted:
                sequence.ended = clock[0]
                sequence.was_preempted |= preempted
                running.remove(sequence)
                runner.leave(sequence)
                (ended if sequence.done else waiting).append(sequence)
        while waiting and len(running) < MAX_ROWS and (not running or chance.random() < 0.7):
            sequence = waiting.pop(0)
            sequence.num_computed = 0
            sequence.arrival = sequence.arrival or clock[0]
            running.append(sequence)
            runner.enter(sequence)
        for sequence in running:
            sequence.num_scheduled = min(CHUNK, len(sequence.ids) - sequence.num_computed)
        if running:
            _step(runner, running, chance)
        clock[0] += 1
    return ended


def _step(runner: RunnerV1 | RunnerV2, running: list[Sequence], chance: random.Random) -> None:
    drafts = {sequence.name: propose(sequence, runner.num_drafts, chance) for sequence in running}
    logits = {one.name: torch.stack([at.logits() for at in proposed(one, drafts[one.name])]) for one in running}
    edited = runner.step({name: rows.clone() for name, rows in logits.items()}, drafts, chance)
    tokens = {}
    for sequence in running:
        if sequence.samples:
            tokens[sequence.name] = accept(
                sequence, drafts[sequence.name], logits[sequence.name], edited[sequence.name]
            )
        elif sequence.request is None:
            assert torch.equal(edited[sequence.name], logits[sequence.name])
    runner.sampled({name: ids[0] for name, ids in tokens.items()})
    for sequence in running:
        sequence.num_computed += sequence.num_scheduled
        new = tokens.get(sequence.name, [])
        sequence.output += new
        sequence.num_computed += max(0, len(new) - 1)


def propose(sequence: Sequence, most: int, chance: random.Random) -> list[int]:
    """Ids that are proposed behind one that has sampled before: often those that will be drawn."""
    drafts: list[int] = []
    if sequence.samples and sequence.num_scheduled == 1:
        for _ in range(chance.randrange(most + 1)):
            at = sequence.behind(drafts)
            drafts.append(at.draw(at.wanted(at.logits())) if chance.random() < 0.7 else chance.randrange(NUM_TOKENS))
    return drafts


def proposed(sequence: Sequence, drafts: list[int]) -> list[Sequence]:
    return [sequence.behind(drafts[:n]) for n in range(len(drafts) + 1)]


def accept(sequence: Sequence, drafts: list[int], logits: torch.Tensor, edited: torch.Tensor) -> list[int]:
    """Judge the logits behind every accepted id; what is sampled up to the first id that was not proposed."""
    tokens: list[int] = []
    for n, at in enumerate(proposed(sequence, drafts)):
        wanted = at.wanted(logits[n])
        if sequence.has_deadline and not torch.allclose(edited[n], wanted, atol=1e-5, rtol=1e-5):
            wanted = at.wanted(logits[n], is_due=True)
        compare(edited[n], wanted)
        tokens.append(at.draw(wanted))
        if sequence.behind(tokens).done or tokens[n : n + 1] != drafts[n : n + 1]:
            break
    return tokens


def compare(edited: torch.Tensor, wanted: torch.Tensor) -> None:
    """The same logits; where one id is forced, no other is possible beside it."""
    if torch.isinf(wanted).sum() == NUM_TOKENS - 1:
        forced = int(wanted.argmax())
        assert torch.equal(torch.softmax(edited, -1), torch.softmax(wanted, -1)), forced
        assert edited[forced] - edited[torch.arange(NUM_TOKENS) != forced].max() > 1e8
    else:
        torch.testing.assert_close(edited, wanted, atol=1e-5, rtol=1e-5)


@every_runner
@pytest.mark.parametrize("seed", range(6))
def test_each_step_of_each_sequence_is_what_its_strategy_wants_and_in_time(
    clock: list[float], runner: RunnerV1 | RunnerV2, seed: int
) -> None:
    ended = live(runner, 40, seed, clock)
    assert len(ended) == 40
    assert sum(one.has_deadline for one in ended) >= (0 if runner.num_drafts else 12)
    for sequence in ended:
        if sequence.request is not None:
            logprobs = [-1.0] * len(sequence.output)
            trace = replay(sequence.request, sequence.output, TEMPLATE, CONTEXT, logprobs=logprobs, end=TEMPLATE.eos)
            assert check(trace, CONTEXT) == []
            assert trace.error is None
        if sequence.has_deadline and not sequence.was_preempted:
            assert sequence.ended <= sequence.arrival + sequence.request.deadline_seconds


@every_runner
def test_a_batch_without_budgets_is_left_alone(runner: RunnerV1 | RunnerV2) -> None:
    plain = new_sequence(3, random.Random(0))
    assert plain.request is None
    runner.enter(plain)
    plain.num_scheduled = len(plain.prompt)
    logits = plain.logits()[None]
    drafts: Drafts = {plain.name: []}
    assert torch.equal(runner.step({plain.name: logits.clone()}, drafts, random.Random(0))[plain.name], logits)


@pytest.mark.parametrize("runner", ["V1, asynchronous"], indirect=True)
def test_v1_completes_output_ids_in_time_where_it_schedules_ahead(runner: RunnerV1) -> None:
    sequence = new_sequence(0, random.Random(0))
    runner.enter(sequence)
    runner.batch.refresh_metadata()
    assert runner.batch.sampling_metadata.output_token_ids == [[]]


@pytest.mark.parametrize("runner", ["V1"], indirect=True)
def test_v1_is_not_touched_where_it_does_not_schedule_ahead(runner: RunnerV1) -> None:
    sequence = new_sequence(0, random.Random(0))
    runner.enter(sequence)
    runner.batch.refresh_metadata()
    assert runner.batch.sampling_metadata.output_token_ids == []


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_what_moves_keeps_the_sum_of_probabilities(
    config_of: Callable[..., Any], temperature: float, dtype: torch.dtype
) -> None:
    from vllm.v1.sample.logits_processor import BatchUpdate

    from elastic_reasoning.integrations.vllm.processor import BudgetProcessor

    processor = BudgetProcessor(config_of(), CPU, False)
    assert not processor.is_argmax_invariant()
    sequence = new_sequence(0, random.Random(0))
    sequence.request = Request(Prompt((9,), Thinking.OPEN), Budget(5, 5))
    sequence.temperature = temperature
    processor.update_state(BatchUpdate(1, [], [(0, sequence.params, [9], [])], []))
    logits = torch.randn(1, NUM_TOKENS, generator=torch.Generator().manual_seed(0)).to(dtype)
    logits[0, EOS] = 5
    edited = processor.apply(logits.clone())
    assert edited.dtype is dtype
    others = [token for token in range(NUM_TOKENS) if token not in (EOS, CLOSING)]
    assert torch.equal(edited[0, others], logits[0, others])
    if temperature:
        before, after = (torch.softmax(of.float() / temperature, -1)[0] for of in (logits, edited))
        torch.testing.assert_close(after[CLOSING], before[CLOSING] + before[EOS], atol=1e-3, rtol=1e-3)
    else:
        assert edited[0, CLOSING] == 5
    assert edited[0, EOS] == -torch.inf


def test_what_ends_a_sentence_is_known_before_the_first_request(config_of: Callable[..., Any]) -> None:
    from elastic_reasoning.integrations.vllm.admission import Served
    from elastic_reasoning.integrations.vllm.processor import BudgetProcessor

    config = config_of()
    BudgetProcessor(config, CPU, False)
    assert "boundaries" in vars(Served.of(config).template)


def test_who_samples_rows_of_its_own_agrees_with_nobody_about_the_time(
    config_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its peers may have no row with a deadline in this step, and would not answer."""
    from elastic_reasoning.integrations.vllm.processor import BudgetProcessor

    path = "elastic_reasoning.integrations.vllm.processor.clock_of_all"
    monkeypatch.setattr(path, lambda: lambda: pytest.fail("the others are asked"))
    config = config_of()
    config.parallel_config.enable_batch_sharded_sampling = True
    BudgetProcessor(config, CPU, False)._time.close_due([])
