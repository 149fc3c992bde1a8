"""Patch vLLM: what a request asks to stop at, strings and ids, concerns the solution of a budget alone.

vLLM would stop within thinking too, and answer with nothing. Ids are looked at by its scheduler, strings by the
detokenizer in the process that it was started from: both keep a `Row` of each budgeted request that has any.
"""

import sys
from types import FrameType
from typing import Any

from elastic_reasoning.core.wire import from_wire

ROW, START = "budget_row", "solution_start"
"""Attributes that are given to vLLM's objects of one request: where it stands, and where its solution begins in the
text."""


def stop_in_solutions() -> None:
    """Wrap where vLLM takes a request up, and where it looks for its stops."""
    from vllm.v1.core.sched import scheduler
    from vllm.v1.engine import detokenizer, output_processor

    if scheduler.check_stop.__module__ == __name__:
        return
    _by_ids(scheduler)
    _by_strings(detokenizer, output_processor.OutputProcessor)


def _by_ids(scheduler: Any) -> None:
    add, check = scheduler.Scheduler.add_request, scheduler.check_stop

    def add_request(owner: Any, request: Any) -> None:
        from elastic_reasoning.integrations.vllm.admission import Served

        Served.of(owner.vllm_config)  # this process learns of the strategies that vLLM was told of
        params = request.sampling_params
        if params is not None and params.stop_token_ids and from_wire(params.extra_args) is not None:
            row = _row(owner.vllm_config, params, request.prompt_token_ids, request._output_token_ids)
            setattr(request, ROW, row)
        add(owner, request)

    def check_stop(request: Any, max_model_len: int) -> bool:
        row, params = getattr(request, ROW, None), request.sampling_params
        if row is not None:
            row.advance()
        if row is None or row.in_solution:
            return bool(check(request, max_model_len))
        stops, params.stop_token_ids = params.stop_token_ids, []
        try:
            return bool(check(request, max_model_len))
        finally:
            params.stop_token_ids = stops

    scheduler.Scheduler.add_request, scheduler.check_stop = add_request, check_stop


def _by_strings(detokenizer: Any, processor: Any) -> None:
    add, base = processor.add_request, detokenizer.BaseIncrementalDetokenizer
    update_all = base.update

    def add_request(owner: Any, request: Any, *arguments: Any, **keywords: Any) -> None:
        add(owner, request, *arguments, **keywords)
        params = request.sampling_params
        if params is not None and params.stop and from_wire(params.extra_args) is not None:
            writer = owner.request_states[request.request_id].detokenizer
            setattr(writer, ROW, _row(_config_of(owner), params, request.prompt_token_ids, writer.token_ids))

    def update(writer: Any, new_token_ids: list[int], stop_terminated: bool) -> str | None:
        row = getattr(writer, ROW, None)
        if row is None:
            stopped_at: str | None = update_all(writer, new_token_ids, stop_terminated)
            return stopped_at
        stops, writer.stop = writer.stop, []
        try:
            for place, token in enumerate(new_token_ids, 1):
                offset = len(writer.output_text)
                update_all(writer, [token], stop_terminated and place == len(new_token_ids))
                row.advance()
                if row.in_solution:
                    start = writer.__dict__.setdefault(START, offset)
                    found = _stop_in(writer, detokenizer.check_stop_strings, stops, start, offset)
                    if found is not None:
                        return found
        finally:
            writer.stop = stops
        return None

    processor.add_request, base.update = add_request, update


def _stop_in(writer: Any, check_stop_strings: Any, stops: list[str], start: int, offset: int) -> str | None:
    """The stop string that the text behind `offset` completes, which begins in the solution; the text ends with it."""
    if writer.num_output_tokens() <= writer.min_tokens:
        return None
    found = check_stop_strings(
        output_text=writer.output_text[start:],
        new_char_count=len(writer.output_text) - offset,
        stop=stops,
        include_in_output=writer.include_stop_str_in_output,
    )
    if found is None:
        return None
    stop, end = found
    if end != -1:
        writer.output_text = writer.output_text[: start + end]
    return str(stop)


def _row(vllm_config: Any, params: Any, prompt_ids: list[int] | None, output: list[int]) -> Any:
    from elastic_reasoning.integrations.vllm.admission import Served

    return Served.of(vllm_config).row(params, prompt_ids, output)


def _config_of(processor: Any) -> Any:
    """The configuration of the engine whose outputs these are: it is not told, but called by its engine."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        owner: Any = frame.f_locals.get("self")
        if getattr(owner, "output_processor", None) is processor:
            return owner.vllm_config
        frame = frame.f_back
    raise RuntimeError("this version of vLLM takes requests up in a way that is not known here")
