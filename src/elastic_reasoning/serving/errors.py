"""What a client is told when it is not answered."""

from collections.abc import Mapping
from typing import Any


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
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.headers = dict(headers or {})
        self.details = dict(details or {})


def bad_request(message: str, param: str = "", code: str = "invalid_value") -> ApiError:
    """A request that asks for what cannot be: status 400."""
    return ApiError(400, message, code=code, param=param)
