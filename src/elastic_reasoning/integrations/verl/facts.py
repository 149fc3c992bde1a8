"""A rollout on its way through verl: as plain values that go beside its ids, and read again where it is rewarded.

    extra_fields = {FACTS: facts_of(trace, where)}
    trace_of(extra_info[FACTS])                       # the same trace, without log-probabilities

verl hands a reward function a text from which the delimiters are gone. Segments and mask are a function of ids,
request and template (`elastic_reasoning.core.replay`); what that needs is what goes along.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.wire import from_wire, to_wire
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.untrusted.own_strategies import LOADED, strategy_name

FACTS = "elastic_reasoning"
"""Key of the facts among verl's extra fields, and so among a reward function's `extra_info`."""


@dataclass(frozen=True, slots=True)
class Model:
    """Whose rollout it is.

    Attributes:
        tokenizer: a folder or a name.
        opening, closing: delimiters, where the tokenizer does not name them.
    """

    tokenizer: str
    opening: str | None
    closing: str | None

    @property
    def template(self) -> Template:
        """How it marks thinking."""
        return _template(self)


@lru_cache(maxsize=8)
def _template(model: Model) -> Template:
    return load_template(model.tokenizer, model.opening, model.closing)[1]


def facts_of(trace: Trace, model: Model, context: int) -> dict[str, Any]:
    """A rollout as plain values.

    Args:
        trace: one without an error.
        model: whose it is.
        context: tokens of prompt and completion, by which an unlimited budget was bounded.
    """
    request = trace.request
    return {
        "model": asdict(model),
        "request": to_wire(request),
        "strategy_file": LOADED[request.strategy].text if request.strategy in LOADED else None,
        "prompt_ids": list(request.prompt.ids),
        "completion_ids": list(trace.ids),
        "sampled_mask": list(trace.sampled_mask),
        "context": context,
    }


def trace_of(facts: Mapping[str, Any]) -> Trace:
    """The rollout again.

    Raises:
        StrategyError: its strategy lies in a file that is not here.
        EngineError: the ids cannot have come from the request.
    """
    if facts["strategy_file"] is not None:
        strategy_name(facts["strategy_file"])
    wire = from_wire(facts["request"])
    assert wire is not None, "facts name a strategy, and so are about a budget"
    prompt = Prompt(tuple(facts["prompt_ids"]), wire.thinking or Thinking.ABSENT, wire.tools)
    request = Request(prompt, wire.budget, wire.strategy, wire.options)
    template = Model(**facts["model"]).template
    return replay(request, facts["completion_ids"], template, facts["context"], facts["sampled_mask"])
