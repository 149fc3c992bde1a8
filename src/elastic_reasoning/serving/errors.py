"""What a client is told when it is not answered."""

import logging
from collections.abc import Mapping
from typing import Any

logger = logging.getLogger(__name__)

MOST_LETTERS = 1000
"""Of a message: it may say again what a client has sent, which may be long."""


class ApiError(Exception):
    """A request that is not answered, as HTTP says it; each dialect writes it in its own shape.

    Attributes:
        status: of HTTP.
        message: the value, what is allowed, and the fix.
        code: a word for programs, as "deadline_infeasible".
        param: the path of the field at fault.
        headers: of the answer, as Retry-After.
        details: further fields beside the message.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        param: str = "",
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        message = message if len(message) <= MOST_LETTERS else f"{message[: MOST_LETTERS - 3]}..."
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.headers = dict(headers or {})
        self.details = dict(details or {})


def bad_request(message: str, param: str = "", code: str = "invalid_value") -> ApiError:
    """A request that asks for what cannot be: status 400."""
    return ApiError(400, message, code=code, param=param)


def told(error: Exception) -> ApiError:
    """What a client is told of a failure; one that is none of a client's is logged."""
    if isinstance(error, ApiError):
        return error
    logger.error("a request failed", exc_info=error)
    return ApiError(500, "the gateway failed; its log says why", code="internal_error")
