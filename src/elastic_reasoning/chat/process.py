"""Chat templates are programs that come with a model: they run in a process of their own, bounded in time and memory.

    template = chat_template(source)
    template.given                                           # ("enable_thinking", "messages", ...)
    template.render([{"messages": [...], "add_generation_prompt": True}])     # [Rendering(text="...")]

Jinja's sandbox keeps a template from Python's insides, but not from `{{ 10 ** 10 ** 10 }}`, which no thread or signal
can interrupt. The process that renders is started once for each template and lives as long as this one.
"""

import importlib.util
import json
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from elastic_reasoning.core.errors import TemplateError

WORKER = Path(__file__).with_name("worker.py")
"""Run by its path and never imported: what renders is jinja, and the core imports no framework."""
PROCESSOR_SECONDS = 3
WALL_SECONDS = 120.0
"""How long is waited for a process that neither computes nor answers."""
MEGABYTES = 512
MOST_CHARACTERS = 16 << 20
"""The longest text that a template may write, beyond any context."""
READ_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a template wrote, or why it did not.

    Attributes:
        text: what it wrote; `None` where it failed.
        failure: why, as one line; empty where it did not.
    """

    text: str | None
    failure: str = ""


class ChatTemplate:
    """A chat template in its process.

    Attributes:
        variables: the names that it may read before it makes them itself.
        given: of these, the ones that are to be given: it never makes them, or asks whether they are there.

    Args:
        source: the template.
        processor_seconds: what it may take for what it is asked at once.

    Raises:
        TemplateError: it is no template, or takes too long to read.
    """

    def __init__(self, source: str, processor_seconds: int = PROCESSOR_SECONDS) -> None:
        self._source = source
        self._processor_seconds = processor_seconds
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self.variables: tuple[str, ...] = ()
        self.given: tuple[str, ...] = ()
        with self._lock:
            self._started()

    def render(self, renderings: Sequence[Mapping[str, Any]]) -> list[Rendering]:
        """Render with each of these sets of variables, which must be plain JSON.

        Raises:
            TemplateError: the template takes more time or memory than it may, or variables are no JSON.
        """
        try:
            asked = json.dumps({"renderings": renderings, "most": MOST_CHARACTERS})
        except (TypeError, ValueError, RecursionError) as error:
            raise TemplateError(f"chat messages and chat_template_kwargs must be plain JSON: {error}") from None
        with self._lock:
            answer = self._ask(self._started(), asked)
        return [Rendering(each.get("text"), "" if "text" in each else _why(each)) for each in answer["renderings"]]

    def _started(self) -> "_Process":
        """The process, which is started again where the last job was its end."""
        if self._process is None or self._process.ended:
            self._process = _Process(self._processor_seconds)
            read = self._ask(self._process, json.dumps({"template": self._source}))
            self.variables, self.given = tuple(read["variables"]), tuple(read["given"])
        return self._process

    def _ask(self, process: "_Process", line: str) -> dict[str, Any]:
        answer = process.ask(line)
        if "kind" in answer:
            process.end()
            raise TemplateError(_why(answer))
        return answer


@lru_cache(maxsize=8)
def _chat_template(source: str, process_id: int) -> ChatTemplate:
    return ChatTemplate(source)


def chat_template(source: str) -> ChatTemplate:
    """The template with this source; one process renders for all who ask for the same.

    Raises:
        TemplateError: it is no template.
    """
    return _chat_template(source, os.getpid())  # a fork must not speak into its parent's pipes


class _Process:
    """A process that answers each line with a line."""

    def __init__(self, processor_seconds: int) -> None:
        self._processor_seconds = processor_seconds
        modules = (importlib.util.find_spec(name) for name in ("jinja2", "markupsafe"))
        places = [str(Path(module.origin).parents[1]) for module in modules if module and module.origin]
        start = (
            f"import sys; sys.path[:0] = {places!r}; import runpy; runpy.run_path({str(WORKER)!r}, run_name='__main__')"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", start, str(MEGABYTES), str(processor_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._end = weakref.finalize(self, _end, self._process, os.getpid())

    @property
    def ended(self) -> bool:
        return not self._end.alive

    def end(self) -> None:
        """Kill it."""
        self._end()

    def ask(self, line: str) -> dict[str, Any]:
        """One line for another.

        Raises:
            TemplateError: it has died of it, or says too much.
        """
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode("ascii") + b"\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._line())
            return answer
        except (BrokenPipeError, ValueError):
            self.end()
            raise TemplateError(
                f"the chat template does not come to an end: it takes more than {self._processor_seconds} seconds of "
                f"processor time or {MEGABYTES} MiB of memory"
            ) from None
        except BaseException:  # an interrupt: its answer would be taken for the next one's
            self.end()
            raise

    def _line(self) -> bytes:
        """What it says until the end of the line; what it said before it died."""
        assert self._process.stdout is not None
        descriptor, parts, size = self._process.stdout.fileno(), list[bytes](), 0
        speaks = select.poll()  # select() knows no descriptor beyond 1023, and a server may have thousands of them open
        speaks.register(descriptor, select.POLLIN)
        deadline = time.monotonic() + WALL_SECONDS
        while not (parts and parts[-1].endswith(b"\n")) and size < 16 * MOST_CHARACTERS:
            left = max(0.0, deadline - time.monotonic())
            part = os.read(descriptor, READ_AT_ONCE) if speaks.poll(1000 * left) else b""
            if not part:
                break
            parts.append(part)
            size += len(part)
        return b"".join(parts)


def _end(process: "subprocess.Popen[bytes]", process_id: int) -> None:
    if os.getpid() != process_id:  # a fork of the process that started it
        return
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def _why(failure: Mapping[str, Any]) -> str:
    """A failure as one line in which nothing is left that a terminal would obey."""
    words = " ".join(str(failure["reason"]).split())
    reason = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    reason = reason if len(reason) <= 300 else f"{reason[:297]}..."
    if failure["refused"]:
        return f"the chat template refuses the messages: {reason or 'it does not say why'}"
    return f"the chat template fails: {': '.join(filter(None, [str(failure['kind']), reason]))}"
