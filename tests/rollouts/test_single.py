"""A rollout by whatever samples when it is asked, against the engine that runs the same script by itself."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings

from cases import Case, cases
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.drive import SampleRequest, SampleResult
from elastic_reasoning.core.errors import EngineError, UsageError
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted_logprob
from elastic_reasoning.rollouts.single import GenerateWhole, new_walk, read_whole, roll_out_one, template_of
from letters import by_position, letters, show

TEMPLATE = letters()


def walk(budget: str = "4+4", **options: str | int) -> Walk:
    return Walk(Request(Prompt((4,), Thinking.OPEN), Budget.parse(budget), options=Options(options)), TEMPLATE, 32)


class Says:
    """A trainer's engine, which samples what a script says from a position on."""

    def __init__(self, says: tuple[int, ...], template: Template = TEMPLATE) -> None:
        self.script, self.num_calls = by_position(says, template), 0

    async def generate(self, wanted: SampleRequest) -> SampleResult:
        self.num_calls += 1
        completion, new = list(wanted.ids[len(wanted.request.prompt.ids) :]), list[int]()
        while len(new) != wanted.max_tokens and not (new and new[-1] in wanted.watch):
            new.append(next(t for t in self.script(wanted.request, completion + new) if t not in wanted.banned))
        return result(new, wanted.position)


def result(ids: list[int], start: int = 0) -> SampleResult:
    return SampleResult(tuple(ids), tuple(scripted_logprob(start + n, token) for n, token in enumerate(ids)))


def by_itself(case: Case) -> Trace:
    scripted = Case(case.request, case.template, case.context, case.says, counting=False)
    engine = ScriptedEngine(scripted.script(), case.template, case.context)
    return next(run(engine, [Walk(case.request, case.template, case.context)]))


@settings(max_examples=100)
@given(cases())
def test_by_calls_it_is_the_trace_of_any_engine(case: Case) -> None:
    says, new = Says(case.says, case.template), Walk(case.request, case.template, case.context)
    trace = asyncio.run(roll_out_one(new, says.generate))
    assert (trace.segments, trace.error) == (by_itself(case).segments, by_itself(case).error)


def test_thinking_and_solution_take_a_call_each() -> None:
    says = Says(TEMPLATE.encode("abCxy$"))
    assert show(asyncio.run(roll_out_one(walk(), says.generate))) == "thinking:ab closing:C solution:xy$"
    assert says.num_calls == 2


def test_a_request_that_cannot_be_run_generates_nothing() -> None:
    says = Says(())
    trace = asyncio.run(roll_out_one(walk("40+4"), says.generate, whole_of("")))
    assert trace.error is not None
    assert says.num_calls == 0


def whole_of(text: str) -> GenerateWhole:
    async def generate_whole() -> SampleResult:
        return result(list(TEMPLATE.encode(text)))

    return generate_whole


def test_in_one_pass_nothing_is_asked_for_twice() -> None:
    says = Says(())
    trace = asyncio.run(roll_out_one(walk(), says.generate, whole_of("abcdCxy$")))
    assert show(trace) == "thinking:abcd closing:[C] solution:xy$"
    assert says.num_calls == 0


@pytest.mark.parametrize("text", ["abcdexy$", "abcdCxyuwz$", "abcd"])
def test_a_budget_that_was_not_kept_in_one_pass_fails_loudly(text: str) -> None:
    with pytest.raises(EngineError, match="the budget was not kept in one pass"):
        asyncio.run(roll_out_one(walk(), Says(()).generate, whole_of(text)))


TOKENIZER, MINI = load_template("mini")
WORDS = list(MINI.encode("a 4 b 7 answer 7"))


def test_a_walk_of_ids_knows_what_the_prompt_has_opened() -> None:
    opened = TOKENIZER.apply_chat_template([{"role": "user", "content": "a 4 ="}], add_generation_prompt=True)
    ids = opened["input_ids"] if not isinstance(opened, list) else opened
    made = new_walk(TOKENIZER, ids, "6+4", options={"wrap_up": "b"}, temperature=0.5)
    assert made.request.prompt.ids == tuple(ids)
    assert made.request.prompt.thinking is Thinking.OPEN
    assert (str(made.request.budget), made.request.options["wrap_up"]) == ("6+4", "b")
    assert made.request.sampling.temperature == 0.5
    assert new_walk(TOKENIZER, MINI.encode("a 4 ="), "6+4").request.prompt.thinking is Thinking.ABSENT


def test_what_a_server_has_made_is_read_again() -> None:
    made = new_walk(TOKENIZER, MINI.encode("a 4 ="), "3+2")
    trace = next(run(ScriptedEngine(by_position(WORDS, MINI), MINI), [made]))
    assert trace.num_forced_tokens > 1
    sent = [*trace.ids, min(MINI.eos)]  # which a server may have to force to stop
    logprobs = [scripted_logprob(n, token) for n, token in enumerate(sent)]
    read = read_whole(TOKENIZER, MINI.encode("a 4 ="), sent, logprobs, to_wire(made.request))
    assert (read.ids, read.sampled_mask, read.logprobs) == (trace.ids, trace.sampled_mask, trace.logprobs)
    with pytest.raises(UsageError, match="no budget in"):
        read_whole(TOKENIZER, (4,), sent, None, {})
    with pytest.raises(EngineError):
        read_whole(TOKENIZER, MINI.encode("a 4 ="), sent[:2], None, to_wire(made.request))


def test_what_ends_a_sequence_is_what_the_models_folder_says(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [1, 5]}')
    assert template_of(TOKENIZER.from_pretrained(tmp_path)).eos >= {1, 5}
