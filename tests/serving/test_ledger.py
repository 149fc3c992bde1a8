"""What keys have spent, and that no limit is exceeded: by many at once, and across the death of the process."""

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Usage
from elastic_reasoning.serving.keys import Key
from elastic_reasoning.serving.ledger import FILE, Ledger
from elastic_reasoning.serving.prices import UNIT, Cost

MIDDAY = 1_795_780_800.0  # 2026-11-27 12:00 UTC


@dataclass
class Spent:
    """What a request has come to."""

    cost: Cost
    used: Usage = field(default_factory=lambda: Usage(prompt=10, completion=20))


def spent(parts: int) -> Spent:
    return Spent(Cost(output=parts))


def limited(limit: str) -> Key:
    return Key(name="team", sha256="0" * 64, daily_limit=Decimal(limit))


@contextmanager
def opened(folder: Path | None = None, now: float = MIDDAY) -> Iterator[Ledger]:
    ledger = Ledger(folder, lambda: now)
    try:
        yield ledger
    finally:
        ledger.close()


def test_what_was_used_is_charged_whatever_ends_the_request() -> None:
    with opened() as ledger:
        with ledger.reserved(limited("1"), "m", 100, spent(40)):
            pass
        with pytest.raises(ZeroDivisionError), ledger.reserved(limited("1"), "m", 100, spent(2)):
            raise ZeroDivisionError
        assert ledger.totals("team") == {"requests": 2, "prompt": 20, "cached": 0, "completion": 40, "cost": 42}
        assert ledger.totals("team", "2026-11-26")["requests"] == 0


def test_a_day_that_is_spent_is_over_at_midnight() -> None:
    with opened() as ledger:
        with ledger.reserved(limited("1"), "m", UNIT, spent(UNIT)):
            pass
        with pytest.raises(ApiError, match="may spend 1 a day and has spent 1, and this request may cost") as refusal:
            ledger.reserved(limited("1"), "m", 1, spent(1)).__enter__()
        assert refusal.value.status == 402
        assert refusal.value.headers == {"Retry-After": str(12 * 3600 + 1)}


def test_a_request_is_charged_to_the_day_on_which_it_began() -> None:
    now = [MIDDAY]
    ledger = Ledger(None, lambda: now[0])
    with ledger.reserved(limited("1"), "m", UNIT, spent(UNIT)):
        now[0] += 86_400
        with ledger.reserved(limited("1"), "m", UNIT, spent(1)):
            pass
    assert ledger.totals("team", "2026-11-27")["cost"] == UNIT
    assert ledger.totals("team")["cost"] == 1
    ledger.close()


def test_what_others_may_still_need_is_worth_waiting_for() -> None:
    with opened() as ledger:
        with ledger.reserved(limited("1"), "m", UNIT, spent(1)):
            with pytest.raises(ApiError, match="its requests under way may need the rest") as refusal:
                ledger.reserved(limited("1"), "m", UNIT // 2, spent(1)).__enter__()
            assert refusal.value.status == 429
        with ledger.reserved(limited("1"), "m", UNIT // 2, spent(1)):
            pass


@given(st.integers(0, 2**16), st.integers(1, 40))
def test_no_limit_is_exceeded_by_many_at_once(seed: int, limit: int) -> None:
    draws = random.Random(seed)

    async def request(ledger: Ledger) -> int:
        await asyncio.sleep(0)
        most = draws.randint(0, 10)
        used = draws.randint(0, most)
        try:
            with ledger.reserved(
                Key(name="team", sha256="0" * 64, daily_limit=Decimal(limit)), "m", most * UNIT, spent(used * UNIT)
            ):
                for _ in range(draws.randint(0, 5)):
                    await asyncio.sleep(0)
        except ApiError:
            return 0
        return used

    async def scenario() -> None:
        with opened() as ledger:
            costs = await asyncio.gather(*(request(ledger) for _ in range(200)))
            assert ledger.totals("team")["cost"] == sum(costs) * UNIT <= limit * UNIT

    asyncio.run(scenario())


CHILD = """
import sys
from pathlib import Path
from test_ledger import Ledger, limited, spent
ledger, number = Ledger(Path(sys.argv[1]), lambda: 1_795_780_800.0), 0
held = ledger.reserved(limited("1"), "m", 10**12, spent(10**12))
held.__enter__()
while True:
    with ledger.reserved(limited("1"), "other", 0, spent(0)):
        pass
    number += 1
    print(number, flush=True)
"""


def test_a_killed_process_loses_nothing_that_was_charged_and_keeps_nothing_reserved(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent) as process:
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        said = 50 + len(process.stdout.readlines())
    with opened(tmp_path) as ledger:
        assert ledger.totals("team")["requests"] in (said, said + 1)
        with ledger.reserved(limited("1"), "m", UNIT, spent(1)):
            pass


def test_what_cannot_be_written_counts_as_long_as_the_process_lives(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / FILE)) as totals:
        totals.execute("create trigger full before insert on spending begin select raise(abort, 'disk full'); end")
    with opened(tmp_path) as ledger:
        with ledger.reserved(limited("1"), "m", UNIT, spent(UNIT // 2)):
            pass
        with pytest.raises(ApiError), ledger.reserved(limited("1"), "m", UNIT, spent(0)):
            pass
        with ledger.reserved(limited("1"), "m", UNIT // 2, spent(0)):
            pass
    assert "0.5 of the key 'team' could not be charged: disk full" in caplog.text


def test_a_folder_belongs_to_one_process(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(UsageError, match="does another gateway have it"):
        Ledger(tmp_path)
