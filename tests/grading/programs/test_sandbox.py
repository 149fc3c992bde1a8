"""Each thing that a hostile or broken program does, in each sandbox that stops it; and that nothing of it is left."""

import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.grading.programs import bubblewrap
from elastic_reasoning.grading.programs.run import Outcome, Run, wait
from elastic_reasoning.grading.programs.sandbox import Limits
from elastic_reasoning.grading.programs.seccomp import MACHINES, machine_filter
from sandboxes import DROPPED, STRONG, WEAK, marked, not_gone, nothing_left, sandbox

LIMITS = Limits(seconds=20.0, memory_mb=256)
Attack = Callable[..., Outcome]


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """After `tmp_path`, which is a temporary file of another kind."""
    with nothing_left(monkeypatch) as mark:
        yield mark


@pytest.fixture
def attack(request: pytest.FixtureRequest, mark: str, monkeypatch: pytest.MonkeyPatch) -> Attack:
    """Runs a program in the sandbox that the test names."""
    chosen = sandbox(request.param)

    def attack(source: str, limits: Limits = LIMITS, stdin: bytes = b"") -> Outcome:
        with Run(chosen, {"mode": "program", "source": source}, limits, stdin) as run:
            return run.end(wait([run], limits, limits.seconds, threading.Event())[0])

    return attack


def on(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("attack", names, indirect=True)


def result(outcome: Outcome) -> tuple[str | None, str]:
    return outcome.reason, outcome.stdout.decode()


@on(STRONG, DROPPED, WEAK)
@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import time; time.sleep(1000)",
        "import signal\nfor s in (2, 15, 24): signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
        "import threading; threading.Thread(target=threading.Event().wait).start()",
        "import os\nif os.fork():\n    os.wait()\nwhile True: pass",
    ],
    ids=["loop", "sleep", "signals ignored", "thread", "forked"],
)
def test_what_does_not_end_is_ended(attack: Attack, source: str) -> None:
    assert attack(source, replace(LIMITS, seconds=0.4)).reason == "time limit"


@on(STRONG, DROPPED)
def test_a_fork_bomb_meets_the_limit_of_processes(attack: Attack) -> None:
    bomb = (
        "import os, time\ntry:\n  for n in range(9999):\n    if not os.fork(): time.sleep(99)\nexcept OSError: print(n)"
    )
    outcome = attack(bomb)
    assert outcome.reason is None
    assert 25 <= int(outcome.stdout) < 32


@on(STRONG, DROPPED)
def test_a_fork_bomb_that_never_gives_up(attack: Attack) -> None:
    bomb = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass"
    assert attack(bomb, replace(LIMITS, seconds=0.5)).reason == "time limit"


@on(STRONG, DROPPED)
def test_runs_side_by_side_do_not_count_against_each_other(attack: Attack) -> None:
    source = "import os, time\nfor _ in range(25):\n  if not os.fork(): time.sleep(0.3); os._exit(0)\nprint('all')"
    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=lambda: outcomes.append(attack(source))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result(outcome) for outcome in outcomes] == [(None, "all\n")] * 4


@on(STRONG, DROPPED, WEAK)
def test_a_memory_bomb(attack: Attack) -> None:
    assert attack("x = []\nwhile True: x.append(bytearray(1 << 20))").reason == "memory limit"


@on(STRONG, DROPPED, WEAK)
def test_a_memory_bomb_of_several_processes(attack: Attack) -> None:
    source = "import os, time\nfor _ in range(3): os.fork()\nx = b'x' * (60 << 20)\ntime.sleep(99)"
    assert attack(source).reason == "memory limit"


@on(STRONG, DROPPED, WEAK)
def test_memory_that_processes_share(attack: Attack) -> None:
    source = (
        "import mmap, os, time\nfor _ in range(4):\n  if not os.fork(): break\n"
        "x = mmap.mmap(-1, 150 << 20)\nx.write(b'x' * len(x))\ntime.sleep(99)"
    )
    assert attack(source).reason == "memory limit"


# Pages of a shared mapping stay when they are unmapped, or when a process says that it does not need them.
KEPT = {
    "not needed": "m = mmap.mmap(-1, SIZE)\nm.write(b'x' * SIZE)\nm.madvise(mmap.MADV_DONTNEED)\nkept.append(m)",
    "unmapped but for a page": "address = libc.mmap(None, SIZE, 3, 0x21, -1, 0)\n"
    "assert address != ctypes.c_void_p(-1).value, 'Cannot allocate memory'\n"
    "ctypes.memset(address, 1, SIZE)\nlibc.munmap(address, SIZE - 4096)",
    "of /dev/zero": "m = mmap.mmap(os.open('/dev/zero', os.O_RDWR), SIZE)\nm.write(b'x' * SIZE)",
}


@on(STRONG)
@pytest.mark.parametrize("way", KEPT)
def test_shared_memory_that_no_process_seems_to_hold(attack: Attack, way: str) -> None:
    source = (
        "import ctypes, mmap, os\nlibc = ctypes.CDLL(None)\nlibc.mmap.restype = ctypes.c_void_p\n"
        "libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]\n"
        "libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]\nSIZE = 40 << 20\nkept = []\n"
        f"for _ in range(30):\n    {KEPT[way].replace(chr(10), chr(10) + '    ')}\nprint('kept')"
    )
    outcome = attack(source)
    assert outcome.reason == ("error" if way == "of /dev/zero" else "memory limit"), outcome
    assert outcome.stdout == b""


@on(STRONG)
def test_memory_of_processes_is_shared_by_files(attack: Attack) -> None:
    source = (
        "from multiprocessing import Array, Process\nimport sys\n"
        "def fill(shared): shared[:] = range(1000)\n"
        "shared = Array('i', 1000)\np = Process(target=fill, args=(shared,)); p.start(); p.join()\nprint(sum(shared))"
    )
    assert result(attack(source)) == (None, "499500\n")


@on(STRONG)
def test_sockets_of_other_families_are_refused(attack: Attack) -> None:
    """AF_VSOCK reaches the host, whatever the namespace of networks."""
    source = (
        "import socket\nmade = []\nfor family in range(1, 46):\n"
        "  try: socket.socket(family, socket.SOCK_STREAM); made.append(family)\n"
        "  except OSError: pass\nprint(made, socket.socketpair()[0].family.value)"
    )
    assert result(attack(source)) == (None, "[1, 2, 10] 1\n")


# Prints what was not refused.
CALLS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for call in (
    lambda: libc.unshare(0x10000000),
    lambda: libc.unshare(0x10020000),
    lambda: libc.syscall({"x86_64": 56, "aarch64": 220}[os.uname().machine], 0x10000011, 0, 0, 0, 0),
    lambda: libc.syscall(435, ctypes.create_string_buffer(88), 88),
    lambda: libc.setns(os.open("/proc/self/ns/user", 0), 0),
    lambda: libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, b"size=1g"),
    lambda: libc.memfd_create(b"name", 0),
    lambda: libc.shmget(0, 1 << 20, 0o1600),
    lambda: libc.msgget(0, 0o1600),
    lambda: libc.syscall(425, 8, ctypes.create_string_buffer(120)),
):
    ctypes.set_errno(0)
    if call() >= 0 or ctypes.get_errno() not in (1, 38):
        print(call.__code__.co_names, os.strerror(ctypes.get_errno()))
"""


@on(STRONG)
def test_system_calls_that_lead_out_of_the_limits_are_refused(attack: Attack) -> None:
    assert result(attack(CALLS)) == (None, "")


@on(STRONG)
def test_calls_by_other_numbers_are_refused_too(attack: Attack) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("x86_64 has a second set of numbers")
    source = "import ctypes\nl = ctypes.CDLL(None, use_errno=True)\n"
    source += "print(l.syscall(0x40000000 + 272, 0x10000000), ctypes.get_errno())"
    assert result(attack(source)) == (None, "-1 1\n")


@on(STRONG)
def test_a_file_system_of_its_own_holds_no_more(attack: Attack) -> None:
    source = (
        "import ctypes, os\nuid = os.getuid()\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.unshare(0x10020000), os.strerror(ctypes.get_errno()))\n"
        "open('/proc/self/uid_map', 'w').write(f'0 {uid} 1')\n"
        "libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, b'size=1g')\n"
        "for n in range(600): open(f'/tmp/{n}', 'wb').write(b'x' * 1000000)\nprint('written')"
    )
    assert result(attack(source)) == ("error", "-1 Operation not permitted\n")


@on(STRONG)
def test_threads_and_processes_work_as_usual(attack: Attack) -> None:
    source = (
        "import multiprocessing, os, subprocess, threading\nimport numpy\n"
        "thread = threading.Thread(target=print, args=['thread'], kwargs={'flush': True})\n"
        "thread.start()\nthread.join()\n"
        "pid = os.fork()\nif not pid: os._exit(3)\nprint(os.waitpid(pid, 0)[1] >> 8)\n"
        "print(subprocess.run(['echo', 'out'], capture_output=True, text=True).stdout, end='')\n"
        "with multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, 2]))\n"
        "print(multiprocessing.Value('i', 7).value, (numpy.eye(2) @ numpy.ones(2)).sum())"
    )
    assert result(attack(source, replace(LIMITS, memory_mb=1024))) == (None, "thread\n3\nout\n[1, 2]\n7 2.0\n")


@pytest.mark.parametrize("name", MACHINES)
def test_the_filter_refuses_the_same_on_each_machine(name: str) -> None:
    """As the kernel would run it: https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html"""
    machine = MACHINES[name]
    program = list(struct.iter_unpack("<HBBI", machine_filter(name)))

    def verdict(number: int, flags: int = 0, word: int = machine.word) -> int:
        words = {0: number, 4: word, 16: flags, 40: flags}
        at, register = 0, 0
        while True:
            code, then, otherwise, value = program[at]
            at += 1
            match code:
                case 0x06:
                    return value
                case 0x20:
                    register = words[value]
                case _:
                    true = {0x15: register == value, 0x35: register >= value, 0x45: bool(register & value)}[code]
                    at += then if true else otherwise

    refuse, absent, allow, no_memory, no_family = 0x00050001, 0x00050026, 0x7FFF0000, 0x0005000C, 0x00050061
    assert [verdict(number) for number in machine.refused] == [refuse] * len(machine.refused)
    assert verdict(machine.clone3) == absent
    for number in (machine.clone, machine.unshare):
        assert (verdict(number, 0x10000000), verdict(number, 0x00020011)) == (refuse, allow)
    shared, private, file = 0x21, 0x22, 0x01
    assert [verdict(machine.mmap, flags) for flags in (shared, 0x23, private, file)] == [no_memory] * 2 + [allow] * 2
    for number in machine.sockets:
        assert [verdict(number, family) for family in (1, 2, 10, 16, 40)] == [allow] * 3 + [no_family] * 2
    assert verdict(machine.clone, word=0x40000003) == refuse
    assert verdict(0x40000000) == refuse
    assert verdict(0) == verdict(1) == allow


def test_a_machine_without_a_filter_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine_filter("riscv64") == b""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "without a filter of system calls (none for riscv64)" in bubblewrap.sandbox().weakness


@on(STRONG, DROPPED, WEAK)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_flood_of_output(attack: Attack, stream: str) -> None:
    outcome = attack(f"import sys\nwhile True: sys.{stream}.write('flood' * 1000)")
    assert outcome.reason == "output limit"
    assert len(outcome.stdout) <= LIMITS.output_bytes


@on(STRONG, DROPPED, WEAK)
def test_output_of_just_the_limit_passes(attack: Attack) -> None:
    limits = replace(LIMITS, output_bytes=1000)
    assert result(attack("print('x' * 999)", limits)) == (None, "x" * 999 + "\n")
    assert attack("print('x' * 1000)", limits).reason == "output limit"


@on(STRONG, DROPPED, WEAK)
def test_a_file_is_no_larger_than_the_output_may_be(attack: Attack) -> None:
    source = "f = open('big', 'wb')\nwhile True: f.write(b'x' * 100000)"
    assert b"File too large" in attack(source).stderr


@on(STRONG)
@pytest.mark.parametrize("directory", ["/tmp", "/dev/shm"])
def test_filling_the_disk(attack: Attack, directory: str) -> None:
    source = (
        "import os\nn = 0\ntry:\n  while True:\n"
        f"    open(f'{directory}/{{n}}', 'wb').write(b'x' * 1000000); n += 1\n"
        "except OSError as error: print(n, error.strerror)"
    )
    number, reason = attack(source).stdout.decode().split(maxsplit=1)
    assert reason.strip() == "No space left on device"
    assert int(number) <= LIMITS.disk_mb


@on(STRONG)
def test_nothing_else_can_be_written(attack: Attack) -> None:
    source = (
        "for path in ('/x', '/usr/x', '/dev/x', '/etc/x', '/packages/x', '/proc/sys/kernel/hostname'):\n"
        "  try: open(path, 'w'); print(path)\n  except OSError: pass"
    )
    assert result(attack(source)) == (None, "")


def reading(paths: list[str]) -> str:
    return (
        f"import os\nfor path in {paths!r}:\n"
        "  try: print(os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read())\n"
        "  except OSError: pass"
    )


@on(STRONG)
def test_files_of_the_host_are_not_there(attack: Attack, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    repository = Path(__file__).parents[2]
    paths = ["/etc/shadow", "/etc/passwd", "/home", str(secret), str(tmp_path), str(repository)]
    assert result(attack(reading(paths))) == (None, "")
    assert "ssh" not in attack("import os; print(os.listdir(os.path.expanduser('~')))").stdout.decode()


@on(DROPPED)
def test_files_of_root_are_closed_to_another_uid(attack: Attack, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    paths = ["/etc/shadow", "/root", str(secret), f"/proc/{os.getpid()}/environ", f"/proc/{os.getpid()}/mem"]
    assert result(attack(reading(paths))) == (None, "")


@on(STRONG, DROPPED, WEAK)
def test_the_environment_is_empty(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "expected-answer")
    names = "{'PATH', 'HOME', 'TMPDIR', 'PWD', 'LC_CTYPE', 'OPENBLAS_NUM_THREADS'}"
    assert result(attack(f"import os; print(set(os.environ) - {names})")) == (None, "set()\n")


@on(STRONG, DROPPED)
def test_no_other_environment_can_be_read(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "expected-answer")
    source = (
        "import glob\nfor path in glob.glob('/proc/[0-9]*/environ'):\n"
        "  try: print('HF_TOKEN' in open(path).read())\n  except OSError: pass"
    )
    assert set(attack(source).stdout.split()) == {b"False"}


@on(STRONG)
def test_the_network_is_not_there(attack: Attack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = server.getsockname()[1]
        source = (
            f"import socket\nfor call in (lambda: socket.create_connection(('127.0.0.1', {port}), 1),\n"
            "             lambda: socket.create_connection(('1.1.1.1', 53), 1),\n"
            "             lambda: socket.getaddrinfo('example.com', 80)):\n"
            "  try: call(); print('connected')\n  except OSError: pass"
        )
        assert result(attack(source)) == (None, "")
        with pytest.raises(TimeoutError):
            server.accept()


@on(STRONG)
def test_abstract_sockets_of_the_host_are_not_there(attack: Attack) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0elastic-{os.getpid()}")
        server.listen()
        source = f"import socket; socket.socket(socket.AF_UNIX).connect('\\0elastic-{os.getpid()}')"
        assert b"ConnectionRefusedError" in attack(source).stderr


@on(STRONG, DROPPED)
def test_the_parent_can_be_neither_killed_nor_traced(attack: Attack) -> None:
    source = (
        "import ctypes, os\n"
        f"for pid in ({os.getpid()}, {os.getppid()}, os.getppid()):\n"
        "  for signal in (9, 15, 19):\n"
        "    try: os.kill(pid, signal); print('sent', pid) if pid != 1 else None\n"
        "    except OSError: pass\n"
        "  if pid != 1 and ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0: print('traced', pid)\n"
    )
    assert result(attack(source)) == (None, "")


@on(STRONG, DROPPED)
def test_a_daemon_is_not_left_behind(attack: Attack, mark: str) -> None:
    source = (
        "import os\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n"
        f"    os.execv('/bin/sh', ['sh', '-c', 'sleep 1000; : {mark}'])\n  os._exit(0)\n"
        "import time; time.sleep(0.2); print('left')"
    )
    assert result(attack(source)) == (None, "left\n")
    assert not_gone(mark) == []


@on(STRONG, DROPPED, WEAK)
def test_children_that_outlive_their_parent_are_ended(attack: Attack) -> None:
    assert result(attack("import os, time\nif os.fork() == 0: time.sleep(1000)\nprint('done')")) == (None, "done\n")


@on(STRONG, DROPPED, WEAK)
def test_the_end_is_that_of_the_program(attack: Attack) -> None:
    assert attack("import os; os._exit(0)").reason is None
    assert attack("import sys; sys.exit(3)").reason == "error"
    assert attack("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").reason == "error"
    assert attack("1 / 0").reason == "error"
    assert attack("this is no program").reason == "error"


@on(STRONG, DROPPED, WEAK)
def test_a_program_that_takes_away_its_output(attack: Attack) -> None:
    source = (
        "import os\nfor fd in range(256):\n  try: os.ftruncate(fd, 0)\n  except OSError: pass\nos.closerange(0, 256)"
    )
    attack(source)  # nothing to assert of the outcome but that there is one


@on(STRONG)
def test_a_killed_parent_takes_its_runs_along(attack: Attack, mark: str, tmp_path: Path) -> None:
    script = (
        "from elastic_reasoning.grading.programs import run\n"
        "from elastic_reasoning.grading.programs.code import CodeGrader, CodeTests, Limits, StdinTest\n"
        f"run.HARNESS += '# {mark}'\n"
        "tests = CodeTests(stdin=(StdinTest('', ''),), limits=Limits(seconds=100))\n"
        "CodeGrader(allow=True).grade(tests, '```\\nimport os, time\\nos.fork(); os.setsid()\\ntime.sleep(99)\\n```')\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as parent:
        deadline = time.monotonic() + 20
        # This script, bwrap twice, the program twice: one more than of the trial program.
        while (num_marked := len(marked(mark))) < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert num_marked == 5
        parent.send_signal(signal.SIGKILL)
    assert not_gone(mark) == []
    assert list(tmp_path.iterdir()) == []


def test_a_sandbox_that_does_not_start_is_an_error_of_the_grader() -> None:
    sandbox(STRONG)
    with (
        Run(bubblewrap.sandbox(python=Path("/nowhere/python")), {"mode": "program", "source": ""}, LIMITS) as run,
        pytest.raises(GradingError, match=r"the sandbox did not start: .*nowhere"),
    ):
        run.end(wait([run], LIMITS, 10.0, threading.Event())[0])
