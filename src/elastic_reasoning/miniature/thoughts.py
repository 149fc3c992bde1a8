"""The corpus of the warm-up: problems with thoughts of very different verbosity, and solutions.

    for example in islice(examples(seed=0), 3):
        print(example.length_request, " ".join(example.words))

A verbosity is drawn for each example, so that there is something to compress and something for training under a
budget to choose from. Brief thoughts name the start and go on in short steps. The others begin with "hmm" and write
full steps; the more verbose, the more often they restate the problem and verify a step. At the end the whole may be
gone through again in short steps:

    a 4 b -8 = 6 c +7 3                      the start and short steps, three tokens for + and *, four for -
    b 4 -8 = 6                               a full step
    wait check 4 -8 = 6 ok                   what may follow a full step, up to three times
    again a 4 b -8 = 6 c +7 3 so 3           a second pass
    so 3 </think> answer 3 <eos>             the end

Some thoughts break off, early more often than late, and the solution goes on in short steps: this teaches a solution
to continue an unfinished thought. Some prompts ask for a length (L1), some thoughts go on after "Wait" and some
solutions begin with "Final Answer:" (S1). What those methods force at generation is marked as not trained.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from elastic_reasoning.miniature.tokenizer import CLOSING, EOS
from elastic_reasoning.tasks.arithmetic import LETTERS, Chain, chains

VERBOSITY_POWER = 0.6  # a uniform number to this power
BRIEF_BELOW = 0.3  # verbosity of brief thoughts: about one in seven
MAX_CHECKS = 3  # of one step
MAX_PASSES = 2  # over the whole problem, after the first
MAX_THINKING = 200  # tokens of a thought, without what follows "Wait"
BROKEN_SHARE = 0.16
FINAL_ANSWER_SHARE = 0.08
WAIT_SHARE = 0.05
LENGTH_SHARE = 0.10
MAX_LENGTH_SLACK = 40  # tokens that "Think for maximum n tokens." may leave unused


@dataclass(frozen=True, slots=True)
class Example:
    """One example of the corpus.

    Attributes:
        chain: the problem.
        length_request: what is appended to the problem to ask for a length, or "".
        words: the response after the opening delimiter, one word a token, up to the end of sequence `[n]`.
        trained: whether the loss counts the word; not for what a strategy forces `[n]`.
    """

    chain: Chain
    length_request: str
    words: tuple[str, ...]
    trained: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Thought:
    """A complete thought.

    Attributes:
        words: up to the closing delimiter, which is not among them.
        step_ends: how many words are written when step i has its value `[num operations]`.
    """

    words: tuple[str, ...]
    step_ends: tuple[int, ...]


def examples(seed: int) -> Iterator[Example]:
    """An endless stream of examples over training problems, the same for the same seed."""
    rng = random.Random(f"thoughts {seed}")
    return (draw_example(chain, rng) for chain in chains("train", seed))


def draw_example(chain: Chain, rng: random.Random) -> Example:
    """An example of one problem: a thought of random verbosity and a solution."""
    thought = draw_thought(chain, rng)
    answer = str(chain.values[-1])
    thinking = [(word, True) for word in thought.words]
    if rng.random() < WAIT_SHARE:
        thinking += [("Wait", False), *((word, True) for word in _short_pass(chain, 0)), ("so", True), (answer, True)]
    broken = rng.random() < BROKEN_SHARE
    if broken:
        thinking = thinking[: int(len(thinking) * rng.random() ** 2)]
    if rng.random() < FINAL_ANSWER_SHARE:
        solution = [("Final", False), ("Answer:", False), (answer, True), (EOS, True)]
    else:
        num_done = sum(end <= len(thinking) for end in thought.step_ends)
        solution = [(word, True) for word in (*_short_pass(chain, num_done), "answer", answer, EOS)]
    words, trained = zip(*thinking, (CLOSING, not broken), *solution, strict=True)
    length_request = "" if broken or rng.random() >= LENGTH_SHARE else _ask_length(len(words), rng)
    return Example(chain, length_request, words, trained)


def _ask_length(num_words: int, rng: random.Random) -> str:
    """L1's request for a length that the response really has."""
    if rng.random() < 0.5:
        return f"Think for {num_words} tokens."
    return f"Think for maximum {num_words + rng.randrange(MAX_LENGTH_SLACK)} tokens."


def draw_thought(chain: Chain, rng: random.Random) -> Thought:
    """A complete thought; one beyond `MAX_THINKING` words is drawn again with a lower verbosity."""
    verbosity = rng.random() ** VERBOSITY_POWER
    while True:
        thought = _draw_thought(chain, verbosity, rng)
        if len(thought.words) <= MAX_THINKING:
            return thought
        verbosity *= rng.random()


def _draw_thought(chain: Chain, verbosity: float, rng: random.Random) -> Thought:
    brief = verbosity < BRIEF_BELOW
    words = [LETTERS[0], str(chain.start)] if brief else ["hmm"]
    step_ends = []
    if not brief and rng.random() < verbosity:
        words += chain.text.split()
    for index in range(len(chain.operations)):
        words += short_step(chain, index) if brief else full_step(chain, index)
        step_ends.append(len(words))
        for _ in range(MAX_CHECKS):
            if brief or rng.random() >= 0.4 * verbosity:
                break
            words += check(chain, index)
    answer = str(chain.values[-1])
    words += ["so", answer]
    for _ in range(MAX_PASSES):
        if rng.random() < verbosity / 2:
            words += ["again", *_short_pass(chain, 0), "so", answer]
    return Thought(tuple(words), tuple(step_ends))


def _before(chain: Chain, index: int) -> str:
    return str(chain.values[index - 1] if index else chain.start)


def short_step(chain: Chain, index: int) -> list[str]:
    """Step `index` with its letter, its operation and the new value.

    Steps of unequal length keep a cut at a fixed position from always falling at the same point of a step.
    """
    operation = chain.operations[index]
    equals = ["="] if operation.startswith("-") else []
    return [LETTERS[index + 1], operation, *equals, str(chain.values[index])]


def full_step(chain: Chain, index: int) -> list[str]:
    """Step `index` with the value it starts from."""
    return [LETTERS[index + 1], _before(chain, index), chain.operations[index], "=", str(chain.values[index])]


def check(chain: Chain, index: int) -> list[str]:
    """A verification of step `index`."""
    return ["wait", "check", *full_step(chain, index)[1:], "ok"]


def _short_pass(chain: Chain, first: int) -> list[str]:
    """The steps from `first` on, as short ones; before the first of all the start is named."""
    start = [] if first else [LETTERS[0], str(chain.start)]
    return start + [word for index in range(first, len(chain.operations)) for word in short_step(chain, index)]
