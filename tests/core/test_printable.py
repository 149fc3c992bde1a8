import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.printable import one_line, printable, printable_json

ANY_TEXT = st.text(st.characters(codec=None))
DIRECTIONS = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("\x1b]0;title\x1b\\", "\\x1b]0;title\\x1b\\"),
        ("\x9b31m\x90q\x9c", "\\x9b31m\\x90q\\x9c"),
        ("over\rwritten\x08", "over\\x0dwritten\\x08"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("line\u2028\x85", "line\\u2028\\x85"),
        ("half \ud83d", "half \\ud83d"),
        ("数学 😀 é\tא\n", "数学 😀 é\tא\n"),
    ],
)
def test_letters_that_a_terminal_obeys_are_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(ANY_TEXT)
def test_what_is_printable_holds_nothing_to_obey(text: str) -> None:
    shown = printable(text)
    assert not [
        letter
        for letter in shown
        if (unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") and letter not in "\n\t")
        or unicodedata.bidirectional(letter) in DIRECTIONS
    ]
    assert printable(shown) == shown


@given(ANY_TEXT)
def test_one_line_is_one_line_and_no_longer_than_wanted(text: str) -> None:
    line = one_line(text, most=40)
    assert len(line.splitlines()) <= 1
    assert len(line) <= 40


@given(
    st.recursive(st.none() | st.integers() | ANY_TEXT, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner))
)
def test_json_stays_json(value: Any) -> None:
    text = printable_json(value)
    assert json.loads(text) == json.loads(json.dumps(value))
    assert printable(text) == text
