import contextlib
import io
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from client_pages import PAGES, at, needs_curl, pieces
from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import open_gateway
from serving.gateways import listening

SHOWN = [(page, number) for page in ("openai", "anthropic") for number in range(len(pieces(page)))]


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with listening(open_gateway(make_config({"models": {"mini-e1": {}}}))) as url:
        yield url


@pytest.mark.parametrize(("page", "number"), SHOWN)
def test_what_a_page_shows_runs(root: str, page: str, number: int) -> None:
    out, names = io.StringIO(), dict[str, object]()
    with contextlib.redirect_stdout(out):
        exec(compile(at(pieces(page)[number], root), page, "exec"), names)
    names["client"].close()  # type: ignore[attr-defined]
    assert "answer" in out.getvalue() or "=" in out.getvalue()


def test_the_curl_line_runs(root: str) -> None:
    needs_curl()
    line = (PAGES / "openai.md").read_text(encoding="utf-8").rpartition("```\ncurl ")[2].partition("```")[0]
    command = ["curl", "-s", *shlex.split(line.replace("localhost:8080", root))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '"reasoning_tokens":' in done.stdout
