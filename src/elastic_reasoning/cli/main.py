"""`elastic`: finds the command, and turns errors into one line and an exit status.

Exit status: 0 done, 1 `validate` found a reference that fails its own grader, 2 bad input or a failure with an
explanation, 130 interrupted, 141 the reader of the output has gone, 143 terminated.
"""

import importlib
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import elastic_reasoning
from elastic_reasoning.cli.interrupts import Interrupts
from elastic_reasoning.cli.output import note, say
from elastic_reasoning.cli.progress import show_stages
from elastic_reasoning.core.errors import IN_COMMANDS, DelimiterError, ElasticError, UsageError, unknown
from elastic_reasoning.core.printable import one_line
from elastic_reasoning.engines.remote_code import remote_code_trusted

COMMANDS = {
    "generate": "answer one question under a budget, streamed",
    "demo": "see the whole project in a minute: sweep, table, report",
    "sweep": "accuracy over budgets, strategies and models",
    "eval": "accuracy of one model under one setting",
    "plan": "what a run will need: tokens, time, memory and money",
    "grade": "grade stored records again, without generating",
    "validate": "whether a task can be trusted: references, fixes, contamination",
    "merge": "parts of a sweep, or runs that belong together, as one",
    "report": "table, figures and a page of traces from records",
    "compare": "two runs, or two settings, on the problems that both have",
    "recommend": "the best budget for a total, or the cheapest for an accuracy",
    "allocate": "one total for many problems, spent where it helps",
    "elo": "Codeforces rating and percentile, from saved contest tables",
    "reasoning": "how the thinking itself differs between settings",
    "lm-eval": "any generative task of lm-evaluation-harness, under a budget",
    "warm-start": "teach a model to think between delimiters, by supervision",
    "train": "train a model under budget-constrained rollouts",
    "verl-data": "a task's problems as the rows that verl trains on",
    "export": "a trained model with its card, to keep or to upload",
    "recipes": "the recipes that come with the package",
    "serve": "a gateway: answers within tokens, seconds and money",
    "doctor": "what a server can do, and how budgets will be kept there",
}

TRUST = re.compile(r"--trust[-_]remote[-_]code(=(?P<value>true|false))?")

HELP = """usage: elastic COMMAND [options]

Train, serve and measure reasoning models under separate token budgets for
thinking and for the solution.

commands:
{commands}

options:
  -h, --help     show this; `elastic COMMAND --help` explains one, with examples
  --version      print the version
  --trust_remote_code
                 with any command: run the Python code that a model brings,
                 which is otherwise refused

example:
  elastic generate "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =" --model mini-e1 --budget 16+8
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        argv: what stands behind `elastic`; the process's own arguments if not given, and its signals are then handled
            until it ends.
    """
    interrupts = Interrupts()
    if argv is None:
        interrupts.install()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a letter gets a question mark
    try:
        try:
            return _run(list(sys.argv[1:] if argv is None else argv))
        finally:
            sys.stdout.flush()  # while a reader that has gone can still be told from a failure
    except ElasticError as error:
        told = DelimiterError(error.reason, IN_COMMANDS) if isinstance(error, DelimiterError) else error
        note(f"elastic: error: {one_line(str(told))}")
        return 2
    except KeyboardInterrupt as interrupt:
        return interrupts.tell(interrupt.args[0] if interrupt.args else "")
    except BrokenPipeError:
        # The reader has gone. What is left to say goes nowhere, also what the interpreter flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        say(HELP.format(commands="\n".join(f"  {name:<14} {about}" for name, about in COMMANDS.items())), end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        say(f"elastic-reasoning {elastic_reasoning.__version__}")
        return 0
    trusted, rest = _without_trust(arguments[1:])
    with remote_code_trusted() if trusted else nullcontext():
        return _command(arguments[0])(rest)


def _without_trust(arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether code that comes with models may run, which any command may be told; and what else it is told."""
    found = [(TRUST.fullmatch(argument), argument) for argument in arguments]
    trusts = [match["value"] != "false" for match, _ in found if match]
    return bool(trusts) and trusts[-1], [argument for match, argument in found if not match]


def _command(given: str) -> Callable[[list[str]], int]:
    name = given.replace("_", "-")  # an underscore is understood, as in flags
    if name not in COMMANDS:
        raise UsageError(unknown("command", given, COMMANDS))
    show_stages()
    module = importlib.import_module(f"elastic_reasoning.cli.{name.replace('-', '_')}")
    command: Callable[[list[str]], int] = module.main
    return command


if __name__ == "__main__":
    sys.exit(main())
