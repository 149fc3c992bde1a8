import json

import pytest

from elastic_reasoning.cli.main import main
from elastic_reasoning.cli.plan_tables import in_dollars, in_thousands, in_time

SWEEP = ["plan", "sweep", "--models", "32B", "--strategies", "elastic,s1", "--budgets", "32+16,64+16"]
SIZE = ["--limit", "2000", "--prompt_tokens", "200", "--samples", "16"]


def test_a_table_and_what_was_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SWEEP, *SIZE, "--hardware", "H100", "--num_devices", "8"]) == 0
    out, err = capsys.readouterr()
    for text in (
        "32B/elastic/64+16",
        "upper bound",
        "8 copies over 1 of H100 each",
        "waits for",
        "1G",
        "in all: 128k",
    ):
        assert text in out, text
    assert "list price" in err
    assert max(map(len, out.splitlines())) <= 140


def test_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SWEEP, *SIZE, "--hardware", "H100", "--num_devices", "8", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [row["setting"] for row in plan["models"][0]["settings"]][:2] == [
        "32B/elastic/32+16",
        "32B/elastic/64+16",
    ]
    assert plan["tokens"]["num_records"] == 128_000
    assert plan["money"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan"], "nothing to plan: elastic plan sweep, or elastic plan train"),
        (["plan", "swep"], "unknown plan 'swep': did you mean 'sweep'?"),
        ([*SWEEP, "--hardware", "H10"], "unknown hardware 'H10': did you mean 'H100'?"),
        ([*SWEEP, "--hardwear", "H100"], "did you mean 'hardware'"),
        (["plan", "sweep", "--models", "mimi"], "did you mean 'mini'"),
    ],
)
def test_misuse_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert (out, err.count("\n")) == ("", 1)


def test_numbers_are_short() -> None:
    assert [in_thousands(each) for each in (0, 7, 999, 1000, 12_345, 3.2e9, 2e18)] == [
        *("0", "7", "999", "1k", "12.3k", "3.2G", "2,000P"),
    ]
    assert [in_time(each) for each in (None, 0.5, 90, 7200, 86400 * 400)] == ["-", "0.5 s", "90 s", "2 h", "400 days"]
    assert [in_dollars(each) for each in (0.0123, 4.5, 12345.6)] == ["0.012", "4.50", "12,346"]


def test_a_training_in_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--model", "7B", "--hardware", "H100", "--num_devices", "8", "--prompt_tokens", "200", "--steps", "10"]
    assert main(["plan", "train", *arguments]) == 0
    out, err = capsys.readouterr()
    for text in ("10 steps, 2.56k rollouts", "memory of a device, sharded", "in all: ", "$"):
        assert text in out, text
    assert "7B: taken for DeepSeek-R1-Distill-Qwen-7B" in err
    assert main(["plan", "train", *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rollouts"]["records"] == 2_560
