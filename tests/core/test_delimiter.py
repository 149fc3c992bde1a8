import pytest
from hypothesis import given
from hypothesis import strategies as st

import checker
from elastic_reasoning.core.delimiter import AnyDelimiter, Delimiter, TokenDelimiter
from letters import pieces_template

PIECES = ["$", *"</t>xy", "</", "t>", ">x", "x<", "", "</t>y"]


def text_delimiter(*, merges: bool = True) -> Delimiter:
    return pieces_template(PIECES if merges else PIECES[:7], "<t>", "</t>").closing


def ids(*pieces: str) -> tuple[int, ...]:
    return tuple(PIECES.index(piece) for piece in pieces)


def test_a_token_delimiter_ends_only_with_all_of_its_ids() -> None:
    delimiter = TokenDelimiter("ab", (1, 2))
    assert [delimiter.ends(ids) for ids in ((), (2,), (1, 2), (3, 1, 2), (1, 2, 3))] == [0, 0, 2, 2, 0]
    assert delimiter.watch == {2}


def test_a_delimiter_that_overlaps_itself_is_completed_from_its_longest_beginning() -> None:
    delimiter = TokenDelimiter("aab", (2, 2, 3))
    assert delimiter.begun((2, 2, 2)) == (2, (3,))
    assert delimiter.begun((2, 3, 2)) == (1, (2, 3))
    assert delimiter.begun((2, 2, 3)) == (0, (2, 2, 3))
    assert delimiter.ends((2, 2, 2, 3)) == 3


@pytest.mark.parametrize(
    "spelling",
    [ids("<", "/", "t", ">"), ids("</", "t", ">"), ids("</", "t>"), ids("<", "/", "t>"), ids("</t>y")],
)
def test_plain_text_is_recognised_however_it_is_tokenised(spelling: tuple[int, ...]) -> None:
    delimiter = text_delimiter()
    assert delimiter.ends((*ids("x", "y"), *spelling)) == len(spelling)
    assert spelling[-1] in delimiter.watch
    assert all(delimiter.ends(spelling[:n]) == 0 for n in range(len(spelling)))


def test_tokens_that_begin_or_complete_a_text_delimiter_are_taken_whole() -> None:
    delimiter = text_delimiter()
    assert delimiter.ends(ids("y", "x<", "/", "t", ">x")) == 4
    assert delimiter.begun(ids("y", "x<")) == (1, ids("/", "t>"))
    assert delimiter.begun(ids("x<", "/")) == (2, ids("t>"))


def test_what_only_resembles_a_text_delimiter_is_not_one() -> None:
    delimiter = text_delimiter()
    assert delimiter.ends(ids("<", "x", "/", "t", ">")) == 0
    assert delimiter.begun(ids("</", "x")) == (0, delimiter.ids)
    assert delimiter.begun(()) == (0, delimiter.ids)


def test_completing_a_half_written_delimiter_can_take_more_ids_than_writing_it() -> None:
    whole = pieces_template(["$", *"</t>", "</t>"], "<t>", "</t>").closing
    assert len(whole.ids) == 1
    assert whole.begun((1,)) == (1, (2, 3, 4))
    assert whole.most_forced == 3
    assert TokenDelimiter("ab", (1, 2)).most_forced == 2


TOKEN = st.sampled_from(["a", "ab", "aa", "aab", "abaa"]).map(lambda t: TokenDelimiter(t, tuple(map(ord, t))))
TEXT = st.sampled_from([text_delimiter(), text_delimiter(merges=False)])


@given(st.data(), TOKEN | TEXT)
def test_both_kinds_agree_with_brute_force(data: st.DataObject, delimiter: Delimiter) -> None:
    vocabulary = st.sampled_from([97, 98]) if isinstance(delimiter, TokenDelimiter) else st.integers(0, 6)
    run = tuple(data.draw(st.lists(vocabulary, max_size=8)))
    first = checker.first_end(delimiter, run)
    ends = next(((n, delimiter.ends(run[:n])) for n in range(1, len(run) + 1) if delimiter.ends(run[:n])), None)
    assert ends == first
    if first is None:
        begun, rest = delimiter.begun(run)
        assert begun == checker.beginning(delimiter, run)
        assert delimiter.ends((*run, *rest))
    else:
        assert run[first[0] - 1] in delimiter.watch


def test_ids_beyond_the_vocabulary_have_no_text() -> None:
    delimiter, padding = text_delimiter(), len(PIECES) + 3
    assert delimiter.ends((padding, *ids("</", "t", ">"))) == 3
    assert delimiter.ends((*ids("</", "t", ">"), padding)) == 0
    assert delimiter.begun((padding, *ids("</"))) == (1, ids("t>"))


def test_of_several_delimiters_any_may_end_and_the_first_is_completed() -> None:
    either = AnyDelimiter((TokenDelimiter("ab", (1, 2)), TokenDelimiter("c", (3,))))
    assert [either.ends(run) for run in ((1,), (1, 2), (2, 3), (3, 1))] == [0, 2, 1, 0]
    assert either.watch == {2, 3}
    assert (either.text, either.ids, either.most_forced) == ("ab or c", (1, 2), 2)
    assert either.begun((3, 1)) == (1, (2,))
