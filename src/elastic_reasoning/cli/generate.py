"""`elastic generate`: answer one question under a budget, thinking apart from the solution, as it is written."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from elastic_reasoning.budget import Budget
from elastic_reasoning.cli.command import parse
from elastic_reasoning.engines.engine import new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.errors import UsageError
from elastic_reasoning.request import Options, Sampling
from elastic_reasoning.strategies import find_strategy
from elastic_reasoning.trace import Phase, Segment, Trace
from elastic_reasoning.walk import Walk

STYLES = {
    Phase.OPENING: "dim",
    Phase.THINKING: "cyan",
    Phase.WRAP_UP: "yellow",
    Phase.CLOSING: "dim",
    Phase.SOLUTION: "bold green",
}
FORCED_STYLE = "black on yellow"


@dataclass(frozen=True)
class GenerateConfig:
    """What to answer, and how.

    Attributes:
        question: the question; the first argument may stand for it, and "-" reads standard input.
        model: mini, mini-e1, a folder in Hugging Face format, or a hub name.
        budget: thinking and solution tokens, as 24+20; either may be inf.
        strategy: elastic, nothinking, vanilla, s1, l1-exact, l1-max or unconstrained.
        options: what the strategy is told beyond the budget.
        sampling: how tokens are drawn.
        dtype: auto, float32, bfloat16 or float16.
        device: auto, cpu, cuda, ...
        opening: opening delimiter of thinking, where the tokenizer does not name it.
        closing: closing delimiter.
        json: print the trace as JSON instead of streaming it.
    """

    question: str = ""
    model: str = "mini-e1"
    budget: str = "24+20"
    strategy: str = "elastic"
    options: Options = field(default_factory=Options)
    sampling: Sampling = field(default_factory=Sampling)
    dtype: str = "auto"
    device: str = "auto"
    opening: str | None = None
    closing: str | None = None
    json: bool = False


EXAMPLE = """
elastic generate "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =" --model mini-e1 --budget 16+8
elastic generate "How many primes are below 100?" --model Qwen/Qwen3-0.6B --budget 512+256 --sampling.temperature 0.6
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        GenerateConfig,
        argv,
        command="generate",
        about="Answer one question under a budget, streamed: thinking apart from the solution, forced tokens marked.",
        example=EXAMPLE,
        positional="question",
    )
    question = sys.stdin.read().strip() if config.question == "-" else config.question
    if not question:
        raise UsageError(
            'no question: elastic generate "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =" (or - to read standard input)'
        )
    budget = Budget.parse(config.budget)
    find_strategy(config.strategy, config.options)
    engine = load(
        config.model,
        max_rows=1,
        dtype=config.dtype,
        device=config.device,
        opening=config.opening,
        closing=config.closing,
    )
    request = new_request(engine, question, budget, config.strategy, config.options, config.sampling)
    walk = Walk(request, engine.template, engine.context)
    if config.json:
        trace = next(engine.run([walk]))
        _refuse(trace)
        print(json.dumps(_as_json(trace), ensure_ascii=False))
        return 0
    from rich.console import Console

    printer = _Printer(Console(highlight=False, soft_wrap=True), engine.template.decode)
    trace = next(engine.run([walk], listen=lambda cursor: printer.show(cursor.segments())))
    _refuse(trace)
    printer.show(list(trace.segments))
    printer.console.print("\n\n" + _usage(trace), style="dim", markup=False, soft_wrap=False)
    return 0


def _refuse(trace: Trace) -> None:
    if trace.error is not None:
        raise UsageError(trace.error)


class _Printer:
    """Prints what is new since the last call, styled by phase."""

    def __init__(self, console: Any, decode: Callable[[Sequence[int]], str]) -> None:
        self.console = console
        self.decode = decode
        self.texts: list[str] = []

    def show(self, segments: list[Segment]) -> None:
        """Segments may grow at the end; a segment that shrinks to give its tail to a delimiter was never shown."""
        for number, segment in enumerate(segments):
            if number == len(self.texts):
                self.texts.append("")
                self._head(segment, segments[:number])
            text = self.decode(segment.ids).rstrip("\ufffd")  # half of a character waits for the other half
            new = text[len(self.texts[number]) :]
            if new:
                style = STYLES[segment.phase] if segment.sampled else FORCED_STYLE
                self.console.print(new, end="", style=style, markup=False)
                self.texts[number] = text

    def _head(self, segment: Segment, before: list[Segment]) -> None:
        """A label where thinking or the solution begins, a space between segments."""
        title = "solution" if segment.phase is Phase.SOLUTION else "thinking"
        if before and ((before[-1].phase is Phase.SOLUTION) == (title == "solution")):
            self.console.print(" ", end="")
        else:
            self.console.print(("\n" if before else "") + title, style="dim")


def _usage(trace: Trace) -> str:
    budget = trace.request.budget
    thinking, solution = budget.thinking, budget.solution
    ends = [str(s.finish) for s in trace.segments if s.finish is not None]
    return (
        f"thinking {trace.num_thinking_tokens}/{'inf' if thinking is None else thinking} tokens"
        f"{' (budget hit)' if trace.budget_hit else ''}, "
        f"solution {trace.num_solution_tokens}/{'inf' if solution is None else solution}"
        f"{' (cut)' if trace.solution_cut else ''}, "
        f"forced {trace.num_forced_tokens}; {trace.request.strategy}, ended by {', '.join(ends)}"
    )


def _as_json(trace: Trace) -> dict[str, object]:
    return {
        "strategy": trace.request.strategy,
        "budget": str(trace.request.budget),
        "thinking": trace.thinking_text,
        "solution": trace.solution_text,
        "num_thinking_tokens": trace.num_thinking_tokens,
        "num_solution_tokens": trace.num_solution_tokens,
        "num_forced_tokens": trace.num_forced_tokens,
        "budget_hit": trace.budget_hit,
        "forced_close": trace.forced_close,
        "solution_cut": trace.solution_cut,
        "escaped": trace.escaped,
        **trace.to_dict(),
    }
