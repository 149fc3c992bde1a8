"""Arguments of the chat template reach every command; a prompt that closes thinking is said aloud."""

import json
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main
from elastic_reasoning.core.template import Thinking
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.manifest import read_manifest
from elastic_reasoning.training.provenance import read_trained_for
from fake_servers import FakeModel, fake_vllm, serving
from hybrid import write_hybrid
from small_runs import arguments, small_run

QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
THINKS = "--chat_template_kwargs.thinking=true"
AS_JSON = ["--chat_template_kwargs", '{"thinking": true}']
SMALL = ["--budgets", "8+20,24+20", "--strategies", "elastic,s1,vanilla", "--limit", "2", "--device", "cpu"]


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_hybrid(tmp_path_factory.mktemp("model") / "hybrid"))


def test_generate_thinks_where_it_is_asked_to(hybrid: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = ["generate", QUESTION, "--model", hybrid, "--sampling.temperature", "0", "--device", "cpu", "--json"]
    for given, state in (([], "closed"), ([THINKS], "open"), (AS_JSON, "open"), (["--strategy", "vanilla"], "closed")):
        assert main([*answer, *given]) == 0
        out, err = capsys.readouterr()
        found = json.loads(out)
        assert (found["prompt_thinking"], found["num_thinking_tokens"] > 0) == (state, state == "open")
        assert ("THE CHAT TEMPLATE CLOSES THINKING" in err) == (state == "closed")
        assert ("it takes chat_template_kwargs thinking" in err) == (state == "closed")


def test_generate_shows_a_budget_without_effect(hybrid: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", QUESTION, "--model", hybrid, "--device", "cpu"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "thinking 0/24 tokens (THE PROMPT CLOSES THINKING: t has no effect)" in shown


def test_a_sweep_says_which_budgets_are_one_setting(
    hybrid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    sweep = ["sweep", "--models", hybrid, *SMALL, "--out", str(tmp_path)]
    assert main(sweep) == 0
    out, err = capsys.readouterr()
    assert err.count("CLOSES THINKING") == 1
    assert "elastic 8+20, 24+20 and s1 8+20, 24+20 are each one setting" in " ".join(err.split())
    assert "t HAS NO EFFECT where it is void" in " ".join(out.split())
    manifest, records = read_records(tmp_path)
    assert manifest.config["chat_template_kwargs"] == {}
    assert {record.strategy for record in records if record.closed_by_prompt} == {"elastic", "s1"}
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert {row["strategy"]: row["void_rate"] for row in summary["rows"]} == {"elastic": 1, "s1": 1, "vanilla": 0}
    assert "t void" in next((tmp_path / "report").glob("*.html")).read_text()
    assert main([*sweep, THINKS]) == 2
    assert "made with --chat_template_kwargs" in capsys.readouterr().err


def test_a_recipe_may_hold_them(hybrid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"model: {hybrid}\nchat_template_kwargs:\n  thinking: true\nlimit: 2\nreport: false\n")
    assert main(["eval", "--recipe", str(recipe), "--out", str(tmp_path / "run"), "--device", "cpu"]) == 0
    assert "NO EFFECT" not in capsys.readouterr().err
    assert read_manifest(tmp_path / "run").config["chat_template_kwargs"] == {"thinking": True}
    assert not any(record.closed_by_prompt for record in read_records(tmp_path / "run")[1])


@pytest.mark.parametrize(
    "command",
    [
        ["generate", QUESTION],
        ["sweep", *SMALL, "--models"],
        ["eval", "--limit", "1"],
        ["train", "--device", "cpu"],
        ["train", "--dry-run"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_an_argument_that_is_not_read_is_refused(
    command: list[str], hybrid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [] if command[0] == "generate" else ["--out", str(tmp_path / "run")]
    model = [hybrid] if command[-1] == "--models" else ["--model", hybrid]
    assert main([*command, *model, *out, "--chat_template_kwargs.thinkin=true"]) == 2
    assert "'thinkin': did you mean 'thinking'?" in capsys.readouterr().err


def test_a_training_run_thinks_where_it_is_asked_to(
    hybrid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small_run(tmp_path / "run", model=hybrid, steps=1, save_every=1, num_validation_problems=4)
    assert main(["train", *arguments(config), "--device", "cpu", "--json", THINKS]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[0])["thinking_tokens"] > 0
    assert "NO EFFECT" not in err
    about = read_trained_for(tmp_path / "run" / "model")
    assert about
    assert about.chat_template_kwargs == {"thinking": True}


def test_a_training_run_without_thinking_says_so(
    hybrid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small_run(tmp_path / "run", model=hybrid, steps=1, save_every=1, num_validation_problems=4)
    assert main(["train", *arguments(config), "--device", "cpu", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[0])["thinking_tokens"] == 0
    assert err.count("THE CHAT TEMPLATE CLOSES THINKING") == 1
    assert main(["train", *arguments(config), "--dry-run"]) == 0
    assert "CLOSES THINKING" in capsys.readouterr().out


def test_a_served_model_is_asked_with_them(hybrid: str) -> None:
    from elastic_reasoning.engines.loading import load_template

    model = FakeModel(load_template(hybrid)[1], ends_in_thinking=False)
    question = [{"role": "user", "content": QUESTION}]
    with serving(lambda: fake_vllm(model)) as server:
        config = ServerConfig((server.url,), tokenizer=hybrid)
        closed, thinks = OpenAIEngine(config), OpenAIEngine(config, chat_template_kwargs={"thinking": True})
    assert closed.prompt(question).thinking is Thinking.CLOSED
    assert thinks.prompt(question).thinking is Thinking.OPEN
    assert "NO EFFECT" in closed.note
    assert "NO EFFECT" not in thinks.note
