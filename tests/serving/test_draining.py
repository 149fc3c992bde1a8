"""A gateway that is told to end: a real process, and signals."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import yaml

from fake_servers import Pace, fake_vllm, serving
from serving.upstreams import chat, fake_mini

COMMAND = "import sys; from elastic_reasoning.cli.main import main; sys.exit(main())"
CHAT, LOG = "/v1/chat/completions", "log"


@contextmanager
def served(folder: Path, url: str, **settings: Any) -> Iterator[tuple[subprocess.Popen[str], httpx2.Client]]:
    """A process of `elastic serve` before an upstream, and a client of it."""
    file = folder / "gateway.yaml"
    models = {"mini-e1": {"urls": [url], "model": "fake", "tokenizer": "mini-e1"}}
    file.write_text(yaml.safe_dump({"models": models, **settings}))
    command = [sys.executable, "-c", COMMAND, "serve", "--file", str(file), "--port", "0"]
    with (
        (folder / LOG).open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        root = process.stdout.readline().split()[-1].removesuffix("/v1")
        try:
            with httpx2.Client(base_url=root, timeout=30) as client:
                yield process, client
        finally:
            process.kill()


def halting() -> Pace:
    pace = Pace()
    pace.halt = lambda number: 3
    return pace


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def test_streams_under_way_go_on_to_their_ends_and_new_requests_are_refused(tmp_path: Path) -> None:
    pace = halting()
    with (
        serving(lambda: fake_vllm(fake_mini(), plug_in=True, pace=pace)) as server,
        served(tmp_path, server.url) as (process, client),
        client.stream("POST", CHAT, json=chat(stream=True)) as response,
    ):
        arriving = events(response.iter_lines())
        next(arriving)
        assert pace.halted.wait(20)
        process.send_signal(signal.SIGTERM)
        refused = client.post(CHAT, json=chat())
        while refused.status_code == 200:  # it had come before the signal
            refused = client.post(CHAT, json=chat())
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "shutting_down")
        assert refused.headers["Retry-After"]
        pace.release.set()
        *_, last = arriving
        assert last["elastic"]["solution_ended_by"]
        assert process.wait(20) == 0
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert {line["level"] for line in lines} == {"info"}


def test_what_is_late_ends_with_an_error(tmp_path: Path) -> None:
    pace = halting()
    with (
        serving(lambda: fake_vllm(fake_mini(), plug_in=True, pace=pace)) as server,
        served(tmp_path, server.url, drain_seconds=0.1) as (process, client),
        client.stream("POST", CHAT, json=chat(stream=True)) as response,
    ):
        arriving = events(response.iter_lines())
        next(arriving)
        assert pace.halted.wait(20)
        process.send_signal(signal.SIGTERM)
        *_, last = arriving
        assert last["error"]["code"] == "shutting_down"
        assert pace.dropped.wait(20)
        assert process.wait(20) == 0


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    pace = halting()
    with (
        serving(lambda: fake_vllm(fake_mini(), plug_in=True, pace=pace)) as server,
        served(tmp_path, server.url) as (process, client),
        client.stream("POST", CHAT, json=chat(stream=True)),
    ):
        assert pace.halted.wait(20)
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        assert not pace.release.is_set()
