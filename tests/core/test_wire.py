import pytest
from hypothesis import given, settings

from cases import Case, cases
from checker import FINITE
from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.strategies import find_strategy, known_options
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.wire import NAMES, Wire, from_wire, to_wire

OPEN = Prompt((4,), Thinking.OPEN)


@settings(max_examples=500)
@given(cases())
def test_a_request_comes_back_as_it_was_sent(case: Case) -> None:
    request = case.request
    values = to_wire(request)
    assert set(values) <= {*NAMES, *known_options()}
    assert all(type(value) in (str, int) for value in values.values())
    no_length = request.strategy.startswith("l1") and request.budget.total is None
    if no_length or is_refused(request):
        with pytest.raises(ElasticError):
            from_wire(values)
        return
    wire = from_wire(values)
    prompt = request.prompt
    assert wire == Wire(
        request.budget,
        request.strategy,
        find_strategy(request.strategy).restrict(request.options),
        prompt.thinking,
        prompt.tools,
    )


def is_refused(request: Request) -> bool:
    options = request.options
    landing = options.get("soft_landing", 0)
    if 0 < options.get("loop_breaker", 0) < 12 or (landing and not 1 <= options.get("landing_peak", 10) <= 100):
        return True
    if request.budget.thinking is None:
        return request.strategy in FINITE
    return max(options.get("min_thinking", 0), landing) > request.budget.thinking
