"""Logs as JSON, one object a line: one for each request, and whatever else the process says.

What clients ask and what models answer is not in them, unless the operator wants it; keys never are.
"""

import json
import logging
import time
import traceback
from datetime import UTC, datetime
from typing import Any

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
            if not self._with_messages:  # asyncio shows the exception on further lines
                line["message"] = line["message"].partition("\n")[0]
        return json.dumps(line, default=str)

    def _told(self, error: BaseException) -> list[str]:
        frames = [f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(error.__traceback__)]
        said = f": {error}" if self._with_messages else ""
        return [*frames, f"{type(error).__name__}{said}"]


def write_logs(log_prompts: bool) -> None:
    """Have all that this process logs written to standard error, as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(log_prompts))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("elastic_reasoning").setLevel(logging.INFO)
    logging.captureWarnings(True)


def log_access(access: Access) -> None:
    """Write the line of a request that is over."""
    account, error = access.account, access.error
    fields = {
        "id": access.id,
        "path": access.path[:MOST_LETTERS],
        "status": access.status,
        "key": "" if access.status == 401 else access.key.name,
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
    if access.is_given_up:
        fields["given_up"] = True
    if access.asked is not None:
        fields["asked"] = list(access.asked.messages or access.asked.prompts)
    told = {name: value for name, value in fields.items() if value not in (None, "", [])}
    logger.info("request", extra={"fields": told})
