"""A few tokens of a model, so that its pace is known before anybody is promised anything."""

import asyncio
import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Request
from elastic_reasoning.core.template import Prompt
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.serving.backend import Backend
from elastic_reasoning.serving.deadlines import Deadlines
from elastic_reasoning.serving.gateway import Gateway
from elastic_reasoning.serving.mailbox import Mailbox
from elastic_reasoning.serving.pace_file import read_paces, save_paces
from elastic_reasoning.serving.progress import Progress

logger = logging.getLogger(__name__)

BUDGET = Budget(24, 8)
CLOSE_AT = 12
"""Thinking tokens, after which thinking is closed, as time would."""
LOADS = (1, 1, 4, 16, 64)
"""Walks at once; the first is not counted: a model is slow when it is used for the first time."""
MOST_UPSTREAM = 4
"""Walks at once that an upstream is asked for: it may have others to serve."""
ENOUGH_SECONDS = 1.0
"""What takes longer is not tried with more walks."""
MOST_SECONDS = 30.0
"""A model that takes longer has to be learned from what clients ask."""
LOOK_SECONDS, SAVE_LOOKS = 0.25, 240
"""How often it is looked whether a model should be measured, and after how many looks what is known is kept."""
TEXT = "What is 2 + 2?"


async def warm_up(backend: Backend) -> None:
    """Measure a model of which nothing is known. One that does not answer is left to be learned, with a warning."""
    if backend.deadlines.pace.is_known:
        return
    most = MOST_UPSTREAM if backend.config.urls else backend.engine.capacity
    try:
        prompt = backend.engine.prompt([{"role": "user", "content": TEXT}])
        for number, load in enumerate(LOADS):
            began = time.monotonic()
            if load <= most:
                await probe(backend, prompt, load, learns=number > 0)
            if number > 0 and time.monotonic() - began > ENOUGH_SECONDS:
                return
    except ElasticError as error:
        logger.warning("how fast %s is cannot be measured yet: %s", backend.name, error)


async def probe(backend: Backend, prompt: Prompt, num: int = 1, learns: bool = True) -> None:
    """Have some walks bring a few tokens, as clients' requests would.

    Args:
        backend: what is measured.
        prompt: of all the walks.
        num: how many at once.
        learns: whether it counts.

    Raises:
        ElasticError: the engine does not answer.
    """
    engine, mailbox = backend.engine, Mailbox[Future[Walk]]()
    requests = (Request(prompt, BUDGET, DEFAULT_STRATEGY, sample=sample) for sample in range(num))
    walks = [Walk(request, engine.template, engine.context) for request in requests]
    progresses, futures = backend.deadlines.admit(walks), list[Future[Walk]]()
    try:
        for walk, progress in zip(walks, progresses, strict=True):
            futures += engine.submit([walk], partial(_listen, backend.deadlines, progress, learns))
            futures[-1].add_done_callback(partial(_over, mailbox, progress))
        num_over = 0
        while num_over < num:
            num_over += len(await mailbox.get())
        for future in futures:
            future.result()
    finally:
        backend.deadlines.release(progresses)
        for future in futures:
            future.cancel()


def _listen(deadlines: Deadlines, progress: Progress, learns: bool, delta: Delta) -> None:
    if learns:
        progress.tell(delta)
        if progress.can_be_closed and progress.num_thinking >= CLOSE_AT:
            deadlines.close(progress)


def _over(mailbox: Mailbox[Future[Walk]], progress: Progress, future: Future[Walk]) -> None:
    progress.end()
    mailbox.put(future)


async def keep_up(gateway: Gateway) -> None:
    """Have the pace of all models known for as long as this runs: it is to be cancelled."""
    folder = Path(gateway.config.state) if gateway.config.state else None
    known = {} if folder is None else await asyncio.to_thread(read_paces, folder)
    met = set[Backend]()
    try:
        for number in count(1):
            backends = gateway.backends
            for name, backend in backends.items():
                if backend not in met and name in known:
                    backend.deadlines.pace = known[name]
                await _look_after(backend, is_new=backend not in met)
            met = set(backends.values())
            if number % SAVE_LOOKS == 0:
                await asyncio.to_thread(_save, folder, backends)
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        _save(folder, gateway.backends)


async def _look_after(backend: Backend, is_new: bool) -> None:
    deadlines = backend.deadlines
    with suppress(ElasticError, TimeoutError):  # whoever asks next is told
        async with asyncio.timeout(MOST_SECONDS):
            if is_new:
                await warm_up(backend)
            elif deadlines.refused is not None and not deadlines.under_way:  # is it as slow as it was?
                prompt, deadlines.refused = deadlines.refused, None
                await probe(backend, prompt)


def _save(folder: Path | None, backends: Mapping[str, Backend]) -> None:
    if folder is not None:
        paces = {name: backend.deadlines.pace for name, backend in backends.items()}
        save_paces(folder, {name: pace for name, pace in paces.items() if pace.is_known})
