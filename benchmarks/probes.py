"""What probes cost on the transformers engine: their tokens, taken back, beside as many that stay.

    python benchmarks/probes.py            # 16 and 64 rows, five rounds; about seven minutes, and results/probes.json
    python benchmarks/probes.py --quick    # one round of 16 rows, about half a minute, nothing written

Thinking of `dynasor`, whose probes never close it, beside the same thinking without probes (`elastic`): one after the
other in each round. What the probes take longer, in seconds of the one thread's processor, is divided by their tokens,
forced ones and sampled ones, and by the time that a token takes without them. No prompt is prefilled again: at most
`MOST` of its own tokens' time is a probe as long as the published ones. Of a short one the last token of thinking,
which is read again behind it, is a large part.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import torch
from provenance import provenance

from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.tasks.arithmetic import Arithmetic

RESULTS = Path(__file__).parent / "results" / "probes.json"
MOST = 1.15
ROWS, NUM_ROUNDS = (16, 64), 5
REQUESTS_PER_ROW = 8  # so that rows are seldom empty, whatever the others still have to probe
BUDGET = "160+20"
LENGTHS = {"short": "{close} Final Answer:", "as long as published": "{close}" + 10 * " so answer" + " Final Answer:"}
"""Of about 5 tokens, and of about as many as the published text takes in a real vocabulary."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of 16 rows, nothing written")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    rows, num_rounds = (ROWS[:1], 1) if arguments.quick else (ROWS, NUM_ROUNDS)
    found = [measure(num, length, num_rounds) for num in rows for length in LENGTHS]
    for each in found:
        print(f"{each['num_rows']} rows, {each['length']}: a probe takes {each['cost']:.2f} of its own tokens' time")
    if not arguments.quick:
        report = {**provenance(), "budget": BUDGET, "most": MOST, "measured": found}
        RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if all(each["cost"] <= MOST for each in found if each["length"] != "short") else 1


def measure(num_rows: int, length: str, num_rounds: int) -> dict[str, Any]:
    """The cost of a probe by its own tokens, with so many rows, and what was counted."""
    options = {"probe_every": 8, "probe_text": LENGTHS[length], "probe_tokens": 2, "num_equal": 1_000}
    with closing(load("mini", max_rows=num_rows)) as engine:
        problems = Arithmetic().problems("test", REQUESTS_PER_ROW * num_rows)
        plain = [new_request(engine, problem.messages, BUDGET, "elastic") for problem in problems]
        probing = [new_request(engine, problem.messages, BUDGET, "dynasor", options) for problem in problems]
        costs: list[float] = []
        traces: list[Trace] = []
        for _ in range(num_rounds + 1):  # the first one warms up
            start = time.process_time()
            num_plain = sum(len(trace.ids) for trace in generate(engine, plain))
            middle = time.process_time()
            traces = list(generate(engine, probing))
            seconds, seconds_plain = time.process_time() - middle, middle - start
            assert sum(len(trace.ids) for trace in traces) == num_plain  # probes leave nothing behind
            costs.append((seconds - seconds_plain) / num_tokens(traces) / (seconds_plain / num_plain))
    return {
        "num_rows": num_rows,
        "length": length,
        "cost": median(costs[1:]),
        "num_probes": sum(len(trace.probes) for trace in traces),
        "num_probe_tokens": num_tokens(traces),
        "num_tokens": num_plain,
    }


def num_tokens(traces: Sequence[Trace]) -> int:
    """All tokens of probes, forced and sampled."""
    return sum(len(probe.forced) + len(probe.segment.ids) for trace in traces for probe in trace.probes)


if __name__ == "__main__":
    sys.exit(main())
