"""A rank other than 0: it loads its share of a model and does what rank 0's store does, for as long as that lives.

python -m elastic_reasoning.engines.local.parallel.worker DESCRIPTOR     # of one end of a pipe; see `workers`
"""

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread

import torch
import torch.distributed as dist

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.printable import one_line
from elastic_reasoning.engines.loading import load_weights
from elastic_reasoning.engines.local.parallel.calls import NEW, Call, received
from elastic_reasoning.engines.local.parallel.ranks import Spread, as_rank, join, meeting_place
from elastic_reasoning.engines.local.self_check import choose_store
from elastic_reasoning.engines.local.store import Store
from elastic_reasoning.engines.remote_code import remote_code_trusted

PARENT_SECONDS = 1.0
"""How often it is looked whether rank 0 lives: a fork of it may hold the other end of the pipe."""


def main() -> None:
    """Be the rank that the pipe says, to the end."""
    connection = Connection(int(sys.argv[1]))
    parent = os.getppid()
    spread, rank, port = connection.recv()
    calls: SimpleQueue[Call | None] = SimpleQueue()
    Thread(target=_listen, args=(connection, parent, calls), daemon=True).start()
    status = 0
    try:
        connection.send(None)  # all is imported
        with as_rank(rank), torch.inference_mode():
            join(spread, rank, meeting_place(spread, port))
            _follow(_new_store(spread), spread.place(rank), calls)
    except BaseException as error:
        status = 1
        with suppress(OSError):
            connection.send(_reason(error, spread))
    os._exit(status)  # at once, whatever a device or another rank may be waited for


def _reason(error: BaseException, spread: Spread) -> str:
    if isinstance(error, torch.OutOfMemoryError):
        return f"out of memory with max_rows={spread.max_rows}: lower max_rows"
    kind = "" if isinstance(error, EngineError) else f"{type(error).__name__}: "
    return kind + one_line(str(error), 300)


def _listen(connection: Connection, parent: int, calls: "SimpleQueue[Call | None]") -> None:
    """Take calls as they come, and end this process with rank 0, whatever it is doing."""
    with suppress(EOFError, OSError):
        while os.getppid() == parent:
            if connection.poll(PARENT_SECONDS):
                calls.put(connection.recv())
    os._exit(1)


def _new_store(spread: Spread) -> Callable[[], Store]:
    """What makes this rank's stores; it is chosen by the same passes as rank 0's, side by side with it."""
    torch.set_num_threads(spread.num_threads)
    with torch.inference_mode(False), remote_code_trusted() if spread.trusts_code else nullcontext():
        model = load_weights(spread.model, spread.dtype, spread.num_ranks)
    return choose_store(model, spread.max_rows)


def _follow(new_store: Callable[[], Store], device: torch.device, calls: "SimpleQueue[Call | None]") -> None:
    """Do what is told until nothing more is."""
    store = new_store()
    while (call := calls.get()) is not None:
        if call.method == NEW:
            store = new_store()
        else:
            getattr(store, call.method)(*received(call, device))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
