"""OpenAI's response objects, whole and streamed."""

import time
from collections.abc import Iterable

import msgspec

from elastic_reasoning.core.segment import Phase
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.dialects.blocks import Passage
from elastic_reasoning.serving.dialects.dialect import Head, Json, sse
from elastic_reasoning.serving.dialects.openai import account_json, error_body, token_logprobs
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Ended, Event, Finished, Started, Text, ToolCall, Usage

DELTAS = {Phase.THINKING: "response.reasoning_text.delta", Phase.SOLUTION: "response.output_text.delta"}
"""The events that say more text."""


def response(head: Head, asked: Asked, status: str, output: list[Json]) -> Json:
    """A response as it stands."""
    return {
        "id": f"resp_{head.id}",
        "object": "response",
        "created_at": head.created,
        "model": head.model,
        "status": status,
        "error": None,
        "incomplete_details": None,
        **asked.echo,
        "output": output,
        "usage": None,
    }


def ended_response(head: Head, asked: Asked, output: list[Json], end: Ended, finished: Finished) -> Json:
    """A response that is over."""
    is_cut = end.finish_reason == "length"
    answer = response(head, asked, "incomplete" if is_cut else "completed", output)
    answer["incomplete_details"] = {"reason": "max_output_tokens"} if is_cut else None
    answer["completed_at"] = None if is_cut else int(time.time())
    answer["usage"] = _usage(finished.usage)
    answer["elastic"] = account_json(asked, finished.account)
    return answer


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }


def _part(phase: Phase, text: str, logprobs: list[Json] | None = None) -> Json:
    if phase is Phase.THINKING:
        return {"type": "reasoning_text", "text": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs or []}


def text_item(head: Head, number: int, phase: Phase, content: list[Json], status: str) -> Json:
    """An item of thinking or of the answer."""
    if phase is Phase.THINKING:
        return {
            "id": f"rs_{head.id}_{number}",
            "type": "reasoning",
            "summary": [],
            "content": content,
            "status": status,
        }
    return {
        "id": f"msg_{head.id}_{number}",
        "type": "message",
        "role": "assistant",
        "content": content,
        "status": status,
    }


def whole_text_item(head: Head, asked: Asked, number: int, passage: Passage, end: Ended | None) -> Json:
    """An item of text that is complete; with how its sample ended, where it is the last."""
    logprobs = token_logprobs(asked, end) if end and passage.phase is Phase.SOLUTION else None
    status = "incomplete" if end and end.finish_reason == "length" else "completed"
    return text_item(head, number, passage.phase, [_part(passage.phase, passage.text, logprobs)], status)


def call_item(head: Head, number: int, call: ToolCall) -> Json:
    """An item of a tool call."""
    return {
        "id": f"fc_{head.id}_{number}",
        "type": "function_call",
        "status": "completed",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


class ResponseWriter:
    """Writes the events of a response: items are opened and closed as the phases of the answer change."""

    def __init__(self, head: Head, asked: Asked) -> None:
        self._head, self._asked = head, asked
        self._num_events = 0
        self._output: list[Json] = []
        self._open: Passage | None = None
        self._ended: Ended | None = None
        self._before_text = b""  # of a delta of the item that is open, up to its number

    def write(self, event: Event) -> Iterable[bytes]:
        """The events that an event becomes."""
        if isinstance(event, Text):
            if self._open is None or self._open.phase is not event.phase:
                yield from self._close()
                yield from self._begin(event.phase)
            yield self._delta(event)
        elif isinstance(event, Started):
            begun = response(self._head, self._asked, "in_progress", [])
            yield self._event("response.created", {"response": begun})
            yield self._event("response.in_progress", {"response": begun})
        elif isinstance(event, ToolCall):
            yield from self._close()
            yield from self._call(event)
        elif isinstance(event, Ended):
            yield from self._close(event)
            self._ended = event
        else:
            assert self._ended is not None
            answer = ended_response(self._head, self._asked, self._output, self._ended, event)
            yield self._event(f"response.{answer['status']}", {"response": answer})

    def _event(self, kind: str, fields: Json) -> bytes:
        number, self._num_events = self._num_events, self._num_events + 1
        return sse({"type": kind, "sequence_number": number, **fields}, kind)

    def _begin(self, phase: Phase) -> Iterable[bytes]:
        self._open = Passage(phase, [])
        item = text_item(self._head, len(self._output), phase, [], "in_progress")
        yield self._event("response.output_item.added", {"output_index": len(self._output), "item": item})
        yield self._event("response.content_part.added", {**self._place(item["id"]), "part": _part(phase, "")})
        self._before_text = msgspec.json.encode({"type": DELTAS[phase], **self._place(item["id"])})[:-1]
        if phase is Phase.SOLUTION:
            self._before_text += b',"logprobs":[]'

    def _place(self, item: str) -> Json:
        return {"item_id": item, "output_index": len(self._output), "content_index": 0}

    def _delta(self, event: Text) -> bytes:
        assert self._open is not None
        self._open.parts.append(event.text)
        number, self._num_events = self._num_events, self._num_events + 1
        kind = DELTAS[event.phase].encode()
        text = msgspec.json.encode(event.text)
        return b'event: %b\ndata: %b,"sequence_number":%d,"delta":%b}\n\n' % (kind, self._before_text, number, text)

    def _close(self, end: Ended | None = None) -> Iterable[bytes]:
        """End the item that is open."""
        if self._open is None:
            return
        passage, self._open = self._open, None
        item = whole_text_item(self._head, self._asked, len(self._output), passage, end)
        place, part = self._place(item["id"]), item["content"][0]
        logprobs = {"logprobs": part["logprobs"]} if passage.phase is Phase.SOLUTION else {}
        kind = DELTAS[passage.phase].replace("delta", "done")
        yield self._event(kind, {**place, "text": part["text"], **logprobs})
        yield self._event("response.content_part.done", {**place, "part": part})
        yield from self._add(item)

    def _add(self, item: Json) -> Iterable[bytes]:
        self._output.append(item)
        yield self._event("response.output_item.done", {"output_index": len(self._output) - 1, "item": item})

    def _call(self, call: ToolCall) -> Iterable[bytes]:
        item = call_item(self._head, len(self._output), call)
        begun = {**item, "status": "in_progress", "arguments": ""}
        place = {"item_id": item["id"], "output_index": len(self._output)}
        yield self._event("response.output_item.added", {"output_index": len(self._output), "item": begun})
        yield self._event("response.function_call_arguments.delta", {**place, "delta": call.arguments})
        done = {**place, "name": call.name, "arguments": call.arguments}
        yield self._event("response.function_call_arguments.done", done)
        yield from self._add(item)

    def fail(self, error: ApiError) -> Iterable[bytes]:
        """An error event, and the failed response, which ends the stream."""
        said = error_body(error)["error"]
        yield self._event("error", {"code": said["code"], "message": said["message"], "param": said["param"]})
        failed = response(self._head, self._asked, "failed", self._output)
        failed["error"] = {
            "code": "rate_limit_exceeded" if error.status == 429 else "server_error",
            "message": error.message,
        }
        yield self._event("response.failed", {"response": failed})
