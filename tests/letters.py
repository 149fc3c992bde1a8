"""Models and templates whose tokens are letters, so that a test reads like the text that is sampled.

    answer(letters(), "ab" "C" "xy$", "3+4")      # thinks "ab", closes with "C", writes "xy", ends with "$"

Every answer is made by token and by call, which must agree, and is judged by the checker.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from by_call import ByCall
from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.delimiter import TextDelimiter, TokenDelimiter
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Segment
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted_logprob

ALPHABET = "$OPCDabcdefwuxyz.\n"


def letters(opening: str = "O", closing: str = "C", alphabet: str = ALPHABET, eos: str = "$") -> Template:
    """A template with one token a letter; delimiters may have several letters. Other letters have no token."""
    index = {letter: number for number, letter in enumerate(alphabet)}

    def encode(text: str) -> tuple[int, ...]:
        return tuple(index[letter] for letter in text if letter in index)

    return Template(
        opening=TokenDelimiter(opening, encode(opening)),
        closing=TokenDelimiter(closing, encode(closing)),
        eos=frozenset(encode(eos)),
        num_tokens=len(alphabet),
        encode=encode,
        decode=lambda ids: "".join(alphabet[token] for token in ids),
    )


def pieces_template(pieces: Sequence[str], opening: str, closing: str) -> Template:
    """A template with delimiters of plain text; its tokens are pieces of text, the first one ends the sequence.

    Text is encoded greedily, longest piece first; other letters have no token.
    """

    def encode(text: str) -> tuple[int, ...]:
        ids: list[int] = []
        while text:
            fitting = [n for n, piece in enumerate(pieces) if piece and text.startswith(piece)]
            best = max(fitting, key=lambda n: len(pieces[n]), default=None)
            ids += [] if best is None else [best]
            text = text[1 if best is None else len(pieces[best]) :]
        return tuple(ids)

    def spell(rest: bytes) -> tuple[int, ...]:
        return encode(rest.decode())

    written = [piece.encode() for piece in pieces]
    return Template(
        opening=TextDelimiter.of(opening, written, spell),
        closing=TextDelimiter.of(closing, written, spell),
        eos=frozenset([0]),
        num_tokens=len(pieces),
        encode=encode,
        decode=lambda ids: "".join(pieces[token] for token in ids),
    )


def by_count(ids: Sequence[int], template: Template) -> Callable[[Request, Sequence[int]], Iterator[int]]:
    """Says these ids one after the other, whatever is forced in between or taken back; then only ends.

    It has a memory: one script serves one request.
    """
    said = iter(ids)

    def script(request: Request, so_far: Sequence[int]) -> Iterator[int]:
        yield from _preferring(next(said, min(template.eos)), template)

    return script


def by_position(ids: Sequence[int], template: Template) -> Callable[[Request, Sequence[int]], Iterator[int]]:
    """Says at each position of the completion the id of that position; then only ends."""

    def script(request: Request, so_far: Sequence[int]) -> Iterator[int]:
        yield from _preferring(ids[len(so_far)] if len(so_far) < len(ids) else min(template.eos), template)

    return script


def _preferring(token: int, template: Template) -> Iterator[int]:
    """This token; where it is banned the first of the others."""
    yield token
    yield from range(template.num_tokens)


def by_events(request: Request, template: Template, context: int | None, script: Any) -> Trace:
    """Run a request as an engine with a cache does: it keeps its own row, and obeys what the cursor answers."""
    cursor = Cursor(Walk(request, template, context))
    row = list(cursor.walk.ids)
    while not cursor.done:
        new: list[int] = []
        while len(new) != cursor.left and not (new and new[-1] in cursor.watch):
            new.append(next(token for token in script(request, row + new) if token not in cursor.banned))
        turn = cursor.wake(new, [scripted_logprob(len(row) + n, token) for n, token in enumerate(new)])
        row += new
        del row[len(row) - turn.take_back :]
        row += turn.forced
        assert row == cursor.ids
    return cursor.walk.trace()


def answer(
    template: Template,
    says: str,
    budget: str,
    strategy: str = "elastic",
    prompt: str = "",
    thinking: Thinking = Thinking.OPEN,
    context: int | None = None,
    **options: Any,
) -> Trace:
    """What comes of a request to a model that says these letters."""
    prompted = Prompt(template.encode(prompt), thinking)
    request = Request(prompted, Budget.parse(budget), strategy, Options(**options))
    by_token, by_call = (
        next(
            run(made(by_count(template.encode(says), template), template, context), [Walk(request, template, context)])
        )
        for made in (ScriptedEngine, ByCall)
    )
    assert by_token.segments == by_call.segments
    assert by_token.error == by_call.error
    assert check(by_token, context) == []
    return by_token


def show(trace: Trace) -> str:
    """A trace on one line: `phase:letters` for each part, forced letters in brackets, empty parts left out."""
    parts = []
    for segment in trace.segments:
        text = trace.template.decode(segment.ids).replace("\n", "/")
        if text:
            parts.append(f"{segment.phase}:{text}" if segment.sampled else f"{segment.phase}:[{text}]")
    return " ".join(parts)


def put_together(deltas: Sequence[Delta]) -> list[Segment]:
    """The segments that a listener was told of."""
    segments: list[Segment] = []
    ended = True
    for delta in deltas:
        before = Segment(delta.phase, (), delta.sampled, None if delta.logprobs is None else ())
        if not ended:
            before = segments.pop()
        assert (before.phase, before.sampled) == (delta.phase, delta.sampled)
        logprobs = None if delta.logprobs is None or before.logprobs is None else (*before.logprobs, *delta.logprobs)
        segments.append(Segment(delta.phase, (*before.ids, *delta.ids), delta.sampled, logprobs, delta.finish))
        ended = delta.last
    return segments


def finishes(trace: Trace) -> list[str]:
    """Why each sampled part ended."""
    return [str(segment.finish) for segment in trace.segments if segment.finish is not None]
