import kills
import pytest


@pytest.mark.full
def test_twenty_kills_lose_nothing_and_double_nothing() -> None:
    outcome = kills.measure(num_kills=20, limit=256)
    assert outcome.num_kills == 20
    assert outcome.num_lost == outcome.num_doubled == 0
    assert outcome.num_differing == outcome.num_explained
    assert outcome.same_table or outcome.num_differing
