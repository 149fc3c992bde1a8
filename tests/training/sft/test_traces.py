import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.errors import TaskError, TrainingError
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.training.sft.traces import IGNORED, Example, Examples, draw_cut, order, read_examples

ROW = {"problem": "a 4 b -8 =", "thinking": "b 4 -8 = 6 so 6", "solution": "answer 6"}
EXAMPLE = Example((1, 2), (3, 4, 5), (6,), (7, 8))


def read(path: Path, rows: list[Any], **changes: Any) -> Examples:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {"suffix": "", "max_tokens": None, "held_out_share": 0.5} | changes
    return read_examples(path, Renderer(*load_template("mini")), **settings)


def many(num: int) -> list[dict[str, str]]:
    return [{**ROW, "problem": f"a {number % 10} b +{number // 10 % 10} c +{number // 100} ="} for number in range(num)]


def test_the_loss_counts_thinking_closing_solution_and_end(tmp_path: Path) -> None:
    tokenizer, _ = load_template("mini")
    examples = read(tmp_path / "rows.jsonl", many(8))
    values = examples.train[0].labelled()
    text = tokenizer.decode(values["input_ids"])
    assert text.endswith("= <assistant> <think> b 4 -8 = 6 so 6 </think> answer 6 <eos>")
    learnt = [token for token, label in zip(values["input_ids"], values["labels"], strict=True) if label == token]
    assert tokenizer.decode(learnt) == "b 4 -8 = 6 so 6 </think> answer 6 <eos>"
    assert set(values["labels"]) - set(values["input_ids"]) == {IGNORED}


def test_a_broken_thought_has_no_loss_on_its_closing_delimiter() -> None:
    assert EXAMPLE.labelled() == {
        "input_ids": [1, 2, 3, 4, 5, 6, 7, 8],
        "labels": [IGNORED, IGNORED, 3, 4, 5, 6, 7, 8],
    }
    assert EXAMPLE.labelled(1) == {
        "input_ids": [1, 2, 3, 6, 7, 8],
        "labels": [IGNORED, IGNORED, 3, IGNORED, 7, 8],
    }
    assert EXAMPLE.labelled(0)["input_ids"] == [1, 2, 6, 7, 8]


def test_an_unfinished_row_is_as_a_broken_thought(tmp_path: Path) -> None:
    unfinished = replace(EXAMPLE, finished=False)
    assert unfinished.labelled()["labels"] == [IGNORED, IGNORED, 3, 4, 5, IGNORED, 7, 8]
    assert draw_cut(unfinished, 1.0, random.Random(0)) is None  # it was cut already
    rows = [{**row, "finished": number % 2 == 0} for number, row in enumerate(many(20))]
    examples = read(tmp_path / "rows.jsonl", rows)
    assert sum(example.finished for example in (*examples.train, *examples.held_out)) == 10


def test_only_a_finished_thinking_ends_its_line(tmp_path: Path) -> None:
    tokenizer, template = load_template("mini")
    by_letter = Renderer(tokenizer, replace(template, encode=lambda text: list(map(ord, text))))
    path = tmp_path / "rows.jsonl"
    rows = [{**row, "finished": number % 2 == 0} for number, row in enumerate(many(20))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    examples = read_examples(path, by_letter, suffix="", max_tokens=None, held_out_share=0.5)
    for example in (*examples.train, *examples.held_out):
        assert "".join(map(chr, example.thinking)) == f"{ROW['thinking']}{chr(10) * example.finished}"


def test_a_share_of_the_thoughts_is_broken_anywhere() -> None:
    rng = random.Random(0)
    cuts = Counter(draw_cut(EXAMPLE, 0.3, rng) for _ in range(3000))
    assert cuts.keys() == {None, 0, 1, 2}
    assert 1950 < cuts[None] < 2250
    assert min(cuts[n] for n in range(3)) > 230
    assert {draw_cut(EXAMPLE, 0.0, rng) for _ in range(100)} == {None}


def test_a_suffix_is_asked_with_every_problem(tmp_path: Path) -> None:
    tokenizer, _ = load_template("mini")
    example = read(tmp_path / "rows.jsonl", many(8), suffix=" Think for 24 tokens.").train[0]
    assert "= Think for 24 tokens. <assistant>" in tokenizer.decode(example.prompt)


def test_rows_that_are_too_long_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = many(40)
    rows[3]["thinking"] = rows[7]["thinking"] = "so 6 " * 40
    whole = read(tmp_path / "rows.jsonl", rows)
    short = read(tmp_path / "rows.jsonl", rows, max_tokens=40)
    assert (whole.num_too_long, short.num_too_long) == (0, 2)
    assert len(short.train) + len(short.held_out) == 38
    with pytest.raises(TrainingError, match="no rows to learn from: 40 are longer than max_tokens 5, up to 9"):
        read(tmp_path / "rows.jsonl", rows, max_tokens=5)


def test_a_problem_is_held_out_with_all_its_rows(tmp_path: Path) -> None:
    rows = [{**row, "solution": solution} for row in many(60) for solution in ("answer 6", "answer 5")]
    examples = read(tmp_path / "rows.jsonl", rows)
    held_out = {tuple(example.prompt) for example in examples.held_out}
    assert not held_out & {tuple(example.prompt) for example in examples.train}
    assert len(examples.held_out) == 2 * len(held_out)
    assert 15 < len(held_out) < 45
    with pytest.raises(TrainingError, match="no rows to measure on: give a larger held_out_share"):
        read(tmp_path / "rows.jsonl", rows, held_out_share=1e-9)


@pytest.mark.parametrize(
    ("row", "error", "says"),
    [
        ({"problem": "a", "thinking": "b"}, TaskError, "row 1: no field 'solution'; its fields are problem, thinking"),
        ({**ROW, "thinking": " "}, TaskError, "field 'thinking': found ' '; expected a text that is not empty"),
        ({**ROW, "thinking": "<think> so"}, TrainingError, "field 'thinking' contains '<think>'"),
        ({**ROW, "solution": "so </think> 6"}, TrainingError, "field 'solution' contains '</think>'"),
        ({**ROW, "finished": "no"}, TaskError, "field 'finished': found 'no'; expected true or false"),
        ([], TaskError, "row 1: found []; expected one JSON object a line"),
    ],
)
def test_a_row_that_cannot_be_learnt_from_is_refused(tmp_path: Path, row: Any, error: type, says: str) -> None:
    with pytest.raises(error) as refusal:
        read(tmp_path / "rows.jsonl", [row])
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_every_row_comes_once_a_pass_and_a_step_is_sorted_by_length() -> None:
    lengths = [5, 9, 1, 7, 3]
    rows = list(order(lengths, num_steps=6, batch_size=3, seed=0))
    assert len(rows) == 18
    assert Counter(rows[:15]) == dict.fromkeys(range(5), 3)
    for step in range(6):
        taken = [lengths[index] for index in rows[3 * step : 3 * step + 3]]
        assert taken == sorted(taken)
    assert rows == list(order(lengths, 6, 3, seed=0))
    assert rows != list(order(lengths, 6, 3, seed=1))
