"""What OpenAI's endpoints have in common."""

from collections.abc import Mapping
from typing import Any

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.template import Message
from elastic_reasoning.serving.dialects.dialect import Json
from elastic_reasoning.serving.errors import ApiError, bad_request
from elastic_reasoning.serving.events import Usage


def messages_in(body: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages of a body.

    Raises:
        ApiError: 400 where there are none.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise bad_request("messages: must be a list of messages, each as {role, content}", "messages")
    return tuple(messages)


def sampling_in(body: Mapping[str, Any]) -> Sampling:
    """How tokens are to be drawn.

    Raises:
        ApiError: 400 where a value cannot be.
    """
    names = ("temperature", "top_p", "top_k", "seed")
    try:
        return Sampling(**{name: body[name] for name in names if body.get(name) is not None})
    except (UsageError, TypeError) as error:
        raise bad_request(str(error)) from None


def stops_in(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Texts at which the solution ends.

    Raises:
        ApiError: 400 where they are no texts.
    """
    stop = body.get("stop") or ()
    texts = (stop,) if isinstance(stop, str) else tuple(stop) if isinstance(stop, (list, tuple)) else (None,)
    if not all(isinstance(text, str) and text for text in texts):
        raise bad_request(f"stop {stop!r}: must be a text, or a list of texts that are not empty", "stop")
    return texts


def usage_json(usage: Usage) -> Json:
    """Usage as OpenAI writes it."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def error_body(error: ApiError) -> Json:
    """An error as OpenAI writes it."""
    kind = "invalid_request_error" if error.status < 500 and error.status != 429 else "server_error"
    return {
        "error": {
            "message": error.message,
            "type": "rate_limit_error" if error.status == 429 else kind,
            "param": error.param or None,
            "code": error.code or None,
            **error.details,
        }
    }
