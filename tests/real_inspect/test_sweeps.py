"""A sweep over budgets as an eval set, logs as a table, and our records as logs."""

from pathlib import Path

import pytest

pytest.importorskip("inspect_ai", reason="inspect_ai is not installed: make test-inspect")

from inspect_ai import eval_set
from inspect_ai.log import list_eval_logs, read_eval_log

from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.integrations.inspect_ai.logs import main, write_logs
from elastic_reasoning.integrations.inspect_ai.sweep import budget_tasks
from elastic_reasoning.integrations.inspect_ai.table import read_table, written
from elastic_reasoning.records.log import read_records
from real_inspect.running import MARKS, model_of

pytestmark = MARKS

BUDGETS = ("8+20", "24+20")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sweep of ours."""
    out = tmp_path_factory.mktemp("sweep")
    sweep(
        SweepConfig(
            models=("mini-e1",), strategies=("elastic", "vanilla"), budgets=BUDGETS, limit=6, samples=2, out=str(out)
        )
    )
    return out


def test_an_eval_set_has_a_log_for_each_budget_and_goes_on(engine: Engine, folder: Path, tmp_path: Path) -> None:
    logs = str(tmp_path / "set")
    for _ in range(2):
        tasks = budget_tasks("elastic_reasoning/arithmetic", BUDGETS, limit=6, samples=2)
        is_done, _ = eval_set(tasks, logs, model=model_of(engine, ""))
        assert is_done
    assert len(list_eval_logs(logs)) == len(BUDGETS)
    rows = [row for row in summarise(read_records(folder)[1]) if row.strategy == "elastic"]
    found = read_table(logs)
    assert [(row.budget, row.num_samples, row.num_errors) for row in found] == [(budget, 12, 0) for budget in BUDGETS]
    for ours, theirs in zip(rows, found, strict=True):
        assert (theirs.accuracy, theirs.accuracy_se) == pytest.approx((ours.accuracy, ours.accuracy_se))
        assert theirs.thinking_tokens == pytest.approx(ours.mean_thinking_tokens)


def test_records_become_logs_that_say_the_same(folder: Path, tmp_path: Path) -> None:
    paths = write_logs(folder, tmp_path / "logs")
    _, records = read_records(folder)
    by_key = {record.key: record for record in records}
    logs = [read_eval_log(str(path)) for path in paths]
    assert len({log.eval.eval_id for log in logs}) == len(logs) == 4
    for log in logs:
        setting = log.eval.task_args
        assert len(log.samples) == 12
        for sample in log.samples:
            record = by_key["mini-e1", setting["strategy"], setting["budget"], sample.id, sample.epoch - 1]
            assert sample.output.completion == record.solution
            assert sample.output.usage.reasoning_tokens == record.num_thinking_tokens
            assert (sample.scores["grade"].value == "C") == record.correct
            stretches = sample.output.message.metadata["elastic"]["stretches"]
            assert [stretch["text"] for stretch in stretches] == [part["text"] for part in record.segments]
    rows = {(row.strategy, row.budget): row for row in summarise(records)}
    for found in read_table(str(tmp_path / "logs")):
        ours = rows[found.strategy, found.budget]
        assert (found.accuracy, found.accuracy_se) == pytest.approx((ours.accuracy, ours.accuracy_se))


def test_the_table_is_written_with_its_errors_and_commands_say_what_is_wrong(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder), "--out", str(tmp_path / "logs")]) == 0
    assert "inspect view --log-dir" in capsys.readouterr().out
    lines = written(read_table(str(tmp_path / "logs"))).splitlines()
    assert len(lines) == 5
    assert "±" in lines[1]
    assert main([str(tmp_path / "logs")]) == 2
    assert "manifest.json" in capsys.readouterr().err
    with pytest.raises(UsageError, match="has no logs"):
        read_table(str(tmp_path / "data"))
