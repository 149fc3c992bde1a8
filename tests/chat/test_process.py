"""The process that chat templates are rendered in: it is what transformers would render, and it ends."""

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

import pytest
import transformers.utils.chat_template_utils as reference

from elastic_reasoning.chat import process as chat_process
from elastic_reasoning.chat.process import ChatTemplate, Rendering, chat_template
from elastic_reasoning.core.errors import TemplateError
from families import DEEPSEEK_V31, FAMILIES, GPT_OSS, SEED_OSS, tokenizer_of, user

COUNT = "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% elif i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}"
MACRO = "{% set n = namespace(x=1) %}{% macro f(a) %}{{ a + n.x }}{% endmacro %}{% set n.x = 4 %}{{ f(2) }}"
FEATURES = {
    "loop controls": COUNT,
    "tojson": "{{ {'b': '<é>', 'a': [1, none, 1.5]} | tojson }}{{ [1, 2] | tojson(indent=2) }}",
    "generation": "{% generation %}\n{{ messages[0]['content'] }}\n{% endgeneration %}\n",
    "blocks are trimmed": "  {% if true %}\n  a\n  {% endif %}\n  {{- ' b ' -}}\n",
    "namespaces and macros": MACRO,
    "today": "{{ strftime_now('%Y') }}",
    "what is not given": "{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}{{ absent is defined }}",
}


@pytest.mark.parametrize(
    "source", [*FEATURES.values(), DEEPSEEK_V31, SEED_OSS, GPT_OSS], ids=[*FEATURES, "V31", "S", "G"]
)
def test_a_template_is_rendered_as_transformers_renders_it(source: str) -> None:
    variables: dict[str, Any] = {"messages": user("1 + 1 ?"), "bos_token": "<b>", "eos_token": "<e>", "extra": {"a": 1}}
    for add in (True, False):
        text, _ = reference.render_jinja_template(
            [variables["messages"]], chat_template=source, add_generation_prompt=add, bos_token="<b>", eos_token="<e>"
        )
        given = {**variables, "tools": None, "documents": None, "add_generation_prompt": add}
        assert chat_template(source).render([given]) == [Rendering(text[0])]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_familys_template_is_rendered_as_transformers_renders_it(family: str) -> None:
    tokens, chat, *_ = FAMILIES[family]
    tokenizer = tokenizer_of(tokens, chat)
    text = tokenizer.apply_chat_template(user("1 ?"), add_generation_prompt=True, tokenize=False)
    given = {**tokenizer.special_tokens_map, "messages": user("1 ?"), "add_generation_prompt": True}
    assert chat_template(chat).render([given]) == [Rendering(text)]


ENDLESS = {
    "loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "a number": "{% set x = n ** (n ** 9) %}",
}


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)
def test_a_template_that_does_not_end_is_ended(source: str) -> None:
    template = ChatTemplate("{% if go %}" + source + "{% endif %}so", processor_seconds=1)
    with pytest.raises(TemplateError, match="does not come to an end: it takes more than 1 seconds of processor time"):
        template.render([{"go": True, "n": 10}])
    assert template.render([{"go": False}]) == [Rendering("so")]  # by another process


def test_one_that_fails_leaves_the_others_alone() -> None:
    rendered = chat_template("{{ 1 // n }}").render([{"n": 1}, {"n": 0}, {"n": -1}])
    assert [each.text for each in rendered] == ["1", None, "-1"]
    assert rendered[1].failure == "the chat template fails: ZeroDivisionError: integer division or modulo by zero"


def test_a_dead_process_is_replaced() -> None:
    template = ChatTemplate("{{ n }}")
    assert template._process
    template._process._process.kill()
    with pytest.raises(TemplateError):
        template.render([{"n": 1}])
    assert template.render([{"n": 1}]) == [Rendering("1")]


def test_an_interrupt_leaves_no_answer_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    template = ChatTemplate("{{ n }}")
    with monkeypatch.context() as patch:
        patch.setattr(chat_process.select, "poll", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            template.render([{"n": 1}])
    assert template.render([{"n": 2}]) == [Rendering("2")]


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


SCRIPT = """
import sys
from elastic_reasoning.chat.process import chat_template
template = chat_template("{{ 1 }}")
print(template._process._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", [None, signal.SIGKILL, signal.SIGTERM])
def test_the_process_ends_with_the_one_that_started_it(how: signal.Signals | None) -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdin
        assert owner.stdout
        number = int(owner.stdout.readline())
        if how is None:
            owner.stdin.close()
        else:
            owner.send_signal(how)
        owner.wait()
    deadline = time.monotonic() + 60
    while (alive := _is_alive(number)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_with_thousands_of_open_connections_renders_too() -> None:
    """As many descriptors as `select` does not know."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(4096, before[1])), before[1]))
    with open(os.devnull, "rb") as held, ExitStack() as opened:
        for _ in range(1100):
            opened.callback(os.close, os.dup(held.fileno()))
        template = ChatTemplate("{{ messages[0]['content'] }}")
        assert template.render([{"messages": user("still here")}]) == [Rendering("still here")]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
