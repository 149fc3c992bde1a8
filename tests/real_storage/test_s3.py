"""Runs in a store, on a real server that speaks Amazon's protocol. Every run is a process of its own."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.reading import files_of
from elastic_reasoning.records.record import Key
from real_storage.relay import Relay

pytestmark = pytest.mark.storage

TESTS = Path(__file__).parents[1]
MANY = {"limit": 40}
"""More records than are put at once: 1,600, which two parts share."""
ADDRESS = re.compile(r"Running on http://127\.0\.0\.1:(\d+)")
PUT_NEW = (
    "import sys; from elastic_reasoning.records.storage import Store; print(Store(sys.argv[1]).put_new(b'x', 'new'))"
)


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """The port of a server that has a bucket."""
    command = [sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            found = next(filter(None, map(ADDRESS.search, process.stderr)))
            port = int(found[1])
            make = "import boto3; boto3.client('s3').create_bucket(Bucket='bucket')"
            subprocess.run([sys.executable, "-c", make], env=environment(port, Path("unused")), check=True)
            yield port
        finally:
            process.terminate()


def environment(port: int, cache: Path) -> dict[str, str]:
    """That of one who uses the server."""
    told = {
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_CACHE_HOME": str(cache),
        "OMP_NUM_THREADS": "1",
    }
    return {**os.environ, **told}


def sweeping(out: str, env: Mapping[str, str], **changes: object) -> "subprocess.Popen[str]":
    """A sweep without weights, which says the key of each record that it has written."""
    command = [sys.executable, str(TESTS / "random_words.py"), out, json.dumps({**MANY, **changes})]
    return subprocess.Popen(command, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def elastic(env: Mapping[str, str], *argv: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", *argv]
    return subprocess.run(command, env=dict(env), capture_output=True, text=True, check=False)


def merged(env: Mapping[str, str], url: str, out: Path) -> dict[Key, str]:
    """What lies there, joined into a folder of this machine."""
    done = elastic(env, "merge", url, "--out", str(out))
    assert done.returncode == 0, done.stderr
    return solutions(out)


def solutions(folder: Path) -> dict[Key, str]:
    return {record.key: record.solution for record in read_records(folder)[1]}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[Key, str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with sweeping(str(folder), os.environ) as process:
        process.communicate()
    return solutions(folder)


def killed_after(process: "subprocess.Popen[str]", num_records: int) -> None:
    """Kill it when it has said so many records; it may be anywhere in the next one, or putting its files."""
    assert process.stdout
    for _ in range(num_records):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_two_parts_that_are_killed_with_uploads_under_way(
    server: int, tmp_path: Path, undisturbed: dict[Key, str]
) -> None:
    rng, url = random.Random(0), "s3://bucket/killed"
    num_before = 0
    for number in range(5):
        machine = environment(server, tmp_path / f"machine {number // 2}")  # every second time it is a new one
        both = [sweeping(url, machine, part=part) for part in ("1/2", "2/2")]
        for process in both:
            killed_after(process, rng.choice([1, 255, 256, 257, 300]))
        there = merged(machine, url, tmp_path / f"after {number}")
        assert there.items() <= undisturbed.items()
        assert len(there) >= num_before
        num_before = len(there)
    assert num_before > 256
    for part in ("1/2", "2/2"):
        with sweeping(url, machine, part=part) as process:
            _, err = process.communicate()
            assert process.returncode == 0, err
    assert merged(machine, url, tmp_path / "whole") == undisturbed
    lines = [line for file in files_of(tmp_path / "whole") for line in file.path.read_bytes().splitlines()]
    assert len(lines) == len(undisturbed)
    run = next((tmp_path / "machine 2/elastic-reasoning/fetched").glob("*/killed"))
    assert sorted(path.name for path in (run / "records").iterdir()) == ["part-1-of-2.jsonl", "part-2-of-2.jsonl"]
    assert sum(len(path.read_bytes().splitlines()) for path in (run / "records").iterdir()) == len(undisturbed)


def test_where_the_network_goes_nothing_is_lost_and_the_same_command_goes_on(
    server: int, tmp_path: Path, undisturbed: dict[Key, str]
) -> None:
    url = "s3://bucket/cut"
    with Relay(server) as wire:
        machine = environment(wire.port, tmp_path / "machine")
        with sweeping(url, machine) as process:
            assert process.stdout
            assert process.stderr
            for _ in range(300):
                process.stdout.readline()
            wire.cut()
            _, err = process.communicate()
        assert process.returncode != 0
        told = err.splitlines()[-1]
        assert "StorageError: cannot read s3://bucket/cut: " in told
        assert "check the network" in told
        assert told.endswith("the same command goes on with them")
        wire.mend()
        assert 256 <= len(merged(machine, url, tmp_path / "before")) < len(undisturbed)
        with sweeping(url, machine) as process:
            out, err = process.communicate()
        assert process.returncode == 0, err
        assert len(out.splitlines()) < len(undisturbed)
        assert merged(machine, url, tmp_path / "whole") == undisturbed


def test_of_two_that_begin_at_once_one_is_the_first(server: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PUT_NEW, "s3://bucket/at-once"]
    both = [
        subprocess.Popen(command, env=environment(server, tmp_path), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert sorted(process.communicate()[0] for process in both) == ["False\n", "True\n"]


def test_a_part_of_another_run_is_refused(server: int, tmp_path: Path) -> None:
    url, machine = "s3://bucket/other", environment(server, tmp_path)
    with sweeping(url, machine, part="1/50") as process:
        process.communicate()
    with sweeping(url, machine, part="2/50", **{"sampling.seed": 7}) as process:
        _, err = process.communicate()
    assert "was made with --sampling.seed 0, not 7, and that decides results" in err.splitlines()[-1]


SWEEP = ("sweep", "--models", "mini", "--strategies", "elastic", "--budgets", "2+2", "--limit", "2", "--out")


@pytest.mark.parametrize(
    ("changes", "argv", "message"),
    [
        ({}, (*SWEEP, "s3://no-bucket/run"), "make the bucket first, and check its name"),
        ({}, ("compare", "s3://no-bucket/a", "s3://no-bucket/b"), "make the bucket first, and check its name"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, (*SWEEP, "s3://bucket/run"), "set AWS_ACCESS_KEY_ID"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, (*SWEEP, "s3://bucket/run"), "check the network, the endpoint"),
        ({}, ("report", "s3://bucket/none", "--out", "x"), "s3://bucket/none has no manifest.json"),
        ({}, (*SWEEP, "gs://bucket/run"), "gs://bucket/run needs gcsfs: pip install gcsfs"),
    ],
)
def test_what_is_wrong_is_one_line(
    server: int, tmp_path: Path, changes: dict[str, str], argv: tuple[str, ...], message: str
) -> None:
    told = {name: value for name, value in {**environment(server, tmp_path), **changes}.items() if value}
    done = elastic({**told, "HOME": str(tmp_path)}, *argv)
    assert done.returncode == 2
    assert done.stderr.startswith("elastic: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_report_of_what_lies_there(server: int, tmp_path: Path) -> None:
    url, machine = "s3://bucket/report", environment(server, tmp_path / "machine")
    assert elastic(machine, *SWEEP, url).returncode == 0
    done = elastic(machine, "report", url, "--out", str(tmp_path / "report"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report/report.html").exists()
    assert elastic(machine, "report", url).stderr.startswith("elastic: error: out is empty: give a folder")
