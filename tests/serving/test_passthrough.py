"""What only an upstream's own chat endpoint can do goes there, with the budget, and is told as any other answer."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx2
import pytest
from aiohttp import web

from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import open_gateway
from fake_servers import Pace, fake_vllm, serving
from serving.gateways import listening
from serving.test_losses import facts, streamed
from serving.upstreams import QUESTION, before, chat, fake_mini

TOKENIZER, TEMPLATE = load_template("mini-e1")
CHAT = "/v1/chat/completions"
GRAMMAR = {"response_format": {"type": "json_object"}}
IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, {"type": "text", "text": "a 4"}]
CALL = {"index": 0, "id": "call_1", "function": {"name": "add", "arguments": '{"x": '}}
REST = {"index": 0, "function": {"arguments": "1}"}}


class Upstream:
    """A vLLM whose chat endpoint says what the completions endpoint says, or what it is told to.

    Attributes:
        bodies: what the chat endpoint was asked.
        pace: of its streams.
        deltas, logprobs: what it says, in place of what the model says.
    """

    def __init__(self, **settings: Any) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.pace = Pace()
        self.deltas: list[dict[str, Any]] = []
        self.logprobs: dict[str, Any] | None = None
        self._settings = settings

    def app(self) -> web.Application:
        app = fake_vllm(fake_mini(), **self._settings)
        app.router.add_post(CHAT, self._chat)
        return app

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        if body.get("response_format") == {"type": "json_schema", "json_schema": {}}:
            return web.json_response({"error": {"message": "no schema"}}, status=400)
        events = [{"choices": [{"index": 0, "delta": delta, "logprobs": self.logprobs}]} for delta in self.deltas]
        events = events or list(self._written(body))
        events += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
        events += [{"choices": [], "usage": {"prompt_tokens": 18, "completion_tokens": 15}}]
        return await self.pace.stream(request, events)

    def _written(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        prompt = render_prompt(TOKENIZER, TEMPLATE, body["messages"])
        ids = fake_mini().in_one_pass(prompt.ids, body["vllm_xargs"], 512)
        yield {"prompt_token_ids": list(prompt.ids), "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
        field = "reasoning"
        for token in ids:
            text = "" if token in TEMPLATE.eos else TEMPLATE.decode([token])
            if field == "reasoning" and token == TEMPLATE.closing.ids[0]:
                field, text = "content", ""
            yield {"choices": [{"index": 0, "delta": {field: text}, "token_ids": [token]}]}


@contextmanager
def asked_of(*upstreams: Upstream) -> Iterator[httpx2.Client]:
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(upstream.app)) for upstream in upstreams]
        root = stack.enter_context(before(*[server.url for server in servers]))
        yield stack.enter_context(httpx2.Client(base_url=root))


def post(client: httpx2.Client, **settings: Any) -> Any:
    return client.post(CHAT, json=chat(**settings))


def test_the_plug_in_keeps_the_budget_and_every_token_is_accounted_for() -> None:
    upstream = Upstream(plug_in=True)
    with asked_of(upstream) as client:
        in_tokens, whole = post(client).json(), post(client, **GRAMMAR).json()
        *_, last = streamed(client, **GRAMMAR)
        assert facts(whole) == facts(last)
        assert whole["elastic"].pop("kept_by") == "plug-in"
        assert facts(whole) == facts(in_tokens)
    body = upstream.bodies[0]
    assert body["response_format"] == GRAMMAR["response_format"]
    assert (body["vllm_xargs"]["thinking_budget"], body["vllm_xargs"]["solution_budget"]) == (8, 12)
    assert body["messages"] == [{"role": "user", "content": QUESTION}]


def test_a_budget_of_the_upstream_s_own_is_used_and_said() -> None:
    upstream = Upstream(native=True)
    upstream.deltas = [{"reasoning_content": "+3 -8"}, {"content": "e g"}]
    with asked_of(upstream) as client:
        answer = post(client, **GRAMMAR).json()
    [choice] = answer["choices"]
    assert (choice["message"]["reasoning_content"], choice["message"]["content"]) == ("+3 -8", "e g")
    assert (answer["elastic"]["kept_by"], answer["elastic"]["thinking_tokens"]) == ("upstream", 2)
    assert answer["usage"]["completion_tokens"] == 15
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2
    assert (upstream.bodies[0]["thinking_token_budget"], upstream.bodies[0]["max_tokens"]) == (8, 20)


def test_what_cannot_be_kept_is_refused() -> None:
    with asked_of(Upstream()) as client:
        refused = post(client, **GRAMMAR)
    assert refused.status_code == 400
    assert "plug-in" in refused.json()["error"]["message"]


def test_a_model_that_is_run_here_has_no_such_endpoint() -> None:
    config = make_config({"models": {"mini-e1": {}}})
    with listening(open_gateway(config)) as root, httpx2.Client(base_url=root) as client:
        refused = post(client, **GRAMMAR)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "response_format")


def test_images_and_calls_go_through_as_they_are() -> None:
    upstream = Upstream(plug_in=True)
    upstream.deltas = [{"content": "so"}, {"tool_calls": [CALL]}, {"tool_calls": [REST]}]
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    with asked_of(upstream) as client:
        messages = [{"role": "user", "content": IMAGE}]
        answer = post(client, messages=messages, tools=[tool], tool_choice="required").json()
    [call] = answer["choices"][0]["message"]["tool_calls"]
    assert (call["id"], call["function"]) == ("call_1", {"name": "add", "arguments": '{"x": 1}'})
    [body] = upstream.bodies
    assert (body["messages"], body["tools"], body["tool_choice"]) == (messages, [tool], "required")


def test_what_else_was_likely_is_told() -> None:
    upstream, top = Upstream(plug_in=True), [{"token": "so", "logprob": -0.1}, {"token": "hm", "logprob": -2.5}]
    said = {"token": "so", "logprob": -0.1, "top_logprobs": top}
    upstream.deltas = [{"reasoning": "hm"}, {"content": "so"}]
    upstream.logprobs = {"content": [said]}
    with asked_of(upstream) as client:
        answer = post(client, logprobs=True, top_logprobs=2).json()
    [told] = answer["choices"][0]["logprobs"]["content"]
    assert [(each["token"], each["logprob"]) for each in told["top_logprobs"]] == [("so", -0.1), ("hm", -2.5)]
    assert (upstream.bodies[0]["logprobs"], upstream.bodies[0]["top_logprobs"]) == (True, 2)


def test_what_the_upstream_refuses_is_refused() -> None:
    with asked_of(Upstream(plug_in=True)) as client:
        refused = post(client, response_format={"type": "json_schema", "json_schema": {}})
    assert refused.status_code == 400
    assert "no schema" in refused.json()["error"]["message"]


@pytest.mark.parametrize("place", range(0, 12, 3))
def test_one_upstream_answers_from_the_first_token_to_the_last(place: int) -> None:
    upstreams = Upstream(plug_in=True), Upstream(plug_in=True)
    with asked_of(*upstreams) as client:
        *texts, _ = streamed(client, **GRAMMAR)
        for upstream in upstreams:
            upstream.pace.num_streams, upstream.bodies = 0, []
            upstream.pace.cut = lambda number: place if number == 0 else None
        *found, last = streamed(client, **GRAMMAR)
    if place:
        assert last["error"]["code"] == "upstream_unavailable"
        assert sum(len(upstream.bodies) for upstream in upstreams) == 1
    else:
        assert found == texts


def test_a_client_that_goes_away_stops_it() -> None:
    upstream = Upstream(plug_in=True)
    upstream.pace.halt = lambda number: 3
    with asked_of(upstream) as client:
        with client.stream("POST", CHAT, json=chat(stream=True, **GRAMMAR)):
            assert upstream.pace.halted.wait(20)
        assert upstream.pace.dropped.wait(20)
