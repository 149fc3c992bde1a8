"""How fast the transformers engine generates, beside what `model.generate` does, in one run.

    python benchmarks/generation.py            # a table, and results/generation.json
    python benchmarks/generation.py --quick    # a smoke test, nothing written without --out

Contestants take turns within each repeat, and a ratio is the median over the repeats of the ratios within one, so
that a machine that is busy for a while slows both sides and a first, cold turn is outvoted. Everything samples at
temperature 1. Delimiters and ends of sequence are made impossible for all contestants, so that lengths are what was
asked for. A large model on a GPU is measured by `generation_large.py`.

    budgeted / unbudgeted         the engine on requests of t in 8..128 and s = 20, and on as many tokens in one go
    one length / generate         one batch of requests of one length, and `model.generate`
    mixed / two phases            t in 8..128: `generate` to the batch's largest t, each row cut at its own t, the
                                  delimiter forced, and `generate` again from there (the published way)
    mixed / two phases, sorted    the same, the other side's requests sorted by t
    one alone / generate          one request at a time
    log-probability error         the largest difference from a plain forward
"""

import argparse
import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
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
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.loading import model_path
from elastic_reasoning.engines.local.engine import TransformersEngine

RESULTS = Path(__file__).parent / "results" / "generation.json"
NUM_SPECIAL = 7  # ids 0..6 are never sampled: in the miniature's vocabulary they are its special tokens
PAD, EOS, OPENING, CLOSING = 0, 1, 5, 6
SOLUTION = 20
TARGETS = {
    "budgeted / unbudgeted": 0.97,
    "one length / generate": 1.1,
    "mixed / two phases": 1.7,
    "mixed / two phases, sorted": 1.35,
    "one alone / generate": 1.0,
    "log-probability error": 1e-4,
}
AT_MOST = "log-probability error"
PAIRS = {
    "budgeted / unbudgeted": ("mixed", "unbudgeted"),
    "one length / generate": ("one length", "generate"),
    "mixed / two phases": ("mixed", "two phases"),
    "mixed / two phases, sorted": ("mixed", "sorted"),
    "one alone / generate": ("alone", "generate alone"),
}
OURS = ("mixed", "unbudgeted", "one length", "alone")
"""Which contestants are compared, and those that are the engine."""
ROUNDING = 0.5
"""What the same logits may differ by in bfloat16, whose numbers of this size lie 1/16 apart, after 28 layers."""


@dataclass(frozen=True)
class Size:
    """How much is generated: requests of mixed length, rows, the range of t, and requests that run alone."""

    num_requests: int
    num_rows: int
    min_thinking: int
    max_thinking: int
    num_alone: int


@dataclass(frozen=True)
class Figure:
    """One line of the table: tokens a second of both sides, and their ratio or a difference."""

    model: str
    name: str
    ours: float | None
    theirs: float | None
    value: float
    target: float
    reached: bool


def random_model(quick: bool) -> Any:
    """A Qwen3 of 30 million random parameters."""
    layers, width = (2, 64) if quick else (7, 512)
    config = transformers.Qwen3Config(
        vocab_size=16384,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=64,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=PAD,
        eos_token_id=EOS,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    return transformers.Qwen3ForCausalLM(config).eval()


def prepared(model: Any) -> Any:
    """The model, unable to sample special tokens, whoever drives it."""

    def suppress(module: Any, inputs: Any, logits: torch.Tensor) -> None:
        logits[..., :NUM_SPECIAL] = -1e4

    model.get_output_embeddings().register_forward_hook(suppress)
    model.generation_config = transformers.GenerationConfig(
        do_sample=True, temperature=1.0, top_k=0, top_p=1.0, eos_token_id=EOS, pad_token_id=PAD
    )
    return model


def new_engine(model: Any, num_rows: int, fuse_after: int | None = 0) -> TransformersEngine:
    num_tokens = model.config.vocab_size
    template = Template(
        opening=TokenDelimiter("<think>", (OPENING,)),
        closing=TokenDelimiter("</think>", (CLOSING,)),
        eos=frozenset([EOS]),
        num_tokens=num_tokens,
        encode=lambda text: (),
        decode=lambda ids: " ".join(map(str, ids)),
    )
    return TransformersEngine(model, None, template, max_rows=num_rows, keeps_memory=True, fuse_after=fuse_after)


def new_requests(size: Size, num_tokens: int) -> list[Request]:
    """Prompts of 8 to 24 random ids, t drawn uniformly."""
    generator = torch.Generator().manual_seed(0)

    def drawn(low: int, high: int, num: int) -> list[int]:
        return torch.randint(low, high + 1, (num,), generator=generator).tolist()

    thinking = drawn(size.min_thinking, size.max_thinking, size.num_requests)
    return [
        Request(Prompt(tuple(drawn(NUM_SPECIAL, num_tokens - 1, length)), Thinking.OPEN), Budget(t, SOLUTION), sample=n)
        for n, (t, length) in enumerate(zip(thinking, drawn(8, 24, size.num_requests), strict=True))
    ]


def with_budget(request: Request, thinking: int) -> Request:
    return Request(request.prompt, Budget(thinking, SOLUTION), sample=request.sample)


def unbudgeted(request: Request) -> Request:
    """As many tokens, all of them sampled in one go."""
    assert request.budget.thinking is not None
    prompt = Prompt(request.prompt.ids, Thinking.CLOSED)
    return Request(prompt, Budget(0, request.budget.thinking + 1 + SOLUTION), "vanilla", sample=request.sample)


# The contestants: each returns how many tokens it made.


def by_engine(engine: TransformersEngine, requests: Iterable[Request]) -> int:
    return sum(len(trace.ids) for trace in generate(engine, requests))


def alone(run: Callable[[list[Request]], int], requests: list[Request]) -> int:
    return sum(run([request]) for request in requests)


def continued(model: Any, prompts: list[list[int]], num_tokens: int) -> list[list[int]]:
    """`model.generate` on a batch padded on the left."""
    width = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (width - len(prompt)) + prompt for prompt in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=model.device)
    made: list[list[int]] = model.generate(ids, attention_mask=mask, max_new_tokens=num_tokens)[:, width:].tolist()
    return made


def one_phase(model: Any, requests: list[Request]) -> int:
    """Requests of one length, all of it in one call."""
    thinking = requests[0].budget.thinking
    assert thinking is not None
    return sum(map(len, continued(model, [list(r.prompt.ids) for r in requests], thinking + 1 + SOLUTION)))


def two_phases(model: Any, requests: list[Request], num_rows: int) -> int:
    """Think to the largest t of the batch, cut each at its own, force the delimiter, and start again."""
    num_tokens = 0
    for first in range(0, len(requests), num_rows):
        batch = requests[first : first + num_rows]
        prompts = [list(request.prompt.ids) for request in batch]
        limits = [request.budget.thinking or 0 for request in batch]
        thoughts = continued(model, prompts, max(limits))
        closed = [[*thought[:limit], CLOSING] for thought, limit in zip(thoughts, limits, strict=True)]
        solutions = continued(model, [p + c for p, c in zip(prompts, closed, strict=True)], SOLUTION)
        num_tokens += sum(len(c) + len(s) for c, s in zip(closed, solutions, strict=True))
    return num_tokens


def largest_difference(model: Any, traces: Iterable[Trace]) -> float:
    """Of the log-probabilities of sampled tokens, from those of a plain forward."""
    worst = 0.0
    for trace in traces:
        assert trace.logprobs is not None
        ids = torch.tensor([[*trace.request.prompt.ids, *trace.ids]], device=model.device)
        with torch.no_grad():
            logits = model(input_ids=ids, use_cache=False).logits[0, -len(trace.ids) - 1 : -1]
        plain = logits.float().log_softmax(-1).cpu()
        plain = plain.gather(1, torch.tensor(trace.ids)[:, None]).squeeze(1)
        error = (plain - torch.tensor(trace.logprobs)).abs()[torch.tensor(trace.sampled_mask)]
        worst = max(worst, float(error.max()))
    return worst


def equal_requests(size: Size, num_tokens: int) -> list[Request]:
    """One batch of requests of one length."""
    middle = (size.min_thinking + size.max_thinking) // 2
    return [with_budget(request, middle) for request in new_requests(size, num_tokens)[: size.num_rows]]


def speed_of(run: Callable[[], int]) -> float:
    """Tokens a second."""
    start = time.perf_counter()
    num_tokens = run()
    return num_tokens / (time.perf_counter() - start)


def measure(
    name: str,
    model: Any,
    size: Size,
    num_repeats: int,
    note: Callable[[str], None],
    targets: dict[str, float] = TARGETS,
    engine: TransformersEngine | None = None,
    compare: Collection[str] = tuple(PAIRS),
) -> list[Figure]:
    """Figures of one model, whose engine of so many rows may be there; by default all of `PAIRS`."""
    engine, single = engine or new_engine(model, size.num_rows), new_engine(model, 1)
    mixed = new_requests(size, model.config.vocab_size)
    middle = (size.min_thinking + size.max_thinking) // 2
    equal = equal_requests(size, model.config.vocab_size)
    lone = [with_budget(request, middle) for request in mixed[: size.num_alone]]
    ordered = sorted(mixed, key=lambda request: request.budget.thinking or 0)
    free = [unbudgeted(request) for request in mixed]
    contestants: dict[str, Callable[[], int]] = {
        "mixed": lambda: by_engine(engine, mixed),
        "unbudgeted": lambda: by_engine(engine, free),
        "two phases": lambda: two_phases(model, mixed, size.num_rows),
        "sorted": lambda: two_phases(model, ordered, size.num_rows),
        "one length": lambda: by_engine(engine, equal),
        "generate": lambda: one_phase(model, equal),
        "alone": lambda: alone(lambda requests: by_engine(single, requests), lone),
        "generate alone": lambda: alone(lambda requests: one_phase(model, requests), lone),
    }
    needed = [one for one in contestants if any(one in PAIRS[figure] for figure in compare)]
    if model.device.type != "cpu":  # what is compiled and recorded is so by the second use of a size
        for run in [contestants[one] for one in needed if one in OURS] * 2:
            run()
    speeds: dict[str, list[float]] = {one: [] for one in needed}
    for repeat in range(num_repeats):
        note(f"{name}: repeat {repeat + 1} of {num_repeats}")
        for one in needed if repeat % 2 else reversed(needed):
            speeds[one].append(speed_of(contestants[one]))
    figures = [compared(name, figure, *(speeds[one] for one in PAIRS[figure]), targets[figure]) for figure in compare]
    worst = largest_difference(model, generate(engine, mixed[: min(64, 2 * size.num_rows)]))
    target = ROUNDING if model.dtype == torch.bfloat16 else TARGETS[AT_MOST]
    return [*figures, Figure(name, AT_MOST, None, None, worst, target, worst <= target)]


def compared(model: str, name: str, ours: list[float], theirs: list[float], target: float) -> Figure:
    ratio = median(a / b for a, b in zip(ours, theirs, strict=True))
    return Figure(model, name, median(ours), median(theirs), ratio, target, ratio >= target)


def show(figures: list[Figure], console: Console) -> None:
    table = Table("model", "figure")
    for column in ("ours, tokens/s", "theirs, tokens/s", "ratio", "target", ""):
        table.add_column(column, justify="right")
    for figure in figures:
        difference = figure.name == AT_MOST
        table.add_row(
            figure.model,
            figure.name,
            "" if figure.ours is None else f"{figure.ours:,.0f}",
            "" if figure.theirs is None else f"{figure.theirs:,.0f}",
            f"{figure.value:.1e}" if difference else f"{figure.value:.2f}",
            f"<= {figure.target:g}" if difference else f">= {figure.target:g}",
            "reached" if figure.reached else "missed",
        )
    console.print(table)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="mini", help="the small model: a shipped one or a folder")
    parser.add_argument("--only", choices=["small", "random"], help="one of the models")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="0: what torch takes by itself")
    parser.add_argument("--quick", action="store_true", help="a smoke test: small sizes, written only to --out")
    parser.add_argument("--out", type=Path, help="results/generation.json, if not --quick")
    chosen = parser.parse_args(arguments)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    transformers.logging.set_verbosity_error()
    quiet, console = Console(stderr=True), Console(width=120)
    num_repeats = 1 if chosen.quick else chosen.repeats
    figures: list[Figure] = []
    if chosen.only in (None, "small"):
        small = transformers.AutoModelForCausalLM.from_pretrained(model_path(chosen.model), dtype=torch.float32)
        small = small.to(chosen.device)
        size = Size(8, 4, 2, 8, 1) if chosen.quick else Size(256, 64, 8, 128, 4)
        figures += measure(
            f"{chosen.model}, {size.num_rows} rows", prepared(small.eval()), size, num_repeats, quiet.print
        )
    if chosen.only in (None, "random"):
        size = Size(8, 4, 2, 8, 1) if chosen.quick else Size(64, 16, 8, 128, 2)
        large = random_model(chosen.quick)
        name = f"{large.num_parameters() / 1e6:.0f}M random, {size.num_rows} rows"
        figures += measure(name, prepared(large.to(chosen.device)), size, num_repeats, quiet.print)
    show(figures, console)
    out = chosen.out or (None if chosen.quick else RESULTS)
    if out:
        write(report(figures, num_repeats), out)
        console.print(f"written to {out}")


def report(figures: list[Figure], num_repeats: int) -> dict[str, Any]:
    return {**provenance(), "num_repeats": num_repeats, "figures": [asdict(figure) for figure in figures]}


def write(found: dict[str, Any], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
