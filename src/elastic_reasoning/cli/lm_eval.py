"""`elastic lm-eval`: lm-evaluation-harness with the model `elastic`, which the harness's own command does not find.

Takes the harness's arguments. The model is `elastic` and its chat template is applied unless they say otherwise; the
counts of every request are written beside the results.
"""

import logging
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from elastic_reasoning.cli.harness_arguments import check_arguments
from elastic_reasoning.cli.output import say
from elastic_reasoning.core.errors import UsageError, check_installed, require

logger = logging.getLogger(__name__)

HELP = """usage: elastic lm-eval [arguments of lm_eval]

Run generative tasks of lm-evaluation-harness under a budget. The arguments are
the harness's own (elastic lm-eval run --help); `--model elastic
--apply_chat_template` need not be given, and with --output_path the tokens that
every request cost are written to counts_*.jsonl there.

model arguments:
  pretrained, budget, strategy      what answers, and how; the options of a
                                    strategy as wait=Wait
  temperature, top_p, top_k, seed   as the task says if not given
  engine, base_url, tokenizer       transformers, vllm, or openai for a server
  max_rows, dtype, device, opening, closing, counts
  tensor_parallel_size, vllm.max_model_len, server.mode, ...: any flag of
                                    elastic sweep that is an engine's
  chat_template_kwargs              what the chat template is told; all model
                                    arguments are then given as JSON

example:
  elastic lm-eval --model_args pretrained=mini-e1,budget=24+20 --tasks my_task --include_path my_tasks
  elastic lm-eval --model_args pretrained=Qwen/Qwen3-8B,budget=2048+1024,temperature=0.6,top_p=0.95 --tasks aime24
  elastic lm-eval --tasks aime24 --model_args \\
    '{"pretrained": "Qwen/Qwen3-8B", "budget": "0+1024", "chat_template_kwargs": {"enable_thinking": false}}'
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    if not argv or argv[0] in ("-h", "--help"):
        say(HELP, end="")
        raise SystemExit(0 if argv else 2)
    check_installed("lm_eval", "lm-eval")
    check_arguments(argv)
    logger.info("loading lm_eval")
    require("lm_eval", "lm-eval")
    from lm_eval._cli import HarnessCLI
    from lm_eval.utils import setup_logging

    import elastic_reasoning.integrations.lm_eval  # noqa: F401  registers the model

    setup_logging()
    with _arguments(["elastic lm-eval", *argv]):
        harness = HarnessCLI()
        arguments = harness.parse_args()
    _complete(arguments)
    try:
        harness.execute(arguments)
    except ValueError as error:  # such as a task that it does not know
        raise UsageError(f"lm_eval: {(str(error).splitlines() or [''])[0]}") from error
    return 0


@contextmanager
def _arguments(argv: list[str]) -> Iterator[None]:
    """The harness reads `sys.argv`."""
    before, sys.argv = sys.argv, argv
    try:
        yield
    finally:
        sys.argv = before


def _complete(arguments: Namespace) -> None:
    """Fill in what the user has left to us; what a configuration file may say is left to it."""
    if getattr(arguments, "command", None) != "run" or arguments.config:
        return
    arguments.model = arguments.model or "elastic"
    if arguments.model != "elastic":
        return
    given = dict(arguments.model_args or {})
    if not hasattr(arguments, "apply_chat_template"):
        arguments.apply_chat_template = True
    arguments.device = given.pop("device", None) or arguments.device or "auto"  # the harness would say cuda:0
    if arguments.output_path:
        path = Path(arguments.output_path)
        folder = path.parent if path.suffix == ".json" else path
        written = datetime.now().isoformat().replace(":", "-")  # as the harness names its own files
        given.setdefault("counts", str(folder / f"counts_{written}.jsonl"))
    arguments.model_args = given
