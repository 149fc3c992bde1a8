"""Which replica a request goes to: one that has the beginning of its prompt in its cache, if that is not too busy."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence

from elastic_reasoning.engines.http.replicas import Replica

FIRST_BLOCK = 16
"""Ids of the shortest beginning that is remembered; each further one is twice as long."""
LONGEST_BLOCK = 2**14
MOST_REMEMBERED = 2**14
"""Beginnings."""
BUSIER_TIMES, BUSIER_BY = 2, 4
"""A replica with the prefix is passed over where it has more than so many times the requests of the least busy one, and
so many beyond that."""


def beginnings_of(ids: Sequence[int]) -> tuple[int, ...]:
    """Marks of the beginnings of a prompt, the shortest first."""
    marks, size = [], FIRST_BLOCK
    while size <= min(len(ids), LONGEST_BLOCK):
        marks.append(hash(tuple(ids[:size])))
        size *= 2
    return tuple(marks)


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
        """Those that were asked for the longest of these beginnings that any was asked for."""
        for mark in reversed(beginnings):
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
