"""The whole of it on the miniature: what a rule was fitted to is what comes of running it."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from elastic_reasoning.analysis.allocation import follow, thinkings
from elastic_reasoning.analysis.candidates import halves
from elastic_reasoning.analysis.probed import with_probes
from elastic_reasoning.cli.main import main
from elastic_reasoning.core.errors import ElasticError, RecordsError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies.allocated import NAME, Rule
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.evaluation.allocate import (
    UNIFORM,
    AllocateConfig,
    Allocation,
    allocate,
    check,
    prompt_lengths,
    template_of,
)
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import SweepResult, sweep
from elastic_reasoning.evaluation.work import is_shared
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.log import read_records
from elastic_reasoning.tasks.arithmetic import Arithmetic

CONFIG = AllocateConfig(
    model="mini-e1", tokens=(30,), budgets=("48+20", "8+20", "16+20", "24+20"), limit=48, engine=EngineConfig()
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[AllocateConfig, Allocation]:
    config = dataclasses.replace(CONFIG, out=str(tmp_path_factory.mktemp("allocate")))
    [found] = allocate(config)
    return config, found


def test_a_run_does_what_the_rule_was_fitted_to(made: tuple[AllocateConfig, Allocation]) -> None:
    config, found = made
    problems = Arithmetic().problems("test", 48)
    prompts = prompt_lengths(config.engine, config.model, problems)
    seen = thinkings(read_records(f"{config.out}/uniform")[1], prompts)
    rule = Rule.parse(found.rule)
    assert rule.signs == {"prompt", "thinking", "recent"}
    own = {(record.problem, record.sample): record for record in read_records(found.records)[1]}
    for row, (key, column) in enumerate(zip(seen.keys, follow(seen, rule), strict=True)):
        assert own[key].num_spent_tokens == seen.tokens[row, column]
        assert own[key].correct == bool(seen.correct[row, column])
    assert {record.strategy for record in own.values()} == {NAME}
    assert len({record.num_thinking_tokens for record in own.values()}) > 2


def test_what_it_reaches_is_measured_on_the_other_half(made: tuple[AllocateConfig, Allocation]) -> None:
    _, found = made
    choosing, measuring = halves([problem.id for problem in Arithmetic().problems("test", 48)], True)
    records = {record.problem: record for record in read_records(found.records)[1]}
    assert (found.num_chosen_on, found.reached.num_problems, found.held_out) == (24, 24, True)
    assert found.reached.accuracy == pytest.approx(sum(bool(records[each].correct) for each in measuring) / 24)
    assert found.accuracy_chosen_on == pytest.approx(sum(bool(records[each].correct) for each in choosing) / 24)
    assert found.reached.difference == pytest.approx(found.reached.accuracy - found.reached.uniform_accuracy)
    assert found.reached.uniform_accuracy < found.reached.accuracy <= found.reached.bound + 1e-6
    assert found.budget == "48+20"


def test_started_again_nothing_is_made_twice(made: tuple[AllocateConfig, Allocation]) -> None:
    config, found = made
    results: list[SweepResult] = []

    def run(config: SweepConfig) -> SweepResult:
        results.append(sweep(config))
        return results[-1]

    assert allocate(config, run) == [found]
    assert [result.num_written for result in results] == [0, 0]


def test_fewer_problems_than_the_folder_has_are_taken_alone(made: tuple[AllocateConfig, Allocation]) -> None:
    config, _ = made
    [found] = allocate(dataclasses.replace(config, limit=40, signs=("prompt",)))
    assert (found.num_chosen_on, found.reached.num_problems) == (20, 20)
    assert Rule.parse(found.rule).signs == {"prompt"}
    assert Path(found.records).exists()


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> tuple[AllocateConfig, Allocation]:
    """Fitted to all problems, so that there is a rule for every place."""
    config = dataclasses.replace(
        CONFIG,
        split="validation",
        tokens=(35,),
        signs=("recent", "probe", "same"),
        options={"probe_text": "{close} Final Answer:", "probe_tokens": 2},
        out=str(tmp_path_factory.mktemp("probed")),
    )
    [found] = allocate(config)
    return config, found


def probes_in(out: str) -> Records:
    [folder] = Path(out).glob("probed-*")
    return read_records(folder)[1]


def test_a_rule_by_probes_takes_what_it_was_fitted_to_its_probes_counted(
    probed: tuple[AllocateConfig, Allocation],
) -> None:
    config, found = probed
    problems = Arithmetic().problems("validation", 48)
    uniform = read_records(f"{config.out}/{UNIFORM}")[1]
    seen = thinkings(uniform, prompt_lengths(config.engine, config.model, problems))
    longest = uniform.under([Setting.parse(f"{config.model}/elastic/48+20")])
    seen = with_probes(seen, longest, probes_in(config.out), template_of(config))
    rule = Rule.parse(found.rule)
    assert rule.signs == {"recent", "probe", "same"}
    assert [*rule.terms] == [8, 16, 24]
    own = {(record.problem, record.sample): record for record in read_records(found.records)[1]}
    assert len(seen.keys) == len(own) == 48
    for row, (key, column) in enumerate(zip(seen.keys, follow(seen, rule), strict=True)):
        assert own[key].num_spent_tokens == seen.tokens[row, column]
        assert own[key].correct == bool(seen.correct[row, column])
    assert sum(record.num_probe_tokens for record in own.values()) > 48
    assert found.reached.tokens == pytest.approx(sum(record.num_spent_tokens for record in own.values()) / 48)


def test_a_rule_that_probes_is_a_recipe_with_the_words_that_it_was_found_with(
    probed: tuple[AllocateConfig, Allocation], capsys: pytest.CaptureFixture[str]
) -> None:
    config, found = probed
    flags = ["--split", "validation", "--tokens", "35", "--signs", "recent,probe,same", "--limit", "48"]
    flags += ["--options.probe_text", "{close} Final Answer:", "--options.probe_tokens", "2", "--out", config.out]
    assert main(["allocate", "--model", "mini-e1", "--budgets", ",".join(config.budgets), *flags]) == 0
    recipe = yaml.safe_load((Path(config.out) / "tokens-35.yaml").read_text(encoding="utf-8"))
    assert recipe["options"] == {**config.options, "rule": found.rule}
    assert "to run a rule" in capsys.readouterr().out


def test_thinkings_that_are_others_with_probes_say_nothing(probed: tuple[AllocateConfig, Allocation]) -> None:
    config, _ = probed
    uniform = read_records(f"{config.out}/{UNIFORM}")[1]
    prompts = prompt_lengths(config.engine, config.model, Arithmetic().problems("validation", 48))
    shorter = uniform.under([Setting.parse(f"{config.model}/elastic/8+20")])
    with pytest.raises(RecordsError, match="draws the same again"):
        with_probes(thinkings(uniform, prompts), shorter, probes_in(config.out), template_of(config))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tokens": ()}, "tokens is empty: say what a request may take on average"),
        ({"budgets": ("8+20",)}, "budgets 8+20: give two or more of one s"),
        ({"budgets": ("8+20", "16+24")}, "budgets 8+20,16+24: give two or more of one s"),
        ({"budgets": ("0+20", "16+20")}, "with a t of 1 or more"),
        ({"budgets": ("8+20", "inf+20")}, "budgets inf+20,8+20: give two or more"),
        ({"signs": ()}, "signs is empty: give some of prompt, thinking, recent, probe, same"),
        ({"signs": ("prompts",)}, "unknown sign 'prompts': did you mean 'prompt'?"),
        ({"options": {"wrap_up": "x"}}, "options.wrap_up: a rule is found for thinking as it is"),
        ({"options": {"probe_tokens": 3}}, "options.probe_tokens: nothing is probed without a sign that says so"),
        ({"part": "1/2"}, "part 1/2: all problems are needed at once"),
        ({"out": "s3://bucket/run"}, "out s3://bucket/run: all problems are needed at once"),
        ({"samples": 0}, "samples 0: must be 1 or more"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_run(changes: dict, said: str) -> None:
    config = dataclasses.replace(CONFIG, **changes)
    with pytest.raises(ElasticError) as error:
        check(config)
    assert said in str(error.value)


def test_budgets_are_the_tasks_own_if_none_is_given() -> None:
    assert [str(budget) for budget in check(dataclasses.replace(CONFIG, budgets=()))][:2] == ["8+20", "16+20"]


def test_one_thinking_serves_all_budgets_on_other_engines_too() -> None:
    on_vllm = EngineConfig(name="vllm")
    assert not is_shared(SweepConfig(engine=on_vllm))
    assert is_shared(SweepConfig(engine=on_vllm, one_thinking=True))
    assert not is_shared(SweepConfig(engine=on_vllm, one_thinking=True, share=False))
