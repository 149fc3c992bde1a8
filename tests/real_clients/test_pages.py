"""What the pages of LangChain and LiteLLM show, run with them in an environment of their own: make test-clients."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from client_pages import PAGES, at, pieces
from live_server import LiveServer, running
from real_servers.serving import LlamaCpp

pytestmark = pytest.mark.clients
CLIENTS = Path(__file__).parents[2] / ".venv-clients" / "bin"
QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
KEY = "sk-local"
"""Of the LiteLLM proxy, which runs without one no more."""
SHOWN = [(page, number) for page in ("langchain", "litellm") for number in range(len(pieces(page)))]
ASK = f"""
from openai import OpenAI
client = OpenAI(base_url="http://127.0.0.1:8080/v1", api_key="{KEY}", max_retries=0)
answer = client.chat.completions.create(model="mini-e1", messages=[dict(role="user", content="{QUESTION}")],
    temperature=0, extra_body=dict(thinking_budget=16, solution_budget=20))
print(answer.choices[0].message.reasoning_content, answer.choices[0].message.content)
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with served(["--model", "mini-e1"], tmp_path_factory.mktemp("gateway")) as server:
        yield server


@contextmanager
def served(arguments: list[str], folder: Path) -> Iterator[LiveServer]:
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "serve", *arguments, "--port", "{port}"]
    server = LiveServer(command, folder / "log", {"OMP_NUM_THREADS": "1", "OPENAI_API_KEY": KEY})
    with running(server):
        yield server


def said(code: str, root: str) -> str:
    """What a piece of Python prints in the clients' environment."""
    done = subprocess.run([CLIENTS / "python", "-c", at(code, root)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("page", "number"), SHOWN)
def test_what_a_page_shows_runs(gateway: LiveServer, page: str, number: int) -> None:
    assert "answer" in said(pieces(page)[number], gateway.root)


@contextmanager
def proxy(before: str, folder: Path) -> Iterator[LiveServer]:
    """A LiteLLM proxy before a server at this root URL, with the configuration that the page shows."""
    shown = (PAGES / "litellm.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    (folder / "litellm.yaml").write_text(at(shown, before))
    command = [str(CLIENTS / "litellm"), "--config", str(folder / "litellm.yaml"), "--port", "{port}"]
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": KEY}
    server = LiveServer([*command, "--host", "127.0.0.1"], folder / "proxy.log", environment)
    server.health = "/health/liveliness"
    with running(server):
        yield server


def test_a_proxy_before_the_gateway(gateway: LiveServer, tmp_path: Path) -> None:
    with proxy(gateway.root, tmp_path) as before:
        assert said(ASK, before.root) == said(ASK, gateway.root)


def test_a_proxy_behind_the_gateway(gateway: LiveServer, tmp_path: Path) -> None:
    upstream = LlamaCpp("mini-e1", tmp_path, "--special")  # or a delimiter cannot be seen in text
    with running(upstream), proxy(upstream.root, tmp_path) as behind:
        arguments = ["--model", "mini-e1", "--urls", behind.url, "--tokenizer", "mini-e1"]
        with served(arguments, tmp_path) as before:
            assert said(ASK, before.root) == said(ASK, gateway.root)
