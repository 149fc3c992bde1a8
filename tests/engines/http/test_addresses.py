"""Where replicas are looked for."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.core.errors import EngineError, UsageError
from elastic_reasoning.engines.http.addresses import check_address, find_urls, may_change


def found(*addresses: str) -> tuple[str, ...]:
    return asyncio.run(find_urls(addresses))


def test_what_is_given_stays_and_a_file_is_read_again(tmp_path: Path) -> None:
    servers = tmp_path / "servers.txt"
    servers.write_text("# two of them\nhttp://one:8000/v1\n\n http://two:8000/v1  # a spare\n")
    assert found("http://zero/v1", f"file:{servers}", "http://one:8000/v1") == (
        "http://zero/v1",
        "http://one:8000/v1",
        "http://two:8000/v1",
    )
    servers.write_text("http://three:8000/v1")
    assert found(f"file:{servers}") == ("http://three:8000/v1",)
    assert [may_change(address) for address in ("http://one/v1", f"file:{servers}", "dns+http://one/v1")] == [
        False,
        True,
        True,
    ]


def test_each_address_of_a_name_is_a_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    def addresses(host: str, port: int, **how: Any) -> list[Any]:
        assert (host, port) == ("vllm", 8000)
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("10.0.0.7", "10.0.0.5", "fd00::1")]

    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *how, **more: addresses(host, port))
    assert found("dns+http://vllm:8000/v1") == (
        "http://10.0.0.5:8000/v1",
        "http://10.0.0.7:8000/v1",
        "http://[fd00::1]:8000/v1",
    )


def test_a_name_without_an_address_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*how: Any, **more: Any) -> None:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(EngineError, match="the name nowhere has no address"):
        found("dns+http://nowhere/v1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: write one URL a line"),
        ("# http://one:8000/v1", "is empty"),
        ("one:8000", "write it as http"),
        ("file:other.txt", "may hold only URLs"),
        ("http://me:secret@one/v1", "set the variable that api_key_env names"),
    ],
)
def test_a_list_that_is_wrong_is_said_so(text: str, said: str, tmp_path: Path) -> None:
    servers = tmp_path / "servers.txt"
    servers.write_text(text)
    with pytest.raises(EngineError, match=said) as caught:
        found(f"file:{servers}")
    assert "servers.txt" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_list_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"none\.txt cannot be read"):
        found(f"file:{tmp_path}/none.txt")


@pytest.mark.parametrize("address", ["file:", "file://host/list", "dns+http:///v1", "dns+https://one/v1", "one:8000"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="write it as http"):
        check_address(address)
