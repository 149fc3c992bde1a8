"""Train, serve and measure reasoning models under separate token budgets for thinking and for the solution.

from elastic_reasoning import ask, load

engine = load("mini-e1")
trace = ask(engine, "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", "16+8")
print(trace.num_thinking_tokens, trace.budget_hit, trace.solution_text)
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # a name is imported when it is first used: commands should be there at once
    from elastic_reasoning.chat.rendering import render_prompt
    from elastic_reasoning.core.budget import Budget
    from elastic_reasoning.core.call import Call, Completion
    from elastic_reasoning.core.cursor import Cursor
    from elastic_reasoning.core.errors import ElasticError
    from elastic_reasoning.core.replay import replay
    from elastic_reasoning.core.request import Options, Request, Sampling
    from elastic_reasoning.core.segment import Finish, Phase, Segment
    from elastic_reasoning.core.strategies import STRATEGIES, Strategy
    from elastic_reasoning.core.template import Prompt, Template, Thinking, resolve_template
    from elastic_reasoning.core.trace import Trace
    from elastic_reasoning.core.walk import Walk
    from elastic_reasoning.engines.engine import Engine, ask, generate, new_request
    from elastic_reasoning.engines.loading import load

__version__ = "0.1.0"

__all__ = [
    "STRATEGIES",
    "Budget",
    "Call",
    "Completion",
    "Cursor",
    "ElasticError",
    "Engine",
    "Finish",
    "Options",
    "Phase",
    "Prompt",
    "Request",
    "Sampling",
    "Segment",
    "Strategy",
    "Template",
    "Thinking",
    "Trace",
    "Walk",
    "ask",
    "generate",
    "load",
    "new_request",
    "render_prompt",
    "replay",
    "resolve_template",
]

if not TYPE_CHECKING:
    _HOMES = {
        "core.budget": ("Budget",),
        "core.call": ("Call", "Completion"),
        "core.cursor": ("Cursor",),
        "core.replay": ("replay",),
        "engines.engine": ("Engine", "ask", "generate", "new_request"),
        "engines.loading": ("load",),
        "core.errors": ("ElasticError",),
        "chat.rendering": ("render_prompt",),
        "core.request": ("Options", "Request", "Sampling"),
        "core.strategies": ("STRATEGIES", "Strategy"),
        "core.template": ("Prompt", "Template", "Thinking", "resolve_template"),
        "core.segment": ("Finish", "Phase", "Segment"),
        "core.trace": ("Trace",),
        "core.walk": ("Walk",),
    }

    def __getattr__(name: str) -> object:
        home = next((module for module, names in _HOMES.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return globals().setdefault(name, getattr(import_module(f"{__name__}.{home}"), name))

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
