"""How much of a whole run is there: what a part, or a run that was interrupted, still lacks.

found = lacking(manifest, num_by_pair(records))
sum(found.values())                       # 120 records
"""

from collections import Counter
from collections.abc import Mapping

from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.manifest import Manifest

Pair = tuple[str, str, str, str]
"""(model, strategy, budget, problem)"""


def num_by_pair(records: Records) -> Counter[Pair]:
    """How many records there are under every setting and problem."""
    return Counter(key[:4] for key in records.keys())  # noqa: SIM118


def num_whole(manifest: Manifest) -> int:
    """Records of the whole run: every setting, on every problem, as often as was ever asked for."""
    return len(manifest.config.get("settings", ())) * len(manifest.problems) * int(manifest.config.get("samples", 0))


def lacking(manifest: Manifest, num_there: Mapping[Pair, int]) -> dict[Pair, int]:
    """How many records are missing, where some are."""
    settings = map(Setting.parse, manifest.config.get("settings", ()))
    pairs = (
        (setting.model, setting.strategy, str(setting.budget), problem["id"])
        for setting in settings
        for problem in manifest.problems
    )
    wanted = {pair: manifest.config["samples"] - num_there.get(pair, 0) for pair in pairs}
    return {pair: num for pair, num in wanted.items() if num > 0}
