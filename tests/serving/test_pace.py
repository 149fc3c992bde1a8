import asyncio
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.analysis.effort import Lengths as Quantiles
from elastic_reasoning.serving.asked import Asked, Limits
from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.gateway import open_gateway
from elastic_reasoning.serving.pace import Curve, Lengths, Pace, Spread
from elastic_reasoning.serving.pace_file import NAME, read_paces, save_paces
from elastic_reasoning.serving.warm_up import keep_up, warm_up


@given(
    st.dictionaries(st.integers(0, 7), st.floats(1e-4, 10), min_size=1),
    st.lists(st.floats(1, 500), min_size=2, max_size=2),
)
def test_more_is_never_faster(means: dict[int, float], xs: list[float]) -> None:
    less, more = sorted(xs)
    low, high = Curve(means).at(less), Curve(means).at(more)
    assert low is not None
    assert high is not None
    assert low <= high * (1 + 1e-9)


def test_between_two_loads_the_pace_lies_on_a_line_and_beyond_it_grows_as_the_load() -> None:
    curve = Curve({0: 1.0, 2: 4.0})
    assert [curve.at(load) for load in (0.5, 1, 2.5, 4, 8)] == [1.0, 1.0, 2.5, 4.0, 8.0]
    assert Curve().at(1) is None


@given(st.lists(st.integers(1, 1000), min_size=60, max_size=600), st.integers(0, 1000))
def test_no_more_than_a_share_of_what_was_seen_is_longer(lengths: list[int], done: int) -> None:
    seen = Lengths()
    for length in lengths:
        seen.see(length)
    longer = [length for length in lengths[-512:] if length > done]
    total = done + seen.remaining(0.9, done, None, 5000)
    assert sum(length > total for length in longer) <= 0.1 * (len(longer) + 1)


def test_a_length_is_no_more_than_is_allowed_and_a_default_until_enough_is_seen() -> None:
    seen = Lengths()
    assert seen.remaining(0.98, 0, None, 256) == 256
    assert seen.remaining(0.98, 5, 20, 256) == 15
    assert seen.remaining(0.98, 20, 20, 256) == 1
    for _ in range(60):
        seen.see(7)
    assert seen.remaining(0.98, 0, 20, 256) == 7
    assert seen.remaining(0.98, 3, 20, 256) == 4


def test_lengths_begin_with_what_was_measured_elsewhere() -> None:
    lengths = Lengths()
    lengths.expect(Quantiles(p50=10, p90=30, p95=40, p99=70, p99_5=100))
    assert [lengths.remaining(share, 0, None, 256) for share in (0.4, 0.89, 0.94, 0.98)] == [10, 30, 40, 70]
    for _ in range(512):
        lengths.see(5)
    assert lengths.remaining(0.98, 0, None, 256) == 5


def test_what_comes_after_a_silence_counts_more() -> None:
    busy, idle = Spread(), Spread()
    for number in range(200):
        busy.see(5.0, number / 100)
        idle.see(5.0, number / 100)
    for number in range(3):
        busy.see(1.0, 2.0 + number / 100)
        idle.see(1.0, 30.0 * (number + 1))
    assert idle.high < 2 < busy.high


def test_the_present_pace_follows_a_slowdown_at_once_and_the_lasting_one_slowly() -> None:
    pace = Pace()
    for number in range(100):
        pace.see_tokens(8, 0.08, 1, number * 0.08)
    now = 8.0
    for _ in range(5):
        now += 0.8
        pace.see_tokens(8, 0.8, 1, now)
    assert pace.token_seconds(1, now) > 0.08
    assert pace.token_seconds(1, now + 60) < 0.05


def test_what_is_known_outlives_the_process(tmp_path: Path) -> None:
    pace = Pace()
    pace.see_tokens(8, 0.08, 3, 1.0)
    pace.see_first(100, 0.2, 1, 1.0)
    pace.rest.see(7)
    save_paces(tmp_path / "state", {"mini": pace})
    assert read_paces(tmp_path / "state") == {"mini": pace}
    assert read_paces(tmp_path / "nothing") == {}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 1, "models": {"mini": 3}}', '{"version": 9, "models": {}}']
)
def test_a_broken_file_is_begun_anew_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    (tmp_path / NAME).write_text(text)
    with caplog.at_level(logging.WARNING):
        assert read_paces(tmp_path) == {}
    assert str(tmp_path / NAME) in caplog.text


def test_a_warm_up_finds_the_pace_of_a_model_and_learns_no_lengths_from_it() -> None:
    async def run() -> Pace:
        gateway = open_gateway(make_config({"models": {"mini-e1": {"max_rows": 4}}}))
        await gateway.start()
        backend = gateway.backends["mini-e1"]
        await warm_up(backend)
        assert not backend.deadlines.under_way
        await gateway.close()
        return backend.deadlines.pace

    pace = asyncio.run(run())
    assert pace.is_known
    assert set(pace.tokens.means) >= {0, 2}
    assert pace.turn is not None
    assert pace.rest_share.num_seen >= 5
    assert not pace.solution.recent
    assert not pace.rest.recent


def test_a_model_that_was_slow_is_measured_anew_where_it_would_refuse_for_ever() -> None:
    async def run() -> tuple[float, float]:
        gateway = open_gateway(make_config({"models": {"mini-e1": {"max_rows": 4}}}))
        await gateway.start()
        deadlines = gateway.backends["mini-e1"].deadlines
        await warm_up(gateway.backends["mini-e1"])
        before = deadlines.pace.tokens.means[0] = 100.0
        asked = Asked("", ({"role": "user", "content": "a 1 b +2 ="},), limits=Limits(deadline_seconds=5.0))
        with pytest.raises(ApiError, match="needs"):
            await anext(gateway.answer(asked))
        keeping = asyncio.create_task(keep_up(gateway))
        while deadlines.pace.tokens.means[0] == before:
            await asyncio.sleep(0.01)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await gateway.close()
        return before, deadlines.pace.tokens.means[0]

    before, after = asyncio.run(run())
    assert after < before
