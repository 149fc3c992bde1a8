"""Where the budgeted requests of SGLang's scheduler stand.

Whatever happens to a sequence (retraction, a prefix that was cached, moves within the batch), its `Row` is a function
of the ids that it has emitted, and is made again from them where it has to be.
"""

from http import HTTPStatus
from typing import Any, NamedTuple

from elastic_reasoning.core.template import Template
from elastic_reasoning.integrations.row import Row
from elastic_reasoning.integrations.sglang.admission import KEY, template_of, wire_of
from elastic_reasoning.integrations.walks import walk_of

ATTRIBUTE = "elastic_budgeted"
"""Where SGLang's own object of a request holds what is kept of it."""


class Budgeted(NamedTuple):
    """A row, the temperature at which it is sampled (0 for greedy), and how its model marks thinking."""

    row: Row
    temperature: float
    template: Template


def row_of(req: Any) -> Row | None:
    """The row of a request of SGLang's scheduler; `None` if it has no budget."""
    budgeted: Budgeted | None = getattr(req, ATTRIBUTE, None)
    return None if budgeted is None else budgeted.row


def advanced(req: Any) -> Budgeted | None:
    """What is kept of a request, with all its ids read; `None` where it had to be given up."""
    budgeted: Budgeted | None = getattr(req, ATTRIBUTE, None)
    if budgeted is None or len(req.output_ids) < len(budgeted.row.output):
        budgeted = _begun(req)
        setattr(req, ATTRIBUTE, budgeted)
        return budgeted
    row = budgeted.row
    row.output.extend(req.output_ids[len(row.output) :])
    row.advance()
    return budgeted


def _begun(req: Any) -> Budgeted | None:
    """A request that was not met before, or has lost ids; `None` also for one that is to sample nothing, as SGLang
    sends one ahead of several samples of a prompt.

    One that was admitted may still not fit: how much room the cache leaves only the scheduler knows.
    """
    params, prompt_ids = req.sampling_params, list(req.origin_input_ids)
    if not params.max_new_tokens:
        return None
    template = template_of(req.tokenizer, req.eos_token_ids)
    context = len(prompt_ids) + params.max_new_tokens
    walk = walk_of(wire_of(params.custom_params[KEY]), prompt_ids, req.tokenizer, template, context)
    if walk.error is not None:
        _give_up(req, walk.error)
        return None
    temperature = 0.0 if params.top_k == 1 else params.temperature  # so SGLang notes greedy sampling
    return Budgeted(Row(walk, list(req.output_ids), min(template.eos)), temperature, template)


def _give_up(req: Any, why: str) -> None:
    from sglang.srt.managers.schedule_batch import FINISH_ABORT

    req.to_finish = FINISH_ABORT(why, HTTPStatus.BAD_REQUEST, "BadRequestError")
