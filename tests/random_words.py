"""A sweep without weights: each model is a keyed random source of words that thinks a while and answers with a digit.

sweep(changed(CONFIG, out=folder), load_engine=load_engine)
python tests/random_words.py FOLDER '{"limit": 9}'      # in a process of its own; prints each record's key once written
"""

import hashlib
import json
import sys
from collections.abc import Sequence

from configs import changed, sweep_config
from elastic_reasoning.core.request import Request
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.scripted import ScriptedEngine, word_template
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.records.record import Record

DIGITS = [str(digit) for digit in range(10)]
TEMPLATE = word_template(
    "<think>", "</think>", "<eos>", ["answer", "Final", "Answer:", "so", "wait", "a", "b", *DIGITS]
)
CONFIG = sweep_config(
    models=("one", "two"),
    strategies=("elastic", "vanilla", "s1", "unconstrained"),
    budgets=("2+4", "8+4", "20+4"),
    limit=6,
    samples=2,
    options={"answer_tokens": 2},
)


def load_engine(config: object, model: str) -> ScriptedEngine:
    closing, answer, eos = (TEMPLATE.encode(word)[0] for word in ("</think>", "answer", "<eos>"))
    digits, words = TEMPLATE.encode(" ".join(DIGITS)), TEMPLATE.encode("so wait a b")

    def script(request: Request, ids: Sequence[int]) -> Sequence[int]:
        key = f"{model} {request.sampling.seed} {request.sample} {list(ids)}"
        number = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "big")
        after = list(ids[ids.index(closing) + 1 :]) if closing in ids else None
        if after is None:
            ends = number % 8 == 0
            return [closing if ends else words[number % 4], *range(TEMPLATE.num_tokens)]
        token = eos if after and after[-1] in digits else digits[number % 10] if after else answer
        return [token, *range(TEMPLATE.num_tokens)]

    return ScriptedEngine(script, TEMPLATE, context=80)


def open_engine(model: str, config: EngineConfig) -> ScriptedEngine:
    """As an engine of one's own: tests/random_words.py:open_engine."""
    return load_engine(config, model)


def announce(record: Record) -> None:
    print(json.dumps(record.key), flush=True)


if __name__ == "__main__":
    changes = json.loads(sys.argv[2])
    sweep(changed(CONFIG, out=sys.argv[1], **changes), on_record=announce, load_engine=load_engine)
