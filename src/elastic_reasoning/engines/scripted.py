"""An engine without a model: what would be sampled is written down.

For tests, for documentation, and for trying a strategy without weights.

    template = word_template("<think>", "</think>", "<eos>", words=["two", "and", "four", "answer", "4"])
    engine = ScriptedEngine(scripted(template, thinking="two and two and", solution="answer 4"), template)
    ask(engine, "2 + 2", "3+5").solution_text          # "answer 4", after thinking was cut at three words
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Message, Prompt, Template, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.families import runs_branches
from elastic_reasoning.engines.job import Job

Script = Callable[[Request, Sequence[int]], Sequence[int]]
"""(request, ids of the completion so far) to ids by preference: the first that is not banned is sampled."""


def scripted_logprob(position: int, token: int) -> float:
    """The log-probability that the scripted engine reports; it differs by position and token."""
    return -(1 + (31 * position + 7 * token) % 97) / 97


class ScriptedEngine:
    """Samples what a script says.

    Attributes:
        note: nothing.
        capacity: one walk at a time.

    Args:
        script: what is sampled.
        template: how thinking is marked.
        context: tokens of prompt and completion, `None` for no limit.
        thinking: the state of thinking that prompts made from messages have.
    """

    note = ""
    capacity = 1

    def __init__(
        self,
        script: Script,
        template: Template,
        context: int | None = None,
        thinking: Thinking = Thinking.OPEN,
    ) -> None:
        self.script = script
        self.template = template
        self.context = context
        self.thinking = thinking

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        text = "\n".join(str(message["content"]) for message in messages)
        return Prompt(self.template.encode(text), self.thinking, bool(tools))

    @runs_branches
    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        """Bring walks to their ends, one after the other, in the caller's thread."""
        jobs = [Job(walk, listen, until) for walk in walks]
        for job in jobs:
            self._write(job)
            job.finish()
        return [job.future for job in jobs]

    def close(self) -> None:
        """Nothing is held."""

    def _write(self, job: Job) -> None:
        cursor, walk = Cursor(job.walk, job.listen, job.until), job.walk
        ids, listens = cursor.ids, cursor.listens
        while not cursor.done:
            start = len(ids)
            logprobs: list[float] = []
            while not logprobs or (len(ids) - start != cursor.left and ids[-1] not in cursor.watch):
                logprobs.append(scripted_logprob(len(ids), self._sample(walk.request, ids, cursor.banned)))
                if listens or walk.interrupted:
                    break
            turn = cursor.wake(ids[start:], logprobs)
            del ids[len(ids) - turn.take_back :]
            ids += turn.forced

    def _sample(self, request: Request, ids: list[int], banned: frozenset[int]) -> int:
        """Append an id to those of the completion."""
        ids.append(next(token for token in self.script(request, ids) if token not in banned))
        return ids[-1]


def word_template(opening: str, closing: str, eos: str, words: Sequence[str]) -> Template:
    """A template whose tokens are words; the delimiters may be several words long."""
    vocabulary = list(dict.fromkeys([eos, *opening.split(), *closing.split(), *words]))
    index = {word: number for number, word in enumerate(vocabulary)}

    def encode(text: str) -> tuple[int, ...]:
        return tuple(index[word] for word in text.split() if word in index)

    return Template(
        opening=TokenDelimiter(opening, encode(opening)),
        closing=TokenDelimiter(closing, encode(closing)),
        eos=frozenset([index[eos]]),
        num_tokens=len(vocabulary),
        encode=encode,
        decode=lambda ids: " ".join(vocabulary[token] for token in ids),
    )


def scripted(template: Template, thinking: str, solution: str) -> Script:
    """A script that thinks one text, closes, writes another and ends, whatever is forced on it in between.

    Where it may not close yet it goes on with other words, and closes as soon as it may.
    """
    thoughts, closing = template.encode(thinking), template.closing.ids
    answer = (*template.encode(solution), min(template.eos))

    def script(request: Request, ids: Sequence[int]) -> Sequence[int]:
        for size in range(1, len(ids) + 1):
            if template.closing.ends(ids[:size]):
                return [answer[min(len(ids) - size, len(answer) - 1)]]
        opened = len(template.opening.ids) if template.opening.ends(ids[: len(template.opening.ids)]) else 0
        left = len(thoughts) - (len(ids) - opened)
        return [thoughts[-left] if left > 0 else closing[-left % len(closing)], *range(template.num_tokens)]

    return script
