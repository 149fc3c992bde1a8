"""How messages become prompts and where thinking stands in them, as one group of a configuration."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ChatConfig:
    """How messages become prompts, and how a model marks its thinking."""

    opening: str | None = None
    """Opening delimiter of thinking, where the tokenizer does not name it."""
    closing: str | None = None
    """Closing delimiter."""
    chat_template_kwargs: dict[str, Any] = field(default_factory=dict)
    """Arguments of the chat template, as {"enable_thinking": false} or {"thinking": true}."""
    apply_chat_template: bool = True
    """Send messages through the model's chat template; false sends plain text."""

    @property
    def delimiters(self) -> dict[str, Any]:
        """How thinking is marked, for whatever finds a template."""
        return {"opening": self.opening, "closing": self.closing}

    @property
    def rendering(self) -> dict[str, Any]:
        """How messages become prompts, for `Renderer` and whatever opens an engine."""
        return {"chat_template_kwargs": self.chat_template_kwargs, "apply_chat_template": self.apply_chat_template}
