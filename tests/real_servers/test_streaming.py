"""Tokens as they come from real servers, and deadlines."""

import pytest

from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.loading import load
from real_servers.serving import Served
from real_servers.test_same_traces import STRATEGIES, Seen
from real_vllm.deadlines import check_deadlines, listened
from real_vllm.same import compare, greedy_requests

pytestmark = [pytest.mark.timeout(1800)]
NUM_CLOSED = 12


def test_what_is_streamed_is_what_comes_as_a_whole(mini: Served, seen: Seen) -> None:
    local, engine = load("mini"), mini.engine()
    requests = greedy_requests(local, 8, strategies=STRATEGIES)
    ties = compare(local.model, list(generate(local, requests)), listened(engine, requests))
    seen(f"{len(requests)} traces, {len(ties)} ties {ties or ''}")


def test_a_deadline_closes_thinking_and_the_solution_follows(mini: Served, seen: Seen) -> None:
    num_tries = check_deadlines(mini.engine(), NUM_CLOSED)
    seen(f"{NUM_CLOSED} of {num_tries} thoughts closed by time, each answered as a budget that ends there")
