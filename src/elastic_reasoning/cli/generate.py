"""`elastic generate`: answer one question under a budget, thinking apart from the solution, as it is written."""

import sys
from contextlib import closing
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.forced import CLOSE, FORCED_STYLE, OPEN, has_colour
from elastic_reasoning.cli.output import new_console, note, say_json
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.configuration import INLINE
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY, OptionValues, Sampling
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.strategies import effective, find_strategy
from elastic_reasoning.core.template import Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.engine import Engine, new_request, run
from elastic_reasoning.engines.opening import check_models_by_name, open_engine
from elastic_reasoning.engines.unknown_words import unknown_note, unknown_words
from elastic_reasoning.untrusted.own_strategies import strategy_name

STYLES = {
    Phase.OPENING: "dim",
    Phase.THINKING: "cyan",
    Phase.WRAP_UP: "yellow",
    Phase.CLOSING: "dim",
    Phase.SOLUTION: "bold green",
    Phase.TOOL: "magenta",
}
TITLES = {Phase.SOLUTION: "solution", Phase.TOOL: "tool call"}
VOID = " (THE PROMPT CLOSES THINKING: t has no effect)"
HALF = "\ufffd"
CONTEXT = 4
"""Ids before the first new one that are decoded with it."""


@dataclass(frozen=True)
class GenerateConfig:
    """What to answer, and how."""

    question: str = ""
    """The question; the first argument may stand for it, and "-" reads standard input."""
    model: str = "mini-e1"
    """mini, mini-e1, a folder in Hugging Face format, or a hub name; A>B for a pair of which A thinks."""
    budget: str = "24+20"
    """Thinking and solution tokens, as 24+20; either may be inf."""
    strategy: str = DEFAULT_STRATEGY
    """How the budget is spent (see below)."""
    options: OptionValues = field(default_factory=dict)
    """What the strategy is told beyond the budget."""
    sampling: Sampling = field(default_factory=Sampling)
    """How tokens are drawn."""
    engine: EngineConfig = field(default_factory=lambda: EngineConfig(max_rows=1), metadata=INLINE)
    """What runs the model."""
    json: bool = False
    """Print the trace as JSON instead of streaming it."""


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
    find_strategy(strategy_name(config.strategy), config.options).check(budget, config.options)
    config.engine.check()
    check_models_by_name(config.engine, [config.model])
    with closing(open_engine(config.engine, config.model)) as engine:
        return _answer(config, engine, question, budget)


def _answer(config: GenerateConfig, engine: Engine, question: str, budget: Budget) -> int:
    for told in (engine.note, unknown_note(config.model, unknown_words(getattr(engine, "tokenizer", None), question))):
        if told:
            note(told)
    request = new_request(engine, question, budget, config.strategy, config.options, config.sampling)
    walk = Walk(request, engine.template, engine.context)
    if config.json:
        trace = next(run(engine, [walk]))
        _refuse(trace)
        say_json(_as_json(trace))
        return 0

    printer = _Printer(new_console(highlight=False, soft_wrap=True), engine.template)
    trace = next(run(engine, [walk], printer.show))
    _refuse(trace)
    printer.close()
    printer.console.print("\n\n" + _usage(trace), style="dim", markup=False, soft_wrap=False)
    return 0


def _refuse(trace: Trace) -> None:
    if trace.error is not None:
        raise UsageError(trace.error)


class _Printer:
    """Prints what comes, styled by phase; without colours forced text stands in brackets."""

    def __init__(self, console: Any, template: Template) -> None:
        self.console = console
        self.template = template
        self.colour = has_colour(console)
        self.in_brackets = False
        self._part = _Part()
        self._before: Phase | None = None

    def show(self, delta: Delta) -> None:
        """Print what is new; the first tokens of a segment come behind its label."""
        if not self._part.begun:
            self.close()
            self._head(delta.phase)
            self._part.begun = True
        new = self._new_text(delta.ids)
        if new:
            style = STYLES[delta.phase] if delta.sampled else FORCED_STYLE
            if not (delta.sampled or self.colour or self.in_brackets):
                self.console.print(OPEN, end="", markup=False)
                self.in_brackets = True
            self.console.print(new, end="", style=style, markup=False)
        if delta.last:
            self._part, self._before = _Part(), delta.phase

    def close(self) -> None:
        """Close the bracket of a forced segment that has come to its end."""
        if self.in_brackets:
            self.console.print(CLOSE, end="", markup=False)
            self.in_brackets = False

    def _new_text(self, ids: tuple[int, ...]) -> str:
        """What these ids add to the text of a segment, decoded behind a few shown before: spacing may need them.

        The end of sequence is no text. Half of a character waits for the other half.
        """
        part = self._part
        part.new += ids[:-1] if ids and ids[-1] in self.template.eos else ids
        if not part.new:
            return ""
        text = self.template.decode(part.context + part.new)
        before = self.template.decode(part.context) if part.context else ""
        whole = text.rstrip(HALF)
        added = whole[len(before) + part.num_shown :]
        if whole == text:
            part.context, part.new, part.num_shown = (part.context + part.new)[-CONTEXT:], (), 0
        else:
            part.num_shown += len(added)
        return added

    def _head(self, phase: Phase) -> None:
        """A label where thinking, the solution or a tool call begins, a space between segments."""
        title = TITLES.get(phase, "thinking")
        if self._before is not None and TITLES.get(self._before, "thinking") == title:
            self.console.print(" ", end="")
        else:
            self.console.print(("\n" if self._before is not None else "") + title, style="dim")


@dataclass(slots=True)
class _Part:
    """What was printed of a segment.

    Attributes:
        begun: whether its label was.
        context: the last ids that are shown whole.
        new: ids behind them.
        num_shown: characters of those that are shown.
    """

    begun: bool = False
    context: tuple[int, ...] = ()
    new: tuple[int, ...] = ()
    num_shown: int = 0


def _usage(trace: Trace) -> str:
    """The tokens used, beside what the strategy lets the budget bound."""
    budget, bounds = effective(trace.request.strategy, trace.request.budget)
    separate = bounds == "separate"
    used = trace.num_thinking_tokens + trace.num_solution_tokens
    whole = {
        "separate": "",
        "total": f"total {used}{_of(budget.total)}, ",
        "asked": f"total {used}, asked for {budget.total}, ",
        "none": f"total {used}{', no limit' if budget.total is None else ''}, ",
    }
    ends = [
        str(segment.finish)
        for segment, after in zip_longest(trace.segments, trace.segments[1:])
        if segment.finish and not (segment.finish is Finish.PAUSE and after and after.phase is segment.phase)
    ]
    return (
        f"thinking {trace.num_thinking_tokens}{_of(budget.thinking) if separate else ''} tokens"
        f"{' (budget hit)' if trace.budget_hit else ''}{VOID if _is_void(trace) else ''}, "
        f"solution {trace.num_solution_tokens}{_of(budget.solution) if separate else ''}"
        f"{' (cut)' if trace.solution_cut else ''}{' (TOOL CALL CUT)' if trace.tool_cut else ''}"
        f"{f' (thinking closed again {trace.closed_again}x in it)' if trace.closed_again else ''}, "
        f"{whole[bounds]}forced {trace.num_forced_tokens}{_aside(trace)}; {trace.request.strategy}, "
        f"ended by {', '.join(ends)}"
    )


def _aside(trace: Trace) -> str:
    """What was sampled beside the completion."""
    probes = f", {len(trace.probes)} probes {trace.num_probe_tokens} tokens" if trace.probes else ""
    if not trace.branches:
        return probes
    return f"{probes}, chosen of {len(trace.branches)} branches, {trace.num_spent_tokens} sampled in all"


def _is_void(trace: Trace) -> bool:
    return trace.request.prompt.thinking is Thinking.CLOSED and find_strategy(trace.request.strategy).thinks_first


def _of(limit: int | None) -> str:
    return f"/{'inf' if limit is None else limit}"


def _as_json(trace: Trace) -> dict[str, object]:
    return {
        "strategy": trace.request.strategy,
        "prompt_thinking": str(trace.request.prompt.thinking),
        "budget": str(trace.request.budget),
        "thinking": trace.thinking_text,
        "solution": trace.solution_text,
        "num_thinking_tokens": trace.num_thinking_tokens,
        "num_solution_tokens": trace.num_solution_tokens,
        "num_forced_tokens": trace.num_forced_tokens,
        "num_probe_tokens": trace.num_probe_tokens,
        "num_spent_tokens": trace.num_spent_tokens,
        "budget_hit": trace.budget_hit,
        "forced_close": trace.forced_close,
        "solution_cut": trace.solution_cut,
        "escaped": trace.escaped,
        "closed_again": trace.closed_again,
        "tool_cut": trace.tool_cut,
        **trace.to_dict(),
    }
