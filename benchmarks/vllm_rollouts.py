"""What a batch of budgeted rollouts costs within a trainer beside a plain one of as many tokens: TRL's colocated vLLM.

    python benchmarks/vllm_rollouts.py                          # a table, and results/vllm_rollouts.json
    python benchmarks/vllm_rollouts.py --rollouts 16 --repeats 1  # a smoke test, nothing written

Every side makes the same number of tokens with the same vLLM, in turns. "plain" is vLLM alone, asked for as many tokens
as the budgeted rollout of the same prompt has, with their log-probabilities; the others end with traces, ready for
training, whose making is within their time. vLLM runs on the CPU in float32 without compilation. Compared is the
processor time, which others on the machine do not change; all of it is spent in this process.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import torch
import trl
import vllm
from provenance import provenance
from trl.generation import vllm_generation

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.request import Request, Sampling, derived_seed
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.trl.vllm_batches import BatchEngine
from elastic_reasoning.training.trl.vllm_policy import Colocated, vllm_arguments

ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "HF_HUB_OFFLINE": "1",
}
RESULTS = Path(__file__).parent / "results" / "vllm_rollouts.json"
CONFIG = TrainConfig(engine="vllm-colocated")
THINKING = (8, 64)
SOLUTION = 20
SAMPLES = 8


def new_trainer(folder: str, num_rollouts: int) -> tuple[Any, Colocated]:
    """A trainer of the mini, and its vLLM in float32."""
    vllm_generation.LLM = partial(vllm.LLM, dtype="float32", enforce_eager=True)
    own = load("mini")
    trainer = trl.GRPOTrainer(
        model=own.model,
        args=trl.GRPOConfig(
            output_dir=folder,
            per_device_train_batch_size=num_rollouts,
            num_generations=SAMPLES,
            use_cpu=True,
            bf16=False,
            report_to="none",
            **vllm_arguments(CONFIG),
        ),
        processing_class=own.tokenizer,
        train_dataset=datasets.Dataset.from_list([{"prompt": "1"}]),
        reward_funcs=lambda **given: [0.0],
    )
    policy = Colocated(CONFIG, trainer, own.tokenizer, own.template)
    policy.refresh()
    return trainer, policy


def new_requests(engine: BatchEngine, num_rollouts: int, seed: int) -> list[Request]:
    """Samples of problems, each problem with a thinking budget of its own."""
    problems = Arithmetic().problems("train", num_rollouts // SAMPLES)
    low, high = THINKING
    requests = []
    for number, problem in enumerate(problems):
        budget = f"{low + derived_seed(seed, number) % (high - low + 1)}+{SOLUTION}"
        sampling = Sampling(seed=derived_seed(seed, number, 1))
        requests += [
            new_request(engine, problem.messages, budget, sampling=sampling, sample=sample, name=f"{number} {sample}")
            for sample in range(SAMPLES)
        ]
    return requests


def plain(llm: Any, wanted: list[Trace]) -> int:
    """As many tokens as each of these has, sampled by vLLM alone."""
    prompts = [vllm.TokensPrompt(prompt_token_ids=list(trace.request.prompt.ids)) for trace in wanted]
    settings = [
        vllm.SamplingParams(
            max_tokens=len(trace.ids), ignore_eos=True, seed=number, logprobs=0, detokenize=False, temperature=1.0
        )
        for number, trace in enumerate(wanted)
    ]
    return sum(len(answer.outputs[0].token_ids) for answer in llm.generate(prompts, settings, use_tqdm=False))


def budgeted(engine: BatchEngine, requests: list[Request]) -> int:
    traces = list(generate(engine, requests))
    if len(traces) != len(requests) or any(trace.error for trace in traces):
        raise SystemExit("wrong: a rollout failed")
    return sum(len(trace.ids) for trace in traces)


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds of processor time, seconds by the clock, and what came of it."""
    before, clock = time.process_time(), time.perf_counter()
    result = work()
    return time.process_time() - before, time.perf_counter() - clock, result


def main() -> None:
    """Measure, and print; write where nothing was made smaller."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rollouts", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        trainer, policy = new_trainer(folder, given.rollouts)
        one_pass, generation = policy.engine, trainer.vllm_generation
        by_call = BatchEngine(generation, Renderer(one_pass.tokenizer, one_pass.template), in_one_pass=False)
        seconds: dict[str, list[float]] = {"plain": [], "one pass": [], "by calls": [], "weight sync": []}
        by_clock: dict[str, list[float]] = {name: [] for name in seconds}
        tokens: dict[str, int] = dict.fromkeys(("plain", "one pass", "by calls"), 0)
        for repeat in range(given.repeats + 1):  # the first is not counted
            requests = new_requests(one_pass, given.rollouts, seed=repeat)
            wanted = list(generate(one_pass, requests))
            sides: dict[str, Callable[[], Any]] = {
                "plain": partial(plain, generation.llm, wanted),
                "one pass": partial(budgeted, one_pass, requests),
                "by calls": partial(budgeted, by_call, requests),
                "weight sync": generation.sync_weights,
            }
            for name in sorted(sides, key=lambda name: derived_seed(repeat, len(name))):
                generation.llm.reset_prefix_cache()
                spent, passed, num = timed(sides[name])
                if repeat:
                    seconds[name].append(spent)
                    by_clock[name].append(passed)
                    tokens[name] = tokens.get(name, 0) + (num or 0)
        policy.close()
    report(given, seconds, by_clock, tokens)


def report(
    given: argparse.Namespace, seconds: dict[str, list[float]], by_clock: dict[str, list[float]], tokens: dict[str, int]
) -> None:
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    for name, median in medians.items():
        if name == "weight sync":
            print(f"{name:12} {median:8.4f} s")
        else:
            ratio = median / medians["plain"]
            print(f"{name:12} {median:8.3f} s  {ratio:5.2f} of plain  {tokens[name] // given.repeats} tokens")
    if given.rollouts == 256 and given.repeats >= 7:
        result = {
            **provenance(),
            "vllm": vllm.__version__,
            "trl": trl.__version__,
            "rollouts": given.rollouts,
            "budgets": f"thinking {THINKING[0]}..{THINKING[1]} by prompt, solution {SOLUTION}",
            "tokens": {name: count / given.repeats for name, count in tokens.items()},
            "processor_seconds": {name: [round(one, 4) for one in each] for name, each in seconds.items()},
            "clock_seconds": {name: [round(one, 4) for one in each] for name, each in by_clock.items()},
            "of_plain": {name: round(medians[name] / medians["plain"], 3) for name in ("one pass", "by calls")},
        }
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
