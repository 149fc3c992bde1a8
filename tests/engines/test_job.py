from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.job import Job
from letters import letters


def one_pass(speculative: bool, **options: object) -> bool:
    request = Request(Prompt((4,), Thinking.OPEN), Budget(4, 4), options=Options(**options))
    return Job(Walk(request, letters()), None, None, plug_in=True, speculative=speculative).in_one_pass


def test_beside_speculative_decoding_one_pass_is_for_what_the_plug_in_keeps_in_tables() -> None:
    assert one_pass(speculative=True)
    assert one_pass(speculative=True, wrap_up="w{used}", soft_landing=2)
    assert not one_pass(speculative=True, grace=2)
    assert one_pass(speculative=False, grace=2)
