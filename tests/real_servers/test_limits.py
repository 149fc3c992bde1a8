"""What real servers do at their limits: few slots, a full context, text, delimiters of plain text."""

import signal
import threading

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options, Sampling
from elastic_reasoning.engines.engine import ask, generate, new_request
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.http.replicas import UnreachableError
from elastic_reasoning.engines.loading import load
from real_servers.serving import NUM_SLOTS, Served, Start
from real_servers.test_same_traces import STRATEGIES, Seen, agree
from real_vllm.same import greedy_requests, problems

pytestmark = [pytest.mark.timeout(1800)]

only_llama_cpp = pytest.mark.parametrize("kind", [pytest.param("llama.cpp", marks=pytest.mark.servers)], indirect=True)


@only_llama_cpp
def test_many_requests_wait_for_one_slot(start: Start, seen: Seen) -> None:
    engine, server = load("mini"), start("mini", "--slots=1").engine(concurrency=4 * NUM_SLOTS)
    agree(engine, server, greedy_requests(engine, 10), seen)


def test_a_budget_beyond_the_context_is_that_requests_error(mini: Served) -> None:
    engine = mini.engine()
    question = problems(1)[0]
    good, bad = (new_request(engine, question, budget, name=budget) for budget in ("8+8", "500+60"))
    traces = {trace.request.name: trace for trace in generate(engine, [good, bad])}
    assert traces["8+8"].error is None
    assert "more than the model's context leaves" in (traces["500+60"].error or "")


def test_a_context_that_is_smaller_than_was_said_is_that_requests_error(mini: Served) -> None:
    engine = mini.engine()
    question = "hmm so wait " * 160 + problems(1)[0]
    engine.context = 4096  # as of a server behind a proxy that tells nothing
    good, bad = (
        new_request(engine, text, "8+8", name=name) for text, name in ((problems(1)[0], "good"), (question, "bad"))
    )
    traces = {trace.request.name: trace for trace in generate(engine, [good, bad])}
    assert traces["good"].error is None
    assert traces["bad"].error is not None
    assert "\n" not in traces["bad"].error


def test_what_is_forbidden_is_not_sampled(mini: Served) -> None:
    engine, greedy = load("mini"), Sampling(temperature=0)
    options = Options(min_thinking=60)
    requests = [
        new_request(engine, question, Budget(90, 8), "elastic", options, greedy, name=question)
        for question in problems(20)
    ]
    expected = {trace.request.name: trace for trace in generate(engine, requests)}
    for trace in generate(mini.engine(), requests):
        assert trace.ids == expected[trace.request.name].ids
        assert trace.num_thinking_tokens >= 60


@only_llama_cpp
def test_in_text(start: Start, seen: Seen) -> None:
    engine, server = load("mini"), start("mini", "--special").engine(dialect="openai")
    assert server.counted
    agree(engine, server, greedy_requests(engine, 10, ("0+8", "16+12", "64+20"), strategies=("elastic", "s1")), seen)


@pytest.mark.parametrize("closing", ["so", "ok g", "= 3 ok"])
def test_delimiters_of_plain_text(mini: Served, closing: str, seen: Seen) -> None:
    engine = load("mini", opening="<think>", closing=closing)
    server = mini.engine(opening="<think>", closing=closing)
    budgets = ("0+8", "16+12", "64+20")
    agree(engine, server, greedy_requests(engine, 6, budgets, strategies=STRATEGIES), seen)


@only_llama_cpp
def test_a_server_that_ends_for_good_ends_the_run_with_its_name(start: Start) -> None:
    server = start("mini", "--slots=2")
    engine = server.engine(retry_seconds=1, concurrency=4)
    requests = [new_request(engine, question, "200+60", "unconstrained", name=question) for question in problems(200)]
    running = generate(engine, requests)
    next(running)
    threading.Timer(0.1, server.end, [signal.SIGKILL]).start()
    with pytest.raises(UnreachableError, match=f"{server.root}/completion does not answer"):
        list(running)


def test_a_question(mini: Served) -> None:
    engine = OpenAIEngine(ServerConfig((mini.url,), tokenizer="mini"), mini.model)
    trace = ask(engine, problems(1)[0], "32+20", sampling=Sampling(temperature=0))
    assert trace.ids == ask(load("mini"), problems(1)[0], "32+20", sampling=Sampling(temperature=0)).ids
