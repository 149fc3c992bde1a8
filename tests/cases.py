"""Requests to models that follow a script, made of choices: by hypothesis, or by a random number generator.

@given(cases())
def test_of_any_request(case): case.run("token")

make_case(random.Random(7).choice)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from by_call import ENGINES
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.strategies import STRATEGIES, names_of
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import run
from letters import by_count, by_position, letters, pieces_template

Choose = Callable[[Sequence[Any]], Any]
"""Takes one of several values."""

CLOSINGS = ["C", "CD", "CC", "CCD", "CDC", "CDCa", "CCCC", "C.", ".C", "CDE.", "OC"]
OPENINGS = ["O", "OP", "CO", "OO", "OPa"]
TEXT_PAIRS = [("<t>", "</t>"), ("(", "(()"), ("<t>", "ttx"), ("<", ">")]
MERGES = ["</", "/t", "t>", ">.", "x<", "</t>", "<t>", "/t>", ">x", "t></t", "((", "()", "tt", "tx", "", "t.", ".<"]

COUNTS = (None, *range(12))
LARGE = (16, 20, 24, 30)
FEW = range(5)
SIZES = (0, 1, 3, 5, 8, 11, 14)
SMALL_TEXTS = ("", "", "w", "v", "wv")
RULES = (
    *("", "2: 1; 4: -1", "1: 2 -1*prompt; 3: 0.9*thinking 0.5; 5: 0.6 1*recent*prompt"),
    *("2: 1 -1*same; 3: 1 -1*same; 6: 1 -1*same", "1: 0.6 -1*probe; 4: 0.5 -1*probe*same 1*recent"),
)
SMALL_WORDS = ("", "a", "a,v", "w,.", "aw", "x")
OFTEN = (*names_of(lambda strategy: not strategy.siblings), *["elastic"] * 9, "s1", "s1")


@dataclass(frozen=True)
class Case:
    """A request to a model that follows a script."""

    request: Request
    template: Template
    context: int | None
    says: tuple[int, ...]
    counting: bool

    def script(self):
        return (by_count if self.counting else by_position)(self.says, self.template)

    def run(self, interpreter: str) -> Trace:
        engine = ENGINES[interpreter](self.script(), self.template, self.context)
        return next(run(engine, [Walk(self.request, self.template, self.context)]))


def make_template(choose: Choose) -> Template:
    """Delimiters of one or several tokens, or of plain text: tokens may straddle it and spell it in several ways.

    Something may have to follow a forced one.
    """
    if choose([True, False]):
        template = letters(choose(OPENINGS), choose(CLOSINGS), "$ZOPCDEawv.01", choose(["$", "$Z"]))
    else:
        merges = dict.fromkeys(choose(MERGES) for _ in range(choose(range(7))))
        template = pieces_template(["$", *"</t>x.()Cawv01", *merges], *choose(TEXT_PAIRS))
    follow = template.encode(choose(["", "", "", "a", "Cw"]))
    return replace(template, closing=replace(template.closing, follow=follow))


def make_script(choose: Choose, template: Template) -> tuple[int, ...]:
    """Arbitrary ids, in which delimiters, their beginnings, words that say something, and loops are frequent."""
    tokens, ends = ([(token,) for token in ids] for ids in (range(template.num_tokens), sorted(template.boundaries)))
    tools = [d for pair in template.tools.pairs for d in pair if d] if template.tools else []
    delimiters = (template.closing, template.opening, *tools)
    begun = [delimiter.ids[:n] for delimiter in delimiters for n in range(1, len(delimiter.ids) + 1)]
    whole = [delimiter.ids for delimiter in delimiters]
    words = [(token,) for token in template.encode("avw")]
    loops = [token * 4 for token in words]
    kinds = [tokens, tokens, words, ends or tokens, begun, whole, loops]
    parts = (choose(choose(kinds)) for _ in range(choose(SIZES)))
    said = tuple(token for part in parts for token in part)
    return said if choose(range(3)) else (*said[:3], *choose([*words, template.encode("avw")]) * 20)


def make_options(choose: Choose, strategy: str, budget: Budget) -> Options:
    bound = 4 if budget.thinking is None else min(4, budget.thinking + 1)
    values: dict[str, Sequence[Any]] = {
        "wrap_up": (*SMALL_TEXTS, "w{used}", "{left}v{budget}"),
        "grace": FEW,
        "min_thinking": [0, 0, 0, *range(bound + 1)],
        "wait": SMALL_TEXTS,
        "num_waits": FEW,
        "answer_tokens": FEW,
        "answer_text": SMALL_TEXTS,
        "max_total": range(13),
        "loop_breaker": (0, 12, 13, 14, 16) if budget.thinking is None or budget.thinking > 11 else (*[0] * 9, 11),
        "soft_landing": [*[0] * 5, *range(bound + 1)],
        "landing_peak": (1, 2, 10, 100, *([0, 101] if choose(FEW) == 0 else [])),
        "close_text": SMALL_TEXTS,
        "probe_every": range(1, 6),
        "probe_text": ("", "w", "wv", "v{close}", "{close}"),
        "probe_tokens": FEW,
        "num_equal": FEW,
        "probe_words": SMALL_WORDS,
        "max_probes": FEW,
        "sure_percent": (0, 40, 60, 80, 100),
        "forbidden_words": SMALL_WORDS,
        "reminder": ("w{used}", "{left}wv{budget}", "v{part}/{parts}", "seed-oss"),
        "parts": (0, 1, 2, 3, 4, 8),
        "alpha_percent": (0, 30, 60, 100, 150),
        "slow_text": SMALL_TEXTS,
        "slow_after": SMALL_WORDS,
        "fast_words": SMALL_WORDS,
        "rule": RULES,
    }
    return Options(**{name: choose(values[name]) for name in sorted(STRATEGIES[strategy].supported_options)})


def make_case(choose: Choose, strategies: Sequence[str] = OFTEN, template: Template | None = None) -> Case:
    template, strategy = template or make_template(choose), choose(strategies)
    budget = Budget(choose((*COUNTS, *LARGE)), choose(COUNTS))
    prompt = Prompt((1,) * choose(range(4)), choose([*Thinking, Thinking.OPEN]), choose([True, False]))
    context = choose([*[None] * 8, *range(0, 60, 3)])
    request = Request(prompt, budget, strategy, make_options(choose, strategy, budget))
    return Case(request, template, context, make_script(choose, template), choose([True, False]))


def chosen_by(draw: st.DrawFn) -> Choose:
    return lambda values: draw(st.sampled_from(values))


@st.composite
def cases(draw: st.DrawFn, strategies: Sequence[str] = OFTEN) -> Case:
    return make_case(chosen_by(draw), strategies)
