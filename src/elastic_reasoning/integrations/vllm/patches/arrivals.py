"""Patch vLLM: a deadline counts from when its request arrived, so that the wait in vLLM's queue counts too.

Arrival is what vLLM's own metrics call so: when the server has the request's body, before the prompt is tokenised; of
`LLM.generate`, when the request is handed over. The moment goes with the request, so that a sequence that was
preempted is not given its seconds again.
"""

from typing import Any, NamedTuple

from elastic_reasoning.core.wire import DEADLINE

DEADLINE_AT = "deadline_at"
"""Key of `extra_args` for the moment, by `time.time()`; whatever the client says under it is overwritten."""


class Deadline(NamedTuple):
    """When an answer is to be complete, by `time.time()`, and how many seconds that was at arrival."""

    at: float
    seconds: float


def deadline_of(params: Any) -> Deadline | None:
    """The deadline of a request that was admitted."""
    args = params.extra_args or {}
    return Deadline(args[DEADLINE_AT], float(args[DEADLINE])) if args.get(DEADLINE) is not None else None


def note_deadlines() -> None:
    """Wrap where vLLM makes a request of a prompt and its parameters, of which it has a copy by then."""
    from vllm.v1.engine.input_processor import InputProcessor

    process = InputProcessor.process_inputs
    if process.__module__ == __name__:
        return

    def process_inputs(processor: Any, *arguments: Any, **keywords: Any) -> Any:
        request = process(processor, *arguments, **keywords)
        params = request.sampling_params
        if params is not None and params.extra_args and params.extra_args.get(DEADLINE) is not None:
            at = request.arrival_time + float(params.extra_args[DEADLINE])
            params.extra_args = {**params.extra_args, DEADLINE_AT: at}
        return request

    InputProcessor.process_inputs = process_inputs
