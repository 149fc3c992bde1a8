"""The processes that `gateway_load.py` measures: a scripted upstream, our gateway, and LiteLLM's proxy."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import yaml

from elastic_reasoning.engines.loading import load_template

HERE = Path(__file__).parent
TOKENIZER = "mini-e1"
WORD = "a"
START_SECONDS = 180.0
Process = subprocess.Popen[bytes]


@contextmanager
def ended(process: Process) -> Iterator[Process]:
    """A process that ends with the block."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def upstream(paces: Sequence[float]) -> Iterator[list[str]]:
    """The root URLs of a scripted upstream, one for each pace in tokens a second; 0 for at once."""
    tokenizer, template = load_template(TOKENIZER, None, None)
    [word] = tokenizer.encode(WORD)
    command = [sys.executable, str(HERE / "gateway_upstream.py"), f"--paces={','.join(map(str, paces))}"]
    command += [f"--word={word}", f"--closing={template.closing.ids[0]}", f"--eos={min(template.eos)}"]
    with ended(subprocess.Popen(command, stdout=subprocess.PIPE)) as process:
        assert process.stdout is not None
        yield [f"http://127.0.0.1:{port}" for port in json.loads(process.stdout.readline())]


def scripted(url: str) -> dict[str, Any]:
    """How the gateway is told of a scripted upstream."""
    return {"model": "scripted", "urls": [f"{url}/v1"], "tokenizer": TOKENIZER}


@contextmanager
def gateway(models: dict[str, dict[str, Any]], folder: Path) -> Iterator[tuple[Process, str]]:
    """Our gateway before models by the names that clients use: its process and its root URL."""
    file, port = folder / "gateway.yaml", _free_port()
    file.write_text(yaml.safe_dump({"models": models}))
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "serve", f"--file={file}", f"--port={port}"]
    with _logged(command, folder / "gateway.log", f"http://127.0.0.1:{port}/health") as process:
        yield process, f"http://127.0.0.1:{port}"


@contextmanager
def litellm(program: Path, urls: dict[str, str], folder: Path) -> Iterator[tuple[Process, str]]:
    """LiteLLM's proxy in front of the same upstreams, one worker, with nothing logged: its process and its root URL."""
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": "openai/scripted", "api_base": f"{url}/v1", "api_key": "sk-1"},
        }
        for name, url in urls.items()
    ]
    settings = {"telemetry": False, "drop_params": True}
    general = {"dangerously_permit_weak_or_unset_master_key": True}  # without keys, as ours
    file, port = folder / "litellm.yaml", _free_port()
    file.write_text(yaml.safe_dump({"model_list": models, "litellm_settings": settings, "general_settings": general}))
    command = [str(program), f"--config={file}", f"--port={port}", "--host=127.0.0.1", "--num_workers=1"]
    with _logged(command, folder / "litellm.log", f"http://127.0.0.1:{port}/health/liveliness") as process:
        yield process, f"http://127.0.0.1:{port}"


@contextmanager
def _logged(command: list[str], log: Path, health: str) -> Iterator[Process]:
    with log.open("wb") as file, ended(subprocess.Popen(command, stdout=file, stderr=file)) as process:
        end = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < end:
            try:
                urlopen(health, timeout=5).close()
            except HTTPError:
                pass
            except OSError:
                time.sleep(0.2)
                continue
            yield process
            return
        raise SystemExit(f"{command[0]} does not start:\n{log.read_text()[-3000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def megabytes(process: Process) -> float:
    """Memory that a process holds."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def processor_seconds(process: Process) -> float:
    """Processor time that a process and those that it has started have used."""
    pids, used = [process.pid], 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
        for task in Path(f"/proc/{pid}/task").iterdir():
            pids += map(int, (task / "children").read_text().split())
    return used / os.sysconf("SC_CLK_TCK")


def num_files(process: Process) -> int:
    """Files and connections that a process holds open."""
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
