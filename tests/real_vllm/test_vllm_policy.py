"""Rollouts from vLLM within a trainer and behind a server: with the weights of now, in one pass, with ratios of 1."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")
pytest.importorskip("trl", reason="trl is not installed: pip install 'elastic-reasoning[train]'")

from checker import check
from configs import changed
from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import generate, new_request, run
from elastic_reasoning.engines.loading import load, model_path
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.sharing import share
from elastic_reasoning.training.checkpoints import selected
from elastic_reasoning.training.config import RolloutVllm, TrainConfig
from elastic_reasoning.training.trl.vllm_batches import BatchEngine
from elastic_reasoning.training.trl.vllm_policy import Colocated, Served, vllm_arguments
from real_vllm.colocated import CONFIG, exact_vllm, new_trainer
from real_vllm.same import compare, greedy_requests, problems
from real_vllm.serving import in_process, serving
from small_runs import arguments, small_run, steps_logged

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]

Seen = Callable[[str], None]
ANYTIME = {"plan": "anytime", "budgets": ("8+12", "24+12", "64+12"), "micro_batch_size": 48}


@dataclass
class Room:
    """A trainer with vLLM in it.

    Attributes:
        asks: makes the requests of a step.
        traces: of each step.
        batches: what TRL made of them for the loss.
    """

    own: TransformersEngine
    trainer: Any = None
    policy: Any = None
    asks: Callable[[int], list[Request]] = lambda step: []
    traces: list[list[Trace]] = field(default_factory=list)
    batches: list[dict[str, torch.Tensor]] = field(default_factory=list)

    def roll_out(self, prompts: list[Any], trainer: Any) -> dict[str, Any]:
        self.policy.refresh()
        traces = in_order(generate(self.policy.engine, self.asks(len(self.traces))))
        self.traces.append(traces)
        return {
            "prompt_ids": [list(trace.request.prompt.ids) for trace in traces],
            "completion_ids": [list(trace.ids) for trace in traces],
            "logprobs": [list(trace.logprobs or ()) for trace in traces],
            "env_mask": [[int(sampled) for sampled in trace.sampled_mask] for trace in traces],
        }

    def train(self, asks: Callable[[int], list[Request]]) -> None:
        self.asks = asks
        self.traces.clear()
        self.batches.clear()
        self.trainer.train()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with exact_vllm(), opened(Colocated, CONFIG, tmp_path_factory.mktemp("trainer")) as room:
        yield room


@contextmanager
def opened(kind: Any, config: TrainConfig, folder: Path) -> Iterator[Room]:
    """A trainer of the mini with vLLM, the weights handed over."""
    room = Room(load("mini"))
    model, tokenizer, template = room.own.model, room.own.tokenizer, room.own.template
    room.trainer = new_trainer(model, tokenizer, folder, vllm_arguments(config), rollout_func=room.roll_out)
    score = room.trainer._generate_and_score_completions

    def keep(inputs: Any) -> Any:
        room.batches.append(score(inputs))
        return room.batches[-1]

    room.trainer._generate_and_score_completions = keep
    with closing(kind(config, room.trainer, tokenizer, template)) as room.policy:
        room.policy.refresh()
        yield room


def in_order(traces: Any) -> list[Trace]:
    return sorted(traces, key=lambda trace: int(trace.request.name))


def requests(engine: Any, budget: str, num: int = 16, seed: int = 0, **settings: Any) -> list[Request]:
    """Questions under one budget, each asked eight times."""
    asked = problems(num // 8)
    sampling = Sampling(temperature=CONFIG.rollouts.temperature)
    return [
        new_request(
            engine,
            asked[n // 8],
            budget,
            sampling=Sampling(sampling.temperature, seed=1000 * seed + n),
            name=str(n),
            **settings,
        )
        for n in range(num)
    ]


def test_after_an_optimizer_step_vllm_says_what_the_new_model_says(room: Room, seen: Seen) -> None:
    answers_follow_the_weights(room, seen)


def answers_follow_the_weights(room: Room, seen: Seen) -> None:
    """Greedy answers are those of the transformers engine, before two steps of training and after."""
    asked = greedy_requests(room.own, 8)
    before = list(generate(room.own, asked))
    compare(room.own.model, before, generate(room.policy.engine, asked))
    room.train(lambda step: requests(room.own, "24+20", seed=step))
    room.own.model.eval()
    after = list(generate(room.own, asked))
    changed = sum(one.ids != other.ids for one, other in zip(in_name(before), in_name(after), strict=True))
    room.policy.refresh()
    ties = compare(room.own.model, after, generate(room.policy.engine, asked))
    seen(f"{changed} of {len(asked)} greedy answers changed in two steps, and vLLM's with them; ties: {ties}")
    assert changed > 0


def in_name(traces: list[Trace]) -> list[Trace]:
    return sorted(traces, key=lambda trace: trace.request.name)


def test_weights_are_handed_over_once_a_step(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(room.trainer.vllm_generation, "sync_weights", lambda: calls.append(1))
    room.policy.refresh()
    assert calls == []
    room.trainer.state.global_step += 1
    room.policy.refresh()
    room.policy.refresh()
    assert calls == [1]
    room.trainer.state.global_step -= 1
    monkeypatch.undo()
    room.policy.refresh()


@pytest.mark.parametrize("budget", ["24+20", "8+4", "0+8", "160+20"])
def test_with_equal_weights_every_importance_ratio_is_1(room: Room, seen: Seen, budget: str) -> None:
    """Forced tokens are outside the mask, with a log-probability of 0.0; the weights are those of the step before."""
    room.train(lambda step: requests(room.own, budget, seed=step))
    if budget != "160+20":
        assert all(trace.num_forced_tokens for traces in room.traces for trace in traces)
    every_ratio_is_1(room, seen)


def every_ratio_is_1(room: Room, seen: Seen) -> None:
    """In the batches that TRL has made of the rollouts, over what is sampled; forced tokens are outside the mask."""
    for traces, batch in zip(room.traces, room.batches, strict=True):
        mask = (batch["completion_mask"] * batch["tool_mask"]).bool()
        assert mask.sum(dim=1).tolist() == [trace.num_sampled_tokens for trace in traces]
        assert all(at == 0 for at in batch["sampling_per_token_logps"][~mask].tolist())
        gap = (batch["old_per_token_logps"] - batch["sampling_per_token_logps"])[mask].abs().max()
        ratio_gap = (batch["importance_sampling_ratio"] - 1).abs().max()  # of (B, 1): over each sequence
        num_forced = sum(trace.forced_close for trace in traces)
        seen(
            f"a log-probability differs by {gap:.1e} at most, a sequence's ratio from 1 by {ratio_gap:.1e}; "
            f"{num_forced} of {len(traces)} were closed by force"
        )
        assert gap < 1e-4
        assert ratio_gap < 1e-3


def test_walks_of_every_kind_in_one_run(room: Room) -> None:
    engine = room.policy.engine
    kinds: list[tuple[str, str, Options]] = [
        ("24+20", "elastic", Options()),
        ("24+20", "elastic", Options(wrap_up="so answer", grace=5)),
        ("24+20", "s1", Options(num_waits=1, answer_tokens=4)),
        ("24+20", "vanilla", Options()),
        ("4000+20", "elastic", Options()),
        ("inf+20", "elastic", Options()),
    ]
    asked = [
        new_request(engine, question, budget, strategy, options, Sampling(seed=n), name=f"{n} {m}")
        for n, question in enumerate(problems(6))
        for m, (budget, strategy, options) in enumerate(kinds)
    ]
    refused = Request(Prompt((10**6,), Thinking.OPEN), Budget(4, 4), name="refused")
    walks = [Walk(request, engine.template, engine.context) for request in [*asked, refused]]
    traces = {trace.request.name: trace for trace in run(engine, walks)}
    assert set(traces) == {request.name for request in [*asked, refused]}
    assert "out of vocabulary" in (traces.pop("refused").error or "")
    for name, trace in traces.items():
        assert (trace.error is not None) == name.endswith(" 4")
        assert trace.error is not None or not check(trace, engine.context), trace
    done = {walk.request.name: walk for walk in walks}
    assert all(done[name].trace().segments == trace.segments for name, trace in traces.items())


def test_cuts_of_one_thinking_share_it(room: Room) -> None:
    """As anytime training has it: one thinking in one pass, then the solutions of its cuts in one batch."""
    budgets = ("8+10", "16+10", "32+10")
    asked = [
        new_request(room.policy.engine, question, budget, sampling=Sampling(seed=n), name=f"{n} {budget}")
        for n, question in enumerate(problems(8))
        for budget in budgets
    ]
    engine = room.policy.engine
    walks = [Walk(request, engine.template, engine.context) for request in asked]
    traces = {trace.request.name: trace for trace in share(engine, walks)}
    for n in range(8):
        shortest, longer, longest = (thinking(traces[f"{n} {budget}"]) for budget in budgets)
        assert longest[: len(longer)] == longer
        assert longer[: len(shortest)] == shortest
    assert sum(trace.num_reused for trace in traces.values()) > 8 * 8
    assert not [p for trace in traces.values() for p in check(trace, room.policy.engine.context)]


def test_by_calls_it_says_the_same(room: Room) -> None:
    """As where delimiters are given that the tokenizer does not name."""
    engine = BatchEngine(
        room.trainer.vllm_generation, Renderer(room.own.tokenizer, room.own.template), in_one_pass=False
    )
    asked = greedy_requests(room.own, 8)
    room.own.model.eval()
    room.policy.refresh()
    compare(room.own.model, generate(room.own, asked), generate(engine, asked))


def thinking(trace: Trace) -> tuple[int, ...]:
    return tuple(token for s in trace.segments if s.phase is Phase.THINKING for token in s.ids)


def test_a_sleeping_vllm_is_woken_and_given_its_weights(room: Room) -> None:
    """A CPU cannot sleep: what would be asked of vLLM is written down, and the rollouts are real."""
    generation, calls = room.trainer.vllm_generation, []
    llm = SimpleNamespace(
        llm_engine=generation.llm.llm_engine,
        enqueue=generation.llm.enqueue,
        wait_for_completion=generation.llm.wait_for_completion,
        wake_up=lambda tags: calls.append(f"wake {tags[0]}"),
        sleep=lambda level: calls.append(f"sleep {level}"),
    )
    sleepy = SimpleNamespace(
        llm=llm, enable_sleep_mode=True, _llm_weights_sleeping=True, tensor_parallel_size=1,
        sync_weights=lambda: calls.append("sync"),
    )  # fmt: skip
    engine = BatchEngine(sleepy, Renderer(room.own.tokenizer, room.own.template), in_one_pass=True)
    assert len(list(generate(engine, requests(room.own, "8+4")))) == 16
    assert calls == ["sync", "wake kv_cache", "sleep 2"]
    assert sleepy._llm_weights_sleeping


@pytest.mark.full
@pytest.mark.parametrize("name", ["mini", "unruly"])
def test_the_end_in_thinking_is_all_that_moves_a_ratio(name: str, unruly_model: Path, seen: Seen) -> None:
    """The plug-in samples the delimiter with the model's probability of it and of an end of sequence, p + q.

    On the mini a ratio p / (p + q) is as good as 1; a model that ends its thinking half the time has one of a half.
    """
    model = model_path("mini") if name == "mini" else str(unruly_model)
    own = load(model)
    with in_process(model) as engine:
        traces = [trace for trace in generate(engine, requests(engine, "160+20", num=128)) if trace.error is None]
    ratios = []
    for trace in traces:
        prompt = trace.request.prompt.ids
        with torch.no_grad():
            logits = own.model(torch.tensor([[*prompt, *trace.ids]]), use_cache=False).logits[0, len(prompt) - 1 : -1]
        known = (logits / CONFIG.rollouts.temperature).log_softmax(dim=-1)  # (tokens, vocabulary)
        position = 0
        for segment in trace.segments:
            for n, token in enumerate(segment.ids):
                if segment.sampled:
                    assert segment.logprobs is not None
                    expected = known[position, token]
                    if segment.phase is Phase.CLOSING and n == 0:
                        ends = sorted(trace.template.eos)
                        expected = known[position, [token, *ends]].logsumexp(dim=0)
                        ratios.append(float((known[position, token] - expected).exp()))
                    assert abs(segment.logprobs[n] - float(expected)) < 1e-3
                position += 1
    mean, least = sum(ratios) / len(ratios), min(ratios)
    seen(f"{len(ratios)} delimiters sampled by {name}: p / (p + q) is {mean:.6f} in the mean, {least:.6f} at the least")
    assert (least > 0.99) if name == "mini" else (mean < 0.9)


@pytest.mark.full
def test_a_server_gets_the_weights_and_makes_the_rollouts(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real server and TRL's own client, requests and all.

    Not run is NCCL, which a CPU has not: the rendezvous of its communicator and its broadcast are replaced by files
    (`real_vllm.weights_by_file`), and the server loads what they hold without vLLM's layer-wise reloading.
    """
    from real_vllm.weights_by_file import ARGUMENTS, sending

    monkeypatch.setenv("VLLM_SERVER_DEV_MODE", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    flags = (*ARGUMENTS, "--block-size=32", "--max-num-seqs=32", "--no-enable-chunked-prefill")
    with serving(model_path("mini"), tmp_path / "log", *flags) as server, exact_vllm(), sending(tmp_path):
        config = changed(CONFIG, engine="vllm-server", vllm=RolloutVllm(url=server.root))
        with opened(Served, config, tmp_path / "trainer") as room:
            assert room.policy.engine.in_one_pass
            answers_follow_the_weights(room, seen)
            every_ratio_is_1(room, seen)


@pytest.mark.full
@pytest.mark.parametrize("changes", [{}, ANYTIME], ids=["fixed", "anytime"])
def test_a_training_run_is_killed_and_goes_on(tmp_path: Path, changes: dict[str, Any], seen: Seen) -> None:
    config = replace(small_run(tmp_path / "run", **changes), engine="vllm-colocated")
    metrics = Path(config.out, "metrics.jsonl")
    process = elastic_train(config)
    try:
        while process.poll() is None and (not metrics.exists() or len(metrics.read_text().splitlines()) < 3):
            time.sleep(0.05)
        assert process.poll() is None, process.communicate()[1]
    finally:
        process.kill()
        process.communicate()
    ends_well(config, elastic_train(config), seen)


@pytest.mark.full
@pytest.mark.parametrize("tensor_parallel_size", [1, 2])
def test_two_processes_with_a_model_each_and_with_one_together(
    tmp_path: Path, tensor_parallel_size: int, seen: Seen
) -> None:
    vllm = RolloutVllm(tensor_parallel_size=tensor_parallel_size)
    config = small_run(tmp_path / "run", engine="vllm-colocated", vllm=vllm, micro_batch_size=8, device="cpu")
    launch = Path(__file__).parents[2] / "recipes" / "launch" / "ddp.yaml"
    command = ("-m", "accelerate.commands.launch", "--config_file", str(launch), "--num_processes", "2")
    ends_well(config, elastic_train(config, *command), seen)


def ends_well(config: TrainConfig, process: subprocess.Popen[str], seen: Seen) -> None:
    """All steps are there, their rollouts are those of the weights of their time, and a model is selected."""
    said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    steps = steps_logged(config.out)
    assert [step["step"] for step in steps] == [1, 2, 3, 4, 5]
    for step in steps:
        for end in ("min", "max"):
            assert step[f"sampling/importance_sampling_ratio/{end}"] == pytest.approx(1, abs=1e-3)
    assert sum(step["failed_rate"] for step in steps) == 0
    best = selected(Path(config.out))
    assert best is not None
    seen(f"accuracy {best.accuracy} of the selected step {best.step}; rewards {[step['reward'] for step in steps]}")


def elastic_train(config: TrainConfig, *launcher: str) -> subprocess.Popen[str]:
    """`elastic train` in a process of its own, or in those of a launcher."""
    tests = Path(__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "real_vllm.colocated", *arguments(config)],
        env={**os.environ, "PYTHONPATH": str(tests), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
