"""An event loop in a thread of its own, for engines that wait for others."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.trace import Finish
from elastic_reasoning.engines.job import Job


class LoopThread:
    """An event loop in a thread of its own, for as long as an engine lives."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Cancel what is under way and stop the loop; it may be called twice."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(_cancel_all(), self.loop).result()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()


def start(jobs: Sequence[Job], answer: Callable[[Job], Awaitable[None]], loop: asyncio.AbstractEventLoop) -> None:
    """Have an event loop bring walks to their ends, each by itself. One that the loop gives up is aborted."""

    async def run(job: Job) -> None:
        try:
            await answer(job)
        except asyncio.CancelledError:
            job.walk.interrupt(Finish.ABORT)
            Cursor(job.walk, job.listen, job.until)
        except BaseException as error:
            return job.finish(error)
        job.finish()

    for job in jobs:
        asyncio.run_coroutine_threadsafe(run(job), loop)


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
