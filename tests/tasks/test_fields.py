from typing import Any

import pytest

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.tasks.fields import Field, answers, name, read_field, text


def test_a_field_has_the_first_of_its_names() -> None:
    field = Field(("problem", "question"), text)
    assert read_field(field, "here", {"question": "q"}) == "q"
    assert read_field(field, "here", {"problem": "p", "question": "q"}) == "p"
    assert read_field(field, "here", {"problem": None, "question": "q"}) == "q"
    with pytest.raises(TaskError, match="here: no field 'problem' or 'question'; its fields are id, text"):
        read_field(field, "here", {"id": 1, "text": "x"})
    assert read_field(Field(("id",), name, default="none", required=False), "here", {}) == "none"


@pytest.mark.parametrize("value", [4, ["x"], "", "  ", {"a": 1}, True])
def test_what_is_no_text(value: Any) -> None:
    with pytest.raises(TaskError, match=r"here, field 'problem': found .*; expected a text that is not empty"):
        read_field(Field(("problem",), text), "here", {"problem": value})


def test_a_long_value_is_shown_short() -> None:
    with pytest.raises(TaskError) as error:
        read_field(Field(("problem",), text), "here", {"problem": ["x\n" * 1000]})
    assert len(str(error.value)) < 150
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("27", ("27",)),
        (27, ("27",)),
        (27.0, ("27",)),
        (0.5, ("0.5",)),
        (["1", 2, 3.0], ("1", "2", "3")),
        (["\\frac{1}{2}"], ("\\frac{1}{2}",)),
    ],
)
def test_answers(value: Any, expected: tuple[str, ...]) -> None:
    assert answers(value) == expected


@pytest.mark.parametrize("value", [[], "", " ", ["1", ""], {"a": 1}, True, [True], [["1"]], float("nan"), float("inf")])
def test_what_is_no_answer(value: Any) -> None:
    with pytest.raises(ValueError, match="an answer"):
        answers(value)


@pytest.mark.parametrize("value", ["", " ", True, 1.5, []])
def test_what_is_no_name(value: Any) -> None:
    with pytest.raises(ValueError, match="a text or a whole number"):
        name(value)
