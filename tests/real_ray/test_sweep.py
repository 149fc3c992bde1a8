"""`elastic sweep --engine ray` on real nodes: what is lost is made again, and the folder is that of one machine."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.records.log import read_records
from elastic_reasoning.tasks.arithmetic import Arithmetic
from live_server import free_port

pytestmark = pytest.mark.ray

FLAGS = {
    "models": "mini-e1",
    "strategies": "elastic,s1",
    "budgets": "8+20,24+20",
    "options.answer_tokens": "4",
    "sampling.temperature": "0",
    "max_rows": "16",
    "report": "false",
}


def command(**flags: str) -> list[str]:
    return [sys.executable, "-m", "elastic_reasoning.cli.main", "sweep", *(f"--{k}={v}" for k, v in flags.items())]


def started(nodes: Any, out: Path, **flags: str) -> "subprocess.Popen[str]":
    """A sweep on the nodes; what it says comes on its standard error."""
    on_ray = {"engine": "ray", "ray.address": nodes.address, "ray.chunk": "2", "out": str(out)}
    return subprocess.Popen(
        command(**{**FLAGS, **on_ray, **flags}), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def wait_for_lines(out: Path, number: int, sweep: "subprocess.Popen[str]") -> None:
    """Wait until so many records are written."""
    path = out / "records" / "main.jsonl"
    while not path.exists() or path.read_bytes().count(b"\n") < number:
        assert sweep.poll() is None, sweep.communicate()[1]
        time.sleep(0.05)


def wait_for_words(words: str, sweep: "subprocess.Popen[str]") -> None:
    """Wait until the sweep has said so."""
    assert sweep.stderr is not None
    for line in sweep.stderr:
        if words in line:
            return
    raise AssertionError(f"it ended without saying: {words}")


def wait_for_no_worker(nodes: Any) -> None:
    while nodes.tell(""):
        time.sleep(0.05)


def records(out: Path) -> dict[Any, Any]:
    found = [replace(record, num_reused_tokens=0) for record in read_records(out)[1]]
    assert len({record.key for record in found}) == len(found)
    return {record.key: record for record in found}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    """What this machine alone makes of it."""
    out = tmp_path_factory.mktemp("alone") / "run"
    subprocess.run(command(**FLAGS, limit="32", out=str(out)), check=True, capture_output=True)
    return records(out)


def test_every_worker_is_lost_and_it_goes_on_when_a_node_joins(
    nodes: Any, tmp_path: Path, alone: dict[Any, Any]
) -> None:
    """A worker is killed first, and its node is lost then, the only one."""
    out = tmp_path / "run"
    with started(nodes, out, limit="32") as sweep:
        wait_for_lines(out, 1, sweep)
        [pid] = nodes.tell("")
        os.kill(pid, signal.SIGKILL)
        wait_for_words("is lost, others go on with what it had: its process died", sweep)
        wait_for_lines(out, 20, sweep)
        nodes.tell("lose")
        wait_for_words("is lost, others go on with what it had: its machine is gone", sweep)
        wait_for_words("no worker is ready, waiting for one: each needs 1 CPU", sweep)
        nodes.tell("add")
        _, said = sweep.communicate()
    assert sweep.returncode == 0, said
    assert records(out) == alone
    lines = (out / "records" / "main.jsonl").read_bytes().count(b"\n")
    assert lines == len(alone) == 32 * 4


@pytest.mark.full
def test_an_interrupt_ends_the_workers_and_the_folder_goes_on_without_ray(
    nodes: Any, tmp_path: Path, alone: dict[Any, Any]
) -> None:
    out = tmp_path / "run"
    with started(nodes, out, limit="32") as sweep:
        wait_for_lines(out, 10, sweep)
        sweep.send_signal(signal.SIGINT)
        _, said = sweep.communicate()
    assert sweep.returncode == 130
    assert "new records are kept" in said
    wait_for_no_worker(nodes)
    subprocess.run(command(**FLAGS, limit="32", out=str(out)), check=True, capture_output=True)
    assert records(out) == alone


@pytest.mark.full
def test_a_driver_that_is_killed_takes_its_workers_with_it(nodes: Any, tmp_path: Path, alone: dict[Any, Any]) -> None:
    out = tmp_path / "run"
    with started(nodes, out, limit="32") as sweep:
        wait_for_lines(out, 10, sweep)
        sweep.kill()
    wait_for_no_worker(nodes)
    with started(nodes, out, limit="32") as sweep:
        _, said = sweep.communicate()
    assert sweep.returncode == 0, said
    assert records(out) == alone


@pytest.mark.full
def test_a_problem_that_kills_its_workers_is_an_error_in_the_records(nodes: Any, tmp_path: Path) -> None:
    engine, deadly = tmp_path / "deadly.py", Arithmetic().problems("test", 5)[2].id
    engine.write_text(
        "import os\n"
        "from dataclasses import replace\n"
        "from elastic_reasoning.engines.opening import open_engine as plain\n"
        "def open_engine(model, config):\n"
        "    engine = plain(replace(config, name='transformers'), model)\n"
        "    submit = engine.submit\n"
        "    def deadly(walks, listen=None, until=None):\n"
        f"        if any({deadly!r} in walk.request.name for walk in walks):\n"
        "            os._exit(1)\n"
        "        return submit(walks, listen, until)\n"
        "    engine.submit = deadly\n"
        "    return engine\n"
    )
    out = tmp_path / "run"
    with started(nodes, out, limit="5", **{"ray.engine": f"{engine}:open_engine"}) as sweep:
        _, said = sweep.communicate()
    assert sweep.returncode == 0, said
    found = records(out)
    bad = {key for key in found if key[3] == deadly}
    assert (len(found), len(bad)) == (5 * 4, 4)
    assert {key for key, record in found.items() if record.error} == bad
    assert all("3 workers died at it" in found[key].error for key in bad)


def test_every_way_to_spend_a_budget_is_the_same_on_a_worker(nodes: Any, tmp_path: Path) -> None:
    """Probes and branches too; how far a branch came that others have stopped hangs on the moment."""
    ways = [
        *command(),
        "--recipe=mini-strategies",
        "--models=mini",
        "--budgets=6+20,24+20",
        "--limit=6",
        "--report=false",
    ]
    here, there = tmp_path / "here", tmp_path / "there"
    on_ray = ["--engine=ray", f"--ray.address={nodes.address}", "--ray.chunk=2"]
    for out, flags in ((here, []), (there, on_ray)):
        subprocess.run([*ways, f"--out={out}", *flags], check=True, capture_output=True)
    one, other = records(here), records(there)
    assert one.keys() == other.keys()
    assert any(record.probes for record in other.values())
    assert any(record.branches for record in other.values())
    assert not [record.error for record in other.values() if record.error]
    for key, record in one.items():
        if record.strategy not in ("short-m", "deepconf"):
            assert other[key] == record


def test_one_question_is_answered_on_a_worker(nodes: Any) -> None:
    question = ["generate", "a 4 b -8 c +7 =", "--model", "mini-e1", "--budget", "8+8", "--json"]
    elastic = [sys.executable, "-m", "elastic_reasoning.cli.main", *question]
    there = [*elastic, "--engine", "ray", "--ray.address", nodes.address]
    one, other = (subprocess.run(each, capture_output=True, text=True, check=True) for each in (elastic, there))
    assert one.stdout == other.stdout


@pytest.mark.full
def test_a_cluster_is_driven_from_outside(tmp_path: Path, alone: dict[Any, Any]) -> None:
    """Through Ray's client: the folder is here, and nothing of it there."""
    gcs, client = free_port(), free_port()
    head = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--node-ip-address=127.0.0.1"]
    head += [f"--port={gcs}", f"--ray-client-server-port={client}", "--num-cpus=1", "--include-dashboard=false"]
    place = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # of its own, or `ray.init` would look for this cluster; short
    head += ["--min-worker-port=0", "--max-worker-port=0", f"--temp-dir={place}"]
    out = tmp_path / "run"
    without = {**os.environ, "RAY_AUTH_MODE": "disabled"}  # no token is asked for, whether this machine has one or not
    with subprocess.Popen(head, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=without) as running:
        try:
            while not answers(client):
                assert running.poll() is None
                time.sleep(0.2)
            flags = {**FLAGS, "engine": "ray", "ray.address": f"ray://127.0.0.1:{client}"}
            done = subprocess.run(
                command(**flags, limit="32", out=str(out)), capture_output=True, text=True, check=False
            )
        finally:
            running.terminate()
    shutil.rmtree(place)
    assert done.returncode == 0, done.stderr
    assert records(out) == alone


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_cluster_that_is_not_there_is_an_error_of_one_line(tmp_path: Path) -> None:
    flags = {**FLAGS, "engine": "ray", "ray.address": "127.0.0.1:1", "limit": "2", "out": str(tmp_path / "run")}
    done = subprocess.run(command(**flags), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "elastic: error: no Ray cluster at '127.0.0.1:1'" in done.stderr.splitlines()[-1]
