"""A hybrid model in vLLM thinks where its chat template is asked to, and its budgets are kept."""

from pathlib import Path

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

from elastic_reasoning.core.errors import TemplateError
from elastic_reasoning.core.template import Thinking
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.vllm.engine import load_vllm
from hybrid import write_hybrid
from real_vllm.serving import in_process

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]
QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="


def test_arguments_of_the_chat_template_reach_vllm(tmp_path: Path) -> None:
    hybrid = str(write_hybrid(tmp_path / "hybrid"))
    for given, state in (({}, Thinking.CLOSED), ({"thinking": True}, Thinking.OPEN)):
        with in_process(hybrid, chat_template_kwargs=given) as engine:
            trace = ask(engine, QUESTION, "8+8")
            assert (trace.error, trace.request.prompt.thinking) == (None, state)
            assert trace.num_thinking_tokens == (8 if state is Thinking.OPEN else 0)
            assert ("NO EFFECT" in engine.note) == (state is Thinking.CLOSED)
    with pytest.raises(TemplateError, match="did you mean 'thinking'"):
        load_vllm(hybrid, chat_template_kwargs={"thinkin": True})
