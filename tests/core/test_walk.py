import pytest

from by_call import run_by_call
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Call, Calls, Completion, OnEos
from elastic_reasoning.core.errors import ContextError
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.strategies import STRATEGIES, Strategy
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from letters import letters, show

TEMPLATE = letters(closing="CD")
PROMPT = Prompt(TEMPLATE.encode("ef"), Thinking.OPEN)


def walk_of(budget: str, strategy: str = "elastic", prompt: Prompt = PROMPT, **options) -> Walk:
    return Walk(Request(prompt, Budget.parse(budget), strategy, Options(**options)), TEMPLATE)


def sampled(text: str, finish: Finish) -> Completion:
    return Completion(TEMPLATE.encode(text), None, finish)


def test_a_walk_asks_for_one_call_after_the_other() -> None:
    walk = walk_of("5+3", prompt=Prompt((), Thinking.ABSENT))
    assert walk.call is not None
    assert (walk.call.phase, walk.call.max_tokens, walk.call.on_eos) == (Phase.THINKING, 5, OnEos.DISCARD)
    assert walk.ids == list(TEMPLATE.encode("O"))
    walk.finish(sampled("abCD", Finish.DELIMITER))
    assert (walk.call.phase, walk.call.max_tokens, walk.call.on_eos) == (Phase.SOLUTION, 3, OnEos.END)
    walk.finish(sampled("x$", Finish.EOS))
    assert walk.call is None
    assert show(walk.trace()) == "opening:[O] thinking:ab closing:CD solution:x$"
    assert [step.position for step in walk.steps] == [1, 5]


def test_finish_says_how_many_ids_stand() -> None:
    assert walk_of("3+3").finish(sampled("abC", Finish.LENGTH)) == 3
    assert walk_of("9+3").finish(sampled("ab", Finish.EOS)) == 2
    waiting = walk_of("9+3", min_thinking=3, wait="wu")
    assert waiting.finish(sampled("abCD", Finish.DELIMITER)) == 2
    assert waiting.ids == list(TEMPLATE.encode("abwu"))


def test_calls_that_may_sample_nothing_are_not_asked_of_an_engine() -> None:
    walk = walk_of("0+0")
    assert walk.call is None
    assert show(walk.trace()) == "closing:[CD]"
    assert [str(step.completion.finish) for step in walk.steps] == ["length", "length"]


def test_a_refused_request_is_a_walk_that_is_over() -> None:
    walk = walk_of("2+2", min_thinking=3)
    assert walk.call is None
    assert "min_thinking 3" in str(walk.trace().error)


def test_a_walk_that_fails_keeps_what_there_was() -> None:
    walk = walk_of("2+2")
    walk.finish(sampled("ab", Finish.LENGTH))
    walk.fail("the server went away")
    trace = walk.trace()
    assert walk.call is None
    assert (show(trace), trace.error) == ("thinking:ab closing:[CD]", "the server went away")


def test_a_walk_that_is_over_takes_nothing_more() -> None:
    with pytest.raises(RuntimeError, match="the walk is over"):
        walk_of("0+0").finish(sampled("a", Finish.EOS))


def test_by_call_each_call_is_handed_its_context_and_position() -> None:
    seen = []

    def complete(context: tuple[int, ...], call: Call, position: int) -> Completion:
        seen.append((TEMPLATE.decode(context), str(call.phase), position))
        return sampled("ab" if call.phase is Phase.THINKING else "x$", Finish.EOS)

    trace = run_by_call(walk_of("5+3"), complete)
    assert seen == [("ef", "thinking", 0), ("efabCD", "solution", 4)]
    assert trace.logprobs is None


def test_a_strategy_that_fails_on_its_way_leaves_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*given: object) -> Calls:
        yield Call(Phase.SOLUTION, 3)
        raise ContextError("no room is left")

    monkeypatch.setitem(STRATEGIES, "failing", Strategy(failing))
    walk = walk_of("5+3", "failing")
    assert walk.finish(sampled("ab", Finish.EOS)) == 2
    assert (walk.call, walk.error, show(walk.trace())) == (None, "no room is left", "solution:ab")


@pytest.mark.parametrize("forced", [(), ((Phase.CLOSING, ()),)])
def test_an_end_that_is_discarded_must_be_followed_by_something_forced(
    forced: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same end would be drawn again for ever."""

    def stubborn(*given: object) -> Calls:
        while True:
            yield Call(Phase.SOLUTION, 9, forced, on_eos=OnEos.DISCARD)

    monkeypatch.setitem(STRATEGIES, "stubborn", Strategy(stubborn))
    walk = walk_of("5+3", "stubborn")
    walk.finish(sampled("ab", Finish.LENGTH))
    assert walk.error is None
    walk.finish(sampled("c", Finish.EOS))
    assert walk.call is None
    assert "'stubborn' forces nothing after an end of sequence" in str(walk.trace().error)
