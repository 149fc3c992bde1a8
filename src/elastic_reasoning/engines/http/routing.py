"""Which replica a request goes to: one that has the beginning of its prompt in its cache, if that is not too busy."""

from array import array
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

from elastic_reasoning.engines.http.replicas import Replica

FIRST_BLOCK = 16
"""Ids of the shortest beginning that is remembered; each further one is twice as long."""
LONGEST_BLOCK = 2**14
NUM_TELLING = 3
"""How many beginnings of a prompt, the longest ones, a replica is chosen by: itself, and at least a quarter of it. What
all prompts begin with, as a system prompt, is in every cache and says nothing."""
MOST_REMEMBERED = 2**14
"""Beginnings."""
BUSIER_TIMES, BUSIER_BY = 2, 16
"""A replica with the prefix is passed over where it has more than so many times the requests of the least busy one, and
so many beyond that."""


def beginnings_of(ids: Sequence[int]) -> tuple[int, ...]:
    """Marks of the beginnings of a prompt, the shortest first; the last one is of all of it."""
    marks, size = [], FIRST_BLOCK
    while size < len(ids) and size <= LONGEST_BLOCK:
        marks.append(hash(tuple(ids[:size])))
        size *= 2
    return (*marks, hash(tuple(ids))) if ids else ()


def session_of(ids: Sequence[int]) -> str:
    """A name of a prompt, the same in every process: what stands between us and the replicas may route by it."""
    return blake2b(array("Q", ids).tobytes(), digest_size=16).hexdigest() if ids else ""


class Prefixes:
    """Which replicas have been asked for which beginnings of prompts, the latest ones of them."""

    def __init__(self) -> None:
        self._replicas: OrderedDict[int, set[Replica]] = OrderedDict()

    def note(self, beginnings: Iterable[int], replica: Replica) -> None:
        """A replica is asked for a prompt."""
        for mark in beginnings:
            self._replicas.setdefault(mark, set()).add(replica)
            self._replicas.move_to_end(mark)
        while len(self._replicas) > MOST_REMEMBERED:
            self._replicas.popitem(last=False)

    def forget(self, replica: Replica) -> None:
        """A replica is no more."""
        for replicas in self._replicas.values():
            replicas.discard(replica)

    def holders(self, beginnings: Sequence[int], among: Collection[Replica]) -> list[Replica]:
        """Those that were asked for the longest of the telling beginnings that any was asked for."""
        for mark in reversed(beginnings[-NUM_TELLING:]):
            found = [replica for replica in among if replica in self._replicas.get(mark, ())]
            if found:
                return found
        return []


def choose(replicas: Collection[Replica], now: float, prefixes: Prefixes, beginnings: Sequence[int]) -> Replica:
    """The replica to ask, of several; where all are left alone, the one that may be asked first.

    One that failed is tried by one request while there are others.
    """
    least_busy = min(replicas, key=lambda replica: (*replica.reluctance(now), replica.num_in_flight))
    usable = [replica for replica in replicas if replica.reluctance(now) == (0.0, False)]
    holders = prefixes.holders(beginnings, usable)
    if not holders:
        return least_busy
    holder = min(holders, key=lambda replica: replica.num_in_flight)
    is_busy = holder.num_in_flight > BUSIER_TIMES * least_busy.num_in_flight + BUSIER_BY
    return least_busy if is_busy else holder
