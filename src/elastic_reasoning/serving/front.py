"""What every HTTP request passes first and last: who asks is found out, and how it ended is written down."""

from collections.abc import Callable

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from elastic_reasoning.serving.access import Access
from elastic_reasoning.serving.dialects.dialect import Json
from elastic_reasoning.serving.errors import ApiError, told
from elastic_reasoning.serving.keys import Keys

PROTECTED = "/v1/"
"""Paths that begin so are for those with a key; probes, metrics and the playground's files are for all."""


def access_of(request: Request) -> Access:
    """What is known of a request."""
    access: Access = request.state.access
    return access


class Front:
    """Middleware around the whole application.

    Args:
        app: what answers.
        keys: who may ask.
        refusal: the body that says why a request is not answered.
        over: told of each request when all is sent, or the client has left.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys,
        refusal: Callable[[Request, ApiError], Json],
        over: Callable[[Access], None],
    ) -> None:
        self._app, self._keys, self._refusal, self._over = app, keys, refusal, over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        access = Access(path=scope["path"], traceparent=headers.get("traceparent", ""))
        scope.setdefault("state", {})["access"] = access

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                access.status = message["status"]
                message = {**message, "headers": [*message["headers"], (b"x-request-id", access.id.encode())]}
            await send(message)

        try:
            if access.path.startswith(PROTECTED):
                access.key = self._keys.find(headers)
            await self._app(scope, receive, noting)
        except Exception as error:
            access.error = told(error)
            if access.status:  # too late to say so
                raise
            await self._refuse(scope, access.error, noting)
        finally:
            self._over(access)

    async def _refuse(self, scope: Scope, error: ApiError, send: Send) -> None:
        body = msgspec.json.encode(self._refusal(Request(scope), error))
        headers = {"content-type": "application/json", "content-length": str(len(body)), **error.headers}
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": error.status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})
