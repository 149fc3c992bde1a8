from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.evaluation.growth import clash, grow, take_up
from elastic_reasoning.records.manifest import MODELS_DIGEST, Manifest, read_manifest
from make_records import make_manifest, make_records, write_folder

RECORDS = make_records(num_problems=3, num_samples=1, budgets=("8+20", "64+20"))
FOLDER = Path("runs/sweep")


def manifest(**config: Any) -> Manifest:
    return replace(make_manifest(2), config={"models": ["mini"], "sampling": {"temperature": 1.0, "seed": 0}, **config})


def test_a_run_that_goes_on_keeps_its_manifest(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "run", RECORDS)
    later = replace(make_manifest(), created="2026-01-01T00:00:00+00:00", commit=None)
    assert take_up(folder, later) == make_manifest()
    assert read_manifest(folder) == make_manifest()


def test_a_folder_without_records_begins_anew(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "run", [])
    other = replace(make_manifest(), seed=1)
    assert take_up(folder, other) == other
    assert read_manifest(folder) == other


def test_records_without_a_manifest_are_not_taken_up(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "run", RECORDS)
    (folder / "manifest.json").unlink()
    with pytest.raises(RecordsError, match=r"has records but no manifest\.json"):
        take_up(folder, make_manifest())


def test_growth_is_kept_in_the_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "run", RECORDS)
    asked = replace(make_manifest(41), created="2026-01-01T00:00:00+00:00")
    after = take_up(folder, asked)
    assert after == read_manifest(folder)
    assert after.created == make_manifest().created
    assert [(growth["created"], growth["added"]) for growth in after.grown] == [(asked.created, {"problems": 41})]
    assert take_up(folder, replace(asked, created="2027-01-01T00:00:00+00:00")) == after


@pytest.mark.parametrize(
    ("before", "asked", "message"),
    [
        ({"sampling": {"seed": 0, "temperature": 0.6}}, {}, "--sampling.temperature 0.6, not 1.0"),
        ({"options": {"s1": {"wait": "so on"}}}, {"options": {"s1": {"wait": ""}}}, 'wait "so on" for strategy s1'),
        ({"engine": "vllm"}, {"engine": "openai"}, "--engine vllm, not openai"),
        (
            {"chat_template_kwargs": {"a": True}},
            {"chat_template_kwargs": {}},
            "--chat_template_kwargs.a true, not null",
        ),
        ({"vllm": {"max_model_len": 5}}, {"vllm": {"max_model_len": 6}}, "--vllm.max_model_len 5, not 6"),
        ({"release": "v5"}, {"release": ""}, '--release v5, not ""'),
        ({"dtype": {"mini": "float32"}}, {"dtype": "auto"}, r"--dtype \{\"mini\": \"float32\"\}, not auto"),
        ({MODELS_DIGEST: {"mini": "aa"}}, {MODELS_DIGEST: {"mini": "bb"}}, "other weights of model mini"),
        ({MODELS_DIGEST: {"mini": "aa"}}, {MODELS_DIGEST: {}}, "other weights of model mini"),
        ({MODELS_DIGEST: {}}, {MODELS_DIGEST: {"mini": "bb"}}, "other weights of model mini"),
        (
            {"models": ["a>mini"], MODELS_DIGEST: {"mini": "aa"}},
            {MODELS_DIGEST: {"mini": "bb"}},
            "other weights of model mini",
        ),
    ],
)
def test_a_refusal_names_the_flag_and_both_values(before: dict, asked: dict, message: str) -> None:
    with pytest.raises(RecordsError, match=message) as caught:
        grow(FOLDER, manifest(**before), manifest(**asked))
    assert str(caught.value).startswith("runs/sweep was made with ")
    assert str(caught.value).endswith("another folder with --out")


def test_each_strategy_and_model_keeps_what_it_was_told() -> None:
    before = manifest(options={"s1": {"wait": ""}}, dtype={"mini": "float32"}, models_digest={"mini": "aa"})
    asked = manifest(
        models=["big"], options={"elastic": {"grace": 3}}, dtype={"big": "float16"}, models_digest={"big": "bb"}
    )
    assert grow(FOLDER, before, asked).config == {
        **before.config,
        "models": ["mini", "big"],
        "options": {"s1": {"wait": ""}, "elastic": {"grace": 3}},
        "dtype": {"mini": "float32", "big": "float16"},
        "models_digest": {"mini": "aa", "big": "bb"},
    }


def test_an_option_that_came_later_was_as_it_comes_in_what_was_made_before() -> None:
    before, asked = (
        manifest(options={"elastic": {"wait": ""}}),
        {"elastic": {"wait": "", "loop_breaker": 0, "landing_peak": 10}},
    )
    assert grow(FOLDER, before, manifest(options=asked)) == before
    assert clash(before, manifest(options=asked)) is None
    with pytest.raises(RecordsError, match=r"loop_breaker null for strategy elastic, not 1"):
        grow(FOLDER, before, manifest(options={"elastic": {"wait": "", "loop_breaker": 1}}))


def test_fewer_problems_and_samples_are_no_change() -> None:
    before = manifest(samples=4)
    assert grow(FOLDER, before, replace(manifest(samples=2), problems=before.problems[:1])) is before


@pytest.mark.parametrize("change", [{"question": "a 1 ="}, {"answer": "0"}, {"graded_by": "other tests"}, {"id": "x"}])
def test_a_problem_that_has_changed_is_refused(change: dict[str, str]) -> None:
    before = manifest()
    problems: Any = [before.problems[0], {**before.problems[1], **change}]
    with pytest.raises(RecordsError, match=f"holds other problems: {next(iter(change))} of problem 2 was"):
        grow(FOLDER, before, replace(before, problems=problems))
