import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.records.measures import (
    by_tenth,
    compression,
    num_reflections,
    part_lengths,
    repetition,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wait, let me check that again. Hmm. Hmmm!", 4),
        ("I should double-check, double check and doublecheck. ", 2),
        ("Re-examine it, reexamined; recheck, rethinking, reconsidered, reanalyze, re-evaluate, reassess", 8),
        ("Alternatively we could retry. However, let's verify.", 4),
        ("Check again, think again, verify again, try again, and go over the steps", 5),
        ("await the waiter, human, rewrite, a research, but actually so", 0),
        ("", 0),
    ],
)
def test_words_of_reflection(text: str, expected: int) -> None:
    assert num_reflections(text) == expected


def test_repetition_is_the_share_of_ngrams_that_were_there_before() -> None:
    assert repetition([1, 2, 3, 4, 1, 2, 3, 4]) == pytest.approx(1 / 5)
    assert repetition([1, 2, 3, 4]) == 0
    assert repetition([1, 2, 3]) is None
    assert repetition([7] * 103) == pytest.approx(0.99)
    assert repetition([1, 2, 1, 2, 1], n=2) == pytest.approx(0.5)


@given(st.lists(st.integers(0, 3), max_size=60))
def test_repetition_by_brute_force(ids: list[int]) -> None:
    ngrams = [tuple(ids[n : n + 4]) for n in range(len(ids) - 3)]
    before = [ngram in ngrams[:n] for n, ngram in enumerate(ngrams)]
    assert repetition(ids) == (pytest.approx(sum(before) / len(before)) if before else None)


def test_what_repeats_itself_compresses_better() -> None:
    draw = random.Random(0)
    noise = "".join(draw.choice("abcdefghij") for _ in range(2000))
    repeated = compression(noise[:100] * 20)
    plain = compression(noise)
    assert repeated is not None
    assert plain is not None
    assert repeated < 0.1 < 0.4 < plain < 0.6  # ten letters carry 3.3 of 8 bits
    assert compression("") is None
    assert compression("\ud800") is not None


def test_parts_are_sentences_and_lines() -> None:
    assert part_lengths("First, 3.5 is it. Is it? Yes!\n\n- no\n  two words  \n") == [4, 2, 1, 2, 2]
    assert part_lengths(" \n ") == []


@given(st.lists(st.integers(1, 9), max_size=40))
def test_each_part_counts_in_the_tenth_in_which_it_begins(lengths: list[int]) -> None:
    tenths = by_tenth(lengths)
    assert len(tenths) == 10
    starts = [sum(lengths[:n]) for n in range(len(lengths))]
    for number, mean in enumerate(tenths):
        here = [n for n, s in zip(lengths, starts, strict=True) if number <= 10 * s / sum(lengths) < number + 1]
        assert mean == (pytest.approx(sum(here) / len(here)) if here else None)
