"""What a task of lm-evaluation-harness says with each of its requests (`generation_kwargs`), read for a budget."""

from collections.abc import Mapping, Sequence
from typing import Any

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.strategies import effective

LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
"""The names that the harness takes for a length, the first one given counts."""
HEEDED = {"until", "do_sample", "temperature", "top_p", "top_k", *LENGTHS}


def until(settings: Mapping[str, Any]) -> Sequence[str]:
    """The stop strings."""
    stops = settings.get("until") or []
    return [stops] if isinstance(stops, str) else stops


def sampling(settings: Mapping[str, Any], given: Mapping[str, Any], seed: int) -> Sampling:
    """How tokens are drawn: as given, otherwise as the task says, to which the harness's rules apply.

    Without a temperature, or with `do_sample` off, a task is greedy.
    """
    of_task = {name: settings[name] for name in ("temperature", "top_p", "top_k") if settings.get(name) is not None}
    if settings.get("do_sample") is False:
        of_task["temperature"] = 0.0
    values = {
        "temperature": 0.0,
        "top_k": 0,
        **of_task,
        **{n: value for n, value in given.items() if value is not None},
    }
    values["top_k"] = max(0, values["top_k"])  # some engines say -1 for none
    return Sampling(**values, seed=seed)


def warnings(settings: Mapping[str, Any], strategy: str, budget: Budget) -> list[str]:
    """What of it is not done as the task says."""
    said = []
    ignored = {name: value for name, value in settings.items() if name not in HEEDED}
    if ignored:
        said.append(f"its settings {ignored} are not heeded")
    counting, bounds = effective(strategy, budget)
    allowed = counting.solution if bounds == "separate" else counting.total
    given = next((int(settings[name]) for name in LENGTHS if settings.get(name) is not None), None)
    if given is not None and bounds != "asked" and (allowed is None or given < allowed):
        most = "NO END" if allowed is None else allowed
        said.append(f"it allows {given} tokens, THE BUDGET {most}: THE BUDGET DECIDES, and answers may be longer")
    return said
