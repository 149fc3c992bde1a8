"""The events of a request put together: what each sample thought, said and called, in order."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from elastic_reasoning.core.segment import Phase
from elastic_reasoning.serving.events import Ended, Event, Finished, Text, ToolCall, Usage


@dataclass(slots=True)
class Passage:
    """A stretch of text in one phase."""

    phase: Phase
    parts: list[str]

    @property
    def text(self) -> str:
        return "".join(self.parts)


@dataclass(slots=True)
class Sample:
    """One sample of a request, as a whole."""

    ended: Ended
    blocks: list[Passage | ToolCall]
    """In the order in which they came."""

    def text(self, phase: Phase) -> str | None:
        """All text of a phase; `None` where there is none."""
        parts = [block.text for block in self.blocks if isinstance(block, Passage) and block.phase is phase]
        return "".join(parts) if parts else None

    @property
    def calls(self) -> list[ToolCall]:
        return [block for block in self.blocks if isinstance(block, ToolCall)]


@dataclass(slots=True)
class Answer:
    """All that came of a request."""

    samples: list[Sample] = field(default_factory=list)
    """By their numbers."""
    finished: Finished = field(default_factory=lambda: Finished(Usage()))


def gather(events: Iterable[Event]) -> Answer:
    """Put the events of a request together, up to its end."""
    blocks: dict[int, list[Passage | ToolCall]] = {}
    answer = Answer()
    for event in events:
        if isinstance(event, Text):
            own = blocks.setdefault(event.sample, [])
            if own and isinstance(own[-1], Passage) and own[-1].phase is event.phase:
                own[-1].parts.append(event.text)
            else:
                own.append(Passage(event.phase, [event.text]))
        elif isinstance(event, ToolCall):
            blocks.setdefault(event.sample, []).append(event)
        elif isinstance(event, Ended):
            answer.samples.append(Sample(event, blocks.pop(event.sample, [])))
        elif isinstance(event, Finished):
            answer.finished = event
    answer.samples.sort(key=lambda sample: sample.ended.sample)
    return answer
