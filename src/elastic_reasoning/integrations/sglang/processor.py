"""A logit processor that keeps the budgets of the sequences in a batch.

SGLang hands it the logits of the sequences that have it, and with each its request.
"""

from typing import Any

import torch
from sglang.srt.sampling.custom_logit_processor import CustomLogitProcessor

from elastic_reasoning.integrations.edits import LogitEdits
from elastic_reasoning.integrations.sglang.rows import advanced


class BudgetProcessor(CustomLogitProcessor):
    """Forces, forbids and moves what the strategies of the budgeted sequences in a batch ask for."""

    def __call__(self, logits: torch.Tensor, custom_param_list: list[dict[str, Any]] | None = None) -> torch.Tensor:
        """Edit the logits `[rows, vocabulary]` of the rows that these parameters belong to, and return them."""
        edits: LogitEdits | None = None
        for place, params in enumerate(custom_param_list or []):
            budgeted = advanced(params["__req__"])
            if budgeted is not None:
                edits = edits or LogitEdits(len(logits), budgeted.template.eos)  # the same of all: there is one model
                edits.set(place, budgeted.row, budgeted.temperature)
        if edits is not None:
            edits.apply(logits, None)
        return logits
