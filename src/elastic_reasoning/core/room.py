"""The room that a request has in the model's context."""

from elastic_reasoning.core.errors import ContextError
from elastic_reasoning.core.template import Prompt


class Room:
    """What is left of the model's context."""

    def __init__(self, context: int | None, prompt: Prompt) -> None:
        self.left = None if context is None else context - len(prompt.ids)
        if self.left is not None and self.left < 0:
            raise ContextError(
                f"the prompt has {len(prompt.ids)} tokens, {-self.left} more than the model's context of {context}"
            )

    def take(self, num_tokens: int) -> None:
        if self.left is not None:
            self.left -= num_tokens

    def limit(self, wanted: int | None, reserve: int = 0) -> int | None:
        """As many of the wanted tokens as fit before the reserve."""
        if self.left is None:
            return wanted
        free = max(0, self.left - reserve)
        return free if wanted is None else min(wanted, free)

    def demand(self, num_tokens: int, what: str) -> None:
        if self.left is not None and num_tokens > self.left:
            raise ContextError(
                f"{what} needs {num_tokens} tokens after the prompt, {num_tokens - self.left} more than the "
                f"model's context leaves: lower the budget"
            )
