"""A body as a client sent it: its parameters checked one by one, each error with the path of what is wrong.

What a dialect reads is one msgspec structure, from which the OpenAPI description is made too. `null` is nothing said.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct

from elastic_reasoning.core.printable import printable
from elastic_reasoning.core.strategies import known_options
from elastic_reasoning.core.wire import STRATEGY
from elastic_reasoning.serving.errors import bad_request
from elastic_reasoning.serving.limits import EXTRA
from elastic_reasoning.serving.names import TREE, shown
from elastic_reasoning.untrusted.json import WITHIN, MalformedError, convert

Body = TypeVar("Body", bound=Struct)

Tokens = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Samples = Annotated[int, Meta(ge=1, le=128)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
TopP = Annotated[float, Meta(gt=0, le=1)]
TopK = Annotated[int, Meta(ge=-1, le=2**31 - 1)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Text = Annotated[str, Meta(min_length=1)]
Stops = Annotated[list[Text], Meta(max_length=64)]

STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def read_as(body: Mapping[str, Any], kind: type[Body]) -> Body:
    """A body as the structure that a dialect reads; what the structure does not name is left out.

    Raises:
        ApiError: 400 where a value is not what it must be.
    """
    try:
        return convert({name: body[name] for name in kind.__struct_fields__ if body.get(name) is not None}, kind)
    except MalformedError as error:
        expected, _, rest = str(error).partition(WITHIN)
        path = rest.removesuffix("`").lstrip(".")
        if not path:
            raise bad_request(f"the body: {expected}") from None
        raise bad_request(f"{path} {shown(_at(body, rest))}: {_lower(expected)}", path) from None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _at(value: Any, path: str) -> Any:
    for name, index in STEP.findall(path):
        try:
            value = value[int(index) if index else name]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def ignored_in(body: Mapping[str, Any], known: Iterable[str]) -> tuple[str, ...]:
    """Parameters that mean nothing here, so that the answer can say so.

    Args:
        body: of the request.
        known: what is read, or may be left out without a word; the names of limits are known.
    """
    read = {*known, EXTRA, *TREE, STRATEGY, *known_options()}
    return tuple(printable(name) for name, value in body.items() if name not in read and value is not None)


def text_of(content: Any, kinds: Sequence[str]) -> str | None:
    """Content as one text; `None` where part of it is none.

    Args:
        content: a text, a list of parts, or nothing.
        kinds: the types of the parts that have a `text`.
    """
    if content is None or isinstance(content, str):
        return content or ""
    texts = [part.get("text") if part.get("type") in kinds else None for part in content]
    return None if None in texts else "\n".join(str(text) for text in texts)
