import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import random_words
from elastic_reasoning.errors import BudgetError, EngineError, RecordsError, StrategyError, TaskError, UsageError
from elastic_reasoning.evaluation.config import SweepConfig, settings
from elastic_reasoning.evaluation.manifest import read_manifest
from elastic_reasoning.evaluation.metrics import generated_tokens, summarise
from elastic_reasoning.evaluation.record import Key, Record
from elastic_reasoning.evaluation.records import read_records
from elastic_reasoning.evaluation.regrade import regrade
from elastic_reasoning.evaluation.sweep import SweepResult, sweep
from elastic_reasoning.request import Options, Sampling, derived_seed
from elastic_reasoning.tasks.arithmetic import Arithmetic
from random_words import CONFIG, load_engine

NUM_RECORDS = 2 * (3 * 3 + 1) * 6 * 2
SOURCE = Path(__file__).parents[2] / "src"


def run(folder: Path, **changes) -> tuple[SweepResult, list[Record]]:
    result = sweep(replace(CONFIG, out=str(folder), **changes), load_engine=load_engine)
    return result, read_records(folder)[1]


def by_key(records: Iterable[Record]) -> dict[Key, Record]:
    """Records by key, without how much of each was reused: that depends on what was run together."""
    listed = [replace(record, num_reused_tokens=0) for record in records]
    found = {record.key: record for record in listed}
    assert len(found) == len(listed)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return run(tmp_path_factory.mktemp("undisturbed"))[1]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"thinking": ("8",)}, UsageError, "thinking is given alone: a grid needs thinking and solution"),
        ({"thinking": ("8", "x"), "solution": ("20",)}, BudgetError, "'x' is not a whole number"),
        ({"thinking_model": "mini"}, UsageError, "thinking_model is given alone"),
        ({"grading_workers": -1}, UsageError, "grading_workers -1: must be 0"),
        ({"models": ()}, UsageError, "models is empty"),
        ({"strategies": ()}, UsageError, "strategies is empty"),
        ({"samples": 0}, UsageError, "samples 0: must be 1 or more"),
        ({"limit": 0}, UsageError, "limit 0: must be 1 or more"),
        ({"limit": 5000}, TaskError, "limit 5000"),
        ({"out": ""}, UsageError, "out is empty"),
        ({"budgets": ("8+20", "-8+20")}, BudgetError, "thinking budget -8"),
        ({"budgets": ("8+2.5",)}, BudgetError, "'2.5' is not a whole number"),
        ({"strategies": ("elastic", "s2")}, StrategyError, "unknown strategy 's2'"),
        ({"strategies": ("l1-exact",), "budgets": ("inf+2",), "options": Options()}, BudgetError, "two finite parts"),
        ({"strategies": ("vanilla",)}, StrategyError, "answer_tokens=2 means nothing to strategy 'vanilla'.*use s1"),
        ({"task": "maths"}, TaskError, "unknown task 'maths'"),
        ({"split": "tests"}, TaskError, "unknown split 'tests': did you mean 'test'"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_is_written(
    tmp_path: Path, changes: dict, error: type[Exception], message: str
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(error, match=message):
        sweep(replace(CONFIG, **{"out": str(folder), **changes}), load_engine=load_engine)
    assert not folder.exists()


def test_every_model_setting_problem_and_sample_has_one_record(tmp_path: Path) -> None:
    started: list[tuple[int, int]] = []
    written: list[Record] = []
    config = replace(CONFIG, out=str(tmp_path))
    result = sweep(config, lambda *numbers: started.append(numbers), written.append, load_engine)
    records = read_records(tmp_path)[1]
    assert started == [(0, NUM_RECORDS)]
    assert result == SweepResult(NUM_RECORDS, NUM_RECORDS, 0, 0)
    assert records == written
    problems = [problem.id for problem in Arithmetic().problems("test", 6)]
    assert by_key(records).keys() == {
        (model, strategy, str(budget), problem, sample)
        for model in ("one", "two")
        for strategy, budget, _ in settings(CONFIG)
        for problem in problems
        for sample in (0, 1)
    }
    assert all(record.correct is not None for record in records)


def test_a_model_named_twice_is_measured_once(tmp_path: Path) -> None:
    started: list[tuple[int, int]] = []
    config = replace(CONFIG, out=str(tmp_path), models=("one", "one"))
    assert sweep(config, lambda *n: started.append(n), load_engine=load_engine).num_records == NUM_RECORDS // 2
    assert started == [(0, NUM_RECORDS // 2)]


def test_samples_and_problems_differ(undisturbed: list[Record]) -> None:
    free = [r for r in undisturbed if r.strategy == "unconstrained" and r.model == "one"]
    texts = {(r.problem, r.sample): str(r.segments) for r in free}
    assert len(free) == 12
    assert len(set(texts.values())) >= 10


def test_each_problem_has_a_seed_of_its_own() -> None:
    problems = Arithmetic().problems("test", 50)
    seeds = {derived_seed(seed, problem.id) for seed in (0, 1, -1, 10**40) for problem in problems}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**64 for seed in seeds)
    assert derived_seed(0, "test-0") == 11836762743410765098  # as in every record there is


def test_another_seed_gives_other_samples(tmp_path: Path, undisturbed: list[Record]) -> None:
    other = by_key(run(tmp_path, sampling=Sampling(seed=7))[1])
    before = by_key(undisturbed)
    assert other.keys() == before.keys()
    assert sum(other[key].segments == before[key].segments for key in before) < len(before) / 4


def test_sharing_changes_no_record_and_saves_most_of_the_tokens(tmp_path: Path, undisturbed: list[Record]) -> None:
    separate = run(tmp_path, share=False)[1]
    assert by_key(separate) == by_key(undisturbed)
    num_sampled, num_generated = generated_tokens(undisturbed)
    assert generated_tokens(separate) == (num_sampled, num_sampled)
    assert num_generated < num_sampled / 2


# Requests that cannot be run.


def test_an_error_is_a_record_of_its_own_and_disturbs_no_other(tmp_path: Path, undisturbed: list[Record]) -> None:
    result, records = run(tmp_path, budgets=(*CONFIG.budgets, "90+4"))
    failed = [record for record in records if record.error]
    assert {(r.strategy, r.budget) for r in failed} == {(s, "90+4") for s in ("elastic", "s1", "vanilla")}
    assert result.num_errors == len(failed) == 3 * 2 * 6 * 2
    assert all("more than the model's context leaves" in str(r.error) and r.correct is None for r in failed)
    assert by_key(r for r in records if not r.error) == by_key(undisturbed)
    rows = {(row.model, row.strategy, row.budget): row for row in summarise(records)}
    assert (rows["one", "elastic", "90+4"].num_errors, rows["one", "elastic", "90+4"].accuracy) == (12, None)
    assert rows["one", "elastic", "20+4"].num_errors == 0


def test_errors_are_not_tried_again(tmp_path: Path) -> None:
    run(tmp_path, budgets=("90+4",))
    assert run(tmp_path, budgets=("90+4",))[0].num_written == 0


# Tasks of one's own.

OWN = """
from elastic_reasoning.errors import GradingError
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.tasks.task import Problem

class Own:
    name, note = "own", "graded by length"

    def problems(self, split, limit=None):
        return [Problem(str(n), ({"role": "user", "content": "a b so"},), "") for n in range(3)][:limit]

    def grade(self, problem, solution):
        if problem.id == "1" and solution:
            raise GradingError("its tests do not load")
        return Grade(len(solution) > 3, solution)

    def close(self):
        pass

task = Own()
"""


def test_what_cannot_be_graded_is_counted_apart_and_graded_later(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN)
    notes: list[str] = []
    config = replace(CONFIG, task=str(own), out=str(tmp_path / "run"), limit=None, strategies=("elastic",))
    result = sweep(replace(config, options=Options()), load_engine=load_engine, on_note=notes.append)
    assert notes == [f"{own}: graded by length"]
    records = read_records(tmp_path / "run")[1]
    assert len(records) == result.num_records == 2 * 3 * 3 * 2
    failed = [record for record in records if record.error]
    assert {record.problem for record in failed} == {"1"}
    assert result.num_errors == len(failed) > 0
    assert all(r.error == "not graded: its tests do not load" and r.correct is None and r.solution for r in failed)
    assert all(record.correct == (len(record.solution) > 3) for record in records if not record.error)
    assert sum(row.num_errors for row in summarise(records)) == len(failed)
    own.write_text(OWN.replace('problem.id == "1" and solution', "False"))
    regrade(tmp_path / "run", tmp_path / "again")
    again = read_records(tmp_path / "again")[1]
    assert all(r.error is None and r.correct == (len(r.solution) > 3) for r in again)


# Going on.


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    def no_engine(config: SweepConfig, model: str) -> None:
        raise AssertionError("no engine is needed")

    run(tmp_path)
    before = (tmp_path / "records.jsonl").read_bytes()
    result = sweep(replace(CONFIG, out=str(tmp_path)), load_engine=no_engine)  # type: ignore[arg-type]
    assert result == SweepResult(NUM_RECORDS, 0, 0, 0)
    assert (tmp_path / "records.jsonl").read_bytes() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_sweep_that_was_stopped_goes_on(tmp_path: Path, undisturbed: list[Record], error: type) -> None:
    def stop(record: Record) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise error

    config, num_kept = replace(CONFIG, out=str(tmp_path)), 0
    for left in (1, 5, 60):
        num_kept += left
        with pytest.raises(error):
            sweep(config, on_record=stop, load_engine=load_engine)
        assert len(read_records(tmp_path)[1]) == num_kept
    started: list[tuple[int, int]] = []
    result = sweep(config, lambda *numbers: started.append(numbers), load_engine=load_engine)
    assert started == [(num_kept, NUM_RECORDS)]
    assert result == SweepResult(NUM_RECORDS, NUM_RECORDS - num_kept, 0, 0)
    assert by_key(read_records(tmp_path)[1]) == by_key(undisturbed)


@pytest.mark.parametrize("seed", range(3))
def test_a_sweep_that_is_killed_loses_nothing_that_was_written(
    tmp_path: Path, undisturbed: list[Record], seed: int
) -> None:
    rng = random.Random(seed)
    announced: list[Key] = []
    for num_lines in (rng.randrange(1, 20), rng.randrange(1, 60), rng.randrange(1, 120)):
        announced += killed_after(tmp_path, num_lines)
        whole = (tmp_path / "records.jsonl").read_bytes().split(b"\n")[:-1]
        keys = [Record.from_json(line).key for line in whole]
        assert len(set(keys)) == len(keys)
        assert set(announced) <= set(keys)
        assert len(set(announced)) == len(announced)
    _, records = run(tmp_path)
    lines = (tmp_path / "records.jsonl").read_bytes().splitlines()
    assert len(lines) == len(records) == NUM_RECORDS
    assert by_key(records) == by_key(undisturbed)
    assert [asdict(row) for row in summarise(records)] == [asdict(row) for row in summarise(undisturbed)]


def killed_after(folder: Path, num_lines: int) -> list[Key]:
    """Sweep in a process of its own, kill it once it has said so many keys, and return all that it said."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), *sys.path])}
    command = [sys.executable, random_words.__file__, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(num_lines)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines(keepends=True)
    said = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return [(model, strategy, budget, problem, sample) for model, strategy, budget, problem, sample in said]


@pytest.mark.parametrize("num_bytes", [1, 40, 300])
def test_a_torn_last_line_is_made_again(tmp_path: Path, undisturbed: list[Record], num_bytes: int) -> None:
    run(tmp_path)
    path = tmp_path / "records.jsonl"
    whole = path.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    assert last > num_bytes
    path.write_bytes(whole[:-num_bytes])
    result, records = run(tmp_path)
    assert (result.num_written, result.num_cut_bytes) == (1, last - num_bytes)
    assert by_key(records) == by_key(undisturbed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 3}, "config.samples = 2, not 3"),
        ({"limit": 5}, "config.limit = 6, not 5"),
        ({"sampling": Sampling(seed=1)}, "seed = 0, not 1"),
        ({"sampling": Sampling(top_k=5)}, "config.sampling.top_k = 0, not 5"),
        ({"options": Options(answer_tokens=3)}, "config.options.answer_tokens = 2, not 3"),
        ({"budgets": ("2+4", "8+4", "21+4")}, 'config.budgets.2. = "20.4", not "21.4"'),
        ({"split": "validation"}, 'split = "test", not "validation"'),
    ],
)
def test_other_settings_do_not_go_on_in_the_same_folder(tmp_path: Path, changes: dict, message: str) -> None:
    run(tmp_path)
    before = (tmp_path / "records.jsonl").read_bytes()
    with pytest.raises(RecordsError, match=f"was started with .*{message}: go on with the same settings, or use"):
        run(tmp_path, **changes)
    assert (tmp_path / "records.jsonl").read_bytes() == before


def test_other_weights_of_the_same_model_do_not_go_on_in_the_same_folder(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    weights = model / "model.safetensors"
    weights.write_bytes(b"weights")
    models = (str(model), "owner/on-the-hub")
    run(tmp_path / "run", models=models)
    assert read_manifest(tmp_path / "run").config["models_digest"].keys() == {str(model)}
    (model / "README.md").write_text("says nothing of the weights")
    assert run(tmp_path / "run", models=models)[0].num_written == 0
    weights.write_bytes(b"Weights")
    with pytest.raises(RecordsError, match=rf"was started with other weights of model {model}: put those back"):
        run(tmp_path / "run", models=models)
    weights.write_bytes(b"weights")
    (model / "tokenizer.json").write_text("{}")
    with pytest.raises(RecordsError, match="other weights"):
        run(tmp_path / "run", models=models)


def test_how_a_sweep_is_run_may_change_while_it_goes_on(tmp_path: Path) -> None:
    run(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert run(tmp_path / "b", share=False, max_rows=3, device="cpu")[0].num_written == 0


def test_two_sweeps_do_not_write_to_one_folder(tmp_path: Path) -> None:
    refused: list[str] = []

    def second(record: Record) -> None:
        if not refused:
            with pytest.raises(RecordsError, match="another sweep is writing") as caught:
                run(tmp_path)
            refused.append(str(caught.value))

    sweep(replace(CONFIG, out=str(tmp_path)), on_record=second, load_engine=load_engine)
    assert len(refused) == 1
    assert len(read_records(tmp_path)[1]) == NUM_RECORDS


def test_a_sweep_may_run_in_a_thread(tmp_path: Path, undisturbed: list[Record]) -> None:
    thread = threading.Thread(target=run, args=(tmp_path,))
    thread.start()
    thread.join()
    assert by_key(read_records(tmp_path)[1]) == by_key(undisturbed)


def test_a_folder_made_with_a_wrong_model_can_be_used_with_the_right_one(tmp_path: Path) -> None:
    small = SweepConfig(models=("mini",), strategies=("elastic",), budgets=("2+2",), limit=2, out=str(tmp_path))
    for models in (("minni",), ("mini", "minni"), ("mini", str(tmp_path))):
        with pytest.raises(EngineError, match="model"):
            sweep(replace(small, models=models))
    assert sweep(small).num_written == 2
    assert read_manifest(tmp_path).config["dtype"] == {"mini": "float32"}
    with pytest.raises(RecordsError, match=r'config.dtype.mini = "float32", not "bfloat16"'):
        sweep(replace(small, dtype="bfloat16"))


# With a model.


def test_the_same_seed_gives_the_same_records_however_it_is_run(tmp_path: Path) -> None:
    config = SweepConfig(models=("mini",), budgets=("6+4", "24+4"), limit=4, samples=2, device="cpu")
    config = replace(config, strategies=("elastic", "vanilla", "s1"), options=Options(answer_tokens=4))
    found = []
    for share, max_rows in ((True, 64), (False, 64), (True, 3), (False, 5)):
        folder = tmp_path / f"{share} {max_rows}"
        sweep(replace(config, share=share, max_rows=max_rows, out=str(folder)))
        found.append(by_key(read_records(folder)[1]))
    assert found[0].keys() == found[1].keys()
    assert len(found[0]) == 3 * 2 * 4 * 2
    for other in found[1:]:
        assert other == found[0]
