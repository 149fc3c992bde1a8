"""What recipes/cluster/ starts are commands that there are; `make lint-deploy` checks the files' own formats."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from elastic_reasoning.cli.main import main

CLUSTER = Path(__file__).parent.parent / "recipes" / "cluster"


def checked(line: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The configuration of an `elastic` command as it is written in a shell's line."""
    words = shlex.split(line.replace("\\\n", " "))
    with pytest.raises(SystemExit) as exit_info:
        raise SystemExit(main([*words[words.index("elastic") + 1 :], "--print_config"]))
    shown = capsys.readouterr()
    assert exit_info.value.code == 0, shown.err
    config: dict[str, Any] = yaml.safe_load(shown.out)
    return config


def resource(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CLUSTER / name).read_text(encoding="utf-8"))
    return found


def test_kuberay_runs_a_sweep_with_as_many_workers_as_there_may_be_pods(capsys: pytest.CaptureFixture[str]) -> None:
    job, cluster = resource("rayjob.yaml")["spec"], resource("raycluster.yaml")["spec"]
    config = checked(job["entrypoint"], capsys)
    [group] = job["rayClusterSpec"]["workerGroupSpecs"]
    assert config["ray"]["workers"] == f"{group['minReplicas']}..{group['maxReplicas']}"
    [container] = group["template"]["spec"]["containers"]
    limits = container["resources"]["limits"]
    assert float(limits["nvidia.com/gpu"]) == config["ray"]["num_gpus"] == config["vllm"]["tensor_parallel_size"]
    assert job["rayClusterSpec"] == cluster
    constraints = (CLUSTER.parent.parent / "constraints.txt").read_text(encoding="utf-8")
    assert f"ray=={cluster['rayVersion']}\n" in constraints


def test_every_pod_of_an_indexed_job_has_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    job = resource("array-job.yaml")["spec"]
    [container] = job["template"]["spec"]["containers"]
    last = container["args"][0].replace("$((JOB_COMPLETION_INDEX + 1))", str(job["completions"]))
    assert checked(last, capsys)["part"] == f"{job['completions']}/{job['completions']}"


def test_skypilot_runs_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    task = resource("sky.yaml")
    line = task["run"].split(" -- ")[1].replace("~/elastic/bin/elastic", "elastic")
    for name, value in task["envs"].items():
        line = line.replace(f"${name}", value)
    config = checked(line, capsys)
    assert config["out"] == "/runs/aime24-qwen3-32b"
    assert config["ray"]["engine"] == "vllm"


@pytest.mark.parametrize("name", ["array.sbatch", "ray.sbatch"])
def test_what_a_script_shows_can_be_asked(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (CLUSTER / name).read_text(encoding="utf-8").replace(" \\\n#", " ")
    shown = re.findall(rf"^#   sbatch .*{name} (.*)", text, re.MULTILINE)
    assert shown
    for arguments in shown:
        checked(f"elastic sweep {arguments}", capsys)


def sent(name: str, tmp_path: Path, *arguments: str, **variables: str) -> list[str]:
    """What a script of SLURM comes to: the words of each command that it starts, where nothing else is there."""
    for stub in ("elastic", "ray", "srun", "scontrol"):
        then = {"srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"', "scontrol": "echo n7; echo n8"}.get(
            stub, ""
        )
        (tmp_path / stub).write_text(f'#!/usr/bin/env bash\necho {stub} "${{@@Q}}" >&2\n{then}\n')
        (tmp_path / stub).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **variables}
    done = subprocess.run(
        ["bash", CLUSTER / name, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    return done.stderr.splitlines()


@pytest.mark.parametrize(("parts", "of"), [({}, "8"), ({"PARTS": "64"}, "64")])
def test_every_task_of_an_array_has_a_part(parts: dict[str, str], of: str, tmp_path: Path) -> None:
    variables = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MAX": "8", **parts}
    [line] = sent("array.sbatch", tmp_path, "--models", "a model", "--out", "runs/own-%a", **variables)
    assert line == f"elastic 'sweep' '--models' 'a model' '--out' 'runs/own-3' '--part' '3/{of}'"


def test_the_nodes_of_a_job_are_one_cluster(tmp_path: Path) -> None:
    variables = {
        "SLURM_JOB_NODELIST": "n[7-8]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_JOB_ID": "12345",
        "SLURM_PROCID": "0",
    }
    *_, line = sent("ray.sbatch", tmp_path, "--models", "mini", **variables)
    started, asked = line.split(" '--' ")
    assert started == "ray 'symmetric-run' '--address' 'n7:22345' '--min-nodes' '2'"
    assert asked == "'elastic' 'sweep' '--engine' 'ray' '--ray.address' 'n7:22345' '--models' 'mini'"
