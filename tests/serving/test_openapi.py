"""The description at /openapi.json, and what schemathesis makes of it."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from elastic_reasoning.serving.app import new_app
from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import Gateway, open_gateway
from serving.gateways import listening

MODEL = {"budget": "4+4", "ceiling": "4+4"}
CONFIG = make_config({"models": {"mini-e1": MODEL}})
OPERATIONS = {
    f"{operation.method.upper()} {operation.path}": operation
    for result in schemathesis.openapi.from_dict(new_app(Gateway(CONFIG, {})).openapi()).get_all_operations()
    if (operation := result.ok())
}
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
SEARCHES = [
    (label, mode) for label in OPERATIONS for mode in (POSITIVE, NEGATIVE) if "POST" in label or mode is POSITIVE
]
"""What asks with a path alone can be asked wrongly in no way."""


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with listening(open_gateway(CONFIG)) as url:
        yield url


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def ask(root: str, session: requests.Session, case: Case, is_known: bool) -> None:
    """Send a request, of a model that is known more often than by chance, and hold the answer to the description."""
    if is_known and isinstance(case.body, dict) and "model" in case.body:
        case.body["model"] = "mini-e1"
    case.call_and_validate(base_url=root, session=session, checks=CHECKS)


@pytest.mark.parametrize(("label", "mode"), SEARCHES, ids=str)
def test_schemathesis_finds_no_server_error(
    label: str, mode: GenerationMode, root: str, session: requests.Session
) -> None:
    explore(label, mode, root, session, 4)


@pytest.mark.full
@pytest.mark.parametrize(("label", "mode"), SEARCHES, ids=str)
def test_schemathesis_finds_none_in_a_long_search(
    label: str, mode: GenerationMode, root: str, session: requests.Session
) -> None:
    explore(label, mode, root, session, 150)


def explore(label: str, mode: GenerationMode, root: str, session: requests.Session, num_examples: int) -> None:
    cases = OPERATIONS[label].as_strategy(generation_mode=mode)

    @settings(max_examples=num_examples)
    @given(case=cases, is_known=st.integers(0, 3))
    def inner(case: Case, is_known: int) -> None:
        ask(root, session, case, is_known > 0)

    inner()


def test_every_endpoint_describes_its_body_and_its_answer(root: str, session: requests.Session) -> None:
    spec: dict[str, Any] = session.get(f"{root}/openapi.json").json()
    schemas = spec["components"]["schemas"]
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"):
        said = spec["paths"][path]["post"]
        names = [
            part["$ref"].rpartition("/")[2]
            for part in said["requestBody"]["content"]["application/json"]["schema"]["allOf"]
        ]
        assert {"model", "stream", "thinking_budget"} <= {
            name for part in names for name in schemas[part]["properties"]
        }
        assert said["responses"]["200"]["content"]["application/json"]["schema"]["required"][-1] == "elastic"


def test_what_is_not_there_is_told_in_the_shape_of_who_asks(root: str, session: requests.Session) -> None:
    nothing = session.post(f"{root}/v1/nothing")
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (404, "no_such_endpoint")
    wrong = session.get(f"{root}/v1/messages")
    assert (wrong.status_code, wrong.json()["type"]) == (405, "error")
    assert wrong.headers["allow"] == "POST"


def test_pages_of_other_origins_ask_only_where_that_is_configured(root: str, session: requests.Session) -> None:
    headers = {"Origin": "https://chat.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in session.options(f"{root}/v1/models", headers=headers).headers
    config = make_config({"models": {"mini-e1": MODEL}, "allow_origins": ["https://chat.example"]})
    with listening(Gateway(config, {})) as other:
        allowed = session.options(f"{other}/v1/chat/completions", headers=headers)
    assert allowed.headers["access-control-allow-origin"] == "https://chat.example"
