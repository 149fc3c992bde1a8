"""An engine on many machines: walks go to the workers of a Ray cluster, and come back when they are over.

    engine = RayEngine(EngineConfig("ray", ray=RaySettings(workers="4", num_gpus=1)), "Qwen/Qwen3-8B")
    for trace in generate(engine, requests): ...

A worker is sent a request and what has been sampled of it, and sends what it sampled: the walk itself stays here and is
moved by that. Walks of one prompt that are submitted together go to one worker, whose prefix cache they share. A walk
whose worker is lost is made again by another one. Interrupts reach a walk where it is.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Message, Prompt
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.families import runs_branches
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.engines.names import parts_of
from elastic_reasoning.engines.ray.answering import OpenAnswering
from elastic_reasoning.engines.ray.cluster import RayCluster, connected, own_strategies
from elastic_reasoning.engines.ray.driver import Driver

NOTE = "on workers of a Ray cluster, which tell of tokens when an answer is complete"


class RayEngine:
    """Has the workers of a Ray cluster answer.

    Attributes:
        template: how the model marks thinking, as its tokenizer here tells.
        context, note: of the workers' engines.

    Args:
        config: with `name` "ray"; `config.ray` says what runs on each worker.
        model: its name, or that of a pair.

    Raises:
        EngineError: the cluster cannot be reached, or a worker cannot begin.
        TemplateError: the tokenizer's thinking delimiters cannot be found.
        MissingDependencyError: Ray is not installed.
    """

    def __init__(self, config: EngineConfig, model: str) -> None:
        chat = config.chat
        name = config.server.tokenizer if config.ray.engine == "openai" else ""
        self.tokenizer, self.template = load_template(name or parts_of(model)[0], **chat.delimiters)
        self._renderer = Renderer(self.tokenizer, self.template, **chat.rendering)
        self._held = ExitStack()
        self._held.enter_context(connected(config.ray))
        try:
            own = own_strategies()
            cluster = RayCluster(config.ray, lambda slot: OpenAnswering(config.of_worker(slot), model, own))
            self._driver = Driver(cluster, config)
            self._held.callback(self._driver.close)
            about = self._driver.about.result()
        except BaseException:
            self._held.close()
            raise
        self.context = about.context
        self.note = "; ".join(filter(None, (NOTE, about.note)))

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """Chat messages to a prompt that offers these tools, through the tokenizer's chat template."""
        return self._renderer.prompt(messages, tools)

    @property
    def capacity(self) -> int:
        """As many as all workers can be busy with; it changes as machines come and go."""
        return self._driver.capacity

    @runs_branches
    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        """Take walks; see `Engine.submit`. The listener is told of a walk's tokens when it comes back."""
        jobs = [Job(walk, listen, until, plug_in=True) for walk in walks]  # whether it is there, a worker knows
        self._driver.take(jobs)
        return [job.future for job in jobs]

    def close(self) -> None:
        """Give up what is under way and end the workers; it may be called twice."""
        self._held.close()
