import json
from contextlib import suppress
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from elastic_reasoning.untrusted.json import Fault, MalformedError, decode


class Answer(Struct):
    ids: list[Annotated[int, Meta(ge=0)]]
    text: str = ""
    value: float = 0.0


@pytest.mark.parametrize(
    "value", ["true", "-1", "5.5", "5.0", "null", '"5"', "[5]", "1e400", "9" * 5000, "[" * 100_000]
)
def test_what_is_no_count_is_a_fault_of_that_value(value: str) -> None:
    with pytest.raises(MalformedError) as caught:
        decode(f'{{"ids": [3, {value}]}}', Answer)
    assert caught.value.fault is Fault.VALUE
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("text", ["[]", "3", "null", '"ids"', "{}", '{"id": [3]}'])
def test_another_document_is_told_from_a_wrong_value(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        decode(text, Answer)
    assert caught.value.fault is Fault.KIND


@pytest.mark.parametrize(
    "text", ["", "<html>", '{"ids": [3', "{'ids': []}", '{"ids": []} x', b'{"text": "\xff"}', "\ud800"]
)
def test_what_is_not_json_is_said_so(text: str | bytes) -> None:
    with pytest.raises(MalformedError, match="not JSON") as caught:
        decode(text, Answer)
    assert caught.value.fault is Fault.SYNTAX


def test_lone_surrogates_are_data() -> None:
    assert decode('{"ids": [], "text": "half \\ud83d"}', Answer).text == "half \ud83d"
    assert decode('{"ids": [], "text": "\\ud83d\\ude00"}', Answer).text == "😀"


def test_what_python_writes_beside_json_is_read_where_the_type_lets_it_pass() -> None:
    assert decode('{"ids": [], "value": -Infinity}', Answer).value == float("-inf")
    with pytest.raises(MalformedError):
        decode('{"ids": [NaN]}', Answer)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
)


@given(VALUES)
def test_what_python_writes_comes_back_or_is_refused(value: Any) -> None:
    text = json.dumps(value)
    assert json.dumps(decode(text)) == text
    with suppress(MalformedError):
        decode(text, Answer)


@given(st.binary() | st.text(st.characters(codec=None)))
def test_anything_at_all_is_read_or_refused(data: bytes | str) -> None:
    with suppress(MalformedError):
        decode(data)
