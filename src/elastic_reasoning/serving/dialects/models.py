"""The models that clients can ask for: GET /v1/models, as OpenAI's and Anthropic's clients read them.

Anthropic's client is known by its header anthropic-version.
"""

from collections.abc import Iterable

from elastic_reasoning.serving.dialects.dialect import Json

CREATED_AT = "1970-01-01T00:00:00Z"
"""When is not known."""


def openai_model(name: str) -> Json:
    """A model as OpenAI writes it."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "elastic"}


def openai_models(names: Iterable[str]) -> Json:
    """Models as OpenAI writes them."""
    return {"object": "list", "data": [openai_model(name) for name in names]}


def anthropic_model(name: str) -> Json:
    """A model as Anthropic writes it."""
    return {"id": name, "type": "model", "display_name": name, "created_at": CREATED_AT, "lifecycle": "active"}


def anthropic_models(names: Iterable[str]) -> Json:
    """Models as Anthropic writes them."""
    data = [anthropic_model(name) for name in names]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return {"data": data, "has_more": False, **ends}
