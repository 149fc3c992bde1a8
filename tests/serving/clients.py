"""What official clients must find at a gateway, whatever answers behind it: claims, each a function of a `Served`.

Everything that a client reads is held, strictly, against the types that it came with.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from anthropic import Anthropic
from anthropic import BadRequestError as AnthropicBadRequest
from anthropic import NotFoundError as AnthropicNotFound
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types import Completion
from pydantic import BaseModel, TypeAdapter

from client_pages import needs_curl

QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
BUDGETS = {"thinking_budget": 8, "solution_budget": 20}


@dataclass(frozen=True)
class Served:
    """A gateway, and what it is asked."""

    url: str
    """Of its root."""
    model: str
    question: str
    """Its thinking is longer than `BUDGETS` lets it be."""
    has_logprobs: bool = True

    @property
    def messages(self) -> list[Any]:
        """The question to OpenAI's and to Anthropic's endpoints."""
        return [{"role": "user", "content": self.question}]


Claim = Callable[[Served], None]


@contextmanager
def openai(served: Served) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@contextmanager
def anthropic(served: Served) -> Iterator[Anthropic]:
    with Anthropic(base_url=served.url, api_key="none", max_retries=0) as client:
        yield client


def strict(said: BaseModel) -> Any:
    """What a client was told, as plain data that its type allows.

    A chunk of a completion has no reason to be finished until its last one, which OpenAI's type does not know.
    """
    if isinstance(said, Completion):
        for choice in said.choices:
            choice.finish_reason = choice.finish_reason or "stop"
    data = said.to_json(warnings=False)  # type: ignore[attr-defined]
    TypeAdapter(type(said)).validate_json(data, strict=True)
    return json.loads(data)


def account_of(said: Any) -> dict[str, Any]:
    """The `elastic` object beside what the type knows."""
    return dict(said["elastic"])


def check_account(account: dict[str, Any]) -> None:
    assert account["budget"] == {"thinking": 8, "solution": 20}
    assert account["thinking_tokens"] == 8
    assert account["thinking_ended_by"] == "tokens"
    assert account["solution_ended_by"] in ("model", "tokens")


def chat(served: Served, client: OpenAI, **settings: Any) -> Any:
    body = {"model": served.model, "messages": served.messages, "temperature": 0, "extra_body": BUDGETS, **settings}
    return client.chat.completions.create(**body)


def chat_answers(served: Served) -> None:
    with openai(served) as client:
        whole = strict(chat(served, client))
        chunks = [strict(chunk) for chunk in chat(served, client, stream=True, stream_options={"include_usage": True})]
    [choice] = whole["choices"]
    message = choice["message"]
    assert message["content"]
    assert message["reasoning_content"] == message["reasoning"] != ""
    assert whole["usage"]["completion_tokens_details"]["reasoning_tokens"] == 8
    check_account(whole["elastic"])
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    for name in ("content", "reasoning_content", "reasoning"):
        assert "".join(delta.get(name) or "" for delta in deltas) == message[name]
    assert chunks[-1]["usage"] == whole["usage"]
    check_account(chunks[-1]["elastic"])
    ends = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert ends == [choice["finish_reason"]]
    assert all("usage" not in chunk for chunk in chunks[:-1])


def chat_streams_helper(served: Served) -> None:
    with openai(served) as client:
        whole = chat(served, client)
        body = {"model": served.model, "messages": served.messages, "temperature": 0, "extra_body": BUDGETS}
        with client.chat.completions.stream(**body) as stream:
            stream.until_done()
            final = stream.current_completion_snapshot
    assert final.choices[0].message.content == whole.choices[0].message.content


def chat_samples(served: Served) -> None:
    with openai(served) as client:
        whole = strict(chat(served, client, n=3, temperature=1, seed=5))
        chunks = [strict(chunk) for chunk in chat(served, client, n=3, temperature=1, seed=5, stream=True)]
    assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2]
    assert len(whole["elastic"]["samples"]) == 3
    assert {choice["index"] for chunk in chunks for choice in chunk["choices"]} == {0, 1, 2}
    assert "usage" not in chunks[-1]


def chat_stops(served: Served) -> None:
    with openai(served) as client:
        text = chat(served, client).choices[0].message.content
        stop = text[len(text) // 2 :][:2]
        cut = strict(chat(served, client, stop=[stop]))
    [choice] = cut["choices"]
    assert choice["message"]["content"] == text[: text.index(stop)]
    assert choice["finish_reason"] == "stop"
    assert cut["elastic"]["solution_ended_by"] == "stop"


def chat_logprobs(served: Served) -> None:
    with openai(served) as client:
        whole = strict(chat(served, client, logprobs=True))
        chunks = [strict(chunk) for chunk in chat(served, client, logprobs=True, stream=True)]
    logprobs = [choice["logprobs"] for chunk in chunks for choice in chunk["choices"] if choice["logprobs"]]
    said = whole["choices"][0]["logprobs"]
    if not served.has_logprobs:
        assert (said, logprobs) == (None, [])
        return
    assert [token["token"] for token in logprobs[0]["content"]] == [token["token"] for token in said["content"]]
    assert "".join(token["token"] for token in said["content"]) == whole["choices"][0]["message"]["content"]
    assert all(token["logprob"] <= 0 for token in said["content"])


def chat_turns(served: Served) -> None:
    turns = [
        {"role": "developer", "content": [{"type": "text", "text": "Calculate."}]},
        {"role": "user", "content": [{"type": "text", "text": served.question}]},
        {"role": "assistant", "content": "1", "reasoning_content": "one"},
        {"role": "user", "content": served.question},
    ]
    with openai(served) as client:
        strict(chat(served, client, messages=turns))


def chat_limits_in_other_places(served: Served) -> None:
    with openai(served) as client:
        for place in ("chat_template_kwargs", "vllm_xargs", "extra_body"):
            said = strict(chat(served, client, extra_body={place: BUDGETS}))
            assert said["elastic"]["sources"]["thinking"] == f"{place}.thinking_budget"
            check_account(said["elastic"])


def completions_answer(served: Served) -> None:
    body: dict[str, Any] = {"model": served.model, "temperature": 0, "extra_body": BUDGETS}
    prompts = [served.question, served.question[:-1]]
    with openai(served) as client:
        one = strict(client.completions.create(prompt=prompts[0], **body))
        two = strict(client.completions.create(prompt=prompts, n=2, **body))
        chunks = [
            strict(chunk)
            for chunk in client.completions.create(
                prompt=prompts[0], stream=True, stream_options={"include_usage": True}, **body
            )
        ]
    [choice] = one["choices"]
    assert choice["reasoning_content"]
    assert [each["index"] for each in two["choices"]] == [0, 1, 2, 3]
    assert two["choices"][0]["text"] == choice["text"]
    assert two["usage"]["prompt_tokens"] > one["usage"]["prompt_tokens"]
    assert "".join(each["text"] for chunk in chunks for each in chunk["choices"]) == choice["text"]
    assert chunks[-1]["usage"] == one["usage"]
    check_account(chunks[-1]["elastic"])


def responses_answer(served: Served) -> None:
    body: dict[str, Any] = {"model": served.model, "input": served.question, "temperature": 0, "extra_body": BUDGETS}
    with openai(served) as client:
        whole = strict(client.responses.create(**body))
        events = [strict(event) for event in client.responses.create(stream=True, **body)]
        with client.responses.stream(**body) as stream:
            list(stream)
            stream.until_done()
    assert [item["type"] for item in whole["output"]] == ["reasoning", "message"]
    assert whole["usage"]["output_tokens_details"]["reasoning_tokens"] == 8
    check_account(whole["elastic"])
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert [kind for kind in kinds if not kind.endswith("delta")][4:-1] == [
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
    ]
    assert kinds[-1] == whole["status"]
    final = events[-1]["response"]
    names = ("id", "created_at", "completed_at", "elastic")
    assert [item["content"] for item in final["output"]] == [item["content"] for item in whole["output"]]
    left_out = {*names, "output"}
    assert {n: v for n, v in final.items() if n not in left_out} == {
        n: v for n, v in whole.items() if n not in left_out
    }
    check_account(final["elastic"])


def responses_go_on(served: Served) -> None:
    with openai(served) as client:
        first = client.responses.create(model=served.model, input=served.question, extra_body=BUDGETS)
        conversation: list[Any] = [{"role": "user", "content": served.question}]
        conversation += [item.to_dict() for item in first.output]
        conversation += [{"role": "user", "content": [{"type": "input_text", "text": served.question}]}]
        strict(
            client.responses.create(model=served.model, input=conversation, instructions="Go on.", extra_body=BUDGETS)
        )


def messages_answer(served: Served) -> None:
    body: dict[str, Any] = {
        "model": served.model,
        "messages": served.messages,
        "max_tokens": 128,
        "extra_body": {**BUDGETS, "temperature": 0},
    }
    with anthropic(served) as client:
        whole = strict(client.messages.create(**body))
        events = [strict(event) for event in client.messages.create(stream=True, **body)]
        with client.messages.stream(**body) as stream:
            final = strict(stream.get_final_message())
        count = strict(client.messages.count_tokens(model=served.model, messages=served.messages, extra_body=BUDGETS))
    assert [block["type"] for block in whole["content"]] == ["thinking", "text"]
    assert whole["usage"]["output_tokens_details"] == {"thinking_tokens": 8}
    assert count == {"input_tokens": whole["usage"]["input_tokens"]}
    check_account(whole["elastic"])
    for block, other in zip(final["content"], whole["content"], strict=True):
        assert block | {"signature": "", "citations": None} == other | {"signature": "", "citations": None}
    assert (final["stop_reason"], final["usage"]["output_tokens"]) == (
        whole["stop_reason"],
        whole["usage"]["output_tokens"],
    )
    assert [events[0]["type"], events[-2]["type"], events[-1]["type"]] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    check_account(events[-2]["elastic"])


def messages_go_on(served: Served) -> None:
    body: dict[str, Any] = {"model": served.model, "max_tokens": 128, "extra_body": BUDGETS}
    with anthropic(served) as client:
        first = client.messages.create(messages=served.messages, **body)
        turns = [*served.messages, {"role": "assistant", "content": first.content}, *served.messages]
        strict(client.messages.create(messages=turns, system=[{"type": "text", "text": "Go on."}], **body))


def models_are_told(served: Served) -> None:
    with openai(served) as client:
        assert served.model in [strict(model)["id"] for model in client.models.list()]
        assert strict(client.models.retrieve(served.model))["id"] == served.model
    with anthropic(served) as client:
        assert served.model in [strict(model)["id"] for model in client.models.list()]
        assert strict(client.models.retrieve(served.model))["id"] == served.model


def mistakes_are_told(served: Served) -> None:
    with openai(served) as client:
        with pytest.raises(NotFoundError, match="unknown model 'nobody'"):
            chat(served, client, model="nobody")
        with pytest.raises(NotFoundError, match="unknown model 'nobody'"):
            client.models.retrieve("nobody")
        with pytest.raises(BadRequestError, match=r"messages\[0\].role") as caught:
            chat(served, client, messages=[{"role": "nobody", "content": ""}])
        assert caught.value.param == "messages[0].role"
        with pytest.raises(BadRequestError, match="nothing is stored here"):
            client.responses.create(model=served.model, input="", previous_response_id="resp_1")
    with anthropic(served) as client:
        with pytest.raises(AnthropicNotFound, match="unknown model 'nobody'"):
            client.messages.create(model="nobody", messages=served.messages, max_tokens=64)
        with pytest.raises(AnthropicBadRequest, match="max_tokens"):
            client.messages.create(model=served.model, messages=served.messages, max_tokens=0)


def curl_answers(served: Served) -> None:
    body = {"model": served.model, "messages": served.messages, "temperature": 0, **BUDGETS}
    needs_curl()
    command = ["curl", "-sS", "-N", f"{served.url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d"]
    whole = json.loads(subprocess.run([*command, json.dumps(body)], check=True, capture_output=True).stdout)
    streamed = subprocess.run([*command, json.dumps({**body, "stream": True})], check=True, capture_output=True).stdout
    *chunks, done = [line.removeprefix(b"data: ") for line in streamed.split(b"\n\n") if line]
    assert done == b"[DONE]"
    choices = [choice for chunk in chunks for choice in json.loads(chunk)["choices"]]
    said = "".join(choice["delta"].get("content") or "" for choice in choices)
    assert said == whole["choices"][0]["message"]["content"] != ""


CLAIMS: tuple[Claim, ...] = (
    chat_answers,
    chat_streams_helper,
    chat_samples,
    chat_stops,
    chat_logprobs,
    chat_turns,
    chat_limits_in_other_places,
    completions_answer,
    responses_answer,
    responses_go_on,
    messages_answer,
    messages_go_on,
    models_are_told,
    mistakes_are_told,
    curl_answers,
)
