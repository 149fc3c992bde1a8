"""Things that threads put, and an event loop takes."""

import asyncio
import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Takes things from any thread, and hands them to the event loop in which it was made.

    However many things come between two turns of the loop, the loop is woken once.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._items: deque[Item] = deque()
        self._arrived = asyncio.Event()
        self._is_woken = False

    def put(self, item: Item) -> None:
        """Add a thing; it may be called when the loop has ended."""
        self._items.append(item)
        if threading.get_ident() == self._thread:
            self._arrived.set()
        elif not self._is_woken and not self._loop.is_closed():
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._is_woken = False  # before what has come is looked at: what comes later wakes anew
        self._arrived.set()

    async def get(self) -> list[Item]:
        """All that is there, once there is something."""
        while not self._items:
            self._arrived.clear()
            if not self._items:
                await self._arrived.wait()
        return self.rest()

    def rest(self) -> list[Item]:
        """All that is there, if there is anything."""
        return [self._items.popleft() for _ in range(len(self._items))]
