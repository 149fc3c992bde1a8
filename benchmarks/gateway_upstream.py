"""A scripted upstream, as lean as can be: what stands behind the gateways that `gateway_load.py` measures.

    python benchmarks/gateway_upstream.py --paces 5,0 --word 40 --closing 6 --eos 1

It speaks as vLLM with our plug-in does (`/v1/completions` with `vllm_xargs`), and has the chat endpoint that other
gateways ask. For each pace, in tokens a second, it listens on a port of its own; pace 0 answers at once. The ports are
printed. GET /sent tells when each token was sent, by the digits in the prompt; GET /open how many streams are open.
"""

import argparse
import asyncio
import json
import time
from typing import Any

import uvloop

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
REFUSED = b"HTTP/1.1 %d Refused\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
MODEL, CONTEXT = "scripted", 4096
FIRST_DIGIT = 7  # the miniature's ids of 0 to 9
TEXT = "a "


class Script:
    """What the model says: thinking of so many words, the closing delimiter, a solution of so many, the end."""

    def __init__(self, word: int, closing: int, eos: int) -> None:
        self.word, self.closing, self.eos = word, closing, eos
        self.sent: dict[str, list[float]] = {}
        self.num_open = 0

    def ids(self, body: dict[str, Any]) -> list[int]:
        wire = body.get("vllm_xargs")
        if wire is None:
            return [self.word] * body["max_tokens"]
        ids = [self.word] * wire["thinking_budget"] + [self.closing] + [self.word] * wire["solution_budget"]
        return [*ids, self.eos][: body["max_tokens"]]

    def name(self, body: dict[str, Any]) -> str:
        """The digits in the prompt, by which a client finds when its tokens were sent."""
        if "prompt" in body:
            return "".join(str(i - FIRST_DIGIT) for i in body["prompt"] if FIRST_DIGIT <= i < FIRST_DIGIT + 10)
        return "".join(c for c in body["messages"][-1]["content"] if c.isdigit())


class Connection(asyncio.Protocol):
    """One connection, on which one request follows another."""

    def __init__(self, script: Script, pace: float) -> None:
        self._script, self._seconds = script, 1 / pace if pace else 0.0
        self._read = b""
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._end_stream()

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, rest = self._read.partition(b"\r\n\r\n")
        if not found:
            return
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0)
        if len(rest) < length:
            return
        self._read = rest[length:]
        method, path, _ = head.split(b" ", 2)
        if method == b"GET":
            self._get(path.decode())
        else:
            self._post(path.decode(), json.loads(rest[:length]))

    def _get(self, path: str) -> None:
        answers = {
            "/version": {"version": "0.32.0"},
            "/v1/models": {"object": "list", "data": [{"id": MODEL, "max_model_len": CONTEXT, "root": MODEL}]},
            "/sent": self._script.sent,
            "/open": self._script.num_open,
        }
        self._send(answers[path]) if path in answers else self._refuse(404, "no such page")

    def _post(self, path: str, body: dict[str, Any]) -> None:
        if (body.get("vllm_xargs") or {}).get("thinking_budget", 0) < 0:
            self._refuse(400, "thinking_budget -1: must be 0 or more")
        elif "thinking_token_budget" in body or "logprobs" in body:
            self._refuse(400, "not configured")
        elif path == "/v1/completions":
            ids = self._script.ids(body)
            if body["stream"]:
                self._begin([_completion([token]) for token in ids], self._script.name(body), ids)
            else:
                self._send(_completion(ids, "stop"))
        else:
            num = body["max_tokens"]
            if body.get("stream"):
                half = num // 2
                events = [_chunk({"reasoning_content": TEXT})] * half + [_chunk({"content": TEXT})] * (num - half)
                self._begin(events, self._script.name(body), [self._script.word] * num)
            else:
                self._send(_chat(num))

    def _send(self, answer: Any) -> None:
        data = json.dumps(answer).encode()
        self._transport.write(HEAD % (len(data), data))

    def _refuse(self, status: int, message: str) -> None:
        data = json.dumps({"error": {"message": message, "code": status}}).encode()
        self._transport.write(REFUSED % (status, len(data), data))

    def _begin(self, events: list[Any], name: str, ids: list[int]) -> None:
        self._script.num_open += 1
        self._transport.write(STREAM)
        self._events = [_framed(b"data: " + json.dumps(event).encode() + b"\n\n") for event in events]
        self._events[-1] += _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"
        shown = [token == self._script.word for token in ids]
        self._shown, self._place = shown, 0
        self._sent = self._script.sent[name] = []
        self._due = self._loop.time()
        self._next()

    def _next(self) -> None:
        self._timer = None
        while self._place < len(self._events):
            if self._shown[self._place]:
                self._sent.append(time.monotonic())
            self._transport.write(self._events[self._place])
            self._place += 1
            self._due += self._seconds
            if self._seconds and self._place < len(self._events):
                self._timer = self._loop.call_at(self._due, self._next)
                return
        self._end_stream()

    def _end_stream(self) -> None:
        self._script.num_open -= 1
        self._events = []


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _completion(ids: list[int], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "text": TEXT, "token_ids": ids, "logprobs": None, "finish_reason": finish}
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": MODEL, "choices": [choice]}


def _chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "chat-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}


def _chat(num: int) -> dict[str, Any]:
    half = num // 2
    message = {"role": "assistant", "content": TEXT * (num - half), "reasoning_content": TEXT * half}
    usage = {"prompt_tokens": 4, "completion_tokens": num, "total_tokens": 4 + num}
    choices = [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    return {
        "id": "chat-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": choices,
        "usage": usage,
    }


async def _serve(paces: list[float], script: Script) -> None:
    loop, ports = asyncio.get_running_loop(), []
    for pace in paces:
        server = await loop.create_server(lambda pace=pace: Connection(script, pace), "127.0.0.1", 0, backlog=4096)
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--paces", default="5,0", help="tokens a second, one for each port")
    for name in ("word", "closing", "eos"):
        parser.add_argument(f"--{name}", type=int, required=True, help="an id")
    chosen = parser.parse_args()
    script = Script(chosen.word, chosen.closing, chosen.eos)
    uvloop.run(_serve([float(pace) for pace in chosen.paces.split(",")], script))


if __name__ == "__main__":
    main()
