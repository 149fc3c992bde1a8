"""A model over two processes: the traces of one, and what becomes of requests when a process is lost."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.tensor import DTensor

from checker import check
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.engine import ask, generate, new_request, run
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.planning.fit import fit_model
from elastic_reasoning.planning.hardware import Device
from elastic_reasoning.planning.spreading import num_whole
from elastic_reasoning.training.dry_run.architecture import read_architecture
from lost_ranks import GONE_SECONDS, workers_of
from tiny import build, save

QUESTIONS = ("a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", "a 3 b +1 =", "a 9 b *2 c -1 d +4 =")
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("elastic", {}),
    ("elastic", {"min_thinking": 6}),
    ("s1", {"answer_tokens": 2}),
    ("vanilla", {}),
    ("nothinking", {}),
    ("dynasor", {"probe_every": 4, "probe_text": "{close} answer", "probe_tokens": 3, "num_equal": 2}),
)


@pytest.fixture(scope="module")
def plain(even: str) -> TransformersEngine:
    return load(even, max_rows=4)


@pytest.fixture(scope="module")
def spread(even: str) -> Iterator[TransformersEngine]:
    engine = load(even, max_rows=4, tensor_parallel_size=2)
    yield engine
    engine.close()


def requests_for(engine: TransformersEngine, num: int) -> list[Request]:
    """Requests of several strategies, lengths and samplings."""
    return [
        new_request(
            engine,
            QUESTIONS[n % len(QUESTIONS)],
            (4 + 5 * n % 23, 4 + n % 7),
            KINDS[n % len(KINDS)][0],
            KINDS[n % len(KINDS)][1],
            Sampling(temperature=n % 3 / 2, seed=n),
            name=str(n),
        )
        for n in range(num)
    ]


def ids_of(traces: Iterable[Trace]) -> dict[str, Any]:
    return {trace.request.name: (trace.ids, [s.finish for s in trace.segments], trace.error) for trace in traces}


def assert_same(spread: TransformersEngine, plain: TransformersEngine, requests: Sequence[Request]) -> None:
    traces = list(generate(spread, requests))
    assert ids_of(traces) == ids_of(generate(plain, requests))
    assert [problem for trace in traces for problem in check(trace, spread.context)] == []


def test_traces_are_those_of_one_process(spread: TransformersEngine, plain: TransformersEngine) -> None:
    assert_same(spread, plain, requests_for(plain, 24))


def test_a_rank_holds_what_a_plan_says(spread: TransformersEngine, even: str) -> None:
    architecture = read_architecture(even)
    held = sum(
        each.to_local().numel() if isinstance(each, DTensor) else each.numel() for each in spread.model.parameters()
    )
    whole = num_whole(architecture, EngineConfig(tensor_parallel_size=2))
    fit = fit_model(architecture, Device("any", 1e9), 2, 4, 64, 4, 2, whole)
    assert fit.weights_each == pytest.approx(4 * held, rel=0.02)


def test_requests_come_and_go_while_others_run(spread: TransformersEngine, plain: TransformersEngine) -> None:
    requests = requests_for(plain, 12)
    expected = ids_of(generate(plain, requests))
    walks = [Walk(request, spread.template, spread.context) for request in requests]
    late: list[Future[Walk]] = []

    def come(delta: Delta) -> None:
        if not late:
            late.extend(spread.submit(walks[6:]))
            walks[3].interrupt(Finish.ABORT)

    early = spread.submit(walks[:6], come)
    done = [future.result().trace() for future in early]
    found = ids_of([*done, *(future.result().trace() for future in late)])
    del found["3"], expected["3"]
    assert found == expected


def test_an_interrupt_leaves_the_ranks_in_step(spread: TransformersEngine, plain: TransformersEngine) -> None:
    requests = requests_for(plain, 6)
    main = threading.main_thread().ident
    assert main is not None
    assert threading.get_ident() == main
    interrupted: list[Delta] = []

    def interrupt(delta: Delta) -> None:
        if not interrupted:
            interrupted.append(delta)
            signal.pthread_kill(main, signal.SIGINT)

    walks = (Walk(request, spread.template, spread.context) for request in requests)
    with pytest.raises(KeyboardInterrupt):
        list(run(spread, walks, interrupt))
    assert_same(spread, plain, requests)


def test_a_fork_is_told_to_load_the_model_itself(spread: TransformersEngine, plain: TransformersEngine) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            ask(spread, QUESTIONS[0], "8+8")
        except EngineError as error:
            os.write(write, str(error).encode())
        spread.close()
        os._exit(0)
    os.close(write)
    with open(read, "rb") as said:
        assert said.read() == b"a model that is spread over devices cannot be used in a fork: load it there"
    os.waitpid(child, 0)
    assert_same(spread, plain, requests_for(plain, 3))


def test_a_second_model_is_refused_while_one_is_spread(spread: TransformersEngine, even: str) -> None:
    with pytest.raises(EngineError, match=r"tensor_parallel_size 2: this process computes with others already"):
        load(even, tensor_parallel_size=2)


def test_a_lost_rank_fails_what_is_under_way(spread: TransformersEngine) -> None:
    """The last of those that use it."""
    [worker] = workers_of(os.getpid())
    requests = requests_for(spread, 8)
    assert spread.is_well
    lost: list[Delta] = []

    def kill(delta: Delta) -> None:
        if not lost:
            lost.append(delta)
            os.kill(worker, signal.SIGKILL)

    walks = (Walk(request, spread.template, spread.context) for request in requests)
    told = r"rank 1 of 2 on cpu is lost \(killed by SIGKILL\): load the model again"
    with pytest.raises(EngineError, match=told):
        list(run(spread, walks, kill))
    with pytest.raises(EngineError, match=told):
        ask(spread, QUESTIONS[0], "8+8")
    assert not spread.is_well
    spread.close()
    with pytest.raises(EngineError, match="the engine is closed"):
        ask(spread, QUESTIONS[0], "8+8")


RANK_0 = """
import os, sys
from elastic_reasoning import ask, load

engine = load(sys.argv[1], tensor_parallel_size=2)
ask(engine, "a 3 b +1 =", "4+4")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.full
def test_ranks_end_with_the_first_one(even: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RANK_0, even], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as rank_0:
        assert rank_0.stdout is not None
        assert rank_0.stdout.readline() == b"ready\n"
        [worker] = workers_of(rank_0.pid)
        handle = os.pidfd_open(worker)
        rank_0.kill()
        ended, _, _ = select.select([handle], [], [], GONE_SECONDS)
        os.close(handle)
        assert ended


@pytest.mark.full
def test_a_program_that_closes_nothing_ends(even: str) -> None:
    assert subprocess.run([sys.executable, "-c", RANK_0, even], stdin=subprocess.DEVNULL, timeout=120).returncode == 0


@pytest.mark.full
@pytest.mark.parametrize("family", ["llama", "qwen3_moe", "gemma3", "phi3", "qwen3_next"])
def test_families(family: str, tmp_path: Path) -> None:
    folder = save(build(family, vocab_size=80), tmp_path)
    with closing(load(folder, tensor_parallel_size=2)) as spread:
        assert_same(spread, load(folder), requests_for(spread, 12))


@pytest.mark.full
def test_a_rank_that_cannot_load_says_why(even: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "sitecustomize.py"
    broken.write_text("import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"rank 1 of 2 on cpu is lost \(.+\): load the model again"):
        load(even, tensor_parallel_size=2)
