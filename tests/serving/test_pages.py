import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError

import pytest

import elastic_reasoning.serving
from elastic_reasoning.core.strategies import STRATEGIES
from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import open_gateway
from elastic_reasoning.untrusted.json import decode
from serving.gateways import listening

FILES = [path.name for path in (Path(elastic_reasoning.serving.__file__).parent / "playground").iterdir()]
SERVED = [name for name in FILES if name != "index.html" and not name.endswith(".txt")]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with listening(
        open_gateway(make_config({"models": {"mini-e1": {"budget": "16+20", "price": {"input": 0.1, "output": 0.5}}}}))
    ) as url:
        yield url


def fetch(url: str, headers: dict[str, str] | None = None, method: str = "GET") -> tuple[int, Message, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}, method=method)) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.mark.parametrize("path", ["", *(f"playground/{name}" for name in SERVED)])
def test_every_file_is_served_with_its_type_and_kept_by_its_tag(url: str, path: str) -> None:
    status, headers, content = fetch(f"{url}/{path}")
    assert status == 200
    assert content
    assert headers["content-type"].startswith(
        {"": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[path.rpartition(".")[2]]
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert fetch(f"{url}/{path}", {"If-None-Match": headers["etag"]})[::2] == (304, b"")
    assert fetch(f"{url}/{path}", {"If-None-Match": '"other"'})[::2] == (200, content)
    assert fetch(f"{url}/{path}", method="HEAD")[::2] == (200, b"")


@pytest.mark.parametrize(
    "path", ["playground/", "playground/../config.py", "playground/%2e%2e/config.py", "playground/..%2fpages.py", "x"]
)
def test_nothing_else_is(url: str, path: str) -> None:
    assert fetch(f"{url}/{path}")[0] == 404


def test_the_page_is_told_of_models_and_strategies(url: str) -> None:
    facts = decode(fetch(f"{url}/v1/elastic/models")[2])
    assert [each["name"] for each in facts["strategies"]] == list(STRATEGIES)
    assert all(option["help"] for each in facts["strategies"] for option in each["options"])
    [model] = facts["models"]
    assert model["budget"] == {"thinking": 16, "solution": 20}
    assert model["ceiling"] == {"thinking": None, "solution": None}
    assert model["prices"] == {"input": 0.1, "cached": 0.1, "output": 0.5, "currency": "USD"}
    assert model["examples"]["problems"][0]["text"].endswith("=")
