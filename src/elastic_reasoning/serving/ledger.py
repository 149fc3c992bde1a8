"""What each key has spent on each day (UTC), and what its requests under way may still come to.

    with ledger.reserved(key, "qwen3", most, meter):
        ...                             # whatever happens: what the meter says at the end is charged

What has been charged is in an SQLite file before the answer is over, and outlives a process that is killed; what was
reserved is in memory, and is free again with the next start. The file belongs to one process.
"""

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Usage
from elastic_reasoning.serving.keys import Key
from elastic_reasoning.serving.prices import Cost, amount, as_number, spelled

FILE = "spending.sqlite3"
DAY_SECONDS = 86_400
SETTLING_SECONDS = 5
"""After which it is worth asking again, where requests under way have reserved what is left."""
COLUMNS = ("requests", "prompt", "cached", "completion", "cost")
SCHEMA = f"""
create table if not exists spending (
    day text, key text, model text, {", ".join(f"{name} integer not null" for name in COLUMNS)},
    primary key (day, key, model)
) without rowid
"""
CHARGE = f"""
insert into spending values (?, ?, ?, 1, ?, ?, ?, ?)
on conflict do update set {", ".join(f"{name} = {name} + excluded.{name}" for name in COLUMNS)}
"""

logger = logging.getLogger(__name__)


class Spent(Protocol):
    """What a request has come to so far."""

    @property
    def used(self) -> Usage: ...

    @property
    def cost(self) -> Cost: ...


class Ledger:
    """Totals of keys and days, and the limits that they keep.

    Args:
        folder: where the totals outlive the process; `None` for memory alone.
        clock: seconds since 1970.

    Raises:
        UsageError: the folder cannot be written, or another process has it.
    """

    def __init__(self, folder: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._reserved: Counter[tuple[str, str]] = Counter()
        try:
            self._totals = _open(folder)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(
                f"{folder}: its {FILE} cannot be used ({error}); does another gateway have it? Choose another state"
            ) from None

    @contextmanager
    def reserved(self, key: Key, model: str, most: int, spent: Spent) -> Iterator[None]:
        """Keep so much of the key's limit free for a request, and charge what it came to when the block ends.

        A request is charged to the day on which it begins.

        Args:
            key: who asks.
            model: what is asked, by the name that clients use.
            most: what the request may cost at the worst, in parts.
            spent: what it has come to, asked at the end.

        Raises:
            ApiError: 402 where it does not fit what the key may still spend today; 429 where it may fit when others,
                that are under way, have cost less than they could.
        """
        day = self._day()
        account = (key.name, day)
        if key.daily_limit is not None:
            self._check(key, day, most, amount(key.daily_limit))
        self._reserved[account] += most
        try:
            yield
        finally:
            self._reserved[account] -= most
            try:
                usage = spent.used
                row = (day, key.name, model, usage.prompt, usage.cached, usage.completion, spent.cost.total)
                self._totals.execute(CHARGE, row)
            except sqlite3.Error as error:
                self._reserved[account] += spent.cost.total  # the limit holds, as long as the process lives
                logger.error("%s of the key %r could not be charged: %s", spelled(spent.cost.total), key.name, error)
            if not self._reserved[account]:
                del self._reserved[account]

    def _check(self, key: Key, day: str, most: int, limit: int) -> None:
        spent = self.totals(key.name, day)["cost"]
        if spent + self._reserved[key.name, day] + most <= limit:
            return
        details = {"daily_limit": as_number(limit), "spent": as_number(spent), "needed": as_number(most)}
        says = f"the key {key.name!r} may spend {spelled(limit)} a day and has spent {spelled(spent)}"
        if spent + most <= limit:
            raise ApiError(
                429,
                f"{says}; its requests under way may need the rest: try again when they are over",
                code="daily_limit_reserved",
                headers={"Retry-After": str(SETTLING_SECONDS)},
                details=details,
            )
        raise ApiError(
            402,
            f"{says}, and this request may cost {spelled(most)}: ask for fewer tokens, or wait for the next day (UTC)",
            code="daily_limit_reached",
            headers={"Retry-After": str(int(DAY_SECONDS - self._clock() % DAY_SECONDS) + 1)},
            details=details,
        )

    def totals(self, key: str, day: str = "") -> dict[str, int]:
        """What a key came to on a day: requests, tokens, and cost in parts.

        Args:
            key: its name.
            day: as 2026-11-27; today if empty.
        """
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in COLUMNS)
        asked = (day or self._day(), key)
        row = self._totals.execute(f"select {sums} from spending where day = ? and key = ?", asked).fetchone()
        return dict(zip(COLUMNS, row, strict=True))

    def _day(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).date().isoformat()

    def close(self) -> None:
        """Close the file."""
        self._totals.close()


def _open(folder: Path | None) -> sqlite3.Connection:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    path = ":memory:" if folder is None else folder / FILE
    totals = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        totals.execute("pragma locking_mode = exclusive")
        totals.execute("pragma journal_mode = wal")
        totals.execute("pragma synchronous = normal")  # a killed process loses nothing; a machine may lose the last
        totals.execute(SCHEMA)
        totals.execute("begin immediate")  # takes the file, until it is closed
        totals.execute("commit")
    except BaseException:
        totals.close()
        raise
    return totals
