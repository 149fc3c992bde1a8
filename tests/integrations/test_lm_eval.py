"""The harness itself runs a task of its own kind, offline, with the shipped models; its grades are ours."""

import json
import logging
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed")

from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager
from transformers import AutoConfig

from elastic_reasoning.cli.harness_arguments import check_arguments
from elastic_reasoning.cli.main import main
from elastic_reasoning.core.errors import DelimiterError, ElasticError, EngineError, UsageError
from elastic_reasoning.core.request import Sampling, derived_seed
from elastic_reasoning.core.template import Thinking
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted, word_template
from elastic_reasoning.integrations.lm_eval import ElasticLM
from elastic_reasoning.tasks.arithmetic import Arithmetic
from families import PLAIN, tokenizer_of
from hybrid import write_hybrid

pytestmark = pytest.mark.filterwarnings("default")  # the harness and what it imports have warnings of their own

NUM_PROBLEMS = 48
SHAPE = {
    "vocab_size": 400,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
TASK = """
task: chains
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
fewshot_split: test
output_type: {kind}
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
{more}
"""
GENERATIVE = """
generation_kwargs: {until: [], do_sample: true, temperature: 1.0, max_gen_toks: 8}
repeats: 2
filter_list: [{name: answer, filter: [{function: regex, regex_pattern: 'answer (\\d)'}, {function: take_first}]}]
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""
CHOICE = 'doc_to_choice: ["1", "2"]\ndoc_to_target: 0\nmetric_list: [{metric: acc}]'


@pytest.fixture(autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path_factory.getbasetemp() / "datasets"))


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """What the harness's logger says."""
    monkeypatch.setattr(logging.getLogger("lm_eval"), "propagate", True)
    return caplog


def write_task(folder: Path, kind: str = "generate_until", more: str = GENERATIVE) -> Path:
    problems = Arithmetic().problems("validation", NUM_PROBLEMS)
    rows = [{"question": problem.messages[0]["content"], "answer": problem.answer} for problem in problems]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "chains.yaml").write_text(TASK.format(data=folder / "rows.jsonl", kind=kind, more=more))
    return folder


def evaluate(folder: Path, model: Any = "elastic", **settings: Any) -> Any:
    values = {"apply_chat_template": True, "bootstrap_iters": 0, **settings}
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    return simple_evaluate(model, tasks=["chains"], task_manager=manager, **values)


def counted(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def scripted_model(**settings: Any) -> ElasticLM:
    template = word_template("<think>", "</think>", "<eos>", ["two", "and", "answer", "4"])
    engine = ScriptedEngine(scripted(template, "two and two and", "answer 4 and two"), template, context=40)
    return ElasticLM(engine=engine, budget="3+5", **settings)


def instance(content: str = "two", number: int = 0, **settings: Any) -> Instance:
    context = scripted_model().apply_chat_template([{"role": "user", "content": content}])
    return Instance("generate_until", {}, (context, settings), 0, ("words", number, 1))


def test_the_harness_finds_the_grades_that_we_find(tmp_path: Path) -> None:
    args = f"pretrained=mini-e1,budget=24+20,seed=5,counts={tmp_path / 'counts.jsonl'}"
    results = evaluate(write_task(tmp_path), model_args=args)

    engine, task = load("mini-e1"), Arithmetic()
    problems = task.problems("validation", NUM_PROBLEMS)
    requests = [
        new_request(
            engine,
            problem.messages,
            "24+20",
            sampling=Sampling(seed=derived_seed(5, "chains", number)),
            sample=sample,
            name=f"{number} {sample}",
        )
        for number, problem in enumerate(problems)
        for sample in range(2)
    ]
    traces = {trace.request.name: trace for trace in generate(engine, requests)}

    samples = results["samples"]["chains"]
    assert [sample["resps"][0] for sample in samples] == [
        [traces[f"{n} {k}"].solution_text for k in range(2)] for n in range(NUM_PROBLEMS)
    ]
    graded = [task.grade(problem, traces[f"{n} 0"].solution_text) for n, problem in enumerate(problems)]
    assert results["results"]["chains"]["exact_match,answer"] == fmean(grade.correct for grade in graded)

    lines = {f"{line['doc_id']} {line['sample']}": line for line in counted(tmp_path / "counts.jsonl")}
    assert lines.keys() == traces.keys()
    for name, trace in traces.items():
        line = lines[name]
        assert (line["task"], line["error"]) == ("chains", None)
        assert line["prompt_hash"] == samples[int(name.split()[0])]["prompt_hash"]
        assert line["thinking"] == trace.thinking_text
        for field in ("num_thinking_tokens", "num_solution_tokens", "num_forced_tokens", "forced_close", "escaped"):
            assert line[field] == getattr(trace, field)
    summary = results["config"]["elastic"]
    assert summary["num_requests"] == 2 * NUM_PROBLEMS
    assert summary["num_errors"] == 0
    assert summary["mean_thinking_tokens"] == fmean(trace.num_thinking_tokens for trace in traces.values())


def test_other_strategies_and_pairs_of_models_run_too(tmp_path: Path) -> None:
    write_task(tmp_path)
    for args in (
        "pretrained=mini-e1,budget=16+12,strategy=s1,answer_tokens=4",
        "pretrained=mini>mini-e1,budget=16+12",
        "pretrained=mini-e1,budget=30+10,strategy=l1-max,max_total=64",
    ):
        results = evaluate(tmp_path, model_args=args, limit=4)
        assert results["config"]["elastic"]["num_errors"] == 0
    assert results["config"]["elastic"]["options"] == {"max_total": 64}


def test_few_shot_examples_are_turns_of_the_conversation(tmp_path: Path) -> None:
    samples = evaluate(
        write_task(tmp_path),
        model_args="pretrained=mini-e1,budget=8+4",
        num_fewshot=2,
        fewshot_as_multiturn=True,
        limit=2,
    )["samples"]["chains"]
    roles = [message["role"] for message in json.loads(samples[0]["arguments"][0][0])]
    assert roles == ["user", "assistant", "user", "assistant", "user"]


def test_without_a_chat_template_nothing_is_run(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"none of 4 requests could be answered.*--apply_chat_template"):
        evaluate(write_task(tmp_path), scripted_model(), apply_chat_template=False, limit=2)


@pytest.mark.parametrize(("kind", "more"), [("multiple_choice", CHOICE), ("loglikelihood_rolling", "doc_to_text: ''")])
def test_likelihoods_are_refused(tmp_path: Path, kind: str, more: str) -> None:
    with pytest.raises(UsageError, match=r"chains: asks for the likelihood.*only generative tasks run under a budget"):
        evaluate(write_task(tmp_path, kind, more), scripted_model(), limit=2)


def test_a_task_that_begins_the_answer_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"begins the answer itself, with 'So it is' \(gen_prefix\)"):
        evaluate(write_task(tmp_path, more=f"{GENERATIVE}\ngen_prefix: So it is"), scripted_model(), limit=2)


def test_a_chat_template_by_name_is_refused() -> None:
    assert scripted_model().chat_template(True) == ""
    with pytest.raises(UsageError, match="chat template 'tools': the model's own is used"):
        scripted_model().chat_template("tools")


def test_a_cache_that_knows_no_budgets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="use_cache would give the answers of one budget for another"):
        evaluate(write_task(tmp_path), scripted_model(), use_cache=str(tmp_path / "cache"))


def test_stop_strings_end_the_solution_alone(tmp_path: Path) -> None:
    model = scripted_model(counts=str(tmp_path / "counts.jsonl"))
    assert model.generate_until([instance(until=[" and"]), instance(until="4"), instance()], disable_tqdm=True) == [
        "answer 4",
        "answer ",
        "answer 4 and two",
    ]
    assert [line["stopped_at"] for line in counted(tmp_path / "counts.jsonl")] == [" and", "4", None]
    assert [line["thinking"] for line in counted(tmp_path / "counts.jsonl")] == ["two and two"] * 3


def test_an_error_is_counted_and_told(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    model = scripted_model(counts=str(tmp_path / "counts.jsonl"))
    too_long = instance("two " * 60, number=7)
    assert model.generate_until([instance(), too_long, instance()], disable_tqdm=True)[1] == ""
    assert "1 OF 3 REQUESTS COULD NOT BE ANSWERED" in said.text
    assert "document 7 of words: the prompt has 60 tokens" in said.text
    assert model.get_model_info()["elastic"]["num_errors"] == 1
    errors = [line["error"] is not None for line in counted(tmp_path / "counts.jsonl")]
    assert sorted(errors) == [False, False, True]
    with pytest.raises(EngineError, match="none of 1 requests"):
        model.generate_until([too_long], disable_tqdm=True)


def test_what_is_not_done_as_a_task_says_is_said_once(said: pytest.LogCaptureFixture) -> None:
    asked = [instance(max_gen_toks=4, num_beams=4)] * 3
    scripted_model().generate_until(asked, disable_tqdm=True)
    assert said.text.count("task words: it allows 4 tokens, THE BUDGET 5") == 1
    assert said.text.count("task words: its settings {'num_beams': 4} are not heeded") == 1


def test_draws_are_those_of_the_task_and_the_document() -> None:
    seen = []
    model = scripted_model(top_p=0.5)
    script = model.engine.script
    model.engine.script = lambda request, ids: (seen.append(request.sampling), script(request, ids))[1]
    model.generate_until([instance(number=3, temperature=0.6)], disable_tqdm=True)
    assert seen[0] == Sampling(0.6, 0.5, seed=derived_seed(0, "words", 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pretrained": "mini"}, "no budget"),
        ({"budget": "24+20"}, "no model"),
        ({"pretrained": "mini", "budget": "24"}, "write it as THINKING"),
        ({"pretrained": "mini", "budget": "24+20", "strategy": "elastix"}, "did you mean 'elastic'"),
        ({"pretrained": "mini", "budget": "24+20", "temprature": 1}, "did you mean 'temperature'"),
        ({"pretrained": "mini", "budget": "24+20", "num_waits": 1}, "means nothing to strategy 'elastic'"),
        ({"pretrained": "mini", "budget": "24+20", "engine": "vlm"}, "did you mean 'vllm'"),
        ({"pretrained": "mini", "budget": "24+20", "engine": "openai"}, "base_url"),
        ({"pretrained": "minni", "budget": "24+20"}, "did you mean 'mini'"),
        ({"pretrained": "mini", "budget": "inf+20", "strategy": "l1-max"}, "two finite parts"),
        ({"pretrained": "mini", "budget": "24+20", "tensor_parallel_size": 0}, "tensor_parallel_size 0: must be 1 or"),
        ({"pretrained": "mini>mini-e1", "budget": "24+20", "tensor_parallel_size": 2}, "with a pair of models"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ElasticError, match=message) as failure:
        get_model("elastic").create_from_arg_obj(arguments, {"batch_size": 1, "device": None})
    assert "\n" not in str(failure.value)


def test_the_command_writes_results_samples_and_counts(tmp_path: Path) -> None:
    write_task(tmp_path)
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "lm_eval", "--tasks", "chains", "--limit", "6"]
    command += ["--model_args", "pretrained=mini-e1,strategy=elastic,budget=24+20", "--include_path", str(tmp_path)]
    command += ["--output_path", str(tmp_path / "out"), "--log_samples"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "|chains|" in done.stdout
    [results] = (tmp_path / "out").rglob("results_*.json")
    assert json.loads(results.read_text())["config"]["elastic"]["num_requests"] == 12
    [samples] = (tmp_path / "out").rglob("samples_chains_*.jsonl")
    [counts] = (tmp_path / "out").glob("counts_*.jsonl")
    hashes = {line["prompt_hash"] for line in counted(counts)}
    assert hashes == {json.loads(line)["prompt_hash"] for line in samples.read_text().splitlines()}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--model_args", "pretrained=mini-e1"], "no budget"),
        (["--model_args", "pretrained=mini-e1,budget=4+4", "--tasks", "nosuch"], "lm_eval: Tasks not found"),
        (["--model_args", "pretrained=mini-e1,budget=8+8,device=nowhere"], "device 'nowhere'"),
        (["--model_args", "pretrained=mini-e1,budget=8+8", "--device", "nowhere"], "device 'nowhere'"),
        (["--model_args", "pretrained=mini-e1,budget=8+8", "--apply_chat_template", "tools"], "chat template 'tools'"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(
    more: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("lm_eval.tasks.TaskManager", partial(TaskManager, include_defaults=False))
    command = ["lm-eval", "--tasks", "chains", "--include_path", str(write_task(tmp_path)), "--limit", "2", *more]
    assert main(command) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("elastic: error: ")
    assert message in last


def test_delimiters_that_nothing_names_are_asked_for_among_the_models_arguments(tmp_path: Path) -> None:
    tokenizer_of(["<|im_start|>"], PLAIN).save_pretrained(tmp_path)
    AutoConfig.for_model("llama", **SHAPE).save_pretrained(tmp_path)
    with pytest.raises(DelimiterError, match="add opening=<think>,closing=</think> to the model's arguments"):
        ElasticLM(pretrained=str(tmp_path), budget="8+8")


@pytest.mark.parametrize("given", [{"thinking": True}, '{"thinking": true}'])
def test_arguments_of_the_chat_template_are_passed_on(tmp_path: Path, said: Any, given: Any) -> None:
    hybrid = str(write_hybrid(tmp_path / "hybrid"))
    prompt = [{"role": "user", "content": "a 4 b -8 ="}]
    model = ElasticLM(hybrid, "8+4", device="cpu", chat_template_kwargs=given)
    assert model.engine.prompt(prompt).thinking is Thinking.OPEN
    assert model.get_model_info()["elastic"]["chat_template_kwargs"] == {"thinking": True}
    assert "NO EFFECT" not in said.text
    assert ElasticLM(hybrid, "8+4", device="cpu").engine.prompt(prompt).thinking is Thinking.CLOSED
    assert "THE CHAT TEMPLATE CLOSES THINKING" in said.text


@pytest.mark.parametrize("given", ["{", "thinking", [1], 5])
def test_arguments_of_the_chat_template_that_are_no_mapping_are_refused(given: Any) -> None:
    with pytest.raises(UsageError, match="must be a mapping; give all of the model's arguments as JSON"):
        ElasticLM("mini-e1", "8+4", chat_template_kwargs=given)
    with pytest.raises(UsageError, match="chat_template_kwargs beside an engine"):
        scripted_model(chat_template_kwargs={"thinking": True})


def test_arguments_are_split_as_the_harness_does() -> None:
    urls = 'server.base_urls=["http://127.0.0.1:1/v1","http://127.0.0.1:2/v1"]'
    check_arguments(["--model_args", f"engine=openai,budget=24+20,{urls},seed=3"])
    given = 'pretrained=mini,budget=24+20,vllm.args={"gpu_memory_utilization": 0.5, "seed": "a,b"}'
    with pytest.raises(ElasticError, match="dtype 'fp33'"):
        check_arguments(["--model_args", f"{given},dtype=fp33"])
