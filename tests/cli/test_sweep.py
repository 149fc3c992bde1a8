import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.analysis.spending import generated_tokens
from elastic_reasoning.cli.main import main
from elastic_reasoning.core.strategies import STRATEGIES
from elastic_reasoning.miniature.model import build_model
from elastic_reasoning.miniature.tokenizer import build_tokenizer
from elastic_reasoning.records.log import read_records
from make_records import make_records, write_folder

SMALL = [
    *("--models", "mini", "--strategies", "elastic,vanilla", "--budgets", "2+2,4+2", "--limit", "3"),
    *("--report", "false"),
]


def small(*argv: str) -> list[str]:
    """The flags of the small sweep, with these in place of its own, later ones first: a flag is given once."""
    given = [*SMALL, *argv]
    flags = [n for n, part in enumerate(given) if part.startswith("--")]
    kept = {given[n]: given[n:end] for n, end in zip(flags, [*flags[1:], len(given)], strict=True)}
    return [part for parts in kept.values() for part in parts]


def swept(capsys: pytest.CaptureFixture[str], folder: Path, *argv: str) -> tuple[str, str]:
    assert main(["sweep", *small("--out", str(folder), *argv)]) == 0
    out, err = capsys.readouterr()
    return out, err


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["sweep", *argv]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("elastic: error: ")
    assert error.count("\n") == 1
    return error


def test_a_sweep_prints_its_table_and_what_sharing_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = swept(capsys, tmp_path)
    _, records = read_records(tmp_path)
    assert len(records) == 2 * 2 * 3
    num_sampled, num_generated = generated_tokens(records)
    assert num_generated < num_sampled
    share = f"{num_generated / num_sampled:.0%}"
    assert f"{num_generated:,} tokens were generated for {num_sampled:,} in the records ({share})" in out
    assert "3 samples of 3 problems in each row" in out
    assert err == ""
    assert swept(capsys, tmp_path) == (out, "")


def test_one_command_makes_the_figures_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = swept(capsys, tmp_path, "--report", "true")
    page = tmp_path / "report" / "report.html"
    assert f"page: {page}" in out
    assert page.exists()
    assert (tmp_path / "report" / "accuracy.png").exists()


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--closing TEXT Closing delimiter" in text
    assert "--json Print the table as JSON" in text
    assert "answer_tokens" in text


def test_the_table_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(swept(capsys, tmp_path, "--json")[0])
    _, records = read_records(tmp_path)
    assert [(row["strategy"], row["budget"]) for row in data["rows"]] == [
        ("elastic", "2+2"),
        ("elastic", "4+2"),
        ("vanilla", "2+2"),
        ("vanilla", "4+2"),
    ]
    assert [row["accuracy"] for row in data["rows"]] == [row.accuracy for row in summarise(records)]
    assert (data["num_sampled_tokens"], data["num_generated_tokens"]) == generated_tokens(records)


def test_flags_override_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "models: [mini]\nstrategies: [elastic, s1]\nbudgets: [2+2, 4+2]\nlimit: 2\noptions: {answer_tokens: 1}\n"
    )
    folder = tmp_path / "run"
    assert main(["sweep", "--recipe", str(recipe), "--budgets", "8+2", "--samples", "2", "--out", str(folder)]) == 0
    manifest, records = read_records(folder)
    assert {(r.strategy, r.budget, r.sample) for r in records} == {
        (strategy, "8+2", sample) for strategy in ("elastic", "s1") for sample in (0, 1)
    }
    assert len(manifest.problems) == 2
    assert manifest.config["options"]["s1"]["answer_tokens"] == 1
    assert "json" not in manifest.config


def test_requests_that_cannot_be_run_are_counted_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = swept(capsys, tmp_path, "--budgets", "2+2,900+2")
    assert err == "6 requests could not be run; their errors are in the records\n"
    assert "errors" in out


def test_a_torn_line_is_mentioned_and_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swept(capsys, tmp_path)
    path = tmp_path / "records/main.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    assert "a torn last line of " in swept(capsys, tmp_path)[1]
    assert len(read_records(tmp_path)[1]) == 12


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--budgets", "8+20,-4+2"], "thinking budget -4: must be 0 or more"),
        (["--budgets", "-4+2"], "thinking budget -4: must be 0 or more"),
        (["--budgets", "1.5+2"], "'1.5' is not a whole number"),
        (["--budgets", "8+20,,9+20"], "budget '': write it as"),
        (["--thinking", "8,16"], "thinking is given alone: a grid needs thinking and solution"),
        (["--models", "mini>mini>mini"], "model 'mini>mini>mini': give one name, or THINKING>SOLUTION"),
        (["--strategies", "elastic,s2"], f"unknown strategy 's2': known are {', '.join(sorted(STRATEGIES))};"),
        (["--task", "maths"], "unknown task 'maths': did you mean"),
        (["--split", "tets"], "unknown split 'tets': did you mean 'test'?"),
        (["--models", "minni"], "unknown model 'minni': did you mean 'mini'?"),
        (["--models", "mini,minni"], "unknown model 'minni': did you mean 'mini'?"),
        (["--models", ""], "models is empty"),
        (["--samples", "0"], "samples 0: must be 1 or more"),
        (["--samples", "many"], "samples 'many': must be a whole number"),
        (["--limit", "0"], "limit 0: must be 1 or more"),
        (["--limit", "99999"], "limit 99999"),
        (["--max_rows", "0"], "max_rows 0: must be 1 or more"),
        (["--options.wrap_up", "so", "--strategies", "vanilla"], "wrap_up='so' means nothing to strategy 'vanilla'"),
        (["--sampling.temperature", "-1"], "temperature -1.0: must be 0"),
        (["--modles", "mini"], "unknown option 'modles': did you mean 'models'?"),
        (["--out", ""], "out is empty"),
        (["here"], "unrecognized arguments: here"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, *small("--out", str(tmp_path / "run"), *argv))
    records = tmp_path / "run/records/main.jsonl"
    assert not records.exists() or not records.read_bytes()


def test_a_recipe_with_a_misspelt_key_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recipe.yaml").write_text("strategys: [elastic]\n")
    assert "did you mean 'strategies'?" in refused(capsys, "--recipe", str(tmp_path / "recipe.yaml"))


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert "use a folder that can be written" in refused(capsys, *SMALL, "--out", str(out))
    assert (tmp_path / "file").read_text() == "x"


def test_a_model_without_a_thinking_delimiter_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = build_tokenizer()
    for part in (build_model(tokenizer, seed=0), tokenizer):
        part.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").unlink()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        path = tmp_path / "model" / name
        path.write_text(path.read_text("utf-8").replace("<think>", "<one>").replace("</think>", "<two>"), "utf-8")
    for models in (str(tmp_path / "model"), f"mini,{tmp_path / 'model'}"):
        argv = ["--models", models, "--limit", "1", "--out", str(tmp_path / "run")]
        assert "no thinking delimiters" in refused(capsys, *argv)


def test_damaged_records_are_one_line_and_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swept(capsys, tmp_path)
    path = tmp_path / "records/main.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b'{"half": \n', *lines[1:]]))
    before = path.read_bytes()
    assert "line 2" in refused(capsys, *SMALL, "--out", str(tmp_path))
    assert path.read_bytes() == before


def test_a_folder_of_another_sweep_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path, make_records(num_problems=1, num_samples=1))
    assert "and that decides results: give the same --" in refused(capsys, *SMALL, "--out", str(tmp_path))


def test_an_interrupted_sweep_keeps_its_records_and_goes_on_as_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    source = Path(__file__).parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    elastic = [sys.executable, "-m", "elastic_reasoning.cli.main"]
    argv = ["sweep", "--models", "mini", "--strategies", "elastic", "--budgets", "4+4,8+4,32+4", "--max_rows", "16"]
    argv += ["--limit", "64", "--samples", "2"]
    with subprocess.Popen(
        [*elastic, *argv, "--out", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        deadline = time.monotonic() + 120
        records = folder / "records/main.jsonl"
        while time.monotonic() < deadline and not (records.exists() and records.stat().st_size):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert out == b""
    kept = records.read_bytes()
    num_kept, total = kept.count(b"\n"), 3 * 64 * 2
    assert 0 < num_kept < total
    assert kept.endswith(b"\n")
    message = err.decode().strip()
    assert message.startswith(f"elastic: interrupted: {num_kept} new records are kept in {folder}; to go on: elastic ")
    again = shlex.split(message.partition("to go on: ")[2])
    assert again == ["elastic", *argv, "--out", str(folder)]
    done = subprocess.run([*elastic, *again[1:], "--json"], capture_output=True, env=environment, check=True)
    assert sum(row["num_samples"] for row in json.loads(done.stdout)["rows"]) == total
    assert records.read_bytes().startswith(kept)
