"""What runs inside the sandbox: it limits itself, then runs a program in one of four ways.

    python -I -S -X utf8 -c SOURCE_OF_THIS_FILE JOB_FD

It stands alone (standard library, no import of this package), because nothing else can be read in there. The job is an
open file, read and closed before any code of a candidate runs. Its modes:

    program   run as `__main__`, with the test's standard input and output
    call      load, call once, write the value as JSON; the expected value is not in here
    serve     load, then answer calls that come over a socket, until it is ended
    check     the other end of that socket, in a sandbox of its own: run `check(candidate)`, where `candidate` calls
              over the socket, and write the verdict. No code of a candidate is ever loaded in this process.

Arguments and values cross as pickles. What comes from a candidate is unpickled with plain values and the classes of
the test's prelude only. An iterator arrives as one over a list of what it gave, a view of a dictionary as a list, an
exception as its nearest built-in kind; whatever else it returns becomes a `Foreign`, which equals nothing.

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

PLAIN: tuple[Any, ...] = (int, float, complex, str, bytes, list, tuple, dict, set, frozenset)
CROSSING = {("builtins", kind.__name__) for kind in (*PLAIN, bool, bytearray, range)}
CROSSING |= {("builtins", "iter"), ("collections", "deque"), ("decimal", "Decimal"), ("fractions", "Fraction")}


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


def load(source: str, name: str) -> types.ModuleType:
    """Run a source as a module of that name."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, f"{name.strip('_')}.py", "exec"), module.__dict__)
    return module


def load_candidate(job: Job) -> Callable[..., Any]:
    """The method of class Solution that has the name of the entry point, or else what the program calls so."""
    module, name = load(job["source"], "solution"), job["entry_point"]
    if hasattr(getattr(module, "Solution", None), name):
        module = module.Solution()
    candidate: Callable[..., Any] = getattr(module, name)
    return candidate


def program(job: Job) -> None:
    """Mode `program`."""
    sys.argv = ["main.py"]
    load(job["source"], "__main__")


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
    dumps, loads = pickling()
    candidate = load_candidate(job)
    requests, replies = open_channel(job)
    while True:
        arguments, keywords = loads(receive(requests))
        try:
            kind, value = b"v", candidate(*arguments, **keywords)
        except BaseException as error:
            name = next(base.__name__ for base in type(error).__mro__ if base.__module__ == "builtins")
            kind, value = b"x", (name, str(error))
        try:
            data = dumps(value)
        except Exception:
            data = b""  # which is no pickle
        send(replies, kind + data)


def check(job: Job) -> None:
    """Mode `check`."""
    try:
        tests = load(job["prelude"], "solution")
        exec(compile(job["check"], "tests.py", "exec"), tests.__dict__)
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
    write(job, "passed")


class Candidate:
    """The candidate as its tests see it: each call goes over the socket.

    Attributes:
        error: what the last call that failed has raised here.
    """

    def __init__(self, job: Job) -> None:
        self.error: Exception | None = None
        self._dumps, self._loads = pickling()
        self._requests, self._replies = open_channel(job)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """What the candidate returns; raises the built-in kind of what it raised, or a RuntimeError where that is none
        that a test expects (SystemExit) or that a message alone makes (UnicodeDecodeError)."""
        send(self._replies, self._dumps((arguments, keywords)))
        reply = receive(self._requests)
        try:
            value = self._loads(reply[1:])
        except Exception:
            return Foreign()
        if reply[:1] == b"v":
            return value
        kind = getattr(builtins, value[0], None)
        simple = isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, UnicodeError)
        self.error = kind(value[1]) if simple and kind else RuntimeError(*value)
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


def pickling() -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    """How a value is written at one end and read at the other; reading raises where it holds more than it may.

    First the value, then the attributes of each instance of a class of the test's prelude, one by one: so a linked list
    is not as deep as it is long.
    """
    import pickle
    from collections import abc

    class Pickler(pickle.Pickler):
        instances: list[Any]

        def reducer_override(self, value: Any) -> Any:
            """Named tuples, counters, numbers of numpy and the like go as what they are a kind of."""
            if type(value).__module__ == "numpy":
                value = value.tolist()
                return type(value), (value,)
            for kind in PLAIN:
                if isinstance(value, kind) and type(value) is not kind:
                    return kind, (kind(value),)
            if type(value).__module__ == "solution":
                self.instances.append(value)
                return new_instance, (type(value).__name__,)
            if isinstance(value, (abc.KeysView, abc.ValuesView, abc.ItemsView)):
                return list, (list(value),)
            if isinstance(value, abc.Iterator):
                return iter, (list(value),)
            return NotImplemented

    class Unpickler(pickle.Unpickler):
        instances: list[Any]

        def find_class(self, module: str, name: str) -> Any:
            """What makes an instance. Never a class itself, to which a pickle could give another `__eq__`."""
            if name == "new_instance":
                return lambda name: new_instance(name, self.instances)
            if (module, name) in CROSSING:
                return super().find_class(module, name).__call__
            raise pickle.UnpicklingError(f"{module}.{name}")

    def dumps(value: Any) -> bytes:
        buffer = io.BytesIO()
        pickler = Pickler(buffer, 5)
        pickler.instances = []
        pickler.dump(value)
        for instance in pickler.instances:  # grows meanwhile
            pickler.dump(vars(instance))
        return buffer.getvalue()

    def loads(data: bytes) -> Any:
        unpickler = Unpickler(io.BytesIO(data))
        unpickler.instances = []
        value = unpickler.load()
        for instance in unpickler.instances:  # grows meanwhile
            vars(instance).update(unpickler.load())
        return value

    return dumps, loads


def new_instance(name: str, instances: list[Any]) -> Any:
    """An instance without attributes, added to the list, of a class that was loaded here."""
    kind = getattr(sys.modules["solution"], name)
    if kind.__module__ != "solution":
        raise TypeError(name)
    instances.append(object.__new__(kind))
    return instances[-1]


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
