"""What it costs to be told of every token as it comes, beside waiting for the whole.

    python benchmarks/streaming.py            # a table, and results/streaming.json
    python benchmarks/streaming.py --quick    # a smoke test, nothing written

A listener takes every delta of one long completion, and puts them together again. `cursor` is the interpreter alone:
the scripted engine, which computes nothing. `transformers engine` is a random model of one small layer, with as little
between two tokens as a model can have; the shortest completion is enough of it. Both sides take turns within each
repeat; seconds are those of the processor, and a ratio is the median over the repeats.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers
from provenance import provenance
from rich.console import Console
from rich.table import Table

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import Engine, run
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.scripted import ScriptedEngine

RESULTS = Path(__file__).parent / "results" / "streaming.json"
NUM_TOKENS = 64
MOST = 32768
SOLUTION = 16
AT_MOST = 3.0
TEMPLATE = Template(
    opening=TokenDelimiter("<t>", (1, 2)),
    closing=TokenDelimiter("</t>", (3, 2)),
    eos=frozenset([0]),
    num_tokens=NUM_TOKENS,
    encode=lambda text: (),
    decode=lambda ids: " ".join(map(str, ids)),
)


def scripted() -> Engine:
    """Says what is none of the delimiters, again and again; the first token of one now and then."""
    says = [*range(4, NUM_TOKENS), 3]
    return ScriptedEngine(lambda request, ids: (says[len(ids) % len(says)],), TEMPLATE)


def transformed() -> Engine:
    """A random model that never ends and never closes."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=NUM_TOKENS,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=MOST + 256,
        eos_token_id=0,
    )
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    bias = torch.zeros(NUM_TOKENS)
    bias[:4] = -100.0
    model.get_output_embeddings().register_forward_hook(lambda module, inputs, logits: logits + bias)
    return TransformersEngine(model, None, TEMPLATE, max_rows=1)


ENGINES = {"cursor": scripted, "transformers engine": transformed}


def seconds(engine: Engine, num: int, streams: bool) -> float:
    """What one completion of so many thinking tokens costs the processor."""
    request = Request(Prompt((5,), Thinking.OPEN), Budget(num, SOLUTION))
    walk = Walk(request, engine.template, engine.context)
    heard: list[int] = []

    def listen(delta: Delta) -> None:
        heard.extend(delta.ids)

    before = time.process_time()
    [trace] = run(engine, [walk], listen if streams else None)
    used = time.process_time() - before
    if trace.num_thinking_tokens != num or (streams and tuple(heard) != trace.ids):
        raise SystemExit(f"{trace}: not what was asked for")
    return used


def measured(lengths: list[int], num_repeats: int) -> list[dict[str, Any]]:
    figures = []
    for name, make in ENGINES.items():
        engine = make()
        for num in lengths if make is scripted else lengths[:1]:
            turns = [[seconds(engine, num, streams) for streams in (False, True)] for _ in range(num_repeats)]
            silent, streamed = (median(side) for side in zip(*turns, strict=True))
            figures.append(
                {
                    "engine": name,
                    "num_tokens": num,
                    "whole_seconds": round(silent, 4),
                    "streamed_seconds": round(streamed, 4),
                    "ratio": round(median(streamed / silent for silent, streamed in turns), 3),
                    "more_microseconds_a_token": round(1e6 * (streamed - silent) / num, 2),
                }
            )
        engine.close()
    return figures


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test, nothing written")
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    lengths = [256] if chosen.quick else [MOST // 16, MOST // 4, MOST]
    figures = measured(lengths, 1 if chosen.quick else chosen.repeats)
    table = Table("engine", "tokens", "whole, s", "streamed, s", "ratio", "more a token, us", "")
    for figure in figures:
        reached = figure["ratio"] <= AT_MOST
        values = (*list(figure.values())[1:], f"<= {AT_MOST:g}" if reached else "missed")
        table.add_row(figure["engine"], *map(str, values))
    Console(width=100).print(table)
    if not chosen.quick:
        about = {**provenance(), "num_repeats": chosen.repeats, "target": AT_MOST}
        RESULTS.write_text(json.dumps({**about, "figures": figures}, indent=1) + "\n")
    return 0 if chosen.quick or all(figure["ratio"] <= AT_MOST for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
