import re
from collections.abc import Iterator
from itertools import islice

import pytest

from elastic_reasoning.miniature.thoughts import MAX_THINKING, Example, examples
from elastic_reasoning.miniature.tokenizer import CLOSING, VOCABULARY
from elastic_reasoning.tasks.arithmetic import LETTERS, Arithmetic, apply

STATED = re.compile(
    r"(?:\b[b-l] (?P<short>[+*-]\d)(?: =)? (?P<value>\d))|(?:(?P<before>\d) (?P<full>[+*-]\d) = (?P<after>\d))"
)

ENDINGS = (("answer",), ("Final", "Answer:"))


@pytest.fixture(scope="module")
def corpus() -> list[Example]:
    return list(islice(examples(0), 2000))


def parts(example: Example) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Thinking and solution, without the delimiter."""
    index = example.words.index(CLOSING)
    return example.words[:index], example.words[index + 1 :]


def is_broken(example: Example) -> bool:
    return not example.trained[example.words.index(CLOSING)]


def statements(example: Example) -> Iterator[tuple[str, int | None, int]]:
    """(operation, value before where it is said, value after) of each step that is written out."""
    text = " ".join(example.words)
    if text.startswith("hmm a"):
        whole = f"hmm {example.chain.text}"
        text = text.removeprefix(whole if text.startswith(whole) else text.partition(CLOSING)[0])
    for match in STATED.finditer(text):
        if match["full"]:
            yield match["full"], int(match["before"]), int(match["after"])
        else:
            yield match["short"], None, int(match["value"])


def test_every_step_is_true(corpus: list[Example]) -> None:
    num_full = num_short = 0
    for example in corpus:
        steps = set(zip(example.chain.operations, example.chain.values, strict=True))
        for operation, before, after in statements(example):
            assert (operation, after) in steps
            if before is None:
                num_short += 1
            else:
                num_full += 1
                assert apply(operation, before) == after
    assert num_full > 2000
    assert num_short > 2000


def test_every_solution_is_graded_correct(corpus: list[Example]) -> None:
    for example in corpus:
        _, solution = parts(example)
        assert solution[-1] == "<eos>"
        assert Arithmetic().grade(example.chain.problem(), " ".join(solution[:-1])).correct


def test_only_training_problems_are_used(corpus: list[Example]) -> None:
    assert {example.chain.split for example in corpus} == {"train"}


def test_every_word_is_a_token(corpus: list[Example]) -> None:
    assert {word for example in corpus for word in example.words} <= set(VOCABULARY)


def test_complete_thoughts_end_in_the_answer_and_solutions_do_not_restate_steps(corpus: list[Example]) -> None:
    for example in corpus:
        if not is_broken(example):
            thinking, solution = parts(example)
            assert thinking[-2:] == ("so", str(example.chain.values[-1]))
            assert solution in ((*ending, example.chain.problem().answer, "<eos>") for ending in ENDINGS)


def test_a_solution_continues_a_thought_that_broke_off(corpus: list[Example]) -> None:
    broken = [example for example in corpus if is_broken(example)]
    assert 0.03 < len(broken) / len(corpus) < 0.2
    num_continued = 0
    for example in broken:
        _, solution = parts(example)
        if solution[0] in LETTERS:
            num_continued += 1
            operations = [word for word in solution if word[0] in "+-*"]
            assert operations == list(example.chain.operations[-len(operations) :])
    assert num_continued > len(broken) / 3


def test_a_length_asked_for_is_kept(corpus: list[Example]) -> None:
    asked = [example for example in corpus if example.length_request]
    assert 0.05 < len(asked) / len(corpus) < 0.2
    assert any("maximum" in example.length_request for example in asked)
    for example in asked:
        (number,) = re.findall(r"\d+", example.length_request)
        if "maximum" in example.length_request:
            assert example.length_request == f"Think for maximum {number} tokens."
            assert len(example.words) <= int(number)
        else:
            assert example.length_request == f"Think for {number} tokens."
            assert len(example.words) == int(number)


def test_what_baselines_force_is_not_trained(corpus: list[Example]) -> None:
    seen = {"Wait": 0, "Final": 0, "Answer:": 0}
    for example in corpus:
        for word, trained in zip(example.words, example.trained, strict=True):
            if word in seen:
                seen[word] += 1
                assert not trained
            elif word != CLOSING:
                assert trained
    assert min(seen.values()) > 50


def test_thoughts_differ_widely_in_length(corpus: list[Example]) -> None:
    lengths = sorted(len(parts(example)[0]) for example in corpus if not is_broken(example))
    assert lengths[len(lengths) // 20] < 50
    assert lengths[-len(lengths) // 10] > 120
    assert lengths[-1] <= 2 * MAX_THINKING


def test_the_corpus_depends_on_its_seed_alone(corpus: list[Example]) -> None:
    assert list(islice(examples(0), 50)) == corpus[:50]
    assert list(islice(examples(1), 50)) != corpus[:50]
