"""Logs as JSON, one object a line: one for each request, and whatever else the process says.

What clients ask and what models answer is not in them, unless the operator wants it; keys never are.
"""

import logging
import logging.config
import time
import traceback
from datetime import UTC, datetime
from typing import Any

import msgspec

from elastic_reasoning.serving.access import Access

logger = logging.getLogger(__name__)
MOST_LETTERS = 200
"""Of a path: a client chooses it."""


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON.

    Args:
        with_messages: write what exceptions say, too; that may hold parts of prompts.
    """

    def __init__(self, with_messages: bool = False) -> None:
        super().__init__()
        self._with_messages = with_messages

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = self._told(record.exc_info[1])
        return msgspec.json.encode(line).decode()

    def _told(self, error: BaseException) -> list[str]:
        frames = [f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(error.__traceback__)]
        said = f": {error}" if self._with_messages else ""
        return [*frames, f"{type(error).__name__}{said}"]


def log_config(log_prompts: bool) -> dict[str, Any]:
    """How a process that serves writes its logs: all of them to standard error, by `logging.config.dictConfig`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter, "with_messages": log_prompts}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"elastic_reasoning": {"level": "INFO"}, "uvicorn": {"level": "WARNING"}},
    }


def log_access(access: Access) -> None:
    """Write the line of a request that is over."""
    account, error = access.account, access.error
    fields = {
        "id": access.id,
        "path": access.path[:MOST_LETTERS],
        "status": access.status,
        "key": access.key.name,
        "model": access.model,
        "seconds": round(time.monotonic() - access.arrived, 4),
        "prompt_tokens": access.usage.prompt,
        "completion_tokens": access.usage.completion,
        "reasoning_tokens": access.usage.reasoning,
        "budget": account.get("budget"),
        "thinking_ended_by": account.get("thinking_ended_by"),
        "solution_ended_by": account.get("solution_ended_by"),
        "cost": account.get("cost", {}).get("total"),
        "finish_reasons": list(access.finish_reasons),
        "error": error and error.code,
    }
    if access.asked is not None:
        fields["asked"] = list(access.asked.messages or access.asked.prompts)
    told = {name: value for name, value in fields.items() if value not in (None, "", [])}
    logger.info("request", extra={"fields": told})
