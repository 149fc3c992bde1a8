"""How each kind of server is asked for a stretch of tokens, and how its answer is read.

A dialect is two pure functions: `ask` makes path and body, `read` makes ids of the answer. Each has a module beside
this one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from msgspec import Struct

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.template import Template
from elastic_reasoning.engines.concurrent import Sampled, Wanted
from elastic_reasoning.engines.http.replicas import RefusedError, UnavailableError

Body = dict[str, Any]
FORBIDDEN = -100.0
"""The bias of a banned id, as strong as the protocol allows."""
ROUNDING = 1e-3
"""By so much may a log-probability be above 0."""


class LostIdsError(Exception):
    """An answer with log-probabilities left out ids: it is to be asked for without them."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a dialect must know beyond the stretch that is wanted.

    Attributes:
        model: its name at the server.
        template: how the model marks thinking.
        logprobs: whether log-probabilities are asked for.
        prompt_ids: whether the server takes a prompt as ids.
        added_before, added_behind: the ids that the tokenizer, and so a server, puts around a prompt of text.
    """

    model: str
    template: Template
    logprobs: bool = False
    prompt_ids: bool = True
    added_before: tuple[int, ...] = ()
    added_behind: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of server.

    Attributes:
        ids: whether its answers hold ids; otherwise text is counted with the tokenizer.
        answer: as much of an answer as is read.
        ask: the path and body that ask for a stretch; may raise `RefusedError`.
        read: the ids of the answer; may raise `RefusedError`, `UnavailableError`, `LostIdsError` and `EngineError`.
    """

    ids: bool
    answer: type[Struct]
    ask: Callable[[Wanted, Terms], tuple[str, Body]]
    read: Callable[[str, Wanted, Terms], Sampled]


def check_sampled(ids: Sequence[int], logprobs: Sequence[float] | None, template: Template) -> None:
    """Refuse what no model with this tokenizer can have sampled.

    Args:
        ids: what came back.
        logprobs: of the ids; `None` where they are not known.
        template: of the model.

    Raises:
        RefusedError: an id beyond the vocabulary, no log-probability, or not one for each id.
    """
    if not ids:
        raise RefusedError("the server answered without a single token")
    if max(ids) >= template.num_tokens:
        raise RefusedError(
            f"the server answered with id {max(ids)}, and the tokenizer has {template.num_tokens}: "
            "is it the tokenizer of the served model?"
        )
    if logprobs is None:
        return
    if len(logprobs) != len(ids):
        raise RefusedError(f"the server answered with {len(logprobs)} log-probabilities for {len(ids)} ids")
    wrong = next((value for value in logprobs if not isfinite(value) or value > ROUNDING), None)
    if wrong is not None:
        raise RefusedError(f"the server answered with a log-probability of {wrong}: none is above 0 or infinite")


def cut(
    ids: Sequence[int], logprobs: Sequence[float] | None, wanted: Wanted, terms: Terms, *, ended: bool, full: bool
) -> Sampled:
    """Ids up to the first one that is waited for; what a server wrote behind it, for want of a way to stop, is lost.

    Args:
        ids: what came back.
        logprobs: of the ids; `None` where they are not known.
        wanted: what was asked.
        terms: of the server.
        ended: the server says that the model ended there.
        full: the server says that there was no room for more.

    Raises:
        RefusedError: nothing came back, or less than was asked for, or what cannot have been sampled.
        EngineError: the model ended with an id that is not known to end anything.
    """
    check_sampled(ids, logprobs, terms.template)
    limit = len(ids) if wanted.max_tokens is None else wanted.max_tokens
    found = next((number for number, token in enumerate(ids[:limit], 1) if token in wanted.watch), None)
    if found is None and ended and len(ids) <= limit:
        raise EngineError(
            f"the server ended at id {ids[-1]}, where it was not asked to: "
            "is the tokenizer that of its model, with the same end-of-sequence tokens?"
        )
    if found is None and full and (wanted.max_tokens is None or len(ids) < limit):
        raise RefusedError(
            f"the server stopped after {len(ids)} of {wanted.max_tokens or 'unlimited'} tokens: its context is smaller "
            "than it says; lower the budget, or set context where it tells none"
        )
    size = found or limit
    return Sampled(tuple(ids[:size]), None if logprobs is None else tuple(logprobs[:size]))


def check_aborted(reason: object) -> None:
    """A server that is shut down says so of the requests under way: they are for another copy, or for later.

    Raises:
        UnavailableError: that is what it says.
    """
    if reason == "abort":
        raise UnavailableError("the server gave up on the request")
