"""What the corpus writes is read back, wherever it is cut; anything else is passed over."""

import random
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.miniature.thoughts import draw_thought
from elastic_reasoning.tasks.arithmetic import Chain, chains
from elastic_reasoning.tasks.arithmetic_thinking import Thought, read_thought

SHORT = "a 4 b -8 = 6 c +7 3 d *3 9 so 9"
FULL = "hmm b 4 -8 = 6 c 6 +7 = 3 d 3 *3 = 9 so 9"
VERIFIED = "hmm b 4 -8 = 6 wait check 4 -8 = 6 ok wait check 4 -8 = 6 ok c 6 +7 = 3 so 3"
RESTATED = "hmm a 4 b -8 c +7 = b 4 -8 = 6 c 6 +7 = 3 so 3"

WORDS = [*"abc12=x", "+3", "-4", "*7", "hmm", "so", "wait", "check", "ok", "again", "Wait"]


def steps(thought: Thought) -> tuple[int, int, int, int]:
    return thought.num_short, thought.num_full, thought.num_verified, thought.num_checks


@pytest.mark.parametrize(
    ("text", "expected"),
    [(SHORT, (3, 0, 0, 0)), (FULL, (0, 3, 0, 0)), (VERIFIED, (0, 1, 1, 2)), (RESTATED, (0, 2, 0, 0)), ("", (0,) * 4)],
)
def test_steps_are_told_apart(text: str, expected: tuple[int, ...]) -> None:
    thought = read_thought(text)
    assert steps(thought) == expected
    assert (thought.num_wrong, thought.num_unread) == (0, 0)
    assert thought.restated is (text == RESTATED)


def test_a_short_step_may_be_verified_too() -> None:
    assert steps(read_thought("a 4 b -8 = 6 wait check 4 -8 = 6 ok c +7 3")) == (1, 0, 1, 1)


@pytest.mark.parametrize("word", ["again", "Wait"])
def test_another_pass_is_counted_apart(word: str) -> None:
    thought = read_thought(f"{FULL} {word} {SHORT}")
    assert steps(thought) == (0, 3, 0, 0)
    assert (thought.num_passes, thought.num_steps, thought.num_judged) == (1, 6, 6)


@pytest.mark.parametrize(
    ("text", "num_judged", "num_wrong"),
    [
        (SHORT.replace("+7 3", "+7 4"), 3, 2),  # the step behind it starts from there
        (SHORT.replace("*3 9", "*3 8"), 3, 1),
        (FULL.replace("+7 = 3", "+7 = 4"), 3, 2),
        (FULL.replace("c 6", "c 5"), 3, 1),
        ("c +7 3 d *3 9", 1, 0),  # nothing says what the first one starts from
        ("hmm c 5 +7 = 2 d *3 6", 2, 0),
        (f"{SHORT} again a 5 b -8 = 7", 4, 0),
        (f"{SHORT} again b -8 = 7", 3, 0),
    ],
)
def test_wrong_steps_are_found(text: str, num_judged: int, num_wrong: int) -> None:
    thought = read_thought(text)
    assert (thought.num_judged, thought.num_wrong) == (num_judged, num_wrong)


def test_what_is_no_form_is_counted() -> None:
    thought = read_thought("hmm b 4 ok -8 maybe b 4 -8 = 6 so 6")
    assert steps(thought) == (0, 1, 0, 0)
    assert thought.num_unread == 5
    assert read_thought("The answer is plainly forty two, as anyone can see").num_unread == 10 - 5


def test_what_the_corpus_writes_is_read_back_wherever_it_is_cut() -> None:
    rng = random.Random(0)
    for chain in islice(chains("train", 0), 120):
        words = draw_thought(chain, rng).words
        thought = read_thought(" ".join(words))
        assert thought.num_short + thought.num_full + thought.num_verified == len(chain.operations)
        assert thought.num_checks == words.count("check")
        assert thought.num_passes == words.count("again")
        assert thought.num_steps == thought.num_judged == len(chain.operations) * (1 + words.count("again"))
        assert thought.restated == (words[:2] == ("hmm", "a"))
        assert (thought.num_short == len(chain.operations)) == (words[0] == "a")
        for end in range(len(words)):
            cut = read_thought(" ".join(words[:end]))
            assert (cut.num_wrong, cut.num_unread, cut.num_words) == (0, 0, end)


@given(st.text() | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_can_be_read(text: str) -> None:
    thought = read_thought(text)
    assert thought.num_words == len(text.split())
    assert 0 <= thought.num_wrong <= thought.num_judged <= thought.num_steps
    assert thought.num_unread <= thought.num_words
    assert thought.num_short + thought.num_full + thought.num_verified <= thought.num_steps


def test_a_chain_of_the_task_is_what_the_examples_here_are() -> None:
    assert Chain(4, ("-8", "+7", "*3")).values == (6, 3, 9)
