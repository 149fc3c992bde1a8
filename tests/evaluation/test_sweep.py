import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

import random_words
from configs import changed, sweep_config
from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.analysis.spending import generated_tokens
from elastic_reasoning.core.errors import BudgetError, EngineError, RecordsError, StrategyError, TaskError, UsageError
from elastic_reasoning.core.request import Sampling, derived_seed
from elastic_reasoning.evaluation.config import SweepConfig, settings
from elastic_reasoning.evaluation.regrade import regrade
from elastic_reasoning.evaluation.sweep import SweepResult, sweep
from elastic_reasoning.records.lines import KeyLine, read_line, record_line, trace_line
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.manifest import read_manifest
from elastic_reasoning.records.record import Key, Record
from elastic_reasoning.tasks.arithmetic import Arithmetic
from random_words import CONFIG, load_engine

NUM_RECORDS = 2 * (3 * 3 + 1) * 6 * 2
SOURCE = Path(__file__).parents[2] / "src"


def run(folder: Path, **changes) -> tuple[SweepResult, list[Record]]:
    result = sweep(changed(CONFIG, out=str(folder), **changes), load_engine=load_engine)
    return result, list(read_records(folder)[1])


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
        ({"strategies": ("l1-exact",), "budgets": ("inf+2",), "options": {}}, BudgetError, "two finite parts"),
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
        sweep(changed(CONFIG, **{"out": str(folder), **changes}), load_engine=load_engine)
    assert not folder.exists()


def test_every_model_setting_problem_and_sample_has_one_record(tmp_path: Path) -> None:
    started: list[tuple[int, int]] = []
    written: list[Record] = []
    config = changed(CONFIG, out=str(tmp_path))
    result = sweep(config, lambda *numbers: started.append(numbers), written.append, load_engine)
    records = list(read_records(tmp_path)[1])
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
    config = changed(CONFIG, out=str(tmp_path), models=("one", "one"))
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
from elastic_reasoning.core.errors import GradingError
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
    config = changed(CONFIG, task=str(own), out=str(tmp_path / "run"), limit=None, strategies=("elastic",))
    result = sweep(changed(config, options={}), load_engine=load_engine, on_note=notes.append)
    assert notes == [f"{own}: graded by length"]
    records = list(read_records(tmp_path / "run")[1])
    assert len(records) == result.num_records == 2 * 3 * 3 * 2
    failed = [record for record in records if record.error]
    assert {record.problem for record in failed} == {"1"}
    assert result.num_errors == len(failed) > 0
    assert all(r.error == "not graded: its tests do not load" and r.correct is None and r.solution for r in failed)
    assert all(record.correct == (len(record.solution) > 3) for record in records if not record.error)
    assert sum(row.num_errors for row in summarise(records)) == len(failed)
    own.write_text(OWN.replace('problem.id == "1" and solution', "False"))
    regrade(tmp_path / "run", tmp_path / "again")
    again = list(read_records(tmp_path / "again")[1])
    assert all(r.error is None and r.correct == (len(r.solution) > 3) for r in again)


# Going on.


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    def no_engine(config: SweepConfig, model: str) -> None:
        raise AssertionError("no engine is needed")

    run(tmp_path)
    before = (tmp_path / "records/main.jsonl").read_bytes()
    result = sweep(changed(CONFIG, out=str(tmp_path)), load_engine=no_engine)  # type: ignore[arg-type]
    assert result == SweepResult(NUM_RECORDS, 0, 0, 0)
    assert (tmp_path / "records/main.jsonl").read_bytes() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_sweep_that_was_stopped_goes_on(tmp_path: Path, undisturbed: list[Record], error: type) -> None:
    def stop(record: Record) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise error

    config, num_kept = changed(CONFIG, out=str(tmp_path)), 0
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
        whole = (tmp_path / "records/main.jsonl").read_bytes().split(b"\n")[:-1]
        keys = [read_line(line, KeyLine).key for line in whole]
        assert len(set(keys)) == len(keys)
        assert set(announced) <= set(keys)
        assert len(set(announced)) == len(announced)
    _, records = run(tmp_path)
    lines = (tmp_path / "records/main.jsonl").read_bytes().splitlines()
    assert len(lines) == len(records) == NUM_RECORDS
    assert by_key(records) == by_key(undisturbed)
    assert summarise(records) == summarise(undisturbed)


def killed_after(folder: Path, num_lines: int, changes: dict | None = None) -> list[Key]:
    """Sweep in a process of its own, kill it once it has said so many keys, and return all that it said."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), *sys.path])}
    command = [sys.executable, random_words.__file__, str(folder), json.dumps(changes or {})]
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
    path = tmp_path / "records/main.jsonl"
    whole = path.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    assert last > num_bytes
    path.write_bytes(whole[:-num_bytes])
    result, records = run(tmp_path)
    assert (result.num_written, result.num_cut_bytes) == (1, last - num_bytes)
    assert by_key(records) == by_key(undisturbed)


GROWTHS = {
    "problems": {"limit": 9},
    "samples": {"samples": 3},
    "a smaller budget": {"budgets": (*CONFIG.budgets, "1+4")},
    "a larger budget": {"budgets": ("30+4",)},
    "another s": {"budgets": ("8+2",)},
    "a grid": {"budgets": (), "thinking": ("0", "2"), "solution": ("3",)},
    "a strategy": {"strategies": ("nothinking",), "options": {"wrap_up": "so"}},
    "a strategy with options of its own": {"strategies": ("l1-max",), "options": {"max_total": 30}},
    "a model": {"models": ("three",)},
    "everything": {"limit": 7, "samples": 3, "budgets": ("3+4", "8+4"), "models": ("two", "three")},
}


@pytest.mark.parametrize("changes", GROWTHS.values(), ids=GROWTHS)
def test_what_is_added_later_is_what_a_run_made_at_once_would_have(
    tmp_path: Path, undisturbed: list[Record], changes: dict
) -> None:
    run(tmp_path / "grown")
    first = (tmp_path / "grown/records/main.jsonl").read_bytes()
    result, records = run(tmp_path / "grown", **changes)
    assert (tmp_path / "grown/records/main.jsonl").read_bytes().startswith(first)
    assert result.num_written == len(records) - NUM_RECORDS > 0
    at_once = lines_by_key(run(tmp_path / "at once", **changes)[1])
    grown = lines_by_key(records)
    assert grown == {**lines_by_key(undisturbed), **at_once}
    assert run(tmp_path / "grown", **changes)[0].num_written == 0
    assert run(tmp_path / "grown")[0].num_written == 0
    assert run(tmp_path / "grown", limit=2, samples=1, models=("two",))[0].num_written == 0  # less than there is


def lines_by_key(records: Iterable[Record]) -> dict[Key, tuple[bytes, bytes]]:
    """Each record as it is written, but for time and for what was served by another one that was run beside it."""
    plain = [replace(record, seconds=0.0, num_reused_tokens=0, logprobs=[]) for record in records]
    return {record.key: (record_line(record, 0, 0), trace_line(record)) for record in plain}


def test_the_manifest_tells_what_was_added_and_when(tmp_path: Path) -> None:
    notes: list[str] = []
    run(tmp_path)
    first = read_manifest(tmp_path)
    assert first.grown == []
    changes = {"limit": 7, "budgets": ("3+4",), "strategies": ("elastic",), "options": {}}
    config = changed(CONFIG, out=str(tmp_path), **changes)
    sweep(config, load_engine=load_engine, on_note=notes.append)
    sweep(config, load_engine=load_engine)
    now = read_manifest(tmp_path)
    (growth,) = now.grown
    settings_ = [f"{model}/elastic/3+4" for model in ("one", "two")]
    assert growth["added"] == {"budgets": ["3+4"], "settings": settings_, "problems": 7}
    assert growth["created"] >= first.created
    assert growth["versions"] == first.versions
    assert notes == [f"{tmp_path} grows: budgets 3+4, problems 7"]
    assert now.problems[:6] == first.problems
    assert now.config == {
        **first.config,
        "budgets": [*first.config["budgets"], "3+4"],
        "settings": [*first.config["settings"], *settings_],
    }
    assert replace(now, config=first.config, problems=first.problems, grown=[]) == first


def test_a_folder_grows_while_it_is_unfinished(tmp_path: Path, undisturbed: list[Record]) -> None:
    killed_after(tmp_path, 72)  # of 240, graded side by side: some of any setting are among them, and not all
    started: list[tuple[int, int]] = []
    config = changed(CONFIG, out=str(tmp_path), samples=1, strategies=("elastic",), budgets=("8+4", "5+4"))
    sweep(changed(config, options={}), lambda *n: started.append(n), load_engine=load_engine)
    ((num_done, total),) = started
    assert total == 2 * 2 * 6
    assert 0 < num_done < 6 * 2
    _, records = run(tmp_path)
    assert {key: line for key, line in lines_by_key(records).items() if key[2] != "5+4"} == lines_by_key(undisturbed)


@pytest.mark.parametrize("seed", range(2))
def test_growth_that_is_killed_goes_on(tmp_path: Path, undisturbed: list[Record], seed: int) -> None:
    changes: dict = {"limit": 8, "samples": 3, "budgets": ("3+4", "8+4"), "models": ("two", "three")}
    run(tmp_path / "grown")
    rng = random.Random(seed)
    for num_lines in (1, rng.randrange(2, 30), rng.randrange(1, 60)):
        killed_after(tmp_path / "grown", num_lines, changes)
    _, records = run(tmp_path / "grown", **changes)
    lines = (tmp_path / "grown/records/main.jsonl").read_bytes().splitlines()
    assert len(lines) == len(records)
    at_once = lines_by_key(run(tmp_path / "at once", **changes)[1])
    assert lines_by_key(records) == {**lines_by_key(undisturbed), **at_once}
    assert len(read_manifest(tmp_path / "grown").grown) == 1


def test_a_record_that_is_served_later_is_the_one_that_was_served_at_once(tmp_path: Path) -> None:
    """With the miniature, and its draws: smaller and larger t, one s, in either order."""
    small = sweep_config(models=("mini",), strategies=("elastic", "s1", "vanilla"), limit=3, samples=2, device="cpu")
    small = changed(small, options={"answer_tokens": 2})
    budgets = ("6+4", "12+4", "30+4")
    sweep(changed(small, budgets=budgets, out=str(tmp_path / "at once")))
    for name, order in (("up", budgets), ("down", budgets[::-1])):
        for budget in order:
            sweep(changed(small, budgets=(budget,), out=str(tmp_path / name)))
        assert lines_by_key(read_records(tmp_path / name)[1]) == lines_by_key(read_records(tmp_path / "at once")[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampling": Sampling(seed=1)}, "--sampling.seed 0, not 1"),
        ({"sampling": Sampling(top_k=5)}, "--sampling.top_k 0, not 5"),
        ({"sampling": Sampling(temperature=0.6)}, "--sampling.temperature 1.0, not 0.6"),
        ({"options": {"answer_tokens": 3}}, "--options.answer_tokens 2 for strategy s1, not 3"),
        (
            {"options": {"answer_tokens": 2, "wrap_up": "so"}},
            '--options.wrap_up "" for strategy elastic, not so',
        ),
        ({"split": "validation"}, "--split test, not validation"),
        ({"dtype": "float16"}, "--dtype auto, not float16"),
        ({"opening": "<a>", "closing": "</a>"}, "--opening null, not <a>"),
    ],
)
@pytest.mark.parametrize("more", [{}, {"limit": 9, "samples": 3, "models": ("two", "three")}])
def test_what_decides_a_result_does_not_change_within_a_folder(
    tmp_path: Path, changes: dict, message: str, more: dict
) -> None:
    run(tmp_path)
    before = (tmp_path / "records/main.jsonl").read_bytes(), read_manifest(tmp_path)
    with pytest.raises(RecordsError, match=f"was made with {re.escape(message)}, and that decides results: give the"):
        run(tmp_path, **changes, **more)
    assert ((tmp_path / "records/main.jsonl").read_bytes(), read_manifest(tmp_path)) == before


@pytest.mark.parametrize("limit", [None, 2, 3, 5])
def test_other_problems_are_refused(tmp_path: Path, limit: int | None) -> None:
    data = tmp_path / "own.jsonl"
    lines = [json.dumps({"problem": f"{n} and {n} =", "answer": str(2 * n)}) for n in range(5)]
    data.write_text("\n".join(lines[:3]))
    run(tmp_path / "run", task=str(data), limit=None)
    data.write_text("\n".join([lines[0], lines[4], *lines[2:]]))
    with pytest.raises(RecordsError, match=r"holds other problems: .* of problem 2 was .*the same --task and --data"):
        run(tmp_path / "run", task=str(data), limit=limit)
    data.write_text("\n".join(lines))
    assert run(tmp_path / "run", task=str(data), limit=limit)[0].num_written == (0 if limit in (2, 3) else 2 * 10 * 4)


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
    assert run(tmp_path / "run", models=("another/one",))[0].num_written == NUM_RECORDS // 2
    weights.write_bytes(b"Weights")
    with pytest.raises(RecordsError, match=rf"was made with other weights of model {model}: put those back"):
        run(tmp_path / "run", models=models)
    weights.write_bytes(b"weights")
    (model / "tokenizer.json").write_text("{}")
    with pytest.raises(RecordsError, match="other weights"):
        run(tmp_path / "run", models=models)


def test_how_a_sweep_is_run_may_change_while_it_goes_on(tmp_path: Path) -> None:
    run(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert run(tmp_path / "b", share=False, max_rows=3, device="cpu")[0].num_written == 0


def test_two_sweeps_under_names_of_their_own_fill_one_folder(tmp_path: Path, undisturbed: list[Record]) -> None:
    """The second begins within the first one's, with the other model, and each takes the other's records for done."""
    begun: list[SweepResult] = []

    def second(record: Record) -> None:
        if not begun:
            begun.append(SweepResult(0, 0, 0, 0))
            begun.append(run(tmp_path, models=("two",), writer="other")[0])

    first = sweep(replace(CONFIG, models=("one",), out=str(tmp_path)), on_record=second, load_engine=load_engine)
    assert first.num_written == begun[1].num_written == NUM_RECORDS // 2
    assert read_manifest(tmp_path).config["models"] == ["one", "two"]
    assert by_key(read_records(tmp_path)[1]) == by_key(undisturbed)
    for writer in ("main", "other", "third"):
        assert run(tmp_path, writer=writer)[0].num_written == 0


def test_two_sweeps_do_not_write_to_one_folder(tmp_path: Path) -> None:
    refused: list[str] = []

    def second(record: Record) -> None:
        if not refused:
            with pytest.raises(RecordsError, match="another sweep is writing") as caught:
                run(tmp_path)
            refused.append(str(caught.value))

    sweep(changed(CONFIG, out=str(tmp_path)), on_record=second, load_engine=load_engine)
    assert len(refused) == 1
    assert len(read_records(tmp_path)[1]) == NUM_RECORDS


def test_a_sweep_may_run_in_a_thread(tmp_path: Path, undisturbed: list[Record]) -> None:
    thread = threading.Thread(target=run, args=(tmp_path,))
    thread.start()
    thread.join()
    assert by_key(read_records(tmp_path)[1]) == by_key(undisturbed)


def test_a_folder_made_with_a_wrong_model_can_be_used_with_the_right_one(tmp_path: Path) -> None:
    small = sweep_config(models=("mini",), strategies=("elastic",), budgets=("2+2",), limit=2, out=str(tmp_path))
    for models in (("minni",), ("mini", "minni"), ("mini", str(tmp_path))):
        with pytest.raises(EngineError, match="model"):
            sweep(changed(small, models=models))
    assert sweep(small).num_written == 2
    assert read_manifest(tmp_path).config["dtype"] == {"mini": "float32"}
    with pytest.raises(RecordsError, match=r"--dtype float32 for model mini, not bfloat16"):
        sweep(changed(small, dtype="bfloat16"))


# With a model.


def test_the_same_seed_gives_the_same_records_however_it_is_run(tmp_path: Path) -> None:
    config = sweep_config(models=("mini",), budgets=("6+4", "24+4"), limit=4, samples=2, device="cpu")
    config = changed(config, strategies=("elastic", "vanilla", "s1"), options={"answer_tokens": 4})
    found = []
    for share, max_rows in ((True, 64), (False, 64), (True, 3), (False, 5)):
        folder = tmp_path / f"{share} {max_rows}"
        sweep(changed(config, share=share, max_rows=max_rows, out=str(folder)))
        found.append(by_key(read_records(folder)[1]))
    assert found[0].keys() == found[1].keys()
    assert len(found[0]) == 3 * 2 * 4 * 2
    for other in found[1:]:
        assert other == found[0]
