"""Bodies and clients that mean harm, or are broken: each is refused or let go of, and the next client is answered."""

import http.client
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn

from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import open_gateway
from fake_servers import fake_vllm
from fake_servers import serving as serving_fake
from serving.gateways import running
from serving.upstreams import chat, fake_mini

SECRET = "hunter2"
"""Stands in every body and key, and may stand in no log."""
PATH = "/v1/chat/completions"
MODEL = {"model": "fake", "tokenizer": "mini-e1"}
WAIT_SECONDS = 20.0


@contextmanager
def gateway(send_bytes: int | None = None, **settings: Any) -> Iterator[tuple[str, uvicorn.Server]]:
    """Host and port of a gateway before an upstream, and its server."""
    with serving_fake(lambda: fake_vllm(fake_mini(), plug_in=True)) as upstream:
        models = {"mini-e1": {**MODEL, "urls": [upstream.url]}}
        opened = open_gateway(make_config({"models": models, **settings}))
        with running(opened, send_bytes) as (url, server):
            yield urlsplit(url).netloc, server


@pytest.fixture(scope="module")
def patient() -> Iterator[tuple[str, uvicorn.Server]]:
    with gateway(max_body_bytes=2**20) as found:
        yield found


@pytest.fixture(scope="module")
def impatient() -> Iterator[tuple[str, uvicorn.Server]]:
    """One that waits for nobody."""
    with gateway(head_seconds=0.2, body_seconds=0.2, max_head_bytes=4096) as found:
        yield found


def dial(netloc: str) -> socket.socket:
    host, port = netloc.split(":")
    return socket.create_connection((host, int(port)), timeout=WAIT_SECONDS)


def said(connection: socket.socket) -> bytes:
    """All that is said until the connection is closed."""
    parts = []
    with suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def head(length: int | str, *more: str) -> bytes:
    size = f"Content-Length: {length}" if isinstance(length, int) else length
    lines = [f"POST {PATH} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {SECRET}", size, *more]
    return "\r\n".join([*lines, "", ""]).encode()


def request(**settings: Any) -> bytes:
    body = json.dumps(chat(**settings)).encode()
    return head(len(body)) + body


def answered(netloc: str, body: bytes) -> tuple[int, Any]:
    client = http.client.HTTPConnection(netloc, timeout=WAIT_SECONDS)
    try:
        client.request("POST", PATH, body, {"Authorization": f"Bearer {SECRET}"})
        answer = client.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        client.close()


def check_well(found: tuple[str, uvicorn.Server]) -> None:
    """The next client is answered, and nothing is left of those before."""
    netloc, server = found
    status, answer = answered(netloc, json.dumps(chat()).encode())
    assert status == 200, answer
    until(lambda: not server.server_state.connections and not server.server_state.tasks)


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(WAIT_SECONDS / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it does not come to that")


BODIES = {
    "nothing": b"",
    "no JSON": b"{%b" % SECRET.encode(),
    "no object": b'["hunter2"]',
    "nested arrays": b"[" * 500_000,
    "nested objects": b'{"messages":' * 40_000,
    "nested messages": b'{"model":"mini-e1","messages":' + b"[" * 400 + b"]" * 400 + b"}",
    "NaN": b'{"model": "mini-e1", "messages": [{"role": "user", "content": "hunter2"}], "temperature": NaN}',
    "infinity": b'{"model": "mini-e1", "messages": [{"role": "user", "content": "hunter2"}], "top_p": 1e999}',
    "no UTF-8": b'{"model": "mini-e1", "messages": [{"role": "user", "content": "hunter2 \xff\xfe"}]}',
    "half a letter": rb'{"model": "mini-e1", "messages": [{"role": "user", "content": "hunter2 \ud800"}]}',
    "UTF-16": '{"model": "hunter2"}'.encode("utf-16"),
    "many digits": b'{"model": "mini-e1", "messages": [{"role": "user", "content": "hunter2"}], "n": %b}'
    % (b"9" * 9999),
    "many keys": b"{%b}" % b",".join(b'"k%d":0' % n for n in range(60_000)),
    "long text": b'{"model": "mini-e1", "messages": [{"role": "user", "content": "%b"}]}' % (b"hunter2 " * 100_000),
    "long name": b'{"model": "%b", "messages": [{"role": "user", "content": "a"}]}' % (b"hunter2 " * 100_000),
    "a role that is an object": b'{"model": "mini-e1", "messages": [{"role": {"a": 1}, "content": "hunter2"}]}',
    "too many samples": b'{"model": "mini-e1", "messages": [{"role": "user", "content": "hunter2"}], "n": 1000000}',
    "too large": b'{"model": "mini-e1", "messages": "%b"}' % (b"a" * 2**20),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_asks_for_nothing_is_refused(name: str, patient: tuple[str, uvicorn.Server], caplog: Any) -> None:
    status, answer = answered(patient[0], BODIES[name])
    assert 400 <= status < 500, answer
    assert answer["error"]["message"]
    assert len(json.dumps(answer)) < 2000, "it repeats what was sent"
    assert SECRET not in caplog.text
    check_well(patient)


def test_a_body_in_chunks_is_read_no_further_than_it_may_be(patient: tuple[str, uvicorn.Server]) -> None:
    with dial(patient[0]) as client:
        client.sendall(head("Transfer-Encoding: chunked"))
        with suppress(ConnectionError):
            for _ in range(64):
                client.sendall(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
        assert b" 413 " in said(client).partition(b"\r\n")[0]
    check_well(patient)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 408),
        (b"POST /v1/chat", 408),
        (b"\r\n", 408),
        (head(10)[:-2], 408),
        (head(1000) + b'{"model":', 408),
        (head("Transfer-Encoding: chunked") + b"5\r\nhello\r\n", 408),
        (head("Transfer-Encoding: chunked") + b"0\r\n", 408),
        (b"GET /nowhere HTTP/1.1\r\nContent-Length: 9\r\n\r\n", 404),
        (b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 2000, 431),
        (b"GET /" + b"a" * 8000, 431),
        (b"\0\1\2\3 hello", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (head(-1), 400),
        (head("Content-Length: 5\r\nContent-Length: 6"), 400),
        (head("Transfer-Encoding: chunked") + b"zz\r\n", 400),
    ],
    ids=repr,
)
def test_what_does_not_become_a_request_is_given_up(
    sent: bytes, status: int, impatient: tuple[str, uvicorn.Server]
) -> None:
    with dial(impatient[0]) as client:
        client.sendall(sent)
        assert b" %d " % status in said(client).partition(b"\r\n")[0]
    check_well(impatient)


def test_headers_behind_a_body_are_not_kept(impatient: tuple[str, uvicorn.Server]) -> None:
    with dial(impatient[0]) as client:
        client.sendall(head("Transfer-Encoding: chunked") + b"2\r\n[]\r\n0\r\n")
        with suppress(ConnectionError):
            while True:
                client.sendall(b"Trailer: hunter2\r\n" * 100)
    check_well(impatient)


def test_a_body_that_is_longer_than_it_says_is_another_request(patient: tuple[str, uvicorn.Server]) -> None:
    with dial(patient[0]) as client:
        client.sendall(request() + b"hunter2")
        answers = said(client)
    assert answers.count(b"HTTP/1.1 ") <= 2
    assert b"hunter2" not in answers
    check_well(patient)


def test_requests_that_follow_at_once_are_answered_in_their_order(patient: tuple[str, uvicorn.Server]) -> None:
    with dial(patient[0]) as client:
        client.sendall(
            request() + request(stream=True) + request() + b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        answers = said(client)
    kinds = re.findall(rb"content-type: ([a-z/-]+)", answers)
    assert kinds == [b"application/json", b"text/event-stream", b"application/json", b"application/json"]
    assert answers.count(b" 200 OK") == 4
    check_well(patient)


STAGES = {
    "connected": b"",
    "in the head": head(10)[:40],
    "before the body": head(1000),
    "in the body": request()[:-20],
    "asked": request(),
    "asked for a stream": request(stream=True),
    "asked twice": request(stream=True) * 2,
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("reads", [False, True], ids=["at once", "when something came"])
@pytest.mark.parametrize("leave", ["reset", "half"])
def test_a_client_may_leave_at_any_stage(
    stage: str, reads: bool, leave: str, patient: tuple[str, uvicorn.Server], caplog: Any
) -> None:
    for _ in range(3):
        with dial(patient[0]) as client:
            client.sendall(STAGES[stage])
            if reads and stage.startswith("asked"):
                client.recv(1)
            if leave == "half":
                client.shutdown(socket.SHUT_WR)
                said(client)
            else:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    check_well(patient)
    assert not [record for record in caplog.records if record.levelname == "ERROR" and "aiohttp" not in record.name]


def test_a_client_that_does_not_read_is_dropped() -> None:
    with gateway(4096, write_seconds=0.2) as found:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(WAIT_SECONDS)
            host, port = found[0].split(":")
            client.connect((host, int(port)))
            client.sendall(request(stream=True) * 100)
            until(lambda: bool(found[1].server_state.connections))
            until(lambda: not found[1].server_state.connections)
            assert said(client).count(b"[DONE]") < 90
        check_well(found)


def test_an_answer_that_nobody_reads_does_not_keep_its_connection() -> None:
    with gateway(4096, write_seconds=0.2, keep_alive_seconds=0.0) as found:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            host, port = found[0].split(":")
            client.connect((host, int(port)))
            client.sendall(b"GET /health HTTP/1.1\r\n\r\n" * 2000)
            until(lambda: bool(found[1].server_state.connections))
            until(lambda: not found[1].server_state.connections)
        check_well(found)


def test_no_more_connections_are_kept_than_there_may_be() -> None:
    with gateway(max_connections=3) as found:
        kept = []
        for number in range(3):
            kept.append(dial(found[0]))
            until(lambda number=number: len(found[1].server_state.connections) == number + 1)  # type: ignore[misc]
        with dial(found[0]) as client:
            assert said(client) == b""
        for client in kept:
            client.close()
        check_well(found)


@pytest.mark.full
def test_ten_thousand_connections_that_are_opened_and_left(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("models: {mini-e1: {}}\nhead_seconds: 15\nport: 0\n")
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "serve", "--file", str(file), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        try:
            assert process.stdout is not None
            found = re.search(rb"http://(\S+)/v1", process.stdout.readline())
            assert found is not None
            netloc = found[1].decode()
            body = json.dumps(chat()).encode()
            assert answered(netloc, body)[0] == 200
            before = num_files(process.pid)
            clients = [dial(netloc) for _ in range(10_000)]
            for client in clients[::2]:
                with suppress(ConnectionError):
                    client.sendall(b"POST /v1/chat")
            until(lambda: num_files(process.pid) <= before + 2)  # all are let go of
            assert answered(netloc, body)[0] == 200
            for client in clients:
                client.close()
        finally:
            process.terminate()
        assert process.wait(WAIT_SECONDS) == 0


def num_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
