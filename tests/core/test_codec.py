"""Texts behind other texts, with tokenizers of every kind: what is encoded decodes to itself there."""

from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elastic_reasoning.core.codec import LONGEST_KEPT, MOST_KEPT, Codec
from elastic_reasoning.core.delimiter import TextDelimiter, TokenDelimiter
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Template, resolve_template
from elastic_reasoning.core.trace import Trace
from letters import answer
from vocabularies import EXACT, made, vocabulary

KINDS = st.sampled_from(EXACT)
CLOSINGS = ["</think>", "◁/think▷", "</ think>", "[/THINK]"]
BITS = [
    "<",
    "/",
    "</",
    " </",
    "think",
    " think",
    ">",
    ">\n",
    "so",
    " so",
    "\n",
    " ",
    ".",
    "◁",
    "▷",
    "é",
    "<think>",
    "1",
]
TEXTS = st.lists(st.sampled_from(BITS), max_size=8).map("".join)


def template_of(kind: str, closing: str = "</think>") -> Template:
    return resolve_template(vocabulary(kind), opening="<think>", closing=closing)


def behind(template: Template, before: str, ids: tuple[int, ...]) -> str:
    """What ids write behind a text."""
    head = template.encode(f"a{before}")
    return template.decode((*head, *ids)).removeprefix(template.decode(head))


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize(
    "text", ["Wait", " Wait", "\nFinal Answer:", "Time is up.", "</think>", "think>", "é◁", "  so"]
)
def test_a_text_behind_another_is_encoded_without_a_blank_of_its_own(kind: str, text: str) -> None:
    template = template_of(kind)
    assert behind(template, "", template.encode(text)) == text
    assert template.decode(template.encode("a so") + template.encode(text)).endswith(f"a so{text}")


@settings(max_examples=300)
@given(KINDS, TEXTS, TEXTS)
def test_any_text_behind_any_other_is_encoded_exactly(kind: str, before: str, text: str) -> None:
    template = template_of(kind)
    ids = template.encode(f"a{before}") + template.encode(text)
    assert template.decode(ids).endswith(f"a{before}{text}")


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("closing", CLOSINGS)
def test_a_delimiter_of_plain_text_is_forced_as_it_is_written(kind: str, closing: str) -> None:
    template = template_of(kind, closing)
    assert isinstance(template.closing, TextDelimiter)
    assert behind(template, "so", template.closing.forced) == closing


@settings(max_examples=600)
@given(KINDS, st.sampled_from(CLOSINGS), TEXTS, st.integers(0, 12), TEXTS)
def test_a_delimiter_is_recognised_in_any_context_and_tokenisation(
    kind: str, closing: str, before: str, cut: int, after: str
) -> None:
    """The tokens are those of a text cut in two at any place, so that they may straddle either end."""
    template, codec = template_of(kind, closing), Codec(vocabulary(kind))
    text = f"{before}{closing}{after}"
    ids = (*template.encode(text[:cut]), *template.encode(text[cut:]))
    written = b"".join(map(codec.piece, ids))
    assert written == text.encode()
    sizes = {n: template.closing.ends(ids[:n]) for n in range(1, len(ids) + 1)}
    first = next(n for n in sizes if closing.encode() in b"".join(map(codec.piece, ids[:n])))
    assert min(n for n, size in sizes.items() if size) == first
    assert ids[first - 1] in template.closing.watch
    assert closing.encode() in b"".join(map(codec.piece, ids[first - sizes[first] : first]))


@settings(max_examples=600)
@given(KINDS, st.sampled_from(CLOSINGS), TEXTS, st.data())
def test_a_half_written_delimiter_is_completed_to_exactly_itself(
    kind: str, closing: str, before: str, data: st.DataObject
) -> None:
    """Also where tokens are single bytes of a character."""
    template, codec = template_of(kind, closing), Codec(vocabulary(kind))
    whole = closing.encode()
    cut = data.draw(st.integers(1, len(whole) - 1))
    head = codec.spell(whole[:cut]) or tuple(n for byte in whole[:cut] for n in codec.spell(bytes([byte])))
    ids = (*template.encode(f"a{before}"), *head)
    if any(template.closing.ends(ids[:n]) for n in range(1, len(ids) + 1)):
        return
    begun, rest = template.closing.begun(ids)
    assert begun
    assert b"".join(map(codec.piece, (*ids, *rest))).startswith(f"a{before}".encode())
    assert b"".join(map(codec.piece, (*ids[len(ids) - begun :], *rest))).endswith(whole)
    assert template.closing.ends((*ids, *rest))


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("closing", CLOSINGS)
@pytest.mark.parametrize("num", [0, 1, 2, 3, 4, 5, 6, 9, 14])
def test_budgets_are_kept_where_they_cut_a_delimiter_of_plain_text(kind: str, closing: str, num: int) -> None:
    template, codec = template_of(kind, closing), Codec(vocabulary(kind))
    trace: Trace = answer(template, f"so so{closing}\n1.", f"{num}+3")
    until_closed = [s.ids for s in trace.segments if s.phase in (Phase.THINKING, Phase.CLOSING)]
    written = b"".join(map(codec.piece, chain.from_iterable(until_closed))).removesuffix(b"\n")  # ">\n" is a token
    assert written.endswith(closing.encode())
    assert written.lstrip().removesuffix(closing.encode()) in (b"", b"so", b"so so", b"s", b"so ", b"so s")
    assert trace.num_solution_tokens <= 3
    again = replay(trace.request, trace.ids, template, None, trace.sampled_mask, trace.logprobs)
    assert again.segments == trace.segments


# Words


def test_a_vocabulary_of_words_forces_whole_words() -> None:
    template = template_of("words")
    closing = vocabulary("words").convert_tokens_to_ids("</think>")
    assert (template.closing.forced, template.closing.watch) == ((closing,), {closing})
    trace = answer(template, "so one so </think> 1", "2+1")
    assert template.decode(trace.ids) == "so one </think> so"


def test_what_a_vocabulary_of_words_cannot_complete_is_written_whole() -> None:
    template = template_of("words")
    (less,) = template.encode("<")
    assert template.closing.begun((*template.encode("so"), less)) == (0, template.closing.forced)


# Added tokens


@pytest.mark.parametrize("kind", ["older", "always", "first"])
def test_an_added_token_is_one_id_also_where_a_blank_is_put_in_front_of_every_text(kind: str) -> None:
    tokenizer = made(kind)
    tokenizer.add_tokens(["<think>", "</think>"])
    template = resolve_template(tokenizer)
    assert isinstance(template.closing, TokenDelimiter)
    assert template.closing.forced == (tokenizer.convert_tokens_to_ids("</think>"),)


# Pieces


@pytest.mark.parametrize("kind", EXACT)
def test_the_pieces_of_a_text_are_its_bytes(kind: str) -> None:
    codec = Codec(vocabulary(kind))
    text = "a so </think>\n◁é"
    assert b"".join(map(codec.piece, codec.encode(text))) == text.encode()
    assert codec.spell("◁".encode()[1:]) is not None


def test_what_no_vocabulary_can_write_is_not_spelled() -> None:
    codec = Codec(vocabulary("words"))
    assert codec.spell(b"think>") is None
    assert codec.encode("zzz") == (vocabulary("words").unk_token_id,)


def test_what_requests_force_again_and_again_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, asked = vocabulary("words"), list[str]()
    encode = type(tokenizer).encode

    def counted(self: Any, text: str, **settings: Any) -> Any:
        asked.append(text)
        return encode(self, text, **settings)

    codec = Codec(tokenizer)
    monkeypatch.setattr(type(tokenizer), "encode", counted)
    texts = ["so", "", *(str(number) for number in range(2 * MOST_KEPT)), "so " * LONGEST_KEPT]
    for text in texts:
        ids = codec.encode(text)
        num_asked = len(asked)
        assert codec.encode(text) == ids
        assert (len(asked) > num_asked) == (len(text) > LONGEST_KEPT)
    num_asked = len(asked)
    codec.encode(texts[2])
    assert len(asked) > num_asked  # as many as requests may think of are not kept
