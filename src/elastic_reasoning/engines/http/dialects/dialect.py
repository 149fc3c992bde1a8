"""What a dialect is: how one kind of server is recognised, asked for a stretch of tokens, and read.

Each has a module beside this one, with its `DIALECT`. All that is asked of a server in passing goes through `Server`;
what matters most, `ask` and `read`, is pure.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Protocol, TypeVar

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.drive import SampleRequest
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.engines.http.replicas import RefusedError, UnavailableError
from elastic_reasoning.untrusted.json import MalformedError, decode

Body = dict[str, Any]
T = TypeVar("T")
NO_PLUG_IN = "the server does not have our plug-in"


class LostIdsError(Exception):
    """An answer with log-probabilities left out ids: what follows is to be asked for without them."""


@dataclass(frozen=True, slots=True)
class DialectContext:
    """What a dialect must know beyond the stretch that is wanted."""

    model: str
    """Its name at the server."""
    template: Template
    """How the model marks thinking."""
    logprobs: bool = False
    """Whether log-probabilities are asked for."""
    prompt_ids: bool = True
    """Whether the server takes a prompt as ids."""
    added_before: tuple[int, ...] = ()
    """The ids that the tokenizer, and so a server, puts before a prompt of text."""
    added_behind: tuple[int, ...] = ()
    """The ids that it puts behind one."""
    stream: bool = False
    """Whether the answer is to come as it is sampled."""


class End(Enum):
    """Why a server samples no more."""

    ASKED = auto()
    """It came to what was waited for, or to the number of tokens that was asked for."""
    EOS = auto()
    """The model ended the sequence, as far as the server tells."""
    FULL = auto()
    """There were as many tokens as were asked for, or as there was room for."""


@dataclass(frozen=True, slots=True)
class Part:
    """What an answer, or one event of a stream, adds."""

    ids: list[int]
    logprobs: list[float] | None
    """One for each id; `None` where they are not known."""
    end: End | None
    """`None` while more is to come."""


Read = Callable[[str], Part]
"""Reads an answer, or the events of a streamed one in their order. It may raise `RefusedError`, `UnavailableError`,
`LostIdsError`, and `MalformedError`."""


class IsAnswer(Protocol):
    """See `Dialect.is_answer`."""

    def __call__(self, text: str, num_ids: int | None) -> bool: ...


class Server(Protocol):
    """A server that can be asked something."""

    @property
    def base(self) -> str:
        """Its base URL."""

    async def ask(self, path: str, body: Body | None, read: Callable[[str], T]) -> T:
        """What `read` makes of the answer to a POST, or to a GET where there is no body.

        Args:
            path: below the base URL; beside it, if it begins with a slash.

        Raises:
            RefusedError: the request is at fault, or its answer is.
            EngineError: nothing answers, or something else than was asked for.
        """


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a server says of itself."""

    context: int | None = None
    """Tokens of prompt and completion; `None` where it does not tell."""
    version: str = ""
    speculative: bool | None = None
    """Whether it decodes speculatively; `None` where it does not tell."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was tried, beyond what every server is asked."""

    as_it_stands: bool | None = True
    """Whether a prompt is read without a chat template around it; `None` where that cannot be told."""
    plug_in: bool = False
    """Whether our plug-in keeps every budget in one pass."""
    missing: str = NO_PLUG_IN
    """Where it does not, why, and how to have it as far as there is one."""
    native: bool | None = None
    """Whether a thinking budget of its own is set up; `None` where it cannot be asked."""
    speculative: bool | None = None
    """As of `Introduction`, where it is found out otherwise."""


async def finds_nothing(server: Server, context: DialectContext) -> Findings:
    """There is nothing else to try."""
    return Findings()


@dataclass(frozen=True, slots=True)
class OnePass:
    """How our plug-in is asked for a whole completion."""

    ask: Callable[[Request, int | None, DialectContext], tuple[str, Body]]
    """The path and body that ask for so many tokens at the most. It may raise `RefusedError`."""
    read: Callable[[], Read]
    """What reads the answer to that: every id, forced ones among them."""
    chat_parameter: str = ""
    """What its chat endpoint calls a budget for our plug-in; empty where that is not used."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of server."""

    name: str
    """As settings and reports call it."""
    returns_ids: bool
    """Whether its answers hold ids; otherwise text is counted with the tokenizer, and a prompt may have to be text."""
    ask: Callable[[SampleRequest, DialectContext], tuple[str, Body]]
    """The path and body that ask for a stretch. It may raise `RefusedError`."""
    read: Callable[[SampleRequest, DialectContext], Read]
    """What reads the answer to that."""
    is_answer: IsAnswer
    """Whether a text is an answer of this kind of server; to a prompt of so many ids, where ids were sent."""
    native_budget: str
    """What its own thinking budget does, and why that is not enough."""
    native_parameter: str = ""
    """What its chat endpoint calls that; empty where there is none."""
    recognise: Callable[[Server, int | None], Awaitable[Introduction | None]] | None = None
    """(server, the context that its list of models tells) to what a server of this kind says of itself; `None` for
    another kind. A kind that has no such sign is tried."""
    streams: bool = False
    """Whether its answers can come as they are sampled, with their ids (`DialectContext.stream`)."""
    last_resort: bool = False
    """Whether it is tried only where no other one will do."""
    examine: Callable[[Server, DialectContext], Awaitable[Findings]] = finds_nothing
    """Tries what only this kind of server can do, or get wrong. `EngineError` where it cannot be used."""
    one_pass: OnePass | None = None
    """How our plug-in is asked, where servers of this kind may have it."""


async def told(server: Server, path: str, kind: type[T]) -> T:
    """What a server tells at a path; nothing where it does not. What stands beside /v1 may be closed or broken."""

    def read(text: str) -> T:
        try:
            return decode(text, kind)
        except MalformedError:  # a page for people, or another kind of server
            return kind()

    try:
        return await server.ask(path, None, read)
    except RefusedError:
        return kind()
    except EngineError:
        if path.startswith("/"):
            return kind()
        raise


def probe(context: DialectContext, sampling: Sampling, num: int) -> SampleRequest:
    """A stretch of a few tokens behind a prompt that leaves open how it goes on."""
    template = context.template
    ids = template.encode("The") or template.opening.ids
    request = Request(Prompt(ids, Thinking.CLOSED), Budget(0, num), sampling=sampling)
    return SampleRequest(request, ids, 0, num, template.eos, frozenset(), (), discards_end=False)


async def check_budgets(server: Server, context: DialectContext, one_pass: OnePass) -> None:
    """Refuse a server from which budgets do not come back as our plug-in was asked for them.

    Raises:
        EngineError: they do not, or it does not answer.
        RefusedError: it takes none.
    """
    template, wanted = context.template, probe(context, Sampling(temperature=0), 2).request
    prompt = Prompt((*wanted.prompt.ids, *template.opening.ids), Thinking.OPEN)
    for thinking in range(3):
        request = replace(wanted, prompt=prompt, budget=Budget(thinking, 2))
        path, body = one_pass.ask(request, thinking + template.closing.most_forced + 3, context)
        part = await server.ask(path, body, one_pass.read())
        replay(request, part.ids, template, end=template.eos)


def check_aborted(reason: object) -> None:
    """A server that is shut down says so of the requests under way: they are for another replica, or for later.

    Raises:
        UnavailableError: that is what it says.
    """
    if reason == "abort":
        raise UnavailableError("the server gave up on the request")
