"""What runs inside the sandbox: it limits itself, then runs a program in one of four ways.

    python -I -S -X utf8 -c SOURCE_OF_THIS_FILE JOB_FD

It stands alone (standard library, no import of this package), because nothing else can be read in there. The job is an
open file, read and closed before any code of a candidate runs. Its modes:

    program   run as `__main__`, with the test's standard input and output
    call      load, call once, write the value as JSON; the expected value is not in here
    serve     load, then answer calls that come over a socket, until it is ended
    check     the other end of that socket, in a sandbox of its own: run `check(candidate)`, where `candidate` calls
              over the socket, and write the verdict. No code of a candidate is ever loaded in this process.

Arguments and values cross as data, in the way of `crossing.py`, whose source is part of the job. An exception crosses
as its nearest built-in kind; what does not cross becomes a `Foreign`, which equals nothing.

Imports are few, and some of them late: they are most of what a short run costs.
"""

from __future__ import annotations

import builtins
import io
import marshal
import resource
import site
import sys
import types

TYPE_CHECKING = False  # without importing `typing`
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Job = Mapping[str, Any]


class Foreign:
    """A value of a type that does not cross."""


def set_limits(limits: Mapping[str, int]) -> None:
    """Limit this process, and with it all that it starts; nothing but root could undo it."""
    for name, value in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        # One second between the two for processor time: the signal of the soft limit tells why a program ended.
        soft = value - 1 if name == "RLIMIT_CPU" else value
        try:
            resource.setrlimit(kind, (soft, value))
        except (ValueError, OSError):
            if sys.platform != "darwin":  # which has no limit of memory; the announcement says so
                raise


def load(name: str, source: str, prelude: str = "") -> types.ModuleType:
    """Run a source as a module of that name, behind a prelude, and without what this file imports from the future.

    The two are compiled apart, since what a program imports from the future stands at its beginning; together only
    where the program goes on in the last function of the prelude.
    """
    module = types.ModuleType(name)
    sys.modules[name] = module
    file = f"{name.strip('_')}.py"
    try:
        parts = [compile(text, file, "exec", dont_inherit=True) for text in (prelude, source)]
    except SyntaxError:
        parts = [compile(f"{prelude}\n{source}", file, "exec", dont_inherit=True)]
    for part in parts:
        exec(part, module.__dict__)
    return module


def load_candidate(job: Job) -> Callable[..., Any]:
    """The method of class Solution that has the name of the entry point, or else what the program calls so."""
    module, name = load("solution", job["source"], job["prelude"]), job["entry_point"]
    if hasattr(getattr(module, "Solution", None), name):
        module = module.Solution()
    candidate: Callable[..., Any] = getattr(module, name)
    return candidate


def program(job: Job) -> None:
    """Mode `program`."""
    sys.argv = ["main.py"]
    load("__main__", job["source"], job["prelude"])


def call(job: Job) -> None:
    """Mode `call`."""
    value = load_candidate(job)(*job["arguments"])
    import json

    try:
        report = json.dumps({"value": value}, default=lambda value: value.tolist())  # numpy's
    except (TypeError, AttributeError, ValueError, RecursionError):
        report = "{}"  # a set, an object: no expected value is one
    write(job, report)


def serve(job: Job) -> None:
    """Mode `serve`."""
    crossing = load("crossing", job["crossing"])
    candidate = load_candidate(job)
    requests, replies = open_channel(job)
    while True:
        arguments, keywords = crossing.loads(receive(requests))
        try:
            kind, value = b"v", candidate(*arguments, **keywords)
        except BaseException as error:
            name = next(base.__name__ for base in type(error).__mro__ if base.__module__ == "builtins")
            kind, value = b"x", (name, str(error))
        try:
            data = crossing.dumps(value)
        except Exception:
            data = b""  # which is no value
        send(replies, kind + data)


def check(job: Job) -> None:
    """Mode `check`."""
    try:
        tests = load("solution", job["prelude"])
        exec(compile(job["check"], "tests.py", "exec", dont_inherit=True), tests.__dict__)
        run = tests.check
    except BaseException as error:
        return write(job, f"broken\n{type(error).__name__}: {error}")
    candidate = Candidate(job)
    # HumanEval/33's check compares the candidate with the function by its name.
    setattr(tests, job["entry_point"], candidate)
    try:
        run(candidate)
    except BaseException as error:
        if error is candidate.error:
            verdict = "memory limit" if isinstance(error, MemoryError) else "error"
        else:
            verdict = "gone" if isinstance(error, (EOFError, ConnectionError)) else "wrong answer"
        return write(job, verdict)
    # An exception that never came here: `map` takes a StopIteration for its end, `getattr` an AttributeError for none.
    write(job, "error" if candidate.error and not catches(job["check"]) else "passed")


def catches(source: str) -> bool:
    """Whether tests may expect an exception: they try something, or do it `with` something."""
    import ast

    return any(isinstance(node, (ast.Try, ast.TryStar, ast.With)) for node in ast.walk(ast.parse(source)))


class Candidate:
    """The candidate as its tests see it: each call goes over the socket.

    Attributes:
        error: what the last call that failed has raised here.
    """

    def __init__(self, job: Job) -> None:
        self.error: Exception | None = None
        self._crossing = load("crossing", job["crossing"])
        self._requests, self._replies = open_channel(job)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """What the candidate returns; raises the built-in kind of what it raised, or a RuntimeError where that is none
        that a test expects (SystemExit, the end of an iteration) or that a message alone makes (UnicodeDecodeError)."""
        send(self._replies, self._crossing.dumps((arguments, keywords)))
        reply = receive(self._requests)
        try:
            value = self._crossing.loads(reply[1:])
        except Exception:
            return Foreign()
        if reply[:1] == b"v":
            return value
        name, message = map(str, value) if isinstance(value, tuple) and len(value) == 2 else ("", "")
        kind = getattr(builtins, name, None)
        unfit = (UnicodeError, StopIteration, StopAsyncIteration)
        if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, unfit):
            self.error = kind(message)
        else:
            self.error = RuntimeError(name, message)
        raise self.error


def open_channel(job: Job) -> tuple[io.BufferedReader, io.FileIO]:
    """Both directions of the socket."""
    return open(job["channel"], "rb"), open(job["channel"], "wb", buffering=0, closefd=False)


def send(stream: io.FileIO, data: bytes) -> None:
    """Write one message."""
    rest = memoryview(len(data).to_bytes(8, "big") + data)
    while rest:
        rest = rest[stream.write(rest) :]


def receive(stream: io.BufferedReader) -> bytes:
    """Read one message; raises EOFError where the other end is gone."""
    size = stream.read(8)
    data = stream.read(int.from_bytes(size, "big"))
    if len(size) < 8:
        raise EOFError
    return data


def write(job: Job, report: str) -> None:
    """Leave a report."""
    with open(job["report"], "w", encoding="utf-8", errors="replace") as file:
        file.write(report)


def main(job_fd: int) -> None:
    """Do the job that the file descriptor holds."""
    with open(job_fd, "rb") as file:
        job = marshal.load(file)
    sys.path.extend(job["packages"])
    site.setquit()  # `exit()` is what -S leaves out
    set_limits(job["limits"])
    {"program": program, "call": call, "serve": serve, "check": check}[job["mode"]](job)


if __name__ == "__main__":
    main(int(sys.argv[1]))
