"""Train, serve and measure reasoning models under separate token budgets for thinking and for the solution.

from elastic_reasoning import ask, load

engine = load("mini-e1")
trace = ask(engine, "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", "16+8")
print(trace.num_thinking_tokens, trace.budget_hit, trace.solution_text)
"""

from elastic_reasoning.budget import Budget
from elastic_reasoning.call import Call
from elastic_reasoning.cursor import Cursor, replay
from elastic_reasoning.engines.engine import Engine, ask, generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.errors import ElasticError
from elastic_reasoning.rendering import render_prompt
from elastic_reasoning.request import Options, Request, Sampling
from elastic_reasoning.strategies import STRATEGIES, Strategy
from elastic_reasoning.template import Prompt, Template, Thinking, resolve_template
from elastic_reasoning.trace import Finish, Phase, Segment, Trace
from elastic_reasoning.walk import Completion, Walk, run_by_call

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
    "run_by_call",
]
