"""Runs one generated program within hard limits, from its start to the death of all its processes.

    limits = Limits()
    with Run(find_sandbox(), {"mode": "program", "source": "print(input())"}, limits, stdin=b"7") as run:
        reason, seconds = wait([run], limits, limits.seconds, threading.Event())
        run.end(reason)      # Outcome(reason=None, stdout=b"7\n", ...)

Everything that goes in or comes out is a file without a name, in memory where the system can: nothing is left behind,
even if this process is killed, and a full disk is nothing to a run.
"""

import marshal
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from elastic_reasoning.core.errors import GradingError, MachineError
from elastic_reasoning.grading.programs.sandbox import Limits, Sandbox
from elastic_reasoning.grading.programs.usage import asleep, family, memory_bytes, processor_seconds

HARNESS = Path(__file__).with_name("harness.py").read_text(encoding="utf-8")
# How often use is summed up, and a grader that closes is heard.
TICK_SECONDS = 0.05
# How many times its limit a run may take by the clock, as on a machine with so many programs a core.
PATIENCE = 60
# How a program says that it was given no memory: by itself, or by the system.
NO_MEMORY = (b"MemoryError", b"Cannot allocate memory")
# Read by the kernel when a program starts: beyond about 128 MB the stack would meet what is mapped below it.
STACK_BYTES = 100 << 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        reason: `None` for exit status 0, else "time limit", "memory limit", "output limit" or "error".
        stdout, stderr: the output.
        report: what the harness reported, in the modes that do.
    """

    reason: str | None
    stdout: bytes
    stderr: bytes
    report: bytes


class Run:
    """One program in its sandbox, from the start to the death of all its processes.

    Args:
        sandbox: which sandbox.
        job: what the harness is to do, without limits and file descriptors.
        limits: what it may use.
        stdin: its standard input.
        channel: a file descriptor that it keeps as well.

    Raises:
        MachineError: the sandbox did not start.
    """

    def __init__(
        self, sandbox: Sandbox, job: Mapping[str, Any], limits: Limits, stdin: bytes = b"", channel: int | None = None
    ) -> None:
        self._limits = limits
        with ExitStack() as stack:
            try:
                self._job, self._stdin, self._stdout, self._stderr, self._report = (
                    stack.enter_context(_nameless_file()) for _ in range(5)
                )
                job_fd, report_fd = self._job.fileno(), self._report.fileno()
                arguments = ["-I", "-S", "-X", "utf8", "-c", HARNESS, str(job_fd)]
                launch = stack.enter_context(sandbox.launch(arguments, limits))
                job = {"prelude": "", "channel": channel, "report": report_fd, "packages": launch.packages, **job}
                _fill(self._job, marshal.dumps({**job, "limits": _resource_limits(limits, launch.num_processes)}))
                _fill(self._stdin, stdin)
                self._process = subprocess.Popen(
                    launch.command,
                    stdin=self._stdin,
                    stdout=self._stdout,
                    stderr=self._stderr,
                    pass_fds=[fd for fd in (job_fd, report_fd, channel, *launch.fds) if fd is not None],
                    start_new_session=True,
                    **launch.options,
                )
            except OSError as error:
                raise MachineError(f"the sandbox did not start: {error}") from error
            stack.callback(self._kill)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def pid(self) -> int:
        """The process that stands for the run, a child of this one."""
        return self._process.pid

    def ended(self, seconds: float) -> bool:
        """Whether it has ended, waiting so long at most."""
        if not hasattr(os, "pidfd_open"):  # macOS
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
            return self._process.returncode is not None
        pidfd = os.pidfd_open(self.pid)
        try:
            poll = select.poll()  # `select` knows no descriptor beyond 1023
            poll.register(pidfd, select.POLLIN)
            return bool(poll.poll(1000 * seconds))
        finally:
            os.close(pidfd)

    def end(self, reason: str | None = None) -> Outcome:
        """End every process of the run, and say how it went.

        Args:
            reason: why it is being stopped, or `None` if it has ended by itself.

        Raises:
            MachineError: the sandbox itself did not start.
        """
        self._kill()
        outputs = [_start_of(file, self._limits.output_bytes) for file in (self._stdout, self._stderr, self._report)]
        # The harness shares the offset of the job's file: it has moved if the job was read.
        if reason is None and os.lseek(self._job.fileno(), 0, os.SEEK_CUR) == 0:
            message = outputs[1].decode(errors="replace").strip().partition("\n")[0]
            raise MachineError(f"the sandbox did not start: {message or f'status {self._process.returncode}'}")
        return Outcome(reason or self._reason(outputs[1]), *outputs)

    def _kill(self) -> None:
        # The group is there at least until its leader is waited for.
        if self._process.returncode is None or not hasattr(os, "pidfd_open"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def _reason(self, stderr: bytes) -> str | None:
        sizes = [os.fstat(file.fileno()).st_size for file in (self._stdout, self._stderr, self._report)]
        status = self._process.returncode
        if max(sizes) > self._limits.output_bytes:
            return "output limit"
        if status in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
            return "time limit"
        if status and any(words in stderr[-1000:] for words in NO_MEMORY):
            return "memory limit"
        return "error" if status else None


def wait(runs: Sequence[Run], limits: Limits, seconds: float, closing: threading.Event) -> tuple[str | None, float]:
    """Wait for the end of the first of some runs that work together.

    Args:
        runs: the runs; their memory and time count together.
        limits: their limits.
        seconds: the time that they may use: processor time, and time in which all of them sleep. Time in which they
            wait for a processor or a disk is the machine's and does not count, so that verdicts on a busy machine
            are those on an idle one.
        closing: set by another thread to give up.

    Returns:
        `None` if it ended by itself, else why it has to be stopped; and the time used.

    Raises:
        GradingError: `closing` was set.
        MachineError: the machine did not give them that time in a long while.
    """
    started = last = time.monotonic()
    slept = used = 0.0
    while True:
        ended = runs[0].ended(TICK_SECONDS)
        passed, last = time.monotonic() - last, time.monotonic()
        if ended:
            return None, used + min(passed, TICK_SECONDS)
        if closing.is_set():
            raise GradingError("the grader was closed while a program ran")
        members = family([run.pid for run in runs])
        if asleep(members):
            slept += min(passed, TICK_SECONDS)  # a late look says nothing of the time before
        used = processor_seconds(members) + slept
        if used >= seconds:
            return "time limit", used
        if memory_bytes(members) > limits.memory_mb << 20:
            return "memory limit", used
        if last - started > PATIENCE * seconds:
            raise MachineError(
                f"a program did not get {seconds:g} s of processor time within {last - started:.0f} s: "
                "this machine is too busy, or has stopped it"
            )


def _resource_limits(limits: Limits, num_processes: int | None) -> dict[str, int]:
    """Limits as `setrlimit` knows them. One byte more than is allowed shows that a program wanted more."""
    wanted = {
        "RLIMIT_AS": limits.memory_mb << 20,
        "RLIMIT_CPU": int(limits.seconds) + 2,
        "RLIMIT_FSIZE": limits.output_bytes + 1,
        "RLIMIT_NPROC": num_processes,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CORE": 0,
        "RLIMIT_STACK": STACK_BYTES,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _nameless_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        file: IO[bytes] = open(os.memfd_create("run"), "w+b")  # noqa: SIM115 (the run closes it)
    else:  # macOS
        file = tempfile.TemporaryFile()  # noqa: SIM115
    # A program under another uid may open it again as /dev/stdin or /dev/stdout; nobody else has a name for it.
    os.fchmod(file.fileno(), 0o666)
    return file


def _fill(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()
    file.seek(0)


def _start_of(file: IO[bytes], num_bytes: int) -> bytes:
    file.seek(0)
    return file.read(num_bytes)
