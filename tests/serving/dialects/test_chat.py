from collections.abc import Iterator

import pytest
from openai import BadRequestError, OpenAI

from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import open_gateway
from serving.gateways import listening

QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="


@pytest.fixture(scope="module")
def client() -> Iterator[OpenAI]:
    config = make_config({"models": {"mini-e1": {}}})
    with listening(open_gateway(config)) as url, OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_the_official_client_gets_thinking_and_answer_apart(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="mini-e1",
        messages=[{"role": "user", "content": QUESTION}],
        temperature=0,
        extra_body={"thinking_budget": 8, "solution_budget": 20},
    )
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 8
    assert answer.choices[0].message.content
    account = answer.model_extra["elastic"] if answer.model_extra else {}
    assert (account["thinking_tokens"], account["thinking_ended_by"]) == (8, "tokens")


def test_a_stream_says_the_same(client: OpenAI) -> None:
    settings = {"model": "mini-e1", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0}
    budgets = {"thinking_budget": 8, "solution_budget": 20}
    whole = client.chat.completions.create(**settings, extra_body=budgets)  # type: ignore[call-overload]
    chunks = list(
        client.chat.completions.create(  # type: ignore[call-overload]
            **settings, stream=True, stream_options={"include_usage": True}, extra_body=budgets
        )
    )
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert said == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_every_chunk_says_the_usage_so_far_where_it_is_asked_to(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="mini-e1",
            messages=[{"role": "user", "content": QUESTION}],
            temperature=0,
            stream=True,
            stream_options={"include_usage": True, "continuous_usage_stats": True},  # type: ignore[typeddict-unknown-key]
            extra_body={"thinking_budget": 8, "solution_budget": 20},
        )
    )
    reasoning = [chunk.usage.completion_tokens_details.reasoning_tokens for chunk in chunks]  # type: ignore[union-attr]
    assert reasoning[0] == 0
    assert reasoning == sorted(reasoning)
    assert reasoning[-2:] == [8, 8]
    assert chunks[0].model_extra["elastic"]["budget"] == {"thinking": 8, "solution": 20}  # type: ignore[index]


def test_a_strategy_and_its_options_are_read(client: OpenAI) -> None:
    settings = {"model": "mini-e1", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0}
    cut = client.chat.completions.create(  # type: ignore[call-overload]
        **settings, extra_body={"thinking_budget": 4, "solution_budget": 4, "strategy": "vanilla"}
    )
    assert cut.choices[0].finish_reason == "length"
    assert not cut.choices[0].message.content
    told = client.chat.completions.create(  # type: ignore[call-overload]
        **settings, extra_body={"thinking_budget": 4, "solution_budget": 20, "wrap_up": " ="}
    )
    assert told.model_extra["elastic"]["forced_tokens"] > 1
    with pytest.raises(BadRequestError, match="means nothing to strategy"):
        client.chat.completions.create(**settings, extra_body={"strategy": "vanilla", "grace": 2})  # type: ignore[call-overload]
