"""The strategy of the docs' example, from its file: everywhere that a strategy can be named."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main
from elastic_reasoning.core.errors import RecordsError, StrategyError
from elastic_reasoning.core.needs import most_tokens
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.strategies import STRATEGIES, find_strategy
from elastic_reasoning.engines.engine import ask, generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.scripted import ScriptedEngine
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.records.manifest import read_manifest
from elastic_reasoning.training.trl.grpo import train
from elastic_reasoning.untrusted.own_strategies import LOADED, strategy_name
from letters import by_count, letters
from small_runs import small_run, steps_logged

EXAMPLE = Path(__file__).parents[1] / "examples" / "own_strategy.py"
PATIENT = f"{EXAMPLE}:patient"
QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No test knows what another one has loaded."""
    yield
    LOADED.pop("patient", None)
    STRATEGIES.pop("patient", None)


def test_a_scripted_model_is_told_to_go_on() -> None:
    template = letters()
    engine = ScriptedEngine(by_count(template.encode("abcdefxy$"), template), template)
    trace = ask(engine, "f", "6+4", PATIENT, {"looks": 3, "again": "w"})
    assert (trace.thinking_text, trace.solution_text) == ("abwcdwef", "xy")
    assert trace.request.strategy == "patient"
    assert most_tokens(trace.request, template) == len("abwcdwef") + len("C") + 4


def test_a_local_model_spends_no_more_than_was_given() -> None:
    with closing(load("mini", max_rows=4)) as engine:
        requests = [new_request(engine, QUESTION, "24+8", PATIENT, {"looks": looks}) for looks in (1, 2, 3)]
        traces = {trace.request.options: trace for trace in generate(engine, requests)}
    assert all(trace.error is None and trace.num_thinking_tokens <= 24 for trace in traces.values())
    assert all(len(trace.ids) <= most_tokens(trace.request, trace.template) for trace in traces.values())
    assert traces[Options(looks=3)].num_forced_tokens > traces[Options(looks=1)].num_forced_tokens


def test_a_sweep_keeps_its_file_and_tables_its_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.py"
    shutil.copy(EXAMPLE, mine)
    out = tmp_path / "run"
    arguments = ["--models", "mini", "--strategies", f"{mine}:patient,vanilla", "--budgets", "8+4", "--limit", "2"]
    assert main(["sweep", *arguments, "--options.looks", "3", "--out", str(out)]) == 0
    manifest = read_manifest(out)
    assert manifest.config["options"]["patient"] == {"looks": 3, "again": "Wait"}
    assert manifest.config["own_strategies"]["patient"]["file"] == "mine.py"
    capsys.readouterr()

    STRATEGIES.pop("patient")  # as in a process that has not seen the file
    for command in (["report", str(out)], ["compare", str(out), "--a", "mini/patient", "--b", "mini/vanilla"]):
        assert main(command) == 0
    assert "patient thinking" in capsys.readouterr().out
    assert main(["grade", str(out)]) == 0
    assert STRATEGIES["patient"].bounds == "separate"

    LOADED.pop("patient")
    mine.write_text(mine.read_text().replace("thinking in parts", "thinking in pieces"))
    told = {"strategies": (f"{mine}:patient",), "options": {"looks": 3}, "budgets": ("8+4",), "limit": 2}
    with pytest.raises(RecordsError, match="another file of strategy patient"):
        sweep(SweepConfig(models=("mini",), out=str(out), **told))


def test_its_options_are_flags_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["generate", QUESTION, "--model", "mini", "--budget", "12+4", "--json", "--strategy"]
    assert main([*command, PATIENT, "--options.looks", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["strategy"] == "patient"
    assert main([*command, PATIENT, "--options.lucks", "2"]) == 2
    assert "did you mean 'options.looks'?" in capsys.readouterr().err


def test_it_is_trained_with(tmp_path: Path) -> None:
    config = small_run(tmp_path / "run", strategies=(PATIENT,), options={"looks": 2}, budgets=("12+8",), steps=2)
    train(config)
    assert len(steps_logged(config.out)) == 2
    assert json.loads((tmp_path / "run" / "model" / "elastic.json").read_text())["strategies"] == ["patient"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("missing.py:patient", "cannot read missing.py"),
        (f"{EXAMPLE}:patiens", "unknown name 'patiens'.*did you mean 'patient'"),
        (f"{EXAMPLE}:think_in_parts", "is no strategy: write think_in_parts = Strategy"),
    ],
)
def test_what_is_no_strategy_is_refused(given: str, message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        strategy_name(given)


def test_the_name_of_a_strategy_that_there_is_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("from elastic_reasoning import STRATEGIES\ns1 = STRATEGIES['vanilla']\n")
    with pytest.raises(StrategyError, match="s1 is the name of a strategy that comes with the package"):
        strategy_name(f"{path}:s1")
    with pytest.raises(StrategyError, match=r"one of your own is given as my\.py:patient"):
        find_strategy("patient")
