"""inspect_ai's own `eval` on the shipped model: the traces and grades are those of a sweep and of `ask`."""

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai", reason="inspect_ai is not installed: make test-inspect")

from inspect_ai.model import GenerateConfig

from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.strategies import STRATEGIES
from elastic_reasoning.engines.engine import Engine, ask
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.records.log import read_records
from real_inspect.running import MARKS, QUESTIONS, call, evaluate, model_of, said_of, thinking_of

pytestmark = MARKS

NUM_PROBLEMS, NUM_SAMPLES, SEED = 12, 2, 7
HOT = 2.0  # the shipped model is sure of itself


def test_an_evaluation_is_a_sweep_token_for_token(tmp_path: Path) -> None:
    config = SweepConfig(
        models=("mini-e1",),
        strategies=("elastic",),
        budgets=("8+20", "24+20"),
        limit=NUM_PROBLEMS,
        samples=NUM_SAMPLES,
        sampling=Sampling(temperature=0.8, seed=SEED),
        out=str(tmp_path / "sweep"),
    )
    sweep(config)
    _, records = read_records(Path(config.out))
    swept = {(record.budget, record.problem, record.sample): record for record in records}
    asked = {"limit": NUM_PROBLEMS, "samples": NUM_SAMPLES}
    of_model = evaluate(
        "elastic_reasoning/arithmetic", model_args={"budget": "8+20"}, task_args=asked, temperature=0.8, seed=SEED
    )
    of_task = evaluate(
        "elastic_reasoning/arithmetic", task_args={**asked, "budget": "24+20"}, temperature=0.8, seed=SEED
    )
    for budget, log in (("8+20", of_model), ("24+20", of_task)):
        assert log.status == "success"
        assert len(log.samples) == NUM_PROBLEMS * NUM_SAMPLES
        for sample in log.samples:
            record, said = swept[budget, sample.id, sample.epoch - 1], said_of(sample.output)
            assert said["budget"] == budget
            assert sample.output.completion == record.solution
            for name in (
                "num_thinking_tokens",
                "num_solution_tokens",
                "num_forced_tokens",
                "budget_hit",
                "solution_cut",
            ):
                assert said[name] == getattr(record, name)
            grade = sample.scores["grade"]
            assert (grade.value == "C", grade.answer) == (record.correct, record.answer)
            assert sample.output.stop_reason == ("max_tokens" if record.solution_cut else "stop")
            usage = sample.output.usage
            assert usage.reasoning_tokens == record.num_thinking_tokens
            assert usage.output_tokens == record.num_sampled_tokens + record.num_forced_tokens
            assert usage.total_tokens == usage.input_tokens + usage.output_tokens


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_call_is_what_ask_gives(engine: Engine, strategy: str) -> None:
    budget = "16+44" if strategy == "s1" else "16+20"
    trace = ask(engine, QUESTIONS[0], budget, strategy, sampling=Sampling(seed=SEED))
    output = call(model_of(engine, budget, strategy=strategy), QUESTIONS[0], seed=SEED)
    assert (thinking_of(output), output.completion) == (trace.thinking_text, trace.solution_text)
    assert said_of(output)["forced_close"] == trace.forced_close


def test_a_call_that_is_repeated_gets_other_draws_and_many_at_once_get_the_same(engine: Engine) -> None:
    async def asked() -> list[str]:
        model = model_of(engine)
        calls = (
            model.generate(question, config=GenerateConfig(temperature=HOT, seed=SEED))
            for question in (*QUESTIONS, *QUESTIONS)
        )
        return [thinking_of(output) for output in await asyncio.gather(*calls)]

    together = asyncio.run(asked())
    alone = [ask(engine, question, "24+20", sampling=Sampling(HOT, seed=SEED)).thinking_text for question in QUESTIONS]
    assert together[: len(alone)] == alone
    assert together[len(alone) :] != alone


def test_choices_are_samples_of_one_prompt(engine: Engine) -> None:
    output = call(model_of(engine), QUESTIONS[0], num_choices=4, temperature=HOT, seed=SEED)
    texts = [choice.message.content[0].reasoning for choice in output.choices]
    assert texts[0] == ask(engine, QUESTIONS[0], "24+20", sampling=Sampling(HOT, seed=SEED)).thinking_text
    assert len({*texts}) > 1
    counts = [choice.message.metadata["elastic"]["num_thinking_tokens"] for choice in output.choices]
    assert output.usage.reasoning_tokens == sum(counts)
