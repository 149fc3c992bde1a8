"""An engine without a model: what would be sampled is written down.

For tests, for documentation, and for trying a strategy without weights. It runs with either interpreter.

    template = word_template("<think>", "</think>", "<eos>", words=["two", "and", "four", "answer", "4"])
    engine = ScriptedEngine(scripted(template, thinking="two and two and", solution="answer 4"), template)
    ask(engine, "2 + 2", "3+5").solution_text          # "answer 4", after thinking was cut at three words
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from elastic_reasoning.core.call import Call, OnEos
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Message, Prompt, Template, Thinking
from elastic_reasoning.core.trace import Finish, Trace
from elastic_reasoning.core.walk import Completion, Walk, run_by_call

Script = Callable[[Request, Sequence[int]], Sequence[int]]
"""(request, ids of the completion so far) to ids by preference: the first that is not banned is sampled."""


def scripted_logprob(position: int, token: int) -> float:
    """The log-probability that the scripted engine reports; it differs by position and token."""
    return -(1 + (31 * position + 7 * token) % 97) / 97


class ScriptedEngine:
    """Samples what a script says.

    Attributes:
        note: nothing.

    Args:
        script: what is sampled.
        template: how thinking is marked.
        context: tokens of prompt and completion, `None` for no limit.
        interpreter: "token" uses a `Cursor`, "call" hands over whole calls; the traces are the same.
        thinking: the state of thinking that prompts made from messages have.
    """

    note = ""

    def __init__(
        self,
        script: Script,
        template: Template,
        context: int | None = None,
        interpreter: Literal["token", "call"] = "token",
        thinking: Thinking = Thinking.OPEN,
    ) -> None:
        self.script = script
        self.template = template
        self.context = context
        self.interpreter = interpreter
        self.thinking = thinking

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        text = "\n".join(str(message["content"]) for message in messages)
        return Prompt(self.template.encode(text), self.thinking, bool(tools))

    def run(self, walks: Iterable[Walk]) -> Iterator[Trace]:
        for walk in walks:
            yield self._by_token(walk) if self.interpreter == "token" else self._by_call(walk)

    def close(self) -> None:
        """Nothing is held."""

    def _sample(self, request: Request, ids: Sequence[int], banned: frozenset[int]) -> int:
        return next(token for token in self.script(request, ids) if token not in banned)

    def _by_token(self, walk: Walk) -> Trace:
        cursor = Cursor(walk)
        while not cursor.done:
            start = cursor.ids
            new: list[int] = []
            while not new or (len(new) != cursor.left and new[-1] not in cursor.watch):
                new.append(self._sample(walk.request, start + new, cursor.banned))
            cursor.wake(new, [scripted_logprob(len(start) + n, token) for n, token in enumerate(new)])
        return walk.trace()

    def _by_call(self, walk: Walk) -> Trace:
        num_prompt = len(walk.request.prompt.ids)

        def complete(context: tuple[int, ...], call: Call, position: int) -> Completion:
            so_far = context[num_prompt:]
            new: list[int] = []
            finish = None
            while finish is None:
                banned = call.banned if len(new) < call.min_tokens else frozenset[int]()
                new.append(self._sample(walk.request, (*so_far, *new), banned))
                finish = self._finish(call, new)
            if finish is Finish.EOS and call.on_eos is OnEos.DISCARD:
                new.pop()
            logprobs = tuple(scripted_logprob(position + n, token) for n, token in enumerate(new))
            return Completion(tuple(new), logprobs, finish)

        return run_by_call(walk, complete)

    def _finish(self, call: Call, new: Sequence[int]) -> Finish | None:
        if new[-1] in self.template.eos:
            return Finish.EOS
        if call.stop is not None and call.stop.ends(new):
            return Finish.DELIMITER
        if len(new) == call.max_tokens:
            return Finish.LENGTH
        if call.grace and call.max_tokens is not None and new[-1] in self.template.boundaries:
            window = len(new) >= call.max_tokens - call.grace and len(new) >= call.min_tokens
            return Finish.BOUNDARY if window else None
        return None


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
