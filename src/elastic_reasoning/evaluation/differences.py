"""What was told otherwise to two runs, or to two settings of one.

dict(run_differences(before, after))                         # {"sampling.temperature": (1.0, 0.6)}
option_differences(before, after, "elastic", "s1")           # {"answer_tokens": (None, 20), ...}
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from elastic_reasoning.core.strategies import facts_of
from elastic_reasoning.evaluation.growth import OWN, differences, fixed
from elastic_reasoning.records.manifest import MODELS_DIGEST, Manifest


def run_differences(a: Manifest, b: Manifest) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """By the name of its flag, what decides results and is not the same in two runs, but for strategies' options.

    A model of the same name with other weights is one of them; the values are then hashes.
    """
    old, new = fixed(a, b), fixed(b, a)
    for path, was, now in differences(old, new):
        if path[0] == OWN:
            if path[-1] == "sha256":
                yield f"file of strategy {path[1]}", (was, now)
        elif path[0] != "options":
            yield f"weights of {path[1]}" if path[0] == MODELS_DIGEST else ".".join(path), (was, now)


def options_of(manifest: Manifest, strategy: str) -> dict[str, Any]:
    """What a strategy was told in a run, without the options that are off."""
    return facts_of(strategy).switched_on(manifest.config.get("options", {}).get(strategy, {}))


def options_in_words(manifest: Manifest, strategies: Iterable[str]) -> dict[str, str]:
    """What each strategy was told, as answer_tokens 20, wait "Wait"; those that were told nothing have no words."""
    told = {strategy: options_of(manifest, strategy) for strategy in dict.fromkeys(strategies)}
    return {
        strategy: ", ".join(f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in options.items())
        for strategy, options in told.items()
    }


def option_differences(a: Manifest, b: Manifest, strategy_a: str, strategy_b: str) -> dict[str, tuple[Any, Any]]:
    """By name, the options that are not the same; `None` where a strategy has none of that name, or has it off."""
    of_a, of_b = options_of(a, strategy_a), options_of(b, strategy_b)
    pairs = {name: (of_a.get(name), of_b.get(name)) for name in {**of_a, **of_b}}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
