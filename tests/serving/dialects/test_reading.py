"""Whatever a body holds, it is asked for or refused with a status of 400."""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.serving.app import DIALECTS
from elastic_reasoning.serving.dialects.dialect import Dialect, encode
from elastic_reasoning.serving.dialects.messages import COUNT
from elastic_reasoning.serving.errors import ApiError
from serving.dialects import bodies

BODIES = {
    "/v1/chat/completions": bodies.CHAT,
    "/v1/completions": bodies.COMPLETION,
    "/v1/responses": bodies.RESPONSE,
    "/v1/messages": bodies.MESSAGE,
    "/v1/messages/count_tokens": bodies.MESSAGE,
}
ALL = [*DIALECTS, COUNT]
DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(2**63), 2**64, float("nan"), float("inf"), -0.0, 1e308, DEEP]),
    st.floats(),
    st.text(),
    st.sampled_from(["\ud800", "\x00", "", "text", "auto", "inf", "elastic"]),
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text(max_size=3)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    st.dictionaries(st.sampled_from(["type", "text", "role", "content", "name", "\ud800"]), st.text(), max_size=4),
)


NAMES = st.text(max_size=8) | st.sampled_from(["\ud800", "thinking_budgt", "budget", "seed", "name"])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all that a body holds."""
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


@pytest.mark.parametrize("dialect", ALL, ids=lambda dialect: dialect.path)
def test_every_parameter_is_read(dialect: Dialect) -> None:
    asked = dialect.read(BODIES[dialect.path])
    assert asked.model == "mini-e1"
    assert asked.limits.names
    assert dialect is COUNT or asked.ignored == ()


@pytest.mark.parametrize("dialect", ALL, ids=lambda dialect: dialect.path)
@given(data=st.data())
def test_a_broken_body_is_refused_or_read(dialect: Dialect, data: st.DataObject) -> None:
    body = copy.deepcopy(BODIES[dialect.path])
    for path in data.draw(st.lists(st.sampled_from(list(places(BODIES[dialect.path]))), min_size=1, max_size=2)):
        value = copy.deepcopy(data.draw(VALUES))
        how = data.draw(st.sampled_from(["replace", "remove", "add"]))
        with suppress(LookupError, TypeError, AttributeError):  # what stood there is broken already
            change(body, path, how, data.draw(NAMES), value)
    check(dialect, body)


def change(body: Any, path: tuple[Any, ...], how: str, name: str, value: Any) -> None:
    """Replace or remove what stands at a path, or add something beside it."""
    for key in path[:-1]:
        body = body[key]
    if how == "remove":
        del body[path[-1]]
    elif how == "replace" or isinstance(body, list):
        body[path[-1]] = value
    else:
        body[name] = value


def check(dialect: Dialect, body: dict[str, Any]) -> None:
    try:
        asked = dialect.read(body)
    except ApiError as refusal:
        error = refusal
    else:
        encode([*asked.ignored, asked.echo])
        return
    told = error.message.encode().decode()
    assert (error.status, json.loads(encode(dialect.refusal(error)))["error"]["message"]) == (400, told)
