"""The endpoints in OpenAPI's words, at /openapi.json: each body from the structure that reads it."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from elastic_reasoning.serving.dialects.body import Tokens
from elastic_reasoning.serving.dialects.dialect import Dialect, Json

REF = "#/components/schemas/{name}"
Amount = Annotated[float, Meta(gt=0)]


class Limits(Struct, kw_only=True):
    """What an answer may use. Other clients' names mean the same: docs/gateway.md has the table."""

    thinking_budget: Tokens | None = None
    solution_budget: Tokens | None = None
    deadline_seconds: Amount | None = None
    max_cost: Amount | None = None
    strategy: str | None = None


class TokenBudget(Struct, kw_only=True):
    """Tokens; null is no limit."""

    thinking: int | None
    solution: int | None


class Elastic(Struct, kw_only=True):
    """What bound an answer: each phase was ended by tokens, time, money, model, stop or client."""

    budget: TokenBudget | None = None
    sources: dict[str, str] | None = None
    """Where each part of the budget comes from."""
    thinking_tokens: int | None = None
    solution_tokens: int | None = None
    forced_tokens: int | None = None
    thinking_ended_by: str | None = None
    solution_ended_by: str | None = None
    escaped: bool | None = None
    seconds: float | None = None
    ignored: list[str] | None = None
    """Parameters that mean nothing here."""


NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "There is none of that name."}}
"""The answers of an endpoint that looks for something by its name."""


def describe(dialect: Dialect) -> dict[str, Any]:
    """What FastAPI is told of an endpoint beside its path."""
    body = {"allOf": [_ref(dialect.request), _ref(Limits)]}
    answer = {"application/json": {"schema": _answer(dialect)}}
    if dialect.answer.get("elastic"):
        answer["text/event-stream"] = {"schema": {}}
    refusal = {"description": "Why it is not answered.", "content": {"application/json": {"schema": _refusal(dialect)}}}
    return {
        "summary": (dialect.request.__doc__ or "").rstrip("."),
        "openapi_extra": {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}},
        "responses": {200: {"description": "The answer.", "content": answer}, "4XX": refusal, "5XX": refusal},
    }


def _answer(dialect: Dialect) -> Json:
    fields: Json = {name: {"type": kind} for name, kind in dialect.answer.items()}
    if "elastic" in fields:
        fields["elastic"] = _ref(Elastic)
    return {"type": "object", "required": [*fields], "properties": fields}


def _refusal(dialect: Dialect) -> Json:
    error = {"type": "object", "required": ["type", "message"], "properties": {"message": {"type": "string"}}}
    return {"type": "object", "required": ["error"], "properties": {"error": error}}


def _ref(kind: type[Struct]) -> Json:
    return {"$ref": REF.format(name=kind.__name__)}


def components(dialects: Sequence[Dialect]) -> Json:
    """The schemas that the endpoints refer to."""
    kinds = [*(dialect.request for dialect in dialects), Limits, Elastic]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=REF)
    return schemas
