"""Requests as SGLang's scheduler and its tokenizer manager hold them, as far as the plug-in looks at them."""

from array import array
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from elastic_reasoning.core.request import Request
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.integrations.sglang.admission import KEY

TOKENIZER, TEMPLATE = load_template("mini")
SETTINGS: dict[str, Any] = {
    **{"temperature": 1.0, "top_k": 1 << 30, "max_new_tokens": 128, "ignore_eos": False, "beam_width": None},
    **{"stop_strs": [], "stop_token_ids": None, "stop_regex_strs": []},
    **dict.fromkeys(("json_schema", "regex", "ebnf", "structural_tag")),
}


def params(values: Any, **settings: Any) -> Any:
    """SGLang's sampling parameters of a request that says this of its budget; `None` for nothing."""
    custom = None if values is None else {KEY: values}
    return SimpleNamespace(**{**SETTINGS, "custom_params": custom, **settings})


def scheduled(request: Request, max_new_tokens: int, ids: Sequence[int] = (), **settings: Any) -> Any:
    """A request of the scheduler that has emitted these ids."""
    return SimpleNamespace(
        sampling_params=params(dict(to_wire(request)), max_new_tokens=max_new_tokens, **settings),
        origin_input_ids=array("q", request.prompt.ids),
        output_ids=array("q", ids),
        tokenizer=TOKENIZER,
        eos_token_ids=set(TEMPLATE.eos),
        to_finish=None,
    )
